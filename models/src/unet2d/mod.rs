//! `UNet2DModel` of diffusers: same names, same arithmetic (parity tested to 1e-5 in f32).
//!
//! One network serves google's DDPM checkpoints and the models that this project trains.

mod blocks;
mod check;
mod config;
mod time;

use tch::Tensor;

pub use config::{SampleSize, UNet2dConfig};
pub use time::sinusoids;

use crate::error::{Error, Result};
use crate::layers::{Conv2d, Embedding, GroupNorm};
use crate::source::Scope;
use blocks::{Attention, Downsample, Resnet, Upsample};
use time::TimeMlp;

/// One level on the way down or up, or the middle.
#[derive(Debug)]
struct Level<R> {
    resnets: Vec<Resnet>,
    attentions: Vec<Attention>,
    resample: Option<R>,
}

impl<R> Level<R> {
    fn empty() -> Self {
        Self { resnets: vec![], attentions: vec![], resample: None }
    }

    /// Adds residual block number `j`, and its attention if the level has any.
    fn push(&mut self, scope: &Scope<'_>, cfg: &UNet2dConfig, j: i64, cin: i64, cout: i64, attn: bool) {
        self.resnets.push(Resnet::new(&scope.at(format!("resnets.{j}")), cfg, cin, cout, 1.0));
        if attn {
            let (scope, groups) = (scope.at(format!("attentions.{j}")), Some(cfg.norm_num_groups));
            self.attentions.push(Attention::new(&scope, cfg, cout, groups, 1.0));
        }
    }
}

/// The network; see [`UNet2dConfig`] for its make-up.
#[derive(Debug)]
pub struct UNet2d {
    config: UNet2dConfig,
    conv_in: Conv2d,
    time_embedding: TimeMlp,
    class_embedding: Option<Embedding>,
    down: Vec<Level<Downsample>>,
    mid: Level<Downsample>,
    up: Vec<Level<Upsample>>,
    conv_norm_out: GroupNorm,
    conv_out: Conv2d,
}

impl UNet2d {
    /// Takes the network's tensors from `scope`; their names and shapes follow from `config`.
    pub fn new(scope: &Scope<'_>, config: UNet2dConfig) -> Self {
        let cfg = &config;
        let (width, time_dim) = (&cfg.block_out_channels, cfg.time_dim());
        let last = width.len() - 1;
        let c0 = width[0];
        let down = (0..=last).map(|i| down_level(&scope.at(format!("down_blocks.{i}")), cfg, i)).collect();
        let up = (0..=last).map(|i| up_level(&scope.at(format!("up_blocks.{i}")), cfg, i)).collect();
        Self {
            conv_in: Conv2d::new(&scope.at("conv_in"), cfg.in_channels, c0, 3, 1, 1),
            time_embedding: TimeMlp::new(&scope.at("time_embedding"), c0, time_dim),
            class_embedding: cfg
                .num_class_embeds
                .map(|n| Embedding::new(&scope.at("class_embedding"), n, time_dim)),
            down,
            mid: mid_level(&scope.at("mid_block"), cfg),
            up,
            conv_norm_out: GroupNorm::new(&scope.at("conv_norm_out"), c0, cfg.norm_num_groups, cfg.norm_eps),
            conv_out: Conv2d::zero(&scope.at("conv_out"), c0, cfg.out_channels, 3, 1),
            config,
        }
    }

    /// The configuration that the network was built from.
    pub fn config(&self) -> &UNet2dConfig {
        &self.config
    }

    /// Raw output of the network.
    ///
    /// # Shapes
    /// - `x: [b, in_channels, h, w]`, `h` and `w` divisible by `2^(levels - 1)`
    /// - `t: [b]` f32, in the unit that the network was trained with
    /// - `class: [b]` i64, for a class-conditional network and only then
    /// - output `[b, out_channels, h, w]`
    ///
    /// # Errors
    /// [`Error::Input`] if a shape does not fit, or a label is absent or superfluous.
    pub fn forward(&self, x: &Tensor, t: &Tensor, class: Option<&Tensor>) -> Result<Tensor> {
        self.config.check_input(x, t, class)?;
        let cfg = &self.config;
        let kind = x.kind();
        let emb = sinusoids(t, cfg.block_out_channels[0], cfg.flip_sin_to_cos, cfg.freq_shift).to_kind(kind);
        let mut emb = self.time_embedding.forward(&emb);
        if let (Some(table), Some(class)) = (&self.class_embedding, class) {
            emb += table.forward(class);
        }
        let emb = emb.silu(); // every residual block starts from it

        let x = if cfg.center_input_sample { x * 2.0 - 1.0 } else { x.shallow_clone() };
        let mut h = self.conv_in.forward(&x);
        let mut skips = vec![h.shallow_clone()];
        for level in &self.down {
            for (j, resnet) in level.resnets.iter().enumerate() {
                h = resnet.forward(&h, &emb);
                if let Some(attention) = level.attentions.get(j) {
                    h = attention.forward(&h);
                }
                skips.push(h.shallow_clone());
            }
            if let Some(downsample) = &level.resample {
                h = downsample.forward(&h);
                skips.push(h.shallow_clone());
            }
        }
        h = self.mid.resnets[0].forward(&h, &emb);
        if let Some(attention) = self.mid.attentions.first() {
            h = attention.forward(&h);
        }
        h = self.mid.resnets[1].forward(&h, &emb);
        for level in &self.up {
            for (j, resnet) in level.resnets.iter().enumerate() {
                let skip = skips
                    .pop()
                    .ok_or_else(|| Error::Input("the up path has more blocks than the down path".into()))?;
                h = resnet.forward(&Tensor::cat(&[h, skip], 1), &emb);
                if let Some(attention) = level.attentions.get(j) {
                    h = attention.forward(&h);
                }
            }
            if let Some(upsample) = &level.resample {
                h = upsample.forward(&h);
            }
        }
        Ok(self.conv_out.forward(&self.conv_norm_out.forward(&h).silu_()))
    }
}

fn down_level(scope: &Scope<'_>, cfg: &UNet2dConfig, i: usize) -> Level<Downsample> {
    let width = &cfg.block_out_channels;
    let (cin, cout) = (width[i.saturating_sub(1)], width[i]);
    let attn = cfg.down_block_types[i] == "AttnDownBlock2D";
    let mut level = Level::empty();
    for j in 0..cfg.layers_per_block {
        let from = if j == 0 { cin } else { cout };
        level.push(scope, cfg, j, from, cout, attn);
    }
    if i + 1 < width.len() {
        level.resample = Some(Downsample::new(&scope.at("downsamplers.0"), cout, cfg.downsample_padding));
    }
    level
}

fn mid_level(scope: &Scope<'_>, cfg: &UNet2dConfig) -> Level<Downsample> {
    let c = cfg.block_out_channels[cfg.block_out_channels.len() - 1];
    let scale = cfg.mid_block_scale_factor;
    let groups = cfg
        .attn_norm_num_groups
        .or_else(|| (cfg.resnet_time_scale_shift == "default").then_some(cfg.norm_num_groups));
    let resnet = |j: i64| Resnet::new(&scope.at(format!("resnets.{j}")), cfg, c, c, scale);
    Level {
        resnets: vec![resnet(0), resnet(1)],
        attentions: cfg
            .add_attention
            .then(|| Attention::new(&scope.at("attentions.0"), cfg, c, groups, scale))
            .into_iter()
            .collect(),
        resample: None,
    }
}

fn up_level(scope: &Scope<'_>, cfg: &UNet2dConfig, i: usize) -> Level<Upsample> {
    let reversed: Vec<i64> = cfg.block_out_channels.iter().rev().copied().collect();
    let last = reversed.len() - 1;
    let (cout, before, mirror) = (reversed[i], reversed[i.saturating_sub(1)], reversed[(i + 1).min(last)]);
    let attn = cfg.up_block_types[i] == "AttnUpBlock2D";
    let mut level = Level::empty();
    for j in 0..=cfg.layers_per_block {
        // The last block of a level meets the skip that its mirror level took in, not one that it made.
        let skip = if j == cfg.layers_per_block { mirror } else { cout };
        let from = if j == 0 { before } else { cout };
        level.push(scope, cfg, j, from + skip, cout, attn);
    }
    if i < last {
        level.resample = Some(Upsample::new(&scope.at("upsamplers.0"), cout));
    }
    level
}
