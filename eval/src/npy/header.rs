//! What stands before the numbers of an array.

use super::literal::{Literal, dictionary};
use std::io::Read;

/// Element types that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dtype {
    /// `|b1`: 0 or 1, a byte each.
    Bool,
    /// `|u1`
    U8,
    /// `<f2`
    F16,
    /// `<f4`
    F32,
    /// `<f8`
    F64,
    /// `<i4`
    I32,
    /// `<i8`
    I64,
    /// `<U…`: text of so many characters, four bytes each.
    Text(u32),
}

/// Type and shape of an array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Type of an element.
    pub dtype: Dtype,
    /// Whether the first index runs fastest.
    pub fortran: bool,
    /// Size along each dimension; none for a single value.
    pub shape: Vec<u64>,
    /// Count of elements, the product of `shape`.
    pub count: u64,
}

/// Longest header text. NumPy itself warns above 10,000 characters.
const MAX_HEADER: u32 = 65_536;
/// NumPy's own limit.
const MAX_RANK: usize = 64;

impl Dtype {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "|b1" => Self::Bool,
            "|u1" | "<u1" => Self::U8,
            "<f2" => Self::F16,
            "<f4" => Self::F32,
            "<f8" => Self::F64,
            "<i4" => Self::I32,
            "<i8" => Self::I64,
            _ => Self::Text(text.strip_prefix("<U")?.parse().ok().filter(|n| *n <= MAX_HEADER)?),
        })
    }

    /// Bytes an element.
    pub fn size(self) -> u64 {
        match self {
            Self::Bool | Self::U8 => 1,
            Self::F16 => 2,
            Self::F32 | Self::I32 => 4,
            Self::F64 | Self::I64 => 8,
            Self::Text(length) => 4 * u64::from(length),
        }
    }

    /// NumPy's name for the type.
    pub fn name(self) -> String {
        match self {
            Self::Bool => "|b1".to_owned(),
            Self::U8 => "|u1".to_owned(),
            Self::F16 => "<f2".to_owned(),
            Self::F32 => "<f4".to_owned(),
            Self::F64 => "<f8".to_owned(),
            Self::I32 => "<i4".to_owned(),
            Self::I64 => "<i8".to_owned(),
            Self::Text(length) => format!("<U{length}"),
        }
    }
}

impl Header {
    /// Reads magic, version and dictionary, and leaves `stream` at the first element.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn read(stream: &mut impl Read) -> Result<Self, String> {
        let start = bytes::<8>(stream)?;
        let [0x93, b'N', b'U', b'M', b'P', b'Y', major, _] = start else {
            return Err("it does not start like an npy array; save it with `numpy.save`".to_owned());
        };
        let length = match major {
            1 => u32::from(u16::from_le_bytes(bytes(stream)?)),
            2 | 3 => u32::from_le_bytes(bytes(stream)?),
            other => {
                return Err(format!("it has npy version {other}, versions 1 to 3 are read; save it anew"));
            }
        };
        if length > MAX_HEADER {
            return Err(format!(
                "its header is {length} bytes long, the limit is {MAX_HEADER}; save it anew"
            ));
        }
        let mut text = vec![0; length as usize];
        stream
            .read_exact(&mut text)
            .map_err(|e| format!("it ends within its header ({e}); fetch it again"))?;
        let text = String::from_utf8(text).map_err(|_| "its header is no text; save it anew".to_owned())?;
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let (mut dtype, mut fortran, mut shape) = (None, None, None);
        for (key, value) in dictionary(text).map_err(|e| format!("{e}; save it anew"))? {
            let known = match (key.as_str(), value) {
                ("descr", Literal::Text(name)) => {
                    let types = "|b1, |u1, <f2, <f4, <f8, <i4, <i8, <U";
                    let read = Dtype::parse(&name);
                    let read = read.ok_or(format!("its type is `{name}`, read are {types}; convert it"))?;
                    dtype.replace(read).is_none()
                }
                ("fortran_order", Literal::Truth(value)) => fortran.replace(value).is_none(),
                ("shape", Literal::Sizes(sizes)) if sizes.len() <= MAX_RANK => shape.replace(sizes).is_none(),
                _ => false,
            };
            if !known {
                return Err(format!("its header has an unexpected entry `{key}`; save it anew"));
            }
        }
        let (Some(dtype), Some(fortran), Some(shape)) = (dtype, fortran, shape) else {
            return Err("its header lacks `descr`, `fortran_order` or `shape`; save it anew".to_owned());
        };
        let count = shape.iter().try_fold(1_u64, |product, size| product.checked_mul(*size));
        let count = count.filter(|count| count.checked_mul(dtype.size()).is_some());
        let count = count.ok_or(format!("its shape {shape:?} is beyond any file; save it anew"))?;
        Ok(Self { dtype, fortran, shape, count })
    }

    /// Bytes of all elements.
    pub fn byte_count(&self) -> u64 {
        self.count * self.dtype.size()
    }

    /// `f64 [2048, 2048]`-like text for messages.
    pub fn describe(&self) -> String {
        format!("{} {:?}", self.dtype.name(), self.shape)
    }
}

fn bytes<const N: usize>(stream: &mut impl Read) -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    let whole = stream.read_exact(&mut bytes);
    whole.map_err(|e| format!("it ends within its first bytes ({e}); fetch it again"))?;
    Ok(bytes)
}
