//! The format since PyTorch 1.6: a zip archive of uncompressed entries under one folder.

use super::checkpoint::Checkpoint;
use super::cursor::Cursor;
use super::machine::run;
use super::refusal::{Refusal, Result};
use std::collections::HashMap;
use std::io;
use zip::{CompressionMethod, ZipArchive};

pub(super) fn is_zip(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04")
}

pub(super) fn read(bytes: &[u8]) -> Result<Checkpoint<'_>> {
    let entries = entries(bytes)?;
    let folder = entries.keys().find_map(|name| name.strip_suffix("data.pkl"));
    let folder = folder.ok_or_else(|| Refusal::new("it is a zip archive, but not one of `torch.save`"))?;
    let entry = |name: &str| entries.get(&format!("{folder}{name}")).copied();
    match entry("byteorder") {
        None | Some(b"little") => {}
        Some(_) => return Err(Refusal::new("it is big-endian; save it on another machine")),
    }
    let pickle = run(&mut Cursor::new(entry("data.pkl").unwrap_or_default()))?;
    Checkpoint::new(pickle, |key| entry(&format!("data/{key}")))
}

/// The entries by name, where they stand in the file.
fn entries(bytes: &[u8]) -> Result<HashMap<String, &[u8]>> {
    let broken =
        |problem: &dyn std::fmt::Display| Refusal::new(format!("not a whole zip archive ({problem})"));
    let mut archive = ZipArchive::new(io::Cursor::new(bytes)).map_err(|e| broken(&e))?;
    let mut entries = HashMap::new();
    for at in 0..archive.len() {
        let entry = archive.by_index_raw(at).map_err(|e| broken(&e))?;
        let name = entry.name().map_err(|e| broken(&e))?.into_owned();
        if entry.compression() != CompressionMethod::Stored || entry.encrypted() {
            let problem = "is compressed or encrypted, which `torch.save` does not do";
            return Err(Refusal::new(format!("entry `{}` {problem}", name.escape_debug())));
        }
        let start = entry.data_start().ok_or_else(Refusal::short)?;
        let mut rest = Cursor::new(bytes);
        rest.take(start)?;
        let data = rest.take(entry.size())?;
        if entries.insert(name, data).is_some() {
            return Err(Refusal::new("it has two entries of one name"));
        }
    }
    Ok(entries)
}
