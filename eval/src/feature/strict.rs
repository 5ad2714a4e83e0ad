//! Strict reading of weights: every name, every shape, nothing beside, and all that is wrong at once.

use crate::tensors::shape_text;
use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeMap;

/// A weight as a file holds it: little-endian, row-major.
pub(crate) struct Stored<'a> {
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<i64>,
    pub(crate) bytes: &'a [u8],
}

/// Counters that PyTorch keeps beside the statistics of its normalisations and that no inference needs.
const IGNORED: &str = "num_batches_tracked";

/// The weights of a safetensors file by name, or why it is none.
pub(crate) fn safetensors(bytes: &[u8]) -> Result<BTreeMap<String, Stored<'_>>, String> {
    let file = SafeTensors::deserialize(bytes).map_err(|e| format!("not a whole safetensors file ({e})"))?;
    let stored = file.tensors().into_iter().map(|(name, view)| {
        let shape = view.shape().iter().map(|s| *s as i64).collect();
        (name, Stored { dtype: view.dtype(), shape, bytes: view.data() })
    });
    Ok(stored.collect())
}

/// The values of exactly the weights in `specs` (name and shape), stored as f32 or f16; or everything that is
/// missing, unexpected, misshapen, of another type or not finite.
pub(crate) fn values<'s>(
    specs: impl Iterator<Item = (&'s str, &'s [i64])>,
    mut stored: BTreeMap<String, Stored<'_>>,
) -> Result<BTreeMap<String, Vec<f32>>, Vec<String>> {
    let mut problems = Vec::new();
    let mut map = BTreeMap::new();
    for (name, shape) in specs {
        match stored.remove(name).map(|weight| weight.values(shape)) {
            None => problems.push(format!("`{name}` is missing")),
            Some(Ok(values)) => _ = map.insert(name.to_owned(), values),
            Some(Err(problem)) => problems.push(format!("`{name}` {problem}")),
        }
    }
    let foreign = stored.keys().filter(|name| !name.ends_with(IGNORED));
    problems.extend(foreign.map(|name| format!("`{}` is unexpected", name.escape_debug())));
    if problems.is_empty() { Ok(map) } else { Err(problems) }
}

impl Stored<'_> {
    /// The values, or what is wrong with them.
    fn values(&self, shape: &[i64]) -> Result<Vec<f32>, String> {
        if self.shape != shape {
            let (want, got) = (shape_text(shape), shape_text(&self.shape));
            return Err(format!("has shape {got}, expected {want}"));
        }
        let values: Vec<f32> = match self.dtype {
            Dtype::F32 => self.bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
            Dtype::F16 => {
                self.bytes.as_chunks::<2>().0.iter().map(|b| half::f16::from_le_bytes(*b).to_f32()).collect()
            }
            other => return Err(format!("is stored as {other:?}, expected F32 or F16")),
        };
        if values.iter().all(|v| v.is_finite()) {
            Ok(values)
        } else {
            Err("holds a value that is not finite".to_owned())
        }
    }
}
