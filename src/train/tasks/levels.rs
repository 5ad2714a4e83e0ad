//! Which noise levels a step trains on.

use fewstep_models::ModelSpec;
use fewstep_samplers::Node;
use tch::{Device, Kind, Tensor};

/// Where on the path training images stand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Levels {
    /// `ln sigma` normal (2206.00364, Table 1: mean -1.2, std 1.2).
    LogNormal {
        /// Mean of `ln sigma`.
        mean: f64,
        /// Standard deviation of `ln sigma`.
        std: f64,
    },
    /// `t` uniform over the path.
    Uniform,
    /// `ln(t / (1 - t))` normal (2403.03206 §3.1), for paths on `0..1`.
    LogitNormal {
        /// Mean of the logit.
        mean: f64,
        /// Standard deviation of the logit.
        std: f64,
    },
}

impl Levels {
    /// The node at quantile `u` in `(0, 1)`, where `z` is the same quantile of a standard normal.
    pub(super) fn node(self, spec: &ModelSpec, u: f64, z: f64) -> Node {
        match self {
            Self::LogNormal { mean, std } => spec.path.node(spec.path.t_of_lambda(-(mean + std * z))),
            Self::Uniform => {
                let (lo, hi) = spec.path.range();
                spec.path.node(lo + u * (hi - lo))
            }
            Self::LogitNormal { mean, std } => spec.path.node(1.0 / (1.0 + (-(mean + std * z)).exp())),
        }
    }
}

/// A uniform number from `(0, 1)` and the same quantile of the standard normal distribution, for each of `b` images: one
/// from each of `b` equal slices, which is the same distribution with far less noise in the loss.
pub(super) fn quantiles(b: i64) -> Vec<(f64, f64)> {
    let options = (Kind::Double, Device::Cpu);
    let u = (Tensor::arange(b, options) + Tensor::rand([b], options)) / b as f64;
    let z = (u.clamp(1e-9, 1.0 - 1e-9) * 2.0 - 1.0).erfinv() * std::f64::consts::SQRT_2;
    (0..b).map(|i| (u.double_value(&[i]), z.double_value(&[i]))).collect()
}
