//! What a network may look like, and what it may be asked: a configuration from elsewhere neither builds another network
//! than the one meant, nor one that fails in the middle of a run.

use tch::{Device, Tensor};

use super::UNet2dConfig;
use crate::error::{Error, Result};
use crate::text::{listed, printable};

// Bounds that no real network comes near.
const MAX_LEVELS: usize = 16;
const MAX_LAYERS: i64 = 64;
const MAX_CHANNELS: i64 = 65_536;
const MAX_IMAGE_CHANNELS: i64 = 4096;
const MAX_LABELS: i64 = 10_000_000;

impl UNet2dConfig {
    /// Refuses a network of another make, and numbers that no network can have.
    pub(super) fn check(&self) -> Result<()> {
        self.check_make()?;
        let wrong = |reason: String| Err(Error::Config { name: String::new(), reason });
        let levels = self.block_out_channels.len();
        let (down, up) = (self.down_block_types.len(), self.up_block_types.len());
        if !(1..=MAX_LEVELS).contains(&levels) || down != levels || up != levels {
            return wrong(format!(
                "down_block_types ({down}), up_block_types ({up}) and block_out_channels ({levels}) must have the \
                 same length, 1 to {MAX_LEVELS}"
            ));
        }
        let mut problems = self.size_problems();
        if problems.is_empty() {
            problems = self.other_problems();
        }
        if problems.is_empty() { Ok(()) } else { wrong(listed(&problems)) }
    }

    fn check_make(&self) -> Result<()> {
        let only = |key, value: &str, supported: &'static str| {
            if supported.split(", ").any(|s| s == value) {
                Ok(())
            } else {
                Err(Error::Unsupported { key, value: printable(value), supported })
            }
        };
        only("time_embedding_type", &self.time_embedding_type, "positional")?;
        only("downsample_type", &self.downsample_type, "conv")?;
        only("upsample_type", &self.upsample_type, "conv")?;
        only("act_fn", &self.act_fn, "silu, swish")?;
        only("resnet_time_scale_shift", &self.resnet_time_scale_shift, "default, scale_shift")?;
        only("class_embed_type", self.class_embed_type.as_deref().unwrap_or("null"), "null")?;
        for kind in &self.down_block_types {
            only("down_block_types", kind, "DownBlock2D, AttnDownBlock2D")?;
        }
        for kind in &self.up_block_types {
            only("up_block_types", kind, "UpBlock2D, AttnUpBlock2D")?;
        }
        Ok(())
    }

    fn size_problems(&self) -> Vec<String> {
        let mut sizes = vec![
            ("in_channels", self.in_channels, MAX_IMAGE_CHANNELS),
            ("out_channels", self.out_channels, MAX_IMAGE_CHANNELS),
            ("layers_per_block", self.layers_per_block, MAX_LAYERS),
        ];
        sizes.extend(self.block_out_channels.iter().map(|&c| ("block_out_channels", c, MAX_CHANNELS)));
        sizes.extend(self.time_embedding_dim.map(|n| ("time_embedding_dim", n, MAX_CHANNELS)));
        sizes.extend(self.num_class_embeds.map(|n| ("num_class_embeds", n, MAX_LABELS)));
        sizes.retain(|(_, size, most)| !(1..=*most).contains(size));
        sizes
            .iter()
            .map(|(key, size, most)| format!("{key}: {size} is not allowed; give 1 to {most}"))
            .collect()
    }

    /// Of a network whose sizes are sane.
    fn other_problems(&self) -> Vec<String> {
        let width = &self.block_out_channels;
        let (half, last) = (width[0] / 2, width[width.len() - 1]);
        let divides = |n: i64, c: i64| n >= 1 && c % n == 0;
        let down = self.down_block_types.iter().zip(width);
        let up = self.up_block_types.iter().zip(width.iter().rev());
        let mut attended: Vec<i64> =
            down.chain(up).filter(|(kind, _)| kind.starts_with("Attn")).map(|(_, &c)| c).collect();
        attended.extend(self.add_attention.then_some(last));

        let mut problems = Vec::new();
        let groups = self.norm_num_groups;
        if !width.iter().all(|&c| divides(groups, c)) {
            problems.push(format!(
                "norm_num_groups: {groups} does not divide all of block_out_channels {width:?}"
            ));
        }
        // Only the attention in the middle has groups of its own.
        let fits = |n: i64| n >= 1 && (!self.add_attention || divides(n, last));
        if let Some(n) = self.attn_norm_num_groups.filter(|&n| !fits(n)) {
            problems.push(format!("attn_norm_num_groups: {n} does not divide the last width, {last}"));
        }
        if let Some(d) = self.attention_head_dim.filter(|&d| !attended.iter().all(|&c| divides(d, c))) {
            problems.push(format!(
                "attention_head_dim: {d} does not divide the channels where attention is, {attended:?}"
            ));
        }
        if !(0..=1).contains(&self.downsample_padding) {
            problems
                .push(format!("downsample_padding: {} is not allowed; give 0 or 1", self.downsample_padding));
        }
        if !(self.norm_eps.is_finite() && self.norm_eps > 0.0) {
            problems.push(format!("norm_eps: {:?} is not allowed; give a number above 0", self.norm_eps));
        }
        let divisor = self.mid_block_scale_factor;
        if !divisor.is_finite() || divisor == 0.0 {
            problems.push(format!(
                "mid_block_scale_factor: {divisor:?} is not allowed; give a number other than 0"
            ));
        }
        // The frequencies of the time divide by the difference.
        if !(0..half).contains(&self.freq_shift) {
            problems.push(format!(
                "freq_shift: {} is not allowed; give 0 or more, below half of the first width, {half}",
                self.freq_shift
            ));
        }
        problems
    }

    /// What [`super::UNet2d::forward`] asks of its arguments.
    pub(crate) fn check_input(&self, x: &Tensor, t: &Tensor, class: Option<&Tensor>) -> Result<()> {
        let size = x.size();
        let fold = self.fold();
        if size.len() != 4 || size[1] != self.in_channels {
            return Err(Error::Input(format!(
                "the network takes images of shape [batch, {}, height, width], got {size:?}",
                self.in_channels
            )));
        }
        let (b, h, w) = (size[0], size[2], size[3]);
        if h < 1 || w < 1 || h % fold != 0 || w % fold != 0 {
            return Err(Error::Input(format!("height {h} and width {w} must be multiples of {fold}")));
        }
        if t.size() != [b] {
            return Err(Error::Input(format!("one time for each of {b} images, got shape {:?}", t.size())));
        }
        match (self.num_class_embeds, class) {
            (Some(_), None) => {
                Err(Error::Input("the network is class-conditional: give each image a label".into()))
            }
            (None, Some(_)) => Err(Error::Input("the network is unconditional: it takes no labels".into())),
            (Some(_), Some(class)) if class.size() != [b] => {
                Err(Error::Input(format!("one label for each of {b} images, got shape {:?}", class.size())))
            }
            // A look at labels on a GPU would make it wait.
            (Some(count), Some(class)) if b > 0 && class.device() == Device::Cpu => {
                let [least, most] =
                    [class.min(), class.max()].map(|label| i64::try_from(label).unwrap_or(-1));
                match [least, most].into_iter().find(|label| !(0..count).contains(label)) {
                    Some(bad) => Err(Error::Input(format!("label `{bad}` is not among 0 to {}", count - 1))),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }
}
