//! The idx format of MNIST and its relatives: big-endian header, then row-major bytes; plain or gzipped.
//!
//! Layout (LeCun, Cortes & Burges, MNIST page): two zero bytes, one type byte (8 = unsigned byte), one byte with
//! the count of dimensions, that many 32-bit sizes, then the data.

use crate::{Error, Result};
use flate2::read::GzDecoder;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;

type Said<T> = std::result::Result<T, String>;

/// Largest array that is read: 1 GiB, twenty times Fashion-MNIST. A header that promises more is refused.
pub const MAX_BYTES: usize = 1 << 30;

/// An array of unsigned bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdxArray {
    /// Size along each dimension, outermost first; 1 to 4 of them.
    pub dims: Vec<usize>,
    /// Row-major values; exactly as many as the product of `dims`.
    pub data: Vec<u8>,
}

/// Reads one idx file, gzipped or plain.
///
/// # Errors
/// [`Error::MissingData`] when there is no such file, [`Error::Read`] when it cannot be read, and those of
/// [`parse_idx`].
pub fn read_idx(path: &Path) -> Result<IdxArray> {
    parse_idx(&file_name(path), &read_bytes(path)?)
}

/// Parses idx bytes, gzipped (recognised by their first two bytes) or plain. `file` is used in messages only.
///
/// Memory grows with the data that is really there, never with what a header claims.
///
/// # Errors
/// [`Error::Idx`] for another format or element type, a size of 0 or above [`MAX_BYTES`], missing bytes, bytes left
/// over, and a broken or truncated gzip stream.
pub fn parse_idx(file: &str, bytes: &[u8]) -> Result<IdxArray> {
    let refuse = |problem| Error::Idx { file: file.to_owned(), problem };
    if bytes.starts_with(&[0x1f, 0x8b]) {
        parse(&mut GzDecoder::new(bytes)).map_err(refuse)
    } else {
        parse(&mut &bytes[..]).map_err(refuse)
    }
}

fn parse(stream: &mut dyn Read) -> Said<IdxArray> {
    let (dims, count) = parse_header(stream)?;
    if count > MAX_BYTES as u64 {
        return Err(format!("its sizes {dims:?} make no array of 1 to {MAX_BYTES} bytes"));
    }
    let mut data = Vec::new();
    // One byte beyond the array shows trailing data, and makes a gzip stream check its own checksum at the end.
    let taken = stream.take(count + 1).read_to_end(&mut data);
    taken.map_err(|e| format!("{} of {count} bytes of data are readable ({e})", data.len()))?;
    if data.len() as u64 == count {
        return Ok(IdxArray { dims, data });
    }
    let found = if (data.len() as u64) < count { format!("only {}", data.len()) } else { "more".to_owned() };
    Err(format!("its sizes {dims:?} promise {count} bytes of data but there are {found}"))
}

/// Sizes and their product, which is not 0.
fn parse_header(stream: &mut dyn Read) -> Said<(Vec<usize>, u64)> {
    let magic = word(stream, "its header")?;
    let [0, 0, kind, rank] = magic else {
        return Err(format!("it starts with {magic:02x?} instead of [00, 00, 08, dimensions]"));
    };
    if kind != 8 {
        return Err(format!("its element type is {kind:#04x}, only 0x08 (unsigned byte) is supported"));
    }
    if !(1..=4).contains(&rank) {
        return Err(format!("it claims {rank} dimensions, 1 to 4 are supported"));
    }
    let mut dims = Vec::new();
    for _ in 0..rank {
        dims.push(u32::from_be_bytes(word(stream, "its list of sizes")?) as usize);
    }
    let count = dims.iter().try_fold(1_u64, |product, size| product.checked_mul(*size as u64));
    match count.filter(|count| *count > 0) {
        Some(count) => Ok((dims, count)),
        None => Err(format!("its sizes {dims:?} make no array of 1 to {MAX_BYTES} bytes")),
    }
}

/// An idx file read bit by bit, for files that need not fit into memory.
pub(crate) struct IdxReader {
    file: String,
    stream: Box<dyn Read>,
    dims: Vec<usize>,
}

impl IdxReader {
    /// Opens a gzipped or plain file and reads its header.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let read = |reason| Error::Read { path: path.to_owned(), reason };
        let mut file = BufReader::new(File::open(path).map_err(read)?);
        let gzipped = file.fill_buf().map_err(read)?.starts_with(&[0x1f, 0x8b]);
        let mut stream: Box<dyn Read> =
            if gzipped { Box::new(BufReader::new(GzDecoder::new(file))) } else { Box::new(file) };
        let file = path.display().to_string();
        match parse_header(&mut stream) {
            Ok((dims, _)) => Ok(Self { file, stream, dims }),
            Err(problem) => Err(Error::Idx { file, problem }),
        }
    }

    /// Size along each dimension, 1 to 4 of them, none 0.
    pub(crate) fn dims(&self) -> &[usize] {
        &self.dims
    }

    /// Passes over so many bytes.
    pub(crate) fn skip(&mut self, count: u64) -> Result<()> {
        let passed = std::io::copy(&mut (&mut self.stream).take(count), &mut std::io::sink());
        match passed {
            Ok(passed) if passed == count => Ok(()),
            Ok(_) => Err(self.short(&"too few bytes")),
            Err(e) => Err(self.short(&e)),
        }
    }

    /// The next bytes.
    pub(crate) fn take(&mut self, count: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes).map_err(|e| self.short(&e))?;
        Ok(bytes)
    }

    /// Checks that nothing follows; a gzip stream checks its checksum.
    pub(crate) fn finish(mut self) -> Result<()> {
        match self.stream.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(self.short(&"more bytes")),
            Err(e) => Err(self.short(&e)),
        }
    }

    fn short(&self, found: &dyn std::fmt::Display) -> Error {
        let problem = format!("its sizes {:?} promise other data ({found})", self.dims);
        Error::Idx { file: self.file.clone(), problem }
    }
}

impl std::fmt::Debug for IdxReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IdxReader({}, {:?})", self.file, self.dims)
    }
}

fn word(stream: &mut dyn Read, part: &str) -> Said<[u8; 4]> {
    let mut word = [0; 4];
    stream.read_exact(&mut word).map_err(|e| format!("it ends within {part} ({e})"))?;
    Ok(word)
}

/// Whole content of a data file.
pub(super) fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|reason| match reason.kind() {
        std::io::ErrorKind::NotFound => Error::MissingData { path: path.to_owned() },
        _ => Error::Read { path: path.to_owned(), reason },
    })
}

/// Last part of a path, for messages.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
