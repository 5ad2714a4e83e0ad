//! Residual block, self-attention, and the two resamplers.

use tch::Tensor;

use super::config::UNet2dConfig;
use crate::layers::{Conv2d, GroupNorm, Linear};
use crate::source::Scope;

/// Residual block with the time embedding added, or scaling and shifting, between its two convolutions.
#[derive(Debug)]
pub(super) struct Resnet {
    norm1: GroupNorm,
    conv1: Conv2d,
    time_emb_proj: Linear,
    norm2: GroupNorm,
    conv2: Conv2d,
    conv_shortcut: Option<Conv2d>,
    scale_shift: bool,
    output_scale: f64,
}

impl Resnet {
    pub(super) fn new(scope: &Scope<'_>, cfg: &UNet2dConfig, cin: i64, cout: i64, output_scale: f64) -> Self {
        let (groups, eps) = (cfg.norm_num_groups, cfg.norm_eps);
        let scale_shift = cfg.resnet_time_scale_shift == "scale_shift";
        let proj = if scale_shift { 2 * cout } else { cout };
        Self {
            norm1: GroupNorm::new(&scope.at("norm1"), cin, groups, eps),
            conv1: Conv2d::new(&scope.at("conv1"), cin, cout, 3, 1, 1),
            time_emb_proj: Linear::new(&scope.at("time_emb_proj"), cfg.time_dim(), proj),
            norm2: GroupNorm::new(&scope.at("norm2"), cout, groups, eps),
            // Starting silent makes each residual block the identity, which trains faster (1901.09321, 2006.11239).
            conv2: Conv2d::zero(&scope.at("conv2"), cout, cout, 3, 1),
            conv_shortcut: (cin != cout).then(|| Conv2d::new(&scope.at("conv_shortcut"), cin, cout, 1, 1, 0)),
            scale_shift,
            output_scale,
        }
    }

    /// `x: [b, cin, h, w]`, `emb: [b, time_dim]` after its SiLU `-> [b, cout, h, w]`
    pub(super) fn forward(&self, x: &Tensor, emb: &Tensor) -> Tensor {
        let mut h = self.conv1.forward(&self.norm1.forward(x).silu_());
        let e = self.time_emb_proj.forward(emb).unsqueeze(-1).unsqueeze(-1); // [b, cout or 2 cout, 1, 1]
        h = if self.scale_shift {
            let parts = e.chunk(2, 1);
            self.norm2.forward(&h) * (&parts[0] + 1.0) + &parts[1]
        } else {
            self.norm2.forward(&(h + e))
        };
        h = self.conv2.forward(&h.silu_());
        let out = match &self.conv_shortcut {
            Some(conv) => conv.forward(x) + h,
            None => x + h,
        };
        scaled(out, self.output_scale)
    }
}

/// Self-attention over the pixels of a feature map, with a residual connection.
#[derive(Debug)]
pub(super) struct Attention {
    group_norm: Option<GroupNorm>,
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    to_out: Linear,
    heads: i64,
    output_scale: f64,
}

impl Attention {
    pub(super) fn new(
        scope: &Scope<'_>,
        cfg: &UNet2dConfig,
        channels: i64,
        groups: Option<i64>,
        output_scale: f64,
    ) -> Self {
        let linear = |name| Linear::new(&scope.at(name), channels, channels);
        Self {
            group_norm: groups.map(|g| GroupNorm::new(&scope.at("group_norm"), channels, g, cfg.norm_eps)),
            to_q: linear("to_q"),
            to_k: linear("to_k"),
            to_v: linear("to_v"),
            to_out: linear("to_out.0"),
            heads: channels / cfg.attention_head_dim.unwrap_or(channels),
            output_scale,
        }
    }

    /// `[b, c, h, w]`, kept.
    pub(super) fn forward(&self, x: &Tensor) -> Tensor {
        let (b, c, h, w) = dims4(x);
        let normed = self.group_norm.as_ref().map_or_else(|| x.shallow_clone(), |norm| norm.forward(x));
        let tokens = normed.view([b, c, h * w]).transpose(1, 2); // [b, hw, c]
        let split = |t: Tensor| t.view([b, h * w, self.heads, c / self.heads]).transpose(1, 2); // [b, heads, hw, d]
        let (q, k, v) = (
            split(self.to_q.forward(&tokens)),
            split(self.to_k.forward(&tokens)),
            split(self.to_v.forward(&tokens)),
        );
        let mixed =
            Tensor::scaled_dot_product_attention(&q, &k, &v, None::<&Tensor>, 0.0, false, None, false);
        let mixed = mixed.transpose(1, 2).reshape([b, h * w, c]);
        let out = self.to_out.forward(&mixed).transpose(1, 2).reshape([b, c, h, w]);
        scaled(out + x, self.output_scale)
    }
}

/// Halves height and width by a strided convolution.
#[derive(Debug)]
pub(super) struct Downsample {
    conv: Conv2d,
    padding: i64,
}

impl Downsample {
    pub(super) fn new(scope: &Scope<'_>, channels: i64, padding: i64) -> Self {
        Self { conv: Conv2d::new(&scope.at("conv"), channels, channels, 3, 2, padding), padding }
    }

    /// `[b, c, h, w] -> [b, c, h/2, w/2]`
    pub(super) fn forward(&self, x: &Tensor) -> Tensor {
        if self.padding == 0 {
            self.conv.forward(&x.constant_pad_nd([0, 1, 0, 1])) // right and below
        } else {
            self.conv.forward(x)
        }
    }
}

/// Doubles height and width: nearest neighbour, then a convolution.
#[derive(Debug)]
pub(super) struct Upsample {
    conv: Conv2d,
}

impl Upsample {
    pub(super) fn new(scope: &Scope<'_>, channels: i64) -> Self {
        Self { conv: Conv2d::new(&scope.at("conv"), channels, channels, 3, 1, 1) }
    }

    /// `[b, c, h, w] -> [b, c, 2h, 2w]`
    pub(super) fn forward(&self, x: &Tensor) -> Tensor {
        let (_, _, h, w) = dims4(x);
        self.conv.forward(&x.upsample_nearest2d([2 * h, 2 * w], None, None))
    }
}

fn scaled(x: Tensor, divisor: f64) -> Tensor {
    // Dividing by one would still cost a pass over memory.
    if (divisor - 1.0).abs() < f64::EPSILON { x } else { x / divisor }
}

/// `(b, c, h, w)` of a feature map.
pub(super) fn dims4(x: &Tensor) -> (i64, i64, i64, i64) {
    let s = x.size();
    (s[0], s[1], s[2], s[3])
}
