//! Sinusoidal time embedding and the small network behind it.

use tch::{Kind, Tensor};

use crate::layers::Linear;
use crate::source::Scope;

/// Sines and cosines of `t` at `dim / 2` frequencies from 1 down to 1/10000 (2006.11239 after 1706.03762 §3.5).
///
/// # Shapes
/// `t: [b]` f32, in the unit that the network was trained with `-> [b, dim]` f32
pub fn sinusoids(t: &Tensor, dim: i64, flip_sin_to_cos: bool, freq_shift: i64) -> Tensor {
    let half = dim / 2;
    let step = -(10_000f64.ln()) / (half - freq_shift) as f64;
    let freqs = (Tensor::arange(half, (Kind::Float, t.device())) * step).exp();
    let arg = t.to_kind(Kind::Float).unsqueeze(1) * freqs.unsqueeze(0); // [b, half]
    let (sin, cos) = (arg.sin(), arg.cos());
    let emb = if flip_sin_to_cos { Tensor::cat(&[cos, sin], 1) } else { Tensor::cat(&[sin, cos], 1) };
    if dim % 2 == 1 { emb.constant_pad_nd([0, 1]) } else { emb }
}

/// Two linear layers with SiLU between.
#[derive(Debug)]
pub(super) struct TimeMlp {
    linear_1: Linear,
    linear_2: Linear,
}

impl TimeMlp {
    pub(super) fn new(scope: &Scope<'_>, cin: i64, dim: i64) -> Self {
        Self {
            linear_1: Linear::new(&scope.at("linear_1"), cin, dim),
            linear_2: Linear::new(&scope.at("linear_2"), dim, dim),
        }
    }

    /// `[b, cin] -> [b, dim]`
    pub(super) fn forward(&self, x: &Tensor) -> Tensor {
        self.linear_2.forward(&self.linear_1.forward(x).silu())
    }
}
