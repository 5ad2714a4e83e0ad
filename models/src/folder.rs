//! A model as files: the diffusers folder layout, plus `fewstep.json` for what diffusers has no word for.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tch::{Device, Kind};

use crate::denoiser::NetDenoiser;
use crate::error::{Error, Result};
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
    /// [`Error::UnknownModel`], [`Error::NoSpec`], [`Error::Read`], [`Error::Config`] or [`Error::Unsupported`].
    pub fn open(name: &str) -> Result<Self> {
        if let Some(builtin) = zoo::find(name) {
            return Self::parse(name, builtin.spec, builtin.config, builtin.weights.into());
        }
        let dir = Path::new(name);
        if !dir.is_dir() {
            return Err(Error::UnknownModel { name: name.to_owned(), known: zoo::names().join(", ") });
        }
        let text = |path: PathBuf| read_text(&path).map_err(|reason| Error::Read { path, reason });
        let unet = dir.join("unet");
        let spec = dir.join("fewstep.json");
        if !spec.exists() {
            return Err(Error::NoSpec { dir: dir.to_owned() });
        }
        let spec = text(spec)?;
        let config = text(unet.join("config.json"))?;
        let path = WEIGHTS
            .iter()
            .map(|f| unet.join(f))
            .find(|p| p.exists())
            .unwrap_or_else(|| unet.join(WEIGHTS[0]));
        let weights = regular(&path).and_then(|_| fs::read(&path));
        let weights = weights.map_err(|reason| Error::Read { path, reason })?;
        Self::parse(name, &spec, &config, weights.into())
    }

    fn parse(name: &str, spec: &str, config: &str, weights: Cow<'static, [u8]>) -> Result<Self> {
        let file = format!("{name}/fewstep.json");
        let spec = ModelSpec::from_json(&file, spec)?;
        let (config, unknown_keys) = UNet2dConfig::from_json(&format!("{name}/unet/config.json"), config)?;
        spec.fits(&config).map_err(|reason| Error::Config { name: file, reason })?;
        Ok(Self { name: name.to_owned(), spec, config, unknown_keys, weights })
    }

    /// The raw bytes of the weights file, for a hash.
    pub fn weight_bytes(&self) -> &[u8] {
        &self.weights
    }

    /// What the weights mean, for a hash: how to drive the network and its make-up, as they were understood, so that neither
    /// spaces nor the order of keys count. Names of classes change no picture and are left out.
    ///
    /// # Errors
    /// [`Error::Config`] if that cannot be written as JSON.
    pub fn meaning(&self) -> Result<String> {
        let spec = ModelSpec { class_names: Vec::new(), ..self.spec.clone() };
        serde_json::to_string(&(&spec, &self.config))
            .map_err(|e| Error::Config { name: self.name.clone(), reason: e.to_string() })
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

/// Longest JSON file that is read.
const MAX_JSON: u64 = 4 << 20;

/// The length of a regular file; a pipe or a device may never end.
fn regular(path: &Path) -> io::Result<u64> {
    let about = fs::metadata(path)?;
    if about.is_file() { Ok(about.len()) } else { Err(io::Error::other("it is no regular file")) }
}

fn read_text(path: &Path) -> io::Result<String> {
    if regular(path)? > MAX_JSON {
        return Err(io::Error::other(format!("it is longer than {MAX_JSON} bytes")));
    }
    fs::read_to_string(path)
}
