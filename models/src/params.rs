//! Named tensors, and their way into a file.

use std::collections::BTreeMap;

use half::f16;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use tch::{Device, Kind, Tensor};

use crate::error::{Error, Result};

/// Tensors by name, in the order of their names.
pub type Params = BTreeMap<String, Tensor>;

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
