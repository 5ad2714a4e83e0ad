//! Writing archives of arrays that NumPy opens without `allow_pickle`.

use super::Dtype;
use crate::{Error, Result};
use std::io::{Cursor, Write as _};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// Numbers or text to be stored.
#[derive(Debug, Clone, Copy)]
pub enum NpyData<'a> {
    /// `<f8`, row-major.
    F64(&'a [f64]),
    /// `<f4`, row-major.
    F32(&'a [f32]),
    /// `|u1`, row-major.
    U8(&'a [u8]),
    /// One `<i8`.
    Count(u64),
    /// One `<U…`.
    Text(&'a str),
}

/// An archive in memory. Equal contents give equal bytes: entries are stored as they come, with a fixed date.
pub struct NpzWriter {
    zip: ZipWriter<Cursor<Vec<u8>>>,
}

impl std::fmt::Debug for NpzWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NpzWriter")
    }
}

impl Default for NpzWriter {
    fn default() -> Self {
        Self { zip: ZipWriter::new(Cursor::new(Vec::new())) }
    }
}

impl NpzWriter {
    /// Adds an array. `shape` is empty for a count or a text.
    ///
    /// # Errors
    /// [`Error::Npy`] when a name is given twice; [`Error::Shape`] when the shape does not fit.
    pub fn add(&mut self, name: &str, shape: &[usize], data: NpyData<'_>) -> Result<()> {
        let (dtype, count, bytes) = encode(data);
        if shape.iter().product::<usize>() != count {
            let (expected, got) = (format!("{shape:?}"), format!("{count} values"));
            return Err(Error::Shape { what: "an array to be stored", expected, got });
        }
        // Large files need the longer form of the directory; 1980 is the first date that a zip can tell.
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(DateTime::default())
            .large_file(bytes.len() >= u32::MAX as usize / 2);
        let mut put = || -> std::result::Result<(), zip::result::ZipError> {
            self.zip.start_file(format!("{name}.npy"), options)?;
            self.zip.write_all(&header(dtype, shape))?;
            self.zip.write_all(&bytes)?;
            Ok(())
        };
        put().map_err(|e| refuse(name, &e))
    }

    /// The file.
    ///
    /// # Errors
    /// [`Error::Npy`] when the archive cannot be closed (it always can).
    pub fn finish(self) -> Result<Vec<u8>> {
        Ok(self.zip.finish().map_err(|e| refuse("archive", &e))?.into_inner())
    }
}

fn refuse(name: &str, e: &zip::result::ZipError) -> Error {
    Error::Npy { file: name.to_owned(), problem: format!("it cannot be packed ({e})") }
}

fn encode(data: NpyData<'_>) -> (Dtype, usize, Vec<u8>) {
    match data {
        NpyData::F64(v) => (Dtype::F64, v.len(), v.iter().flat_map(|x| x.to_le_bytes()).collect()),
        NpyData::F32(v) => (Dtype::F32, v.len(), v.iter().flat_map(|x| x.to_le_bytes()).collect()),
        NpyData::U8(v) => (Dtype::U8, v.len(), v.to_vec()),
        NpyData::Count(n) => (Dtype::I64, 1, (n as i64).to_le_bytes().to_vec()),
        NpyData::Text(text) => {
            let bytes: Vec<u8> = text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
            // NumPy has no text of length 0; what is missing to one character is zero.
            let length = (bytes.len() / 4).max(1);
            let padding = vec![0; 4 * length - bytes.len()];
            (Dtype::Text(length as u32), 1, [bytes, padding].concat())
        }
    }
}

/// Version 1.0: the whole is a multiple of 64 bytes long and ends in a line feed.
fn header(dtype: Dtype, shape: &[usize]) -> Vec<u8> {
    let sizes: Vec<String> = shape.iter().map(|size| format!("{size},")).collect();
    let name = dtype.name();
    let text = format!("{{'descr': '{name}', 'fortran_order': False, 'shape': ({}), }}", sizes.join(" "));
    let length = (text.len() + 1 + 10).next_multiple_of(64) - 10;
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((length as u16).to_le_bytes());
    bytes.extend(format!("{text:<width$}\n", width = length - 1).bytes());
    bytes
}
