//! From configuration and weights to a list of steps over numbered buffers.

use super::attention::Attention;
use super::kernels::gemm::LANES;
use super::kernels::isa::Isa;
use super::layers::{Conv, Dense, Norm, Places, Weights};
use super::step::{Add, ConvStep, Map, Step, Time};
use super::time::{Projections, TimeNet};
use crate::params::Params;
use crate::unet2d::UNet2dConfig;

/// Above this many weights the Winograd form (four times as much memory) no longer pays.
const MOST_WEIGHTS: usize = 24_000_000;

/// A whole network, ready to run.
#[derive(Debug)]
pub(super) struct Net {
    /// What the matrices are packed for.
    pub(super) isa: Isa,
    pub(super) config: UNet2dConfig,
    pub(super) steps: Vec<Step>,
    pub(super) time: TimeNet,
    pub(super) slots: usize,
    /// The last convolution's output.
    pub(super) last: Map,
}

impl Net {
    pub(super) fn new(isa: Isa, config: &UNet2dConfig, params: &Params) -> Result<Self, String> {
        let count: usize = params.values().map(tch::Tensor::numel).sum();
        if count > MOST_WEIGHTS {
            return Err(format!(
                "{count} weights are more than the {MOST_WEIGHTS} up to which our kernels pay"
            ));
        }
        let weights = Weights(params);
        let mut b = Builder {
            isa,
            cfg: config,
            weights,
            steps: vec![],
            projections: Projections::default(),
            free: vec![],
            later: vec![],
            level: 0,
            own: vec![],
            slots: 0,
        };
        let last = b.network()?;
        let time = TimeNet::new(&b.weights, config, std::mem::take(&mut b.projections))?;
        Ok(Self { isa, config: config.clone(), steps: b.steps, time, slots: b.slots, last })
    }

    pub(super) fn out_channels(&self) -> usize {
        self.last.channels
    }
}

struct Builder<'a> {
    isa: Isa,
    cfg: &'a UNet2dConfig,
    weights: Weights<'a>,
    steps: Vec<Step>,
    projections: Projections,
    free: Vec<usize>,
    /// Slots of maps of an earlier run of steps on one level, still needed by images whose turn in this run is later.
    later: Vec<usize>,
    /// Level of the steps now, and what they have written: slots, and the blocks of the map.
    level: usize,
    own: Vec<(usize, usize)>,
    slots: usize,
}

type Built<T> = Result<T, String>;

impl Builder<'_> {
    fn map(&mut self, channels: usize, level: usize) -> Map {
        if level != self.level {
            self.level = level;
            self.own.clear();
            self.free.append(&mut self.later);
        }
        // Images go through a run of steps one part after the other, and an image's place in a slot grows with the blocks of
        // the map: in a slot that held a smaller map in this run, the next part would write that one into finished images.
        let blocks = channels.div_ceil(LANES);
        let fits = |slot: &usize| self.own.iter().all(|(own, held)| own != slot || *held >= blocks);
        let slot = if let Some(at) = self.free.iter().rposition(fits) {
            self.free.remove(at)
        } else {
            self.slots += 1;
            self.slots - 1
        };
        self.own.push((slot, blocks));
        Map { slot, channels, level }
    }

    fn drop(&mut self, map: Map) {
        let own = self.own.iter().any(|(slot, _)| *slot == map.slot);
        if own { self.free.push(map.slot) } else { self.later.push(map.slot) }
    }

    fn norm(&self, name: &str, places: &Places, silu: bool) -> Built<Norm> {
        let how = (self.cfg.norm_num_groups as usize, self.cfg.norm_eps);
        Norm::new(&self.weights, name, places, how, silu)
    }

    /// The whole network; a skip lives until the way up takes it, any other map until the next step has read it.
    fn network(&mut self) -> Built<Map> {
        let cfg = self.cfg;
        let width: Vec<usize> = cfg.block_out_channels.iter().map(|&c| c as usize).collect();
        let levels = width.len();
        let layers = cfg.layers_per_block as usize;
        let mut h = self.first(width[0])?;
        let mut skips = vec![h];
        for (i, &channels) in width.iter().enumerate() {
            let name = format!("down_blocks.{i}");
            let attn = cfg.down_block_types[i] == "AttnDownBlock2D";
            for j in 0..layers {
                h = self.block(&name, j, &[h], channels, attn, false)?;
                skips.push(h);
            }
            if i + 1 < levels {
                h = self.down(&format!("{name}.downsamplers.0.conv"), h)?;
                skips.push(h);
            }
        }
        h = self.middle(h)?;
        for i in 0..levels {
            let name = format!("up_blocks.{i}");
            let attn = cfg.up_block_types[i] == "AttnUpBlock2D";
            for j in 0..=layers {
                let skip = skips.pop().ok_or("the up path has more blocks than the down path")?;
                h = self.block(&name, j, &[h, skip], width[levels - 1 - i], attn, true)?;
            }
            if i + 1 < levels {
                let conv = format!("{name}.upsamplers.0.conv");
                let to = Map { level: h.level - 1, ..h };
                h = self.conv(&conv, &[h], None, to, ConvKind { up: true, ..ConvKind::PLAIN })?;
            }
        }
        let norm = self.norm("conv_norm_out", &Places::new(&[h.channels]), true)?;
        let to = Map { channels: cfg.out_channels as usize, ..h };
        self.conv("conv_out", &[h], Some(norm), to, ConvKind::PLAIN)
    }

    fn first(&mut self, width: usize) -> Built<Map> {
        let w = self.weights.get("conv_in.weight")?;
        let bias = self.weights.get("conv_in.bias")?;
        // [to][channel][tap] is the order in which the image is unrolled: a linear layer of 9 inputs a channel.
        let from = Places::new(&[9 * self.cfg.in_channels as usize]);
        let dense = Dense::linear(self.isa, &w, &bias, &from, &Places::new(&[width]));
        let to = self.map(width, 0);
        self.steps.push(Step::First { dense, to });
        Ok(to)
    }

    fn down(&mut self, name: &str, from: Map) -> Built<Map> {
        let places = Places::new(&[from.channels]);
        let w = self.weights.get(&format!("{name}.weight"))?;
        let bias = self.weights.get(&format!("{name}.bias"))?;
        let to = self.map(from.channels, from.level + 1);
        let padding = self.cfg.downsample_padding;
        if !(0..=1).contains(&padding) {
            return Err(format!("downsample_padding {padding} is neither 0 nor 1"));
        }
        let dense = Dense::direct(self.isa, &w, &bias, &places, &places);
        self.steps.push(Step::Down { from, dense, padding: padding as usize, to });
        Ok(to)
    }

    fn middle(&mut self, from: Map) -> Built<Map> {
        let cfg = self.cfg;
        let scale = cfg.mid_block_scale_factor;
        let mut h = self.resnet("mid_block.resnets.0", &[from], from.channels, scale)?;
        if cfg.add_attention {
            let shifts = cfg.resnet_time_scale_shift == "default";
            let groups = cfg.attn_norm_num_groups.or_else(|| shifts.then_some(cfg.norm_num_groups));
            let before = h;
            h = self.attention("mid_block.attentions.0", h, groups, scale)?;
            self.drop(before);
        }
        let before = h;
        h = self.resnet("mid_block.resnets.1", &[h], from.channels, scale)?;
        self.drop(before);
        Ok(h)
    }

    /// A residual block and its attention; `release` says that the inputs are needed no more.
    fn block(
        &mut self,
        level: &str,
        j: usize,
        from: &[Map],
        to: usize,
        attn: bool,
        release: bool,
    ) -> Built<Map> {
        let h = self.resnet(&format!("{level}.resnets.{j}"), from, to, 1.0)?;
        if release {
            for &map in from {
                self.drop(map);
            }
        }
        if !attn {
            return Ok(h);
        }
        let groups = Some(self.cfg.norm_num_groups);
        let out = self.attention(&format!("{level}.attentions.{j}"), h, groups, 1.0)?;
        self.drop(h);
        Ok(out)
    }

    fn resnet(&mut self, name: &str, from: &[Map], to: usize, divisor: f64) -> Built<Map> {
        let parts: Vec<usize> = from.iter().map(|m| m.channels).collect();
        let (places, outs) = (Places::new(&parts), Places::new(&[to]));
        let scale_shift = self.cfg.resnet_time_scale_shift == "scale_shift";
        let proj = format!("{name}.time_emb_proj");
        let at = self.projections.add(&self.weights, &proj, to, if scale_shift { 2 } else { 1 })?;
        let time = if scale_shift { Time::ScaleShift(at) } else { Time::Add(at) };

        let norm1 = self.norm(&format!("{name}.norm1"), &places, true)?;
        let mid = self.map(to, from[0].level);
        let first = ConvKind { time: (!scale_shift).then_some(time), ..ConvKind::PLAIN };
        self.conv_to(&format!("{name}.conv1"), from, Some(norm1), mid, first)?;
        let out = self.map(to, from[0].level);
        let add = if parts.iter().sum::<usize>() == to && from.len() == 1 {
            Add::Map(from[0])
        } else {
            self.point(&format!("{name}.conv_shortcut"), from, out)?;
            Add::Itself
        };
        let norm2 = self.norm(&format!("{name}.norm2"), &outs, true)?;
        let second = ConvKind {
            time: scale_shift.then_some(time),
            add,
            scale: (1.0 / divisor) as f32,
            ..ConvKind::PLAIN
        };
        self.conv_to(&format!("{name}.conv2"), &[mid], Some(norm2), out, second)?;
        self.drop(mid);
        Ok(out)
    }

    /// The shortcut of a residual block.
    fn point(&mut self, name: &str, from: &[Map], to: Map) -> Built<()> {
        let w = self.weights.get(&format!("{name}.weight"))?;
        let bias = self.weights.get(&format!("{name}.bias"))?;
        let (outs, total) = (Places::new(&[to.channels]), w.len() / to.channels);
        let mut parts = vec![];
        let mut start = 0;
        for &map in from {
            let own: Vec<f32> =
                w.chunks_exact(total).flat_map(|row| &row[start..start + map.channels]).copied().collect();
            parts.push((map, Dense::linear(self.isa, &own, &bias, &Places::new(&[map.channels]), &outs)));
            start += map.channels;
        }
        self.steps.push(Step::Point { parts, to });
        Ok(())
    }

    fn attention(&mut self, name: &str, from: Map, groups: Option<i64>, divisor: f64) -> Built<Map> {
        let cfg = self.cfg;
        let places = Places::new(&[from.channels]);
        let how = |g: i64| (g as usize, cfg.norm_eps);
        let norm = groups
            .map(|g| Norm::new(&self.weights, &format!("{name}.group_norm"), &places, how(g), false))
            .transpose()?;
        let head = cfg.attention_head_dim.map_or(from.channels, |d| d as usize);
        let attention = Attention::new(
            self.isa,
            &self.weights,
            name,
            norm,
            (from.channels, head),
            (1.0 / divisor) as f32,
        )?;
        let to = self.map(from.channels, from.level);
        self.steps.push(Step::Attention { from, attention: Box::new(attention), to });
        Ok(to)
    }

    /// A convolution to a new map in place of `from`, which is needed no more.
    fn conv(&mut self, name: &str, from: &[Map], norm: Option<Norm>, to: Map, how: ConvKind) -> Built<Map> {
        let to = self.map(to.channels, to.level);
        self.conv_to(name, from, norm, to, how)?;
        for &map in from {
            self.drop(map);
        }
        Ok(to)
    }

    fn conv_to(&mut self, name: &str, from: &[Map], norm: Option<Norm>, to: Map, how: ConvKind) -> Built<()> {
        let parts: Vec<usize> = from.iter().map(|m| m.channels).collect();
        let conv = Conv::new(self.isa, &self.weights, name, &Places::new(&parts), to.channels)?;
        self.steps.push(Step::Conv(Box::new(ConvStep {
            from: from.to_vec(),
            norm,
            up: how.up,
            conv,
            time: how.time,
            add: how.add,
            scale: how.scale,
            to,
        })));
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct ConvKind {
    up: bool,
    time: Option<Time>,
    add: Add,
    scale: f32,
}

impl ConvKind {
    const PLAIN: Self = Self { up: false, time: None, add: Add::Nothing, scale: 1.0 };
}
