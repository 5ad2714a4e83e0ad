//! Archives of arrays.

use super::{Header, NpyArray, SharedFile};
use crate::{Error, Result};
use std::io::{Read, Seek};
use std::path::Path;
use zip::ZipArchive;

/// An opened `.npz` file.
pub struct Npz<R> {
    file: String,
    zip: ZipArchive<R>,
}

/// An array of an archive, read as it is unpacked.
pub struct NpzEntry<'a> {
    /// Type and shape.
    pub header: Header,
    /// The elements. At its end the archive's checksum is checked.
    pub data: Box<dyn Read + 'a>,
}

impl<R> std::fmt::Debug for Npz<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Npz({})", self.file)
    }
}

impl std::fmt::Debug for NpzEntry<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NpzEntry({})", self.header.describe())
    }
}

impl Npz<SharedFile> {
    /// Opens a file.
    ///
    /// # Errors
    /// [`Error::Read`] or [`Error::Npy`], naming the file.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        Npz::new(&path.display().to_string(), SharedFile::open(path)?)
    }
}

impl<R: Read + Seek> Npz<R> {
    /// Reads the directory of an archive. `file` names it in messages.
    ///
    /// # Errors
    /// [`Error::Npy`].
    pub fn new(file: &str, reader: R) -> Result<Self> {
        let whole = ZipArchive::new(reader);
        let refuse = |e| format!("it is no whole npz archive ({e}); fetch or save it again");
        let zip = whole.map_err(|e| Error::Npy { file: file.to_owned(), problem: refuse(e) })?;
        Ok(Self { file: file.to_owned(), zip })
    }

    /// Names of the arrays, sorted, without `.npy`.
    pub fn names(&self) -> Vec<String> {
        let names = self.zip.file_names().flatten();
        let mut names: Vec<String> =
            names.filter_map(|name| name.strip_suffix(".npy").map(str::to_owned)).collect();
        names.sort();
        names
    }

    /// Whether there is an array of this name.
    pub fn has(&self, name: &str) -> bool {
        self.zip.index_for_name(&format!("{name}.npy")).is_some()
    }

    /// Opens one array for reading.
    ///
    /// # Errors
    /// [`Error::Npy`] when there is none, or its header is bad.
    pub fn entry(&mut self, name: &str) -> Result<NpzEntry<'_>> {
        let file = self.named(name);
        let refuse = |problem| Error::Npy { file: file.clone(), problem };
        let names = self.names();
        let entry = self.zip.by_name(&format!("{name}.npy")).map_err(|e| match e {
            zip::result::ZipError::FileNotFound => {
                refuse(format!("there is no such array; it holds {}", names.join(", ")))
            }
            other => refuse(format!("it cannot be unpacked ({other}); save it again")),
        })?;
        let mut data = Box::new(entry);
        let header = Header::read(&mut data).map_err(refuse)?;
        Ok(NpzEntry { header, data })
    }

    /// Reads one array of at most `limit` bytes.
    ///
    /// # Errors
    /// [`Error::Npy`].
    pub fn array(&mut self, name: &str, limit: u64) -> Result<NpyArray> {
        let file = self.named(name);
        let refuse = |problem| Error::Npy { file: file.clone(), problem };
        let mut entry = self.zip.by_name(&format!("{name}.npy"));
        match &mut entry {
            Ok(entry) => NpyArray::read(entry, limit).map_err(refuse),
            Err(e) => Err(refuse(format!("it cannot be unpacked ({e}); save it again"))),
        }
    }

    /// File and array, for messages.
    pub(crate) fn named(&self, name: &str) -> String {
        format!("{}:{name}", self.file)
    }
}
