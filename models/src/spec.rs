//! `fewstep.json`: how a network was trained, which its own configuration does not say. For its authors, the fields stand
//! in `docs/model-folder.md`.

mod validate;

use fewstep_samplers::{Node, Path, Pred};
use serde::{Deserialize, Serialize};

use crate::prediction::Prediction;

/// What the network is told about the noise level.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "input", rename_all = "kebab-case")]
pub enum TimeInput {
    /// `scale * t`, with `t` of the network's own path.
    Scaled {
        /// 1000 for flows (SD3, FLUX), 1 for tables indexed by step.
        scale: f64,
    },
    /// `scale * ln sigma` (2206.00364 uses 1/4; with sinusoids of period up to 10,000 the consistency models use 250).
    LogSigma {
        /// The factor.
        scale: f64,
    },
}

impl TimeInput {
    /// The number that the network sees at `node` of its own path.
    pub fn at(self, node: &Node) -> f64 {
        match self {
            Self::Scaled { scale } => scale * node.t,
            Self::LogSigma { scale } => -scale * node.lambda(),
        }
    }
}

/// How a network was trained: everything needed to drive it that its own configuration does not say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// Version of this file's layout; 1.
    pub version: u32,
    /// The path that the network was trained on; it can be driven along any other.
    pub path: Path,
    /// Path to sample along when the user names none.
    pub sample_path: Path,
    /// What the raw output means.
    pub prediction: Prediction,
    /// What the network is told about the noise level.
    pub time: TimeInput,
    /// `[channels, height, width]` of an image in `[-1, 1]`.
    pub shape: [i64; 3],
    /// Number of classes, the null label (which follows them) not counted; `None` if unconditional.
    pub classes: Option<i64>,
    /// Names of the classes, if they have any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub class_names: Vec<String>,
}

impl ModelSpec {
    /// The place on the network's own path where an image at `node` of any path is put, and the factor that takes it
    /// there. `x0` and the noise depend on the path through `sigma / alpha` alone.
    pub fn own(&self, node: &Node) -> (Node, f64) {
        let t = self.path.t_of_lambda(node.lambda());
        // Pure noise, which few paths reach: the noisiest image that the network knows stands in for it.
        let own = self.path.node(if t.is_finite() { t } else { self.path.range().1 });
        // From sigma, which is not zero where a network is asked (alpha is, at the noise end of a flow).
        (own, own.sigma / node.sigma)
    }

    /// `(a, b)` such that `x0 = a x + b r`, for `x` at `node` of any path and the network's raw output `r`.
    pub fn x0_of_raw(&self, node: &Node) -> (f64, f64) {
        let (own, scale) = self.own(node);
        let (a, b) = self.prediction.output(&own, Pred::X0);
        (a * scale, b)
    }
}
