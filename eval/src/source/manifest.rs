//! The list that a program leaves beside its pictures.

use super::limits::MAX_ENTRIES;
use super::{Stamp, stamp};
use crate::{Error, Result};
use serde_json::Value;
use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

/// Name of the list: a line a picture, each a JSON object whose `file` is the picture's name in the same folder.
pub(super) const NAME: &str = "manifest.jsonl";

/// Longest line that is read as one; those of `fewstep generate` have some hundred bytes.
const MAX_LINE: u64 = 1 << 20;

/// The pictures that the list in a folder names, in its order; `None` if there is no list.
///
/// # Errors
/// [`Error::Source`] for a line that names no file in this folder, or one that stands there twice.
pub(super) fn read(root: &Path) -> Result<Option<Vec<(PathBuf, Stamp)>>> {
    let path = root.join(NAME);
    if !std::fs::metadata(&path).is_ok_and(|data| data.is_file()) {
        return Ok(None);
    }
    let unreadable = |reason| Error::Read { path: path.clone(), reason };
    let refuse = |problem: String| {
        let remedy = "make the pictures anew, or take the list away to have all pictures of the folder";
        Error::Source { path: root.to_owned(), problem: format!("{problem}; {remedy}") }
    };
    let mut stream = BufReader::new(File::open(&path).map_err(unreadable)?);
    let (mut files, mut seen) = (Vec::new(), HashSet::new());
    // The first that is wrong, and how many more are.
    let (mut wrong, mut more) = (None, 0_u64);
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        if stream.by_ref().take(MAX_LINE).read_until(b'\n', &mut line).map_err(unreadable)? == 0 {
            break;
        }
        let found = picture(root, &line).and_then(|(name, stamp)| {
            let new = seen.insert(name.clone());
            if new { Ok((name, stamp)) } else { Err(format!("names `{}` again", name.display())) }
        });
        match found {
            Ok(file) => files.push(file),
            Err(_) if wrong.is_some() => more += 1,
            Err(problem) => wrong = Some(format!("line {number} {problem}")),
        }
        if files.len() > MAX_ENTRIES {
            return Err(refuse(format!("its `{NAME}` lists more than {MAX_ENTRIES} pictures")));
        }
    }
    match wrong {
        Some(first) if more > 0 => Err(refuse(format!("in its `{NAME}` {first}, and {more} more are wrong"))),
        Some(only) => Err(refuse(format!("in its `{NAME}` {only}"))),
        None if files.is_empty() => Err(refuse(format!("its `{NAME}` lists no picture"))),
        None => Ok(Some(files)),
    }
}

/// What a line names: a file in the folder itself, so that no list leads elsewhere.
fn picture(root: &Path, line: &[u8]) -> std::result::Result<(PathBuf, Stamp), String> {
    let line: Option<Value> = serde_json::from_slice(line).ok();
    let Some(name) = line.as_ref().and_then(|line| line.get("file")).and_then(Value::as_str) else {
        return Err("is no JSON object with the name of a `file`".to_owned());
    };
    let shown = name.escape_debug();
    if name.is_empty() || name.contains(['/', '\\']) || name.contains("..") {
        return Err(format!("names `{shown}`, which is no plain file name"));
    }
    match std::fs::metadata(root.join(name)) {
        Ok(data) if data.is_file() => Ok((PathBuf::from(name), stamp(&data))),
        Ok(_) => Err(format!("names `{shown}`, which is no file")),
        Err(e) if e.kind() == ErrorKind::NotFound => Err(format!("names `{shown}`, which is missing")),
        Err(e) => Err(format!("names `{shown}`, which cannot be read ({e})")),
    }
}
