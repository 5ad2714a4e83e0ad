//! A model as files: the diffusers folder layout, plus `fewstep.json` for what diffusers has no word for.

use std::fs;
use std::path::{Path as FilePath, PathBuf};

use fewstep_samplers::{Node, Path};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use tch::{Device, Kind};

use crate::denoiser::NetDenoiser;
use crate::error::{Error, Result};
use crate::prediction::Prediction;
use crate::source::Scope;
use crate::unet2d::{UNet2d, UNet2dConfig};
use crate::weights::{Params, Weights};
use crate::zoo;

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

/// The three files of a model, in memory.
#[derive(Debug)]
pub struct ModelFolder {
    /// Built-in name or path, for messages.
    pub name: String,
    /// How to drive the network.
    pub spec: ModelSpec,
    /// Make-up of the network.
    pub config: UNet2dConfig,
    /// Keys of `config.json` that were not understood; worth a warning.
    pub unknown_keys: Vec<String>,
    weights: std::borrow::Cow<'static, [u8]>,
}

/// File names of the weights inside `unet/`, best first.
const WEIGHTS: [&str; 2] =
    ["diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.fp16.safetensors"];

impl ModelFolder {
    /// Opens a built-in model by name, or a folder by path.
    ///
    /// # Errors
    /// [`Error::UnknownModel`], [`Error::Read`], [`Error::Config`] or [`Error::Unsupported`].
    pub fn open(name: &str) -> Result<Self> {
        if let Some(builtin) = zoo::find(name) {
            return Self::parse(name, builtin.spec, builtin.config, builtin.weights.into());
        }
        let dir = FilePath::new(name);
        if !dir.is_dir() {
            return Err(Error::UnknownModel { name: name.to_owned(), known: zoo::names().join(", ") });
        }
        let text = |path: PathBuf| fs::read_to_string(&path).map_err(|source| Error::Read { path, source });
        let spec = text(dir.join("fewstep.json"))?;
        let unet = dir.join("unet");
        let config = text(unet.join("config.json"))?;
        let path = WEIGHTS
            .iter()
            .map(|f| unet.join(f))
            .find(|p| p.exists())
            .unwrap_or_else(|| unet.join(WEIGHTS[0]));
        let weights = fs::read(&path).map_err(|source| Error::Read { path, source })?;
        Self::parse(name, &spec, &config, weights.into())
    }

    fn parse(name: &str, spec: &str, config: &str, weights: std::borrow::Cow<'static, [u8]>) -> Result<Self> {
        let failed = |file: &str, reason: String| Error::Config { name: format!("{name}/{file}"), reason };
        let spec: ModelSpec =
            serde_json::from_str(spec).map_err(|e| failed("fewstep.json", e.to_string()))?;
        if spec.version != 1 {
            return Err(failed(
                "fewstep.json",
                format!("version {} is not known; this program reads 1", spec.version),
            ));
        }
        let (config, unknown_keys) = UNet2dConfig::from_json(&format!("{name}/unet/config.json"), config)?;
        let channels = spec.shape[0];
        if config.in_channels != channels || config.out_channels != channels {
            return Err(failed(
                "fewstep.json",
                format!(
                    "shape says {channels} channels, the network has {} in and {} out",
                    config.in_channels, config.out_channels
                ),
            ));
        }
        // Classes and one null label.
        if config.num_class_embeds != spec.classes.map(|n| n + 1) {
            return Err(failed(
                "fewstep.json",
                format!(
                    "classes {:?} and one null label do not fit num_class_embeds {:?}",
                    spec.classes, config.num_class_embeds
                ),
            ));
        }
        if matches!(spec.prediction, Prediction::Edm { .. }) && !matches!(spec.path, Path::Edm { .. }) {
            return Err(failed("fewstep.json", "an `edm` prediction needs the `edm` path".into()));
        }
        Ok(Self { name: name.to_owned(), spec, config, unknown_keys, weights })
    }

    /// The raw bytes of the weights file, for a hash.
    pub fn weight_bytes(&self) -> &[u8] {
        &self.weights
    }

    /// Builds the network on `device` in `kind`.
    ///
    /// # Errors
    /// [`Error::Safetensors`] or [`Error::Mismatch`].
    pub fn load(&self, device: Device, kind: Kind) -> Result<NetDenoiser> {
        let (net, _) = self.build(device, kind)?;
        Ok(NetDenoiser::new(net, self.spec.clone(), kind))
    }

    /// Number of weights, once all of them have been found to fit.
    ///
    /// # Errors
    /// As [`ModelFolder::load`].
    pub fn parameters(&self) -> Result<usize> {
        let (_, params) = self.build(Device::Cpu, Kind::Float)?;
        Ok(params.values().map(tch::Tensor::numel).sum())
    }

    fn build(&self, device: Device, kind: Kind) -> Result<(UNet2d, Params)> {
        let weights = RefCell::new(Weights::parse(&self.name, &self.weights, device, kind)?);
        let net = UNet2d::new(&Scope::root(&weights), self.config.clone());
        Ok((net, weights.into_inner().finish()?))
    }
}
