//! Strict reading and writing of safetensors.
//!
//! libtorch's own loaders skip unknown names and broadcast wrong shapes in silence; here every disagreement between
//! file and network is found in one pass and reported together.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use half::{bf16, f16};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use tch::{Device, Kind, Tensor};

use crate::error::{Error, Result};
use crate::source::{Init, Source};

/// Tensors by name, in the order of their names.
pub type Params = BTreeMap<String, Tensor>;

/// Buffers that some exporters write and no network needs.
const IGNORED: [&str; 2] = ["num_batches_tracked", "position_ids"];

/// Everything in which a checkpoint and a network disagree.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Problems {
    /// Names that the network needs and the file lacks.
    pub missing: Vec<String>,
    /// Names that the file has and the network does not know.
    pub unexpected: Vec<String>,
    /// `name: network shape, file shape`.
    pub shape: Vec<String>,
    /// `name: dtype in the file`.
    pub dtype: Vec<String>,
    /// Tensors that hold NaN or infinity.
    pub not_finite: Vec<String>,
}

impl Problems {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.lists().iter().all(|(_, list)| list.is_empty())
    }

    fn lists(&self) -> [(&'static str, &Vec<String>); 5] {
        [
            ("missing", &self.missing),
            ("unexpected", &self.unexpected),
            ("wrong shape (network, file)", &self.shape),
            ("unsupported dtype (f32, f16 and bf16 are read)", &self.dtype),
            ("NaN or infinity in", &self.not_finite),
        ]
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 20;
        let mut lines = Vec::new();
        for (what, list) in self.lists() {
            if list.is_empty() {
                continue;
            }
            let shown = list.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
            let more =
                if list.len() > SHOWN { format!(", and {} more", list.len() - SHOWN) } else { String::new() };
            lines.push(format!("  {what}: {shown}{more} ({} in all)", list.len()));
        }
        f.write_str(&lines.join("\n"))
    }
}

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
            .map_err(|e| Error::Safetensors { name: name.to_owned(), reason: e.to_string() })?;
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
        let tensor = self.read(name, shape).unwrap_or_else(|| Tensor::zeros(shape, (self.kind, self.device)));
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

/// Tensors as the bytes of a safetensors file, in `Kind::Float` or `Kind::Half`, with `metadata` in the header.
///
/// # Errors
/// [`Error::Input`] for another `kind`, [`Error::Safetensors`] if the format cannot hold the tensors.
pub fn to_safetensors(params: &Params, kind: Kind, metadata: &[(&str, &str)]) -> Result<Vec<u8>> {
    let dtype = match kind {
        Kind::Float => Dtype::F32,
        Kind::Half => Dtype::F16,
        other => return Err(Error::Input(format!("weights are written as f32 or f16, not {other:?}"))),
    };
    let blobs: Vec<(String, Vec<usize>, Vec<u8>)> = params
        .iter()
        .map(|(name, tensor)| {
            let flat = tensor.detach().to_device(Device::Cpu).to_kind(Kind::Float).contiguous().view(-1);
            let mut values = vec![0f32; flat.numel()];
            flat.copy_data(&mut values, flat.numel());
            let bytes = match dtype {
                Dtype::F32 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
                _ => values.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect(),
            };
            (name.clone(), tensor.size().iter().map(|&n| n as usize).collect(), bytes)
        })
        .collect();
    let failed = |e: safetensors::SafeTensorError| Error::Safetensors {
        name: "weights".into(),
        reason: e.to_string(),
    };
    let mut views = Vec::with_capacity(blobs.len());
    for (name, shape, bytes) in &blobs {
        views.push((name.as_str(), TensorView::new(dtype, shape.clone(), bytes).map_err(failed)?));
    }
    let metadata = metadata.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    safetensors::serialize(views, Some(metadata)).map_err(failed)
}
