//! NumPy's array files: `.npy`, and `.npz`, a zip archive of them.
//!
//! Format: `numpy.lib.format`, versions 1.0, 2.0 and 3.0, little-endian, without Python objects: nothing in a file is
//! ever executed. What is allocated grows with the data that is really there, never with what a header claims.

mod array;
mod file;
mod header;
mod literal;
mod npz;
mod write;

pub use array::NpyArray;
pub use header::{Dtype, Header};
pub use npz::{Npz, NpzEntry};
pub use write::{NpyData, NpzWriter};

pub(crate) use file::SharedFile;
