//! `config.json` of a diffusers `UNet2DModel`: read, checked, and refused where it asks for another network.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::text::printable;

/// Configuration of [`super::UNet2d`], with the field names and the defaults of diffusers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UNet2dConfig {
    /// Height and width that the network was trained at; `None` if any.
    pub sample_size: Option<SampleSize>,
    /// Channels of the noisy image.
    pub in_channels: i64,
    /// Channels of the output.
    pub out_channels: i64,
    /// Map the input from `[0, 1]` to `[-1, 1]` first.
    pub center_input_sample: bool,
    /// Kind of time embedding; `positional` is supported.
    pub time_embedding_type: String,
    /// Channels of the time embedding; `None` for four times the finest level's.
    pub time_embedding_dim: Option<i64>,
    /// Shift in the denominator of the sinusoids' frequencies.
    pub freq_shift: i64,
    /// Cosines before sines.
    pub flip_sin_to_cos: bool,
    /// One of `DownBlock2D`, `AttnDownBlock2D` for each level, from fine to coarse.
    pub down_block_types: Vec<String>,
    /// One of `UpBlock2D`, `AttnUpBlock2D` for each level, from coarse to fine.
    pub up_block_types: Vec<String>,
    /// Channels of each level, from fine to coarse.
    pub block_out_channels: Vec<i64>,
    /// Residual blocks a level (one more on the way up).
    pub layers_per_block: i64,
    /// Divisor of the middle blocks' outputs.
    pub mid_block_scale_factor: f64,
    /// 1: symmetric padding before a strided convolution; 0: one zero row below and one column to the right.
    pub downsample_padding: i64,
    /// `conv`.
    pub downsample_type: String,
    /// `conv`.
    pub upsample_type: String,
    /// Activation; `silu`.
    pub act_fn: String,
    /// Channels of an attention head; `None` for one head over all channels.
    pub attention_head_dim: Option<i64>,
    /// Groups of the group norms.
    pub norm_num_groups: i64,
    /// Groups of the norm before the middle attention; `None`: `norm_num_groups`, or no norm under `scale_shift`.
    pub attn_norm_num_groups: Option<i64>,
    /// Added to the variance in every norm.
    pub norm_eps: f64,
    /// `default`: time is added; `scale_shift`: time scales and shifts.
    pub resnet_time_scale_shift: String,
    /// Attention in the middle.
    pub add_attention: bool,
    /// `None`: a table of `num_class_embeds` vectors.
    pub class_embed_type: Option<String>,
    /// Labels, the null label included; `None` for an unconditional network.
    pub num_class_embeds: Option<i64>,
}

/// A square or rectangular image size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SampleSize {
    /// Height = width.
    Square(i64),
    /// `[height, width]`.
    Rect([i64; 2]),
}

impl SampleSize {
    /// `(height, width)`.
    pub fn hw(self) -> (i64, i64) {
        match self {
            Self::Square(n) => (n, n),
            Self::Rect([h, w]) => (h, w),
        }
    }
}

impl Default for UNet2dConfig {
    fn default() -> Self {
        let names = |list: &[&str]| list.iter().map(ToString::to_string).collect();
        Self {
            sample_size: None,
            in_channels: 3,
            out_channels: 3,
            center_input_sample: false,
            time_embedding_type: "positional".into(),
            time_embedding_dim: None,
            freq_shift: 0,
            flip_sin_to_cos: true,
            down_block_types: names(&[
                "DownBlock2D",
                "AttnDownBlock2D",
                "AttnDownBlock2D",
                "AttnDownBlock2D",
            ]),
            up_block_types: names(&["AttnUpBlock2D", "AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"]),
            block_out_channels: vec![224, 448, 672, 896],
            layers_per_block: 2,
            mid_block_scale_factor: 1.0,
            downsample_padding: 1,
            downsample_type: "conv".into(),
            upsample_type: "conv".into(),
            act_fn: "silu".into(),
            attention_head_dim: Some(8),
            norm_num_groups: 32,
            attn_norm_num_groups: None,
            norm_eps: 1e-5,
            resnet_time_scale_shift: "default".into(),
            add_attention: true,
            class_embed_type: None,
            num_class_embeds: None,
        }
    }
}

/// Keys that do not change what the network computes at inference.
const HARMLESS: [&str; 6] = [
    "_class_name",
    "_diffusers_version",
    "_name_or_path",
    "dropout",
    "num_train_timesteps",
    "mid_block_type",
];

impl UNet2dConfig {
    /// Reads `config.json`. The second value lists keys that this version does not know and did not use, in printable
    /// form.
    ///
    /// # Errors
    /// [`Error::Config`] for broken JSON or impossible sizes, [`Error::Unsupported`] for a network of another make.
    pub fn from_json(name: &str, text: &str) -> Result<(Self, Vec<String>)> {
        let failed = |reason: String| Error::Config { name: name.to_owned(), reason };
        let syntax = |e: serde_json::Error| failed(printable(&e.to_string()));
        let map: Map<String, Value> = serde_json::from_str(text).map_err(syntax)?;
        if let Some(class) = map.get("_class_name").and_then(Value::as_str).filter(|c| *c != "UNet2DModel") {
            return Err(Error::Unsupported {
                key: "_class_name",
                value: printable(class),
                supported: "UNet2DModel",
            });
        }
        if map.get("mid_block_type").is_some_and(Value::is_null) {
            return Err(Error::Unsupported {
                key: "mid_block_type",
                value: "null".into(),
                supported: "UNetMidBlock2D",
            });
        }
        let config: Self = serde_json::from_value(Value::Object(map.clone())).map_err(syntax)?;
        let known = serde_json::to_value(&config).map_err(syntax)?;
        let unknown = map
            .keys()
            .filter(|k| known.get(k.as_str()).is_none() && !HARMLESS.contains(&k.as_str()))
            .map(|k| printable(k))
            .collect();
        config.check().map_err(|e| match e {
            Error::Config { reason, .. } => failed(reason),
            other => other,
        })?;
        Ok((config, unknown))
    }

    /// The configuration as diffusers writes it.
    pub fn to_json(&self) -> Value {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        if let Value::Object(map) = &mut value {
            map.insert("_class_name".into(), "UNet2DModel".into());
        }
        value
    }

    /// Channels of the time embedding.
    pub fn time_dim(&self) -> i64 {
        self.time_embedding_dim.unwrap_or(4 * self.block_out_channels[0])
    }

    /// What height and width are multiples of: each level but the last halves them.
    pub(crate) fn fold(&self) -> i64 {
        1 << (self.block_out_channels.len() - 1)
    }
}
