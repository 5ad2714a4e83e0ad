//! A zip archive of pictures.

use super::decode::{decode, is_picture_name};
use super::limits::{MAX_ENTRIES, MAX_FILE};
use super::{EXTENSIONS, Job, Source, manifest, order};
use crate::hash::Hasher;
use crate::npy::SharedFile;
use crate::{Error, Result};
use std::collections::{HashMap, HashSet};
use std::io::{BufReader, Read as _};
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};
use zip::ZipArchive;

/// Picture entries of an archive: in the order of the list at its top, or else in the natural order of their names.
pub(super) struct Archive {
    path: PathBuf,
    zip: ZipArchive<SharedFile>,
    entries: Vec<Entry>,
    remarks: Vec<String>,
}

/// Place in the archive, name, unpacked size as the directory states it.
type Entry = (usize, String, u64);

impl std::fmt::Debug for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Archive({}, {} pictures)", self.path.display(), self.entries.len())
    }
}

/// Whether an archive holds `.npy` arrays rather than pictures.
pub(super) fn has_arrays(path: &Path) -> Result<bool> {
    let zip = open_zip(path)?;
    let names = || zip.file_names().flatten();
    Ok(names().any(|name| name.ends_with(".npy")) && !names().any(|name| is_picture_name(&name)))
}

fn open_zip(path: &Path) -> Result<ZipArchive<SharedFile>> {
    let file = SharedFile::open(path)?;
    ZipArchive::new(file).map_err(|e| Error::Source {
        path: path.to_owned(),
        problem: format!("it is no whole zip archive ({e}); fetch or pack it again"),
    })
}

impl Archive {
    /// Takes the pictures that the list at the archive's top names, or else finds all. Then overviews at the top are passed
    /// over.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let refuse = |problem| Error::Source { path: path.to_owned(), problem };
        let mut zip = open_zip(path)?;
        if zip.len() > MAX_ENTRIES {
            return Err(refuse(format!(
                "it has {} entries, the limit is {MAX_ENTRIES}; split it",
                zip.len()
            )));
        }
        let files = files(&mut zip).map_err(refuse)?;
        let top = top(&files).to_owned();
        let list = files.iter().find(|(_, name, _)| name.strip_prefix(&top) == Some(manifest::NAME));
        let (entries, remarks) = match list.map(|(place, ..)| *place) {
            Some(list) => listed(path, &mut zip, list, &top, &files)?,
            None => unlisted(path, &top, files)?,
        };
        Ok(Self { path: path.to_owned(), zip, entries, remarks })
    }
}

/// All files but those that hide.
fn files(zip: &mut ZipArchive<SharedFile>) -> std::result::Result<Vec<Entry>, String> {
    let mut files = Vec::new();
    for i in 0..zip.len() {
        let again = |e: zip::result::ZipError| format!("entry {i}: {e}; pack it again");
        let entry = zip.by_index_raw(i).map_err(again)?;
        let name = entry.name().map_err(again)?.into_owned();
        let hidden = name.split('/').any(|part| part.starts_with('.') || part == "__MACOSX");
        if !entry.is_dir() && !hidden {
            files.push((i, name, entry.size()));
        }
    }
    Ok(files)
}

/// The folder, with its slash, that all pictures and lists lie in: a folder may be packed by its name or from within. Empty
/// if they have none in common.
fn top(files: &[Entry]) -> &str {
    let counts = |name: &&str| is_picture_name(name) || name.rsplit('/').next() == Some(manifest::NAME);
    let mut names = files.iter().map(|(_, name, _)| name.as_str()).filter(counts);
    let Some(first) = names.next() else { return "" };
    names.fold(folder(first), |mut top, name| {
        while !name.starts_with(top) {
            top = folder(top.trim_end_matches('/'));
        }
        top
    })
}

/// The folder part of a name, with its slash.
fn folder(name: &str) -> &str {
    name.rfind('/').map_or("", |slash| &name[..=slash])
}

/// The entries that the list names, in its order, and what a user should know of the others.
fn listed(
    path: &Path,
    zip: &mut ZipArchive<SharedFile>,
    list: usize,
    top: &str,
    files: &[Entry],
) -> Result<(Vec<Entry>, Vec<String>)> {
    let unreadable = |e: &dyn std::fmt::Display| Error::Source {
        path: path.to_owned(),
        problem: format!("its `{}` cannot be unpacked ({e}); pack it again", manifest::NAME),
    };
    let beside = files.iter().filter_map(|entry| Some((entry.1.strip_prefix(top)?, entry)));
    let beside: HashMap<&str, &Entry> = beside.collect();
    let find = |name: &str| beside.get(name).copied().ok_or_else(|| "which is missing".to_owned());
    let mut stream = BufReader::new(zip.by_index(list).map_err(|e| unreadable(&e))?);
    let taken = manifest::parse(&mut stream, path, files.len(), &find, &|e| unreadable(&e))?;
    let known: HashSet<usize> = taken.iter().map(|entry| entry.0).collect();
    let other = |entry: &&Entry| is_picture_name(&entry.1) && !known.contains(&entry.0);
    let remark = manifest::remark(path, taken.len(), files.iter().filter(other).count());
    Ok((taken.into_iter().cloned().collect(), vec![remark]))
}

/// All pictures but the overviews at the top, in the natural order of their names, and what a user should know of the rest.
fn unlisted(path: &Path, top: &str, files: Vec<Entry>) -> Result<(Vec<Entry>, Vec<String>)> {
    let (mut entries, mut overviews, mut passed_over) = (Vec::new(), Vec::new(), 0);
    for entry in files {
        let overview = manifest::OVERVIEWS.into_iter().find(|name| entry.1.strip_prefix(top) == Some(*name));
        if let Some(overview) = overview {
            overviews.push(overview);
        } else if is_picture_name(&entry.1) {
            entries.push(entry);
        } else {
            passed_over += 1;
        }
    }
    overviews.sort_unstable();
    if entries.is_empty() {
        let but = overviews.join("` and `");
        let but = if but.is_empty() { but } else { format!(" but `{but}`") };
        let problem = format!("there is no picture in it{but}; pictures end in {}", EXTENSIONS.join(", "));
        return Err(Error::Source { path: path.to_owned(), problem });
    }
    entries.sort_by(|a, b| order::natural(a.1.as_bytes(), b.1.as_bytes()));
    let mut remarks = Vec::new();
    if passed_over > 0 {
        let text = format!("entries of `{}` are no pictures and were passed over", path.display());
        remarks.push(format!("{passed_over} {text}"));
    }
    remarks.extend(manifest::overview_remarks(path, &overviews));
    Ok((entries, remarks))
}

/// Unpacks one entry and decodes it. Neither the stated size nor what really comes out may exceed the limit.
fn read_entry(mut zip: ZipArchive<SharedFile>, place: usize, file: String) -> Result<super::Picture> {
    let mut unpack = || -> std::result::Result<Vec<u8>, String> {
        let again = |e: &dyn std::fmt::Display| format!("it cannot be unpacked ({e}); pack it again");
        let entry = zip.by_index(place).map_err(|e| again(&e))?;
        if entry.size() > MAX_FILE {
            return Err(format!(
                "it unpacks to {} bytes, the limit is {MAX_FILE}; take it out",
                entry.size()
            ));
        }
        let mut bytes = Vec::new();
        entry.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|e| again(&e))?;
        if bytes.len() as u64 > MAX_FILE {
            return Err(format!("it unpacks to more than the limit of {MAX_FILE} bytes; take it out"));
        }
        Ok(bytes)
    };
    match unpack() {
        Ok(bytes) => decode(&file, &bytes),
        Err(problem) => Err(Error::Picture { file, problem }),
    }
}

impl Source for Archive {
    fn len(&self) -> u64 {
        self.entries.len() as u64
    }

    fn feed(&self, range: Range<u64>, emit: &mut dyn FnMut(Job) -> ControlFlow<()>) -> Result<()> {
        for (place, name, _) in &self.entries[range.start as usize..range.end as usize] {
            // A clone shares directory and file and has a position of its own.
            let (zip, place) = (self.zip.clone(), *place);
            let file = format!("{}:{name}", self.path.display());
            if emit(Box::new(move || read_entry(zip, place, file))).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn name(&self, index: u64) -> String {
        let name = self.entries.get(index as usize).map_or("", |(_, name, _)| name.as_str());
        format!("{}:{name}", self.path.display())
    }

    fn listing(&self) -> String {
        let mut hasher = Hasher::default();
        hasher.update(&super::stamp_of(&self.path));
        for (_, name, size) in &self.entries {
            hasher.update(name.as_bytes());
            hasher.update(&[0]);
            hasher.update(&size.to_le_bytes());
        }
        hasher.finish()
    }

    fn remarks(&self) -> Vec<String> {
        self.remarks.clone()
    }
}
