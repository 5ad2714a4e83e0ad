//! A model as files: the diffusers folder layout, plus `fewstep.json` for what diffusers has no word for.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fs;
use std::path::{Path as FilePath, PathBuf};

use fewstep_samplers::Path;
use tch::{Device, Kind};

use crate::denoiser::NetDenoiser;
use crate::error::{Error, Result};
use crate::prediction::Prediction;
use crate::source::Scope;
use crate::spec::ModelSpec;
use crate::unet2d::{UNet2d, UNet2dConfig};
use crate::weights::Weights;
use crate::zoo;

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
    weights: Cow<'static, [u8]>,
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

    fn parse(name: &str, spec: &str, config: &str, weights: Cow<'static, [u8]>) -> Result<Self> {
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
        let weights = RefCell::new(Weights::parse(&self.name, &self.weights, device, kind)?);
        // Built once to find everything that does not fit, and once more over what does.
        let _ = UNet2d::new(&Scope::root(&weights), self.config.clone());
        let params = weights.into_inner().finish()?;
        Ok(NetDenoiser::new(self.config.clone(), params, self.spec.clone(), kind))
    }
}
