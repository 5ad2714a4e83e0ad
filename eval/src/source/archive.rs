//! A zip archive of pictures.

use super::decode::{decode, is_picture_name};
use super::limits::{MAX_ENTRIES, MAX_FILE};
use super::{Job, Source, order};
use crate::hash::Hasher;
use crate::npy::SharedFile;
use crate::{Error, Result};
use std::io::Read as _;
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};
use zip::ZipArchive;

/// Picture entries of an archive, in the natural order of their names.
pub(super) struct Archive {
    path: PathBuf,
    zip: ZipArchive<SharedFile>,
    /// Place in the archive, name, unpacked size as the directory states it.
    entries: Vec<(usize, String, u64)>,
    passed_over: usize,
}

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
    /// Reads the directory of the archive.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let refuse = |problem| Error::Source { path: path.to_owned(), problem };
        let mut zip = open_zip(path)?;
        if zip.len() > MAX_ENTRIES {
            return Err(refuse(format!(
                "it has {} entries, the limit is {MAX_ENTRIES}; split it",
                zip.len()
            )));
        }
        let (mut entries, mut passed_over) = (Vec::new(), 0);
        for i in 0..zip.len() {
            let entry = zip.by_index_raw(i).map_err(|e| refuse(format!("entry {i}: {e}; pack it again")))?;
            let name =
                entry.name().map_err(|e| refuse(format!("entry {i}: {e}; pack it again")))?.into_owned();
            let hidden = name.split('/').any(|part| part.starts_with('.') || part == "__MACOSX");
            if entry.is_dir() || hidden {
                continue;
            }
            if is_picture_name(&name) {
                entries.push((i, name, entry.size()));
            } else {
                passed_over += 1;
            }
        }
        if entries.is_empty() {
            let names = super::EXTENSIONS.join(", ");
            return Err(refuse(format!("there is no picture in it; pictures end in {names}")));
        }
        entries.sort_by(|a, b| order::natural(a.1.as_bytes(), b.1.as_bytes()));
        Ok(Self { path: path.to_owned(), zip, entries, passed_over })
    }
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
        let n = self.passed_over;
        let text =
            || format!("{n} entries of `{}` are no pictures and were passed over", self.path.display());
        (n > 0).then(text).into_iter().collect()
    }
}
