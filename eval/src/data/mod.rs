//! Data sets: files checked by hash, images as plain bytes.

mod colour;
mod fashion_mnist;
mod idx;

pub use colour::Paint;
pub use fashion_mnist::{CLASS_NAMES, FashionMnist, Part, Split};
pub use idx::{IdxArray, MAX_BYTES, parse_idx, read_idx};
