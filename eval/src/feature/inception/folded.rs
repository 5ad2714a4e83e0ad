//! Normalisation folded into the convolutions.

use super::layout::{EPSILON, Unit, units};
use super::weights::{NETWORK, Weights};
use crate::{Error, Result, tensors};
use std::collections::BTreeMap;
use tch::{Kind, Tensor};

/// All units with kernel and bias of their own.
pub(super) struct Folded(BTreeMap<String, Part>);

/// `relu(conv(x, weight) + bias)` is what the unit computes.
pub(super) struct Part {
    pub(super) unit: Unit,
    /// `[output, input, h, w]`
    pub(super) weight: Tensor,
    /// `[output]`
    pub(super) bias: Tensor,
}

impl Folded {
    /// Kernels in f32 or f64; the folding itself is f64.
    pub(super) fn new(weights: &Weights, kind: Kind) -> Result<Self> {
        let mut parts = BTreeMap::new();
        for unit in units() {
            let [kernel, scale, shift, mean, variance] =
                unit.weights().map(|(name, _)| weights.get(&name).unwrap_or_default());
            let gain: Vec<f64> = scale
                .iter()
                .zip(variance)
                .map(|(scale, variance)| f64::from(*scale) / (f64::from(*variance) + EPSILON).sqrt())
                .collect();
            let bias: Vec<f64> = gain
                .iter()
                .zip(shift.iter().zip(mean))
                .map(|(gain, (shift, mean))| f64::from(*shift) - f64::from(*mean) * gain)
                .collect();
            let row = kernel.len() / gain.len().max(1);
            let kernel: Vec<f64> =
                kernel.iter().enumerate().map(|(i, w)| f64::from(*w) * gain[i / row]).collect();
            let [height, width] = unit.kernel;
            let shape = [unit.output, unit.input, height, width];
            let weight = tensors::from_slice(&kernel, &shape)?.f_to_kind(kind)?;
            let bias = tensors::from_slice(&bias, &shape[..1])?.f_to_kind(kind)?;
            parts.insert(unit.name.clone(), Part { unit, weight, bias });
        }
        Ok(Self(parts))
    }

    /// The unit called `name`.
    pub(super) fn unit(&self, name: &str) -> Result<&Part> {
        self.0.get(name).ok_or_else(|| Error::Weights {
            network: NETWORK.to_owned(),
            problems: vec![format!("`{name}` is missing")],
        })
    }
}
