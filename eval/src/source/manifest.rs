//! What a program leaves beside its pictures: their list, and overviews of many.

use super::limits::MAX_ENTRIES;
use super::{Stamp, stamp};
use crate::{Error, Result};
use serde_json::Value;
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

/// Name of the list: a line a picture, each a JSON object whose `file` is the picture's name in the same folder.
pub(super) const NAME: &str = "manifest.jsonl";

/// What this program writes beside single pictures to show many of them. As a sample it would be one more that no model
/// made, resized like any other.
pub(super) const OVERVIEWS: [&str; 2] = ["grid.png", "preview.png"];

/// Longest line that is read as one; those of `fewstep generate` have some hundred bytes.
const MAX_LINE: u64 = 1 << 20;

type Said<T> = std::result::Result<T, String>;

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
    let mut stream = BufReader::new(File::open(&path).map_err(unreadable)?);
    parse(&mut stream, root, MAX_ENTRIES, &|name| beside(root, name), &unreadable).map(Some)
}

/// The pictures that a list names, in its order. `find` tells which one a plain file name means, or why it means none;
/// `place` is the folder or archive, which holds `most` files.
///
/// # Errors
/// [`Error::Source`] for a line that names no picture, or one that stands there twice; that of `unreadable`.
pub(super) fn parse<T>(
    stream: &mut impl BufRead,
    place: &Path,
    most: usize,
    find: &dyn Fn(&str) -> Said<T>,
    unreadable: &dyn Fn(io::Error) -> Error,
) -> Result<Vec<T>> {
    let refuse = |problem: String| {
        let remedy = "make the pictures anew, or take the list away to have all pictures";
        Error::Source { path: place.to_owned(), problem: format!("{problem}; {remedy}") }
    };
    let (mut pictures, mut seen) = (Vec::new(), HashSet::new());
    // The first that is wrong, and how many more are.
    let (mut wrong, mut more) = (None, 0_u64);
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        if stream.by_ref().take(MAX_LINE).read_until(b'\n', &mut line).map_err(unreadable)? == 0 {
            break;
        }
        let found = named(&line).and_then(|name| {
            let shown = name.escape_debug().to_string();
            let picture = find(&name).map_err(|why| format!("names `{shown}`, {why}"))?;
            if seen.insert(name) { Ok(picture) } else { Err(format!("names `{shown}` again")) }
        });
        match found {
            Ok(picture) => pictures.push(picture),
            Err(_) if wrong.is_some() => more += 1,
            Err(problem) => wrong = Some(format!("line {number} {problem}")),
        }
        if pictures.len() > MAX_ENTRIES {
            return Err(refuse(format!("its `{NAME}` lists more than {MAX_ENTRIES} pictures")));
        }
        // More lines than files: the rest can only be wrong too, and packed it may be a thousand times as long as its file.
        if number > most as u64 && wrong.is_some() {
            break;
        }
    }
    match wrong {
        Some(first) if more > 0 => Err(refuse(format!("in its `{NAME}` {first}, and {more} more are wrong"))),
        Some(only) => Err(refuse(format!("in its `{NAME}` {only}"))),
        None if pictures.is_empty() => Err(refuse(format!("its `{NAME}` lists no picture"))),
        None => Ok(pictures),
    }
}

/// The name in a line: one of a file beside the list, so that no list leads elsewhere.
fn named(line: &[u8]) -> Said<String> {
    let line: Option<Value> = serde_json::from_slice(line).ok();
    let Some(name) = line.as_ref().and_then(|line| line.get("file")).and_then(Value::as_str) else {
        return Err("is no JSON object with the name of a `file`".to_owned());
    };
    if name.is_empty() || name.contains(['/', '\\']) || name.contains("..") {
        return Err(format!("names `{}`, which is no plain file name", name.escape_debug()));
    }
    Ok(name.to_owned())
}

/// A file of the folder itself.
fn beside(root: &Path, name: &str) -> Said<(PathBuf, Stamp)> {
    match std::fs::metadata(root.join(name)) {
        Ok(data) if data.is_file() => Ok((PathBuf::from(name), stamp(&data))),
        Ok(_) => Err("which is no file".to_owned()),
        Err(e) if e.kind() == ErrorKind::NotFound => Err("which is missing".to_owned()),
        Err(e) => Err(format!("which cannot be read ({e})")),
    }
}

/// What a user should know of a place with a list: other pictures there may have been meant too.
pub(super) fn remark(place: &Path, listed: usize, others: usize) -> String {
    let others = if others > 0 { format!(", {others} other left out") } else { String::new() };
    format!("`{}`: taken are the {listed} pictures that its `{NAME}` lists{others}", place.display())
}

/// What a user should know of the overviews that were found at the top of a place without a list.
pub(super) fn overview_remarks(place: &Path, overviews: &[&str]) -> Vec<String> {
    let place = place.display();
    let say = |name: &&str| {
        format!(
            "`{name}` in `{place}` shows many pictures at once and was left out; rename it if it is a sample"
        )
    };
    overviews.iter().map(say).collect()
}
