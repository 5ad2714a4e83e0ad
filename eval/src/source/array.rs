//! A batch of pictures in one array: `arr_0` of an `.npz` file as sampling programs write it, or a bare `.npy` file.

use super::{Job, Picture, Source, refuse_size};
use crate::hash::Hasher;
use crate::npy::{Dtype, Header, Npz, SharedFile};
use crate::{Error, Result};
use std::io::Read;
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};

/// `u8 [n, height, width, 3]` or `[n, height, width, 1]` or `[n, height, width]`, streamed picture by picture out of the
/// file, packed or not.
#[derive(Debug)]
pub(super) struct Array {
    path: PathBuf,
    /// Name in the archive; a bare `.npy` file has none.
    name: Option<String>,
    shape: Shape,
}

#[derive(Debug, Clone, Copy)]
struct Shape {
    n: u64,
    height: u32,
    width: u32,
    channels: u32,
}

const NAME: &str = "arr_0";

impl Array {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let mut file = SharedFile::open(path)?;
        let mut start = [0; 2];
        let archive = file.read_exact(&mut start).is_ok() && start == *b"PK";
        let (name, header) = if archive {
            let mut npz = Npz::open(path)?;
            let names = npz.names();
            let name = match &names[..] {
                [only] => only.clone(),
                _ => NAME.to_owned(),
            };
            let header = npz.entry(&name)?.header;
            (Some(name), header)
        } else {
            let refuse = |problem| Error::Npy { file: path.display().to_string(), problem };
            (None, Header::read(&mut SharedFile::open(path)?).map_err(refuse)?)
        };
        let shape = Shape::of(&header).map_err(|problem| {
            let file = name.iter().fold(path.display().to_string(), |file, name| format!("{file}:{name}"));
            Error::Npy { file, problem }
        })?;
        Ok(Self { path: path.to_owned(), name, shape })
    }

    fn stream(&self, range: Range<u64>, emit: &mut dyn FnMut(Job) -> ControlFlow<()>) -> Result<()> {
        if let Some(name) = &self.name {
            let mut npz = Npz::open(&self.path)?;
            let mut entry = npz.entry(name)?;
            return self.read(&mut entry.data, range, emit);
        }
        let mut file = std::io::BufReader::new(SharedFile::open(&self.path)?);
        let refuse = |problem| Error::Npy { file: self.path.display().to_string(), problem };
        Header::read(&mut file).map_err(refuse)?;
        self.read(&mut file, range, emit)
    }

    fn read(
        &self,
        data: &mut dyn Read,
        range: Range<u64>,
        emit: &mut dyn FnMut(Job) -> ControlFlow<()>,
    ) -> Result<()> {
        let Shape { n, height, width, channels } = self.shape;
        let size = u64::from(height) * u64::from(width) * u64::from(channels);
        let broken = |index: u64, what: &dyn std::fmt::Display| Error::Picture {
            file: format!("{} [{index}]", self.path.display()),
            problem: format!("the file cannot be read so far ({what}); fetch it again"),
        };
        let skipped = std::io::copy(&mut data.take(range.start * size), &mut std::io::sink());
        if skipped.as_ref().ok() != Some(&(range.start * size)) {
            let what = skipped.err().map_or("it ends early".to_owned(), |e| e.to_string());
            return Err(broken(range.start, &what));
        }
        for index in range.clone() {
            let mut pixels = vec![0; size as usize];
            data.read_exact(&mut pixels).map_err(|e| broken(index, &e))?;
            let job: Job = Box::new(move || {
                if channels == 1 {
                    Picture::from_grey(width, height, &pixels)
                } else {
                    Picture::new(width, height, pixels, super::Facts::default())
                }
            });
            if emit(job).is_break() {
                return Ok(());
            }
        }
        if range.end == n {
            // What follows is nothing, or the array is another than its header says; an archive's checksum is checked here.
            let rest = std::io::copy(&mut data.take(1), &mut std::io::sink()).map_err(|e| broken(n, &e))?;
            if rest > 0 {
                return Err(broken(n, &"there is more data than its header says"));
            }
        }
        Ok(())
    }
}

impl Shape {
    fn of(header: &Header) -> std::result::Result<Self, String> {
        let wanted = "pictures are `|u1` [n, height, width, 3]";
        if header.dtype != Dtype::U8 || header.fortran {
            let order = if header.fortran { " in Fortran order" } else { "" };
            return Err(format!("it is {}{order}; {wanted}, so convert it", header.describe()));
        }
        let (n, height, width, channels) = match header.shape[..] {
            // Taken as grey pictures of this width, it would give a value too, and a wrong one.
            [h, w, c @ (1 | 3)] => {
                let text = format!("it is {}, which is one picture", header.describe());
                return Err(format!("{text}; give [n, height, width, {c}], here [1, {h}, {w}, {c}]"));
            }
            [n, h, w] => (n, h, w, 1),
            [n, h, w, c @ (1 | 3)] => (n, h, w, c),
            [_, 1 | 3, _, _] => {
                return Err(format!(
                    "it is {}, channels first; {wanted}, so transpose it",
                    header.describe()
                ));
            }
            _ => return Err(format!("it is {}; {wanted}, so convert it", header.describe())),
        };
        if n == 0 {
            return Err("it holds no picture; give at least one".to_owned());
        }
        match refuse_size(height, width) {
            Some(problem) => Err(problem),
            None => Ok(Self { n, height: height as u32, width: width as u32, channels: channels as u32 }),
        }
    }
}

impl Source for Array {
    fn len(&self) -> u64 {
        self.shape.n
    }

    fn feed(&self, range: Range<u64>, emit: &mut dyn FnMut(Job) -> ControlFlow<()>) -> Result<()> {
        self.stream(range, emit)
    }

    fn name(&self, index: u64) -> String {
        format!("{} [{index}]", self.path.display())
    }

    fn stated(&self) -> Option<[u32; 3]> {
        let Shape { height, width, channels, .. } = self.shape;
        Some([channels, height, width])
    }

    fn listing(&self) -> String {
        let mut hasher = Hasher::default();
        hasher.update(format!("{:?} {:?}", self.name, self.shape).as_bytes());
        hasher.update(&super::stamp_of(&self.path));
        hasher.finish()
    }
}
