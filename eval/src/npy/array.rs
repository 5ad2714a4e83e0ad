//! An array in memory.

use super::{Dtype, Header};
use half::f16;
use std::io::Read;

/// A whole array as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NpyArray {
    header: Header,
    bytes: Vec<u8>,
}

type Said<T> = Result<T, String>;

impl NpyArray {
    /// Reads header and elements, at most `limit` bytes of them.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn read(stream: &mut impl Read, limit: u64) -> Said<Self> {
        let header = Header::read(stream)?;
        let count = header.byte_count();
        if count > limit {
            let text = format!("it is {} and takes {count} bytes", header.describe());
            return Err(format!("{text}, the limit is {limit}; give a smaller one"));
        }
        let mut bytes = Vec::new();
        // One byte more shows what is left over, and makes an archive check its checksum at the end.
        let read = stream.take(count + 1).read_to_end(&mut bytes);
        read.map_err(|e| format!("its data cannot be read ({e}); fetch it again"))?;
        if bytes.len() as u64 != count {
            let found = if (bytes.len() as u64) < count { "less" } else { "more" };
            let text = format!("its header says {}, but there is {found} data", header.describe());
            return Err(format!("{text}; fetch it again"));
        }
        Ok(Self { header, bytes })
    }

    /// Type and shape.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Elements in row-major order as f64; text is refused.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn to_f64(&self) -> Said<Vec<f64>> {
        self.values(f64::from, |v| v, |v| v as f64)
    }

    /// Elements in row-major order as f32; f64 is rounded.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn to_f32(&self) -> Said<Vec<f32>> {
        self.values(|v| v, |v| v as f32, |v| v as f32)
    }

    /// A single whole number.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn to_u64(&self) -> Said<u64> {
        let value = if self.header.count == 1 { self.to_f64()?.first().copied() } else { None };
        let whole = value.filter(|v| *v >= 0.0 && *v < 9e15 && v.fract() == 0.0);
        whole.map(|v| v as u64).ok_or(format!("it is no count but {}; save it anew", self.header.describe()))
    }

    /// A single text.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn to_text(&self) -> Said<String> {
        let refuse = || format!("it is no text but {}; save it anew", self.header.describe());
        if !matches!(self.header.dtype, Dtype::Text(_)) || self.header.count != 1 {
            return Err(refuse());
        }
        let words = self.bytes.as_chunks::<4>().0.iter().map(|b| u32::from_le_bytes(*b));
        words.take_while(|c| *c != 0).map(|c| char::from_u32(c).ok_or_else(refuse)).collect()
    }

    fn values<T: Copy>(
        &self,
        from_f32: impl Fn(f32) -> T,
        from_f64: impl Fn(f64) -> T,
        from_i64: impl Fn(i64) -> T,
    ) -> Said<Vec<T>> {
        let b = &self.bytes;
        let values: Vec<T> = match self.header.dtype {
            Dtype::Bool | Dtype::U8 => b.iter().map(|v| from_f32(f32::from(*v))).collect(),
            Dtype::F16 => each(b, |x| from_f32(f16::from_le_bytes(x).to_f32())),
            Dtype::F32 => each(b, |x| from_f32(f32::from_le_bytes(x))),
            Dtype::F64 => each(b, |x| from_f64(f64::from_le_bytes(x))),
            Dtype::I32 => each(b, |x| from_i64(i64::from(i32::from_le_bytes(x)))),
            Dtype::I64 => each(b, |x| from_i64(i64::from_le_bytes(x))),
            Dtype::Text(_) => return Err("it is text where numbers should be; save it anew".to_owned()),
        };
        match self.header.shape[..] {
            [rows, columns] if self.header.fortran => {
                let (rows, columns) = (rows as usize, columns as usize);
                let at = |i: usize| values[(i % columns) * rows + i / columns];
                Ok((0..values.len()).map(at).collect())
            }
            [_, _, _, ..] if self.header.fortran => {
                Err("it is stored in Fortran order; save it with `numpy.ascontiguousarray`".to_owned())
            }
            _ => Ok(values),
        }
    }
}

fn each<const N: usize, T>(bytes: &[u8], read: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks::<N>().0.iter().map(|chunk| read(*chunk)).collect()
}
