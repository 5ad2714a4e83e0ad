//! Named weights as plain tensors: strict loading, stable saving, one hash.

use super::strict;
use crate::hash::Hasher;
use crate::{Error, Result, tensors};
use safetensors::{Dtype, tensor::TensorView};
use std::collections::BTreeMap;
use tch::Tensor;

/// Weights by name, f32 on the CPU, in alphabetical order.
#[derive(Debug)]
pub struct Params(BTreeMap<String, Tensor>);

/// Name and shape of one weight that a network needs.
pub(crate) type Spec<'a> = (&'a str, &'a [i64]);

impl Params {
    /// Wraps tensors that the caller has made to fit `specs`.
    pub(crate) fn from_map(map: BTreeMap<String, Tensor>) -> Self {
        Self(map)
    }

    /// The weight called `name`, if the network has it.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.0.get(name)
    }

    /// Names and weights in alphabetical order. Tensors are handles: a trainer sets `requires_grad` and updates
    /// them in place.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.0.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// Count of scalar weights.
    pub fn count(&self) -> usize {
        self.0.values().map(Tensor::numel).sum()
    }

    /// SHA-256 over names, shapes and f32 values, so that it does not depend on how the file is laid out.
    ///
    /// # Errors
    /// When libtorch cannot copy a weight to the CPU.
    pub fn sha256(&self) -> Result<String> {
        let mut hasher = Hasher::default();
        for (name, tensor) in &self.0 {
            hasher.update(format!("{name} {}\n", tensors::shape_text(&tensor.size())).as_bytes());
            for value in tensors::to_vec::<f32>(tensor)? {
                hasher.update(&value.to_le_bytes());
            }
        }
        Ok(hasher.finish())
    }

    /// Reads safetensors bytes that hold exactly `specs`, stored as f32 or f16.
    ///
    /// # Errors
    /// [`Error::Weights`] lists missing and unexpected names, wrong shapes, wrong types and values that are not
    /// finite, all at once.
    pub(crate) fn from_safetensors(network: &str, bytes: &[u8], specs: &[Spec<'_>]) -> Result<Self> {
        let refuse = |problems| Error::Weights { network: network.to_owned(), problems };
        let stored = strict::safetensors(bytes).map_err(|problem| refuse(vec![problem]))?;
        let named = specs.iter().map(|(name, shape)| (*name, *shape));
        let values = strict::values(named, stored).map_err(refuse)?;
        let mut map = BTreeMap::new();
        for (name, shape) in specs {
            if let Some(values) = values.get(*name) {
                map.insert((*name).to_owned(), tensors::from_slice(values, shape)?);
            }
        }
        Ok(Self(map))
    }

    /// Safetensors bytes, f16 when `half`, else f32; equal weights give equal bytes.
    ///
    /// # Errors
    /// When a weight is not finite in the stored type, or libtorch cannot copy it.
    pub fn to_safetensors(&self, half: bool) -> Result<Vec<u8>> {
        let mut stored = Vec::new();
        for (name, tensor) in &self.0 {
            let values = tensors::to_vec::<f32>(tensor)?;
            let shape: Vec<usize> = tensor.size().iter().map(|s| *s as usize).collect();
            let too_big = |v: &f32| !v.is_finite() || (half && !half::f16::from_f32(*v).is_finite());
            if values.iter().any(too_big) {
                return Err(Error::NonFinite { what: format!("weight `{name}`") });
            }
            let bytes: Vec<u8> = if half {
                values.iter().flat_map(|v| half::f16::from_f32(*v).to_le_bytes()).collect()
            } else {
                values.iter().flat_map(|v| v.to_le_bytes()).collect()
            };
            stored.push((name.as_str(), shape, bytes));
        }
        let dtype = if half { Dtype::F16 } else { Dtype::F32 };
        let views = stored
            .iter()
            .map(|(name, shape, bytes)| Ok((*name, TensorView::new(dtype, shape.clone(), bytes)?)))
            .collect::<std::result::Result<Vec<_>, safetensors::SafeTensorError>>();
        let unfit =
            |e| Error::Weights { network: "weights to save".to_owned(), problems: vec![format!("{e}")] };
        safetensors::serialize(views.map_err(unfit)?, None).map_err(unfit)
    }
}
