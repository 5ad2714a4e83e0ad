//! A folder of pictures with everything below it, or with what its list names.

use super::decode::{is_picture_name, read_picture};
use super::limits::MAX_ENTRIES;
use super::{EXTENSIONS, Job, Source, Stamp, manifest, order, stamp};
use crate::hash::Hasher;
use crate::{Error, Result};
use std::collections::HashSet;
use std::ffi::OsStr;
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};

/// Picture files of a folder: in the order of its list, or else in the natural order of their relative paths.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    /// Relative path, and what tells an old state from a new one.
    files: Vec<(PathBuf, Stamp)>,
    remarks: Vec<String>,
}

/// Folders within folders; more is a mistake or a trap.
const MAX_DEPTH: usize = 64;

impl Folder {
    /// Takes the pictures that the folder's list names, or else finds all. Then names that start with a dot are passed over,
    /// as are overviews at the top and links to folders (they may form a ring).
    pub(super) fn open(root: &Path) -> Result<Self> {
        if let Some(files) = manifest::read(root)? {
            let remark = listed(root, &files);
            return Ok(Self { root: root.to_owned(), files, remarks: vec![remark] });
        }
        let mut found = Walk { root, files: Vec::new(), passed_over: 0, overviews: Vec::new() };
        found.list(Path::new(""), 0)?;
        let remarks = found.remarks();
        let Walk { mut files, passed_over, overviews, .. } = found;
        if files.is_empty() {
            let other = match passed_over {
                0 if overviews.is_empty() => "there are no files in it".to_owned(),
                0 => format!("there is nothing in it but `{}`", overviews.join("` and `")),
                n => format!("none of the {n} files in it is a picture"),
            };
            let problem = format!("{other}; pictures end in {}", EXTENSIONS.join(", "));
            return Err(Error::Source { path: root.to_owned(), problem });
        }
        files.sort_by(|a, b| {
            order::natural(a.0.as_os_str().as_encoded_bytes(), b.0.as_os_str().as_encoded_bytes())
        });
        Ok(Self { root: root.to_owned(), files, remarks })
    }
}

/// What a user should know of a folder with a list: other pictures there may have been meant too.
fn listed(root: &Path, files: &[(PathBuf, Stamp)]) -> String {
    let known: HashSet<&OsStr> = files.iter().map(|(name, _)| name.as_os_str()).collect();
    let other = |name: &OsStr| is_picture_name(&name.to_string_lossy()) && !known.contains(name);
    let others = std::fs::read_dir(root)
        .map_or(0, |entries| entries.flatten().filter(|entry| other(&entry.file_name())).count());
    manifest::remark(root, files.len(), others)
}

/// What is found below a folder.
struct Walk<'a> {
    root: &'a Path,
    files: Vec<(PathBuf, Stamp)>,
    passed_over: usize,
    overviews: Vec<&'static str>,
}

impl Walk<'_> {
    fn list(&mut self, below: &Path, depth: usize) -> Result<()> {
        let dir = self.root.join(below);
        let read = |reason| Error::Read { path: dir.clone(), reason };
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
            let overview = manifest::OVERVIEWS.into_iter().find(|overview| depth == 0 && name == *overview);
            if let Some(overview) = overview {
                self.overviews.push(overview);
                continue;
            }
            // A link is followed to a file; one that leads nowhere is an error only if it is named like a picture.
            let picture = is_picture_name(&name.to_string_lossy());
            match std::fs::metadata(dir.join(&name)) {
                Ok(data) if data.is_file() && picture => self.files.push((path, stamp(&data))),
                Err(reason) if picture => return Err(Error::Read { path: dir.join(&name), reason }),
                _ => self.passed_over += 1,
            }
        }
        Ok(())
    }

    fn remarks(&mut self) -> Vec<String> {
        let (root, n) = (self.root.display(), self.passed_over);
        let mut said = Vec::new();
        if n > 0 {
            said.push(format!("{n} files in `{root}` are no pictures and were passed over"));
        }
        // A directory tells its names in any order.
        self.overviews.sort_unstable();
        said.extend(manifest::overview_remarks(self.root, &self.overviews));
        said
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

    fn name(&self, index: u64) -> String {
        let name = self.files.get(index as usize).map_or(Path::new(""), |(name, _)| name.as_path());
        self.root.join(name).display().to_string()
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
        self.remarks.clone()
    }
}
