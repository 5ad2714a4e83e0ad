//! Features kept as rows, for metrics that need every one of them.

use super::moments::same_dim;
use crate::{Error, Result, tensors};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use std::collections::BTreeMap;
use tch::{Kind, Tensor};

/// Feature vectors by image number, in f32: 4 d bytes an image. Batches may come in any size and order, from any count of
/// workers; the matrix is in the order of the numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureRows {
    dim: usize,
    rows: BTreeMap<u64, Vec<f32>>,
}

impl FeatureRows {
    /// Nothing pushed yet; vectors have length `dim`.
    pub fn new(dim: usize) -> Self {
        Self { dim, rows: BTreeMap::new() }
    }

    /// Count of vectors so far.
    pub fn n(&self) -> u64 {
        self.rows.len() as u64
    }

    /// Adds a batch of features: row `i` belongs to image `first_index + i`.
    ///
    /// # Shapes
    /// features: f32 `[b, dim]`.
    ///
    /// # Errors
    /// Wrong kind or shape, values that are not finite, or an image that was counted before. Nothing is added then.
    pub fn push_features(&mut self, features: &Tensor, first_index: u64) -> Result<()> {
        tensors::expect("features", features, Kind::Float, &[-1, self.dim as i64])?;
        let values = tensors::to_vec::<f32>(features)?;
        let batch = (first_index..).zip(values.chunks_exact(self.dim).map(<[f32]>::to_vec));
        let batch = Self { dim: self.dim, rows: batch.collect() };
        if let Some((index, _)) = batch.rows.iter().find(|(_, row)| row.iter().any(|x| !x.is_finite())) {
            return Err(Error::NonFinite { what: format!("a feature of image {index}") });
        }
        self.merge(batch)
    }

    /// Takes over everything that another worker has gathered.
    ///
    /// # Errors
    /// [`Error::Mismatch`] of lengths, [`Error::DuplicateImage`] when both have an image. `self` is unchanged then.
    pub fn merge(&mut self, other: Self) -> Result<()> {
        same_dim(self.dim, other.dim)?;
        if let Some(index) = other.rows.keys().find(|index| self.rows.contains_key(index)) {
            return Err(Error::DuplicateImage { index: *index });
        }
        self.rows.extend(other.rows);
        Ok(())
    }

    /// All vectors in the order of their image numbers, f32 `[n, dim]`.
    ///
    /// # Errors
    /// [`Error::TooFew`] while empty.
    pub fn matrix(&self) -> Result<Tensor> {
        if self.rows.is_empty() {
            return Err(Error::TooFew { what: "a matrix of features", need: 1, n: 0 });
        }
        tensors::from_slice(
            &self.rows.values().flatten().copied().collect::<Vec<f32>>(),
            &[-1, self.dim as i64],
        )
    }

    /// Bytes to go on from later: safetensors with `index` u64 `[n]` and `features` f32 `[n, dim]`.
    ///
    /// # Errors
    /// [`Error::Statistics`] when the container cannot hold them (it always can).
    pub fn to_safetensors(&self) -> Result<Vec<u8>> {
        let index: Vec<u8> = self.rows.keys().flat_map(|i| i.to_le_bytes()).collect();
        let values: Vec<u8> = self.rows.values().flatten().flat_map(|v| v.to_le_bytes()).collect();
        let n = self.rows.len();
        let index = TensorView::new(Dtype::U64, vec![n], &index).map_err(refuse)?;
        let values = TensorView::new(Dtype::F32, vec![n, self.dim], &values).map_err(refuse)?;
        safetensors::serialize([("index", index), ("features", values)], None).map_err(refuse)
    }

    /// Reads what [`FeatureRows::to_safetensors`] wrote.
    ///
    /// # Errors
    /// [`Error::Statistics`] when it is another file, cut short, or holds values that are not finite.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self> {
        let file = SafeTensors::deserialize(bytes).map_err(refuse)?;
        let (index, values) =
            (file.tensor("index").map_err(refuse)?, file.tensor("features").map_err(refuse)?);
        let (&[n], &[rows, dim]) = (index.shape(), values.shape()) else {
            return Err(refuse("`index` and `features` must have one and two dimensions"));
        };
        if n != rows || dim == 0 || index.dtype() != Dtype::U64 || values.dtype() != Dtype::F32 {
            return Err(refuse("`index` must be U64 [n] and `features` F32 [n, d]"));
        }
        let numbers = index.data().as_chunks::<8>().0.iter().map(|b| u64::from_le_bytes(*b));
        let values: Vec<f32> =
            values.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        if values.iter().any(|v| !v.is_finite()) {
            return Err(refuse("a feature is not finite"));
        }
        let rows: BTreeMap<u64, Vec<f32>> =
            numbers.zip(values.chunks_exact(dim).map(<[f32]>::to_vec)).collect();
        if rows.len() == n { Ok(Self { dim, rows }) } else { Err(refuse("an image is in it twice")) }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`, which hands over the value")]
fn refuse(problem: impl ToString) -> Error {
    Error::Statistics { problem: problem.to_string() }
}
