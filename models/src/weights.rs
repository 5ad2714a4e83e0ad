//! Strict reading of safetensors.
//!
//! libtorch's own loaders skip unknown names and broadcast wrong shapes in silence; here every disagreement between
//! file and network is found in one pass and reported together.

use std::collections::BTreeSet;

use half::{bf16, f16};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use tch::{Device, Kind, Tensor};

use crate::error::{Error, Result};
use crate::params::Params;
use crate::problems::Problems;
use crate::source::{Init, Source};
use crate::text::printable;

/// Buffers that some exporters write and no network needs.
const IGNORED: [&str; 2] = ["num_batches_tracked", "position_ids"];

/// An opened checkpoint that a network takes its tensors from; [`Weights::finish`] tells whether everything fitted.
pub struct Weights<'a> {
    name: String,
    file: SafeTensors<'a>,
    device: Device,
    kind: Kind,
    used: BTreeSet<String>,
    params: Params,
    problems: Problems,
}

impl<'a> Weights<'a> {
    /// Parses the header of a safetensors file held in memory. `name` stands in error messages. Tensors are converted
    /// to `kind` on `device` as they are taken.
    ///
    /// # Errors
    /// [`Error::Safetensors`] if the header is damaged, too large, or points outside the file.
    pub fn parse(name: &str, bytes: &'a [u8], device: Device, kind: Kind) -> Result<Self> {
        let file = SafeTensors::deserialize(bytes)
            .map_err(|e| Error::Safetensors { name: name.to_owned(), reason: printable(&e.to_string()) })?;
        Ok(Self {
            name: name.to_owned(),
            file,
            device,
            kind,
            used: BTreeSet::new(),
            params: Params::new(),
            problems: Problems::default(),
        })
    }

    /// The tensors that the network took, once every name in the file was taken and nothing was amiss.
    ///
    /// # Errors
    /// [`Error::Mismatch`] with all problems.
    pub fn finish(mut self) -> Result<Params> {
        let known = |name: &str| self.used.contains(name) || IGNORED.iter().any(|i| name.ends_with(i));
        let mut unexpected: Vec<String> =
            self.file.names().into_iter().filter(|n| !known(n)).map(ToOwned::to_owned).collect();
        unexpected.sort();
        self.problems.unexpected = unexpected;
        if self.problems.is_empty() {
            Ok(self.params)
        } else {
            Err(Error::Mismatch { name: self.name, problems: Box::new(self.problems) })
        }
    }

    fn read(&mut self, name: &str, shape: &[i64]) -> Option<Tensor> {
        let Ok(view) = self.file.tensor(name) else {
            self.problems.missing.push(name.to_owned());
            return None;
        };
        let found: Vec<i64> = view.shape().iter().map(|&n| n as i64).collect();
        if found != shape {
            self.problems.shape.push(format!("{name}: {shape:?}, {found:?}"));
            return None;
        }
        let Some(values) = to_f32(&view) else {
            self.problems.dtype.push(format!("{name}: {:?}", view.dtype()));
            return None;
        };
        if values.iter().any(|v| !v.is_finite()) {
            self.problems.not_finite.push(name.to_owned());
            return None;
        }
        Some(Tensor::from_slice(&values).view(shape).to_device(self.device).to_kind(self.kind))
    }
}

impl Source for Weights<'_> {
    fn tensor(&mut self, name: &str, shape: &[i64], _init: Init) -> Tensor {
        self.used.insert(name.to_owned());
        let Some(tensor) = self.read(name, shape) else {
            // One zero in all places: a shape that a configuration merely claims takes no memory. Nothing computes with
            // it, as `finish` refuses.
            return Tensor::zeros([1], (self.kind, self.device)).expand(shape, false);
        };
        self.params.insert(name.to_owned(), tensor.shallow_clone());
        tensor
    }
}

/// The values of a tensor as f32, or nothing for a dtype that weights do not come in.
fn to_f32(view: &TensorView<'_>) -> Option<Vec<f32>> {
    let bytes = view.data();
    // Every chunk has the size that its conversion asks for, so that the conversions cannot fail.
    let pairs = || bytes.chunks_exact(2).map(|b| [b[0], b[1]]);
    match view.dtype() {
        Dtype::F32 => {
            Some(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
        }
        Dtype::F16 => Some(pairs().map(|b| f16::from_le_bytes(b).to_f32()).collect()),
        Dtype::BF16 => Some(pairs().map(|b| bf16::from_le_bytes(b).to_f32()).collect()),
        _ => None,
    }
}
