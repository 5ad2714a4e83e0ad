//! Stored features, read a few rows at a time.

use crate::npy::{Dtype, Npz, SharedFile};
use crate::{Error, Result};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// An array `[n, d]` of features in an `.npz` file.
#[derive(Debug, Clone)]
pub struct StoredRows {
    path: PathBuf,
    name: &'static str,
    /// Rows of the array.
    stored: u64,
    /// Rows that are used, from the first on.
    n: u64,
    dim: usize,
    dtype: Dtype,
}

/// Longest feature vector.
const MAX_DIM: u64 = 1 << 20;

impl StoredRows {
    pub(super) fn open(path: &Path, name: &'static str) -> Result<Self> {
        let mut npz = Npz::open(path)?;
        let header = npz.entry(name)?.header;
        let numbers = matches!(header.dtype, Dtype::F32 | Dtype::F64) && !header.fortran;
        match header.shape[..] {
            [n, d @ 1..=MAX_DIM] if numbers && n > 0 => {
                let (path, dtype) = (path.to_owned(), header.dtype);
                Ok(Self { path, name, stored: n, n, dim: d as usize, dtype })
            }
            _ => {
                let text = format!("it is {}, features are <f4 or <f8 [n, d]", header.describe());
                Err(Error::Npy { file: npz.named(name), problem: format!("{text}; save it anew") })
            }
        }
    }

    /// The first `count` of them, or all there are if fewer.
    #[must_use]
    pub fn first(self, count: u64) -> Self {
        Self { n: self.n.min(count), ..self }
    }

    /// Count of feature vectors.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// Length of a feature vector.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Hands over all rows in order, at most `count` at a time, row-major, with the index of the first.
    ///
    /// # Errors
    /// [`Error::Npy`] when the file cannot be read or holds NaN or infinity, and those of `take`.
    pub fn each(&self, count: usize, take: &mut dyn FnMut(u64, &[f32]) -> Result<()>) -> Result<()> {
        let mut npz: Npz<SharedFile> = Npz::open(&self.path)?;
        let file = npz.named(self.name);
        let refuse = |problem| Error::Npy { file: file.clone(), problem };
        let mut entry = npz.entry(self.name)?;
        let width = self.dim * self.dtype.size() as usize;
        // A row may be long: no more than 64 MiB at a time.
        let count = count.min((1 << 26) / width).max(1) as u64;
        let mut first = 0;
        while first < self.n {
            let rows = (self.n - first).min(count);
            let mut bytes = vec![0; rows as usize * width];
            let whole = entry.data.read_exact(&mut bytes);
            whole.map_err(|e| refuse(format!("row {first} cannot be read ({e}); fetch it again")))?;
            let values: Vec<f32> = match self.dtype {
                Dtype::F64 => {
                    bytes.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect()
                }
                _ => bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
            };
            if let Some(at) = values.iter().position(|v| !v.is_finite()) {
                let row = first + (at / self.dim) as u64;
                return Err(refuse(format!("row {row} holds {}; make it anew", values[at])));
            }
            take(first, &values)?;
            first += rows;
        }
        if self.n < self.stored {
            return Ok(());
        }
        let rest =
            entry.data.read(&mut [0]).map_err(|e| refuse(format!("it is damaged ({e}); fetch it again")))?;
        if rest == 0 {
            Ok(())
        } else {
            Err(refuse("there is more data than its header says; fetch it again".to_owned()))
        }
    }
}
