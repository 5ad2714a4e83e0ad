//! Pictures from wherever they are: a folder, an archive, an array. Each has a fixed place in a fixed order.
//!
//! ```text
//! folder ─┐
//! zip     ├─► Source::feed ──► jobs in order ──► pictures(): decoded and prepared in parallel, a few
//! npz     │                                      batches ahead of the consumer ──► consumer, in order
//! idx    ─┘
//! ```
//!
//! Memory does not depend on how many pictures there are, but for the list of file names, and large ones are worked on a few
//! at a time. Whatever a header promises is judged against the limits of this module before anything is allocated for it.

mod archive;
mod array;
mod decode;
mod folder;
mod idx;
mod limits;
mod manifest;
mod order;
mod picture;
mod ring;

pub use decode::{EXTENSIONS, decode, read_picture};
pub use limits::{MAX_ENTRIES, MAX_FILE, MAX_PIXELS, MAX_SIDE};
pub use picture::{Facts, Picture};
pub use ring::{Ring, pictures};

pub(crate) use limits::refuse_size;

use crate::{Error, Result};
use std::io::Read as _;
use std::ops::{ControlFlow, Range};
use std::path::Path;

/// Work that yields one picture; made in order, done anywhere.
pub type Job = Box<dyn FnOnce() -> Result<Picture> + Send>;

/// A list of pictures in a fixed order.
pub trait Source: Send + Sync + std::fmt::Debug {
    /// Count of pictures, at least 1.
    fn len(&self) -> u64;

    /// Never; an opened source has pictures.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Hands the jobs of the pictures in `range` to `emit`, in order, until it breaks.
    ///
    /// # Errors
    /// When the source itself cannot be read on; what is wrong with one picture is its job's error.
    fn feed(&self, range: Range<u64>, emit: &mut dyn FnMut(Job) -> ControlFlow<()>) -> Result<()>;

    /// What a picture is called in messages: its file, or the file with its place in there.
    fn name(&self, index: u64) -> String;

    /// SHA-256 (hexadecimal) of the list: names, sizes and times of change, as far as they are known without reading
    /// pictures. Tells whether a broken-off run is taken up with the same pictures.
    fn listing(&self) -> String;

    /// Channels, height and width of every picture, where a header states them for all. The jobs of such a source hold the
    /// pixels, so that no more of them should wait than memory has room for.
    fn stated(&self) -> Option<[u32; 3]> {
        None
    }

    /// What a user should be told about the list, e.g. files that were passed over. Usually nothing.
    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Why pipes, sockets and devices are refused. It is found out before they are opened: nobody may ever write to a pipe, and
/// a device may never end.
pub(crate) const NO_FILE: &str =
    "it is neither a regular file nor a folder; copy what comes out of it into a file";

/// Opens a folder, a `.zip` of pictures, an `.npz` or `.npy` batch (`arr_0`), or an idx file (`.gz` or plain), told by
/// content. A folder with a `manifest.jsonl`, as `fewstep generate` leaves it, is what that lists, packed or not.
///
/// # Errors
/// When there is no such file, it is none of these, or it holds no picture. The message names it.
pub fn open(path: &Path) -> Result<Box<dyn Source>> {
    let read = |reason| Error::Read { path: path.to_owned(), reason };
    let data = std::fs::metadata(path).map_err(read)?;
    if data.is_dir() {
        return Ok(Box::new(folder::Folder::open(path)?));
    }
    if !data.is_file() {
        return Err(Error::Source { path: path.to_owned(), problem: NO_FILE.to_owned() });
    }
    let mut start = Vec::new();
    std::fs::File::open(path).and_then(|file| file.take(6).read_to_end(&mut start)).map_err(read)?;
    match start[..] {
        [b'P', b'K', ..] if archive::has_arrays(path)? => Ok(Box::new(array::Array::open(path)?)),
        [b'P', b'K', ..] => Ok(Box::new(archive::Archive::open(path)?)),
        [0x93, b'N', b'U', b'M', b'P', b'Y'] => Ok(Box::new(array::Array::open(path)?)),
        [0x1f, 0x8b, ..] | [0, 0, 8, ..] => Ok(Box::new(idx::Idx::open(path)?)),
        _ => {
            let kinds = "a folder, a zip of pictures, an npz or npy batch, nor an idx file";
            let problem = format!("it is neither {kinds}; put single pictures into a folder");
            Err(Error::Source { path: path.to_owned(), problem })
        }
    }
}

/// Length and time of change of a file.
type Stamp = [u8; 24];

fn stamp(data: &std::fs::Metadata) -> Stamp {
    let since = data.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    let mut stamp = [0; 24];
    stamp[..8].copy_from_slice(&data.len().to_le_bytes());
    stamp[8..].copy_from_slice(&since.map_or(0, |t| t.as_nanos()).to_le_bytes());
    stamp
}

/// The stamp of a file, nothing if it cannot be had.
fn stamp_of(path: &Path) -> Stamp {
    std::fs::metadata(path).map_or([0; 24], |data| stamp(&data))
}
