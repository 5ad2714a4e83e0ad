//! An idx file of grey or colour pictures, as MNIST and its relatives come.

use super::{Facts, Job, Picture, Source, refuse_size};
use crate::data::IdxReader;
use crate::hash::Hasher;
use crate::{Error, Result};
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};

/// Bytes `[n, height, width]` or `[n, height, width, 3]`, gzipped or plain, streamed.
#[derive(Debug)]
pub(super) struct Idx {
    path: PathBuf,
    n: u64,
    height: u32,
    width: u32,
    channels: usize,
}

impl Idx {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let refuse = |problem| Error::Source { path: path.to_owned(), problem };
        let reader = IdxReader::open(path)?;
        let (n, height, width, channels) = match reader.dims()[..] {
            [n, h, w] => (n, h, w, 1),
            [n, h, w, 3] => (n, h, w, 3),
            _ => {
                let text = format!("its sizes are {:?}, pictures are [n, height, width]", reader.dims());
                return Err(refuse(format!("{text} or [n, height, width, 3]; give the file of images")));
            }
        };
        if let Some(problem) = refuse_size(height as u64, width as u64) {
            return Err(refuse(problem));
        }
        Ok(Self { path: path.to_owned(), n: n as u64, height: height as u32, width: width as u32, channels })
    }
}

impl Source for Idx {
    fn len(&self) -> u64 {
        self.n
    }

    fn feed(&self, range: Range<u64>, emit: &mut dyn FnMut(Job) -> ControlFlow<()>) -> Result<()> {
        let (height, width, channels) = (self.height, self.width, self.channels);
        let size = height as usize * width as usize * channels;
        let mut reader = IdxReader::open(&self.path)?;
        reader.skip(range.start * size as u64)?;
        for _ in range.clone() {
            let pixels = reader.take(size)?;
            let job: Job = Box::new(move || match channels {
                1 => Picture::from_grey(width, height, &pixels),
                _ => Picture::new(width, height, pixels, Facts::default()),
            });
            if emit(job).is_break() {
                return Ok(());
            }
        }
        if range.end == self.n { reader.finish() } else { Ok(()) }
    }

    fn name(&self, index: u64) -> String {
        format!("{} [{index}]", self.path.display())
    }

    fn stated(&self) -> Option<[u32; 3]> {
        Some([self.channels as u32, self.height, self.width])
    }

    fn listing(&self) -> String {
        let mut hasher = Hasher::default();
        let shape = (self.n, self.height, self.width, self.channels);
        hasher.update(format!("{shape:?}").as_bytes());
        hasher.update(&super::stamp_of(&self.path));
        hasher.finish()
    }
}
