//! A folder of pictures with everything below it.

use super::decode::{is_picture_name, read_picture};
use super::limits::MAX_ENTRIES;
use super::{EXTENSIONS, Job, Source, Stamp, order, stamp};
use crate::hash::Hasher;
use crate::{Error, Result};
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};

/// Picture files below a folder, in the natural order of their relative paths.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    /// Relative path, and what tells an old state from a new one.
    files: Vec<(PathBuf, Stamp)>,
    passed_over: usize,
}

/// Folders within folders; more is a mistake or a trap.
const MAX_DEPTH: usize = 64;

impl Folder {
    /// Lists the files. Names that start with a dot are passed over, as are links to folders (they may form a ring).
    pub(super) fn open(root: &Path) -> Result<Self> {
        let mut found = Self { root: root.to_owned(), files: Vec::new(), passed_over: 0 };
        found.list(Path::new(""), 0)?;
        found.files.sort_by(|a, b| {
            order::natural(a.0.as_os_str().as_encoded_bytes(), b.0.as_os_str().as_encoded_bytes())
        });
        if found.files.is_empty() {
            let other = match found.passed_over {
                0 => "there are no files in it".to_owned(),
                n => format!("none of the {n} files in it is a picture"),
            };
            let problem = format!("{other}; pictures end in {}", EXTENSIONS.join(", "));
            return Err(Error::Source { path: root.to_owned(), problem });
        }
        Ok(found)
    }

    fn list(&mut self, below: &Path, depth: usize) -> Result<()> {
        let dir = self.root.join(below);
        let read = |source| Error::Read { path: dir.clone(), source };
        if depth > MAX_DEPTH || self.files.len() > MAX_ENTRIES {
            let problem = format!("more than {MAX_DEPTH} folders deep or {MAX_ENTRIES} files; split it");
            return Err(Error::Source { path: dir, problem });
        }
        for entry in std::fs::read_dir(&dir).map_err(read)? {
            let entry = entry.map_err(read)?;
            let name = entry.file_name();
            if name.as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let path = below.join(&name);
            let kind = entry.file_type().map_err(read)?;
            if kind.is_dir() {
                self.list(&path, depth + 1)?;
                continue;
            }
            // A link is followed to a file; one that leads nowhere is an error only if it is named like a picture.
            let picture = is_picture_name(&name.to_string_lossy());
            match std::fs::metadata(dir.join(&name)) {
                Ok(data) if data.is_file() && picture => self.files.push((path, stamp(&data))),
                Err(source) if picture => return Err(Error::Read { path: dir.join(&name), source }),
                _ => self.passed_over += 1,
            }
        }
        Ok(())
    }
}

impl Source for Folder {
    fn len(&self) -> u64 {
        self.files.len() as u64
    }

    fn feed(&self, range: Range<u64>, emit: &mut dyn FnMut(Job) -> ControlFlow<()>) -> Result<()> {
        for (name, _) in &self.files[range.start as usize..range.end as usize] {
            let path = self.root.join(name);
            if emit(Box::new(move || read_picture(&path))).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn listing(&self) -> String {
        let mut hasher = Hasher::default();
        for (name, stamp) in &self.files {
            hasher.update(name.as_os_str().as_encoded_bytes());
            hasher.update(&[0]);
            hasher.update(stamp);
        }
        hasher.finish()
    }

    fn remarks(&self) -> Vec<String> {
        let n = self.passed_over;
        let text = || format!("{n} files in `{}` are no pictures and were passed over", self.root.display());
        (n > 0).then(text).into_iter().collect()
    }
}
