//! Files that are either whole or not there.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Writes `bytes` beside `path` and renames, so that a full disk or a killed run leaves the old file whole.
///
/// # Errors
/// If the file cannot be written; the message names it.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    let beside = path.with_file_name(name);
    fs::write(&beside, bytes)
        .and_then(|()| fs::rename(&beside, path))
        .inspect_err(|_| {
            let _ = fs::remove_file(&beside); // half a file helps nobody
        })
        .with_context(|| format!("cannot write `{}`", path.display()))
}
