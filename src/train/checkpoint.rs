//! What a run leaves on disk so that it can go on.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use safetensors::SafeTensors;
use tch::{Kind, Tensor};

use super::adam::Adam;
use super::flat::Flat;
use crate::output::write_whole;
use fewstep_models::{Params, to_safetensors};

/// Everything that changes during a run.
#[derive(Debug)]
pub struct State {
    /// Steps done.
    pub step: u64,
    /// Seconds spent in them, over all sessions.
    pub seconds: f64,
    /// The parameters.
    pub params: Flat,
    /// Optimiser.
    pub adam: Adam,
    /// Moving average of the parameters, `[n]`.
    pub ema: Tensor,
}

impl State {
    /// Before the first step.
    pub fn new(params: Flat) -> Self {
        let adam = Adam::new(&params.values);
        let ema = params.values.copy();
        Self { step: 0, seconds: 0.0, params, adam, ema }
    }

    /// The averaged parameters by name.
    pub fn ema_params(&self) -> Params {
        self.params.with_values(self.ema.shallow_clone()).views()
    }

    /// Writes `checkpoint.safetensors` in `dir`; an interrupted write leaves the last one whole.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, dir: &Path, config: &str) -> Result<()> {
        let tensors: Params = [
            ("params", &self.params.values),
            ("ema", &self.ema),
            ("adam.m", &self.adam.m),
            ("adam.v", &self.adam.v),
        ]
        .into_iter()
        .map(|(name, t)| (name.to_owned(), t.shallow_clone()))
        .collect();
        let metadata =
            [("step", &*self.step.to_string()), ("seconds", &*self.seconds.to_string()), ("config", config)];
        write_whole(&file(dir), &to_safetensors(&tensors, Kind::Float, &metadata)?)
    }

    /// Reads the checkpoint of `dir` into `self`; `false` if there is none.
    ///
    /// # Errors
    /// If the file is damaged, or belongs to a run with another configuration.
    pub fn restore(&mut self, dir: &Path, config: &str) -> Result<bool> {
        let path = file(dir);
        if !path.exists() {
            return Ok(false);
        }
        let name = path.display();
        let bytes = fs::read(&path).with_context(|| format!("cannot read `{name}`"))?;
        let damaged = || format!("`{name}` is damaged; start the run anew in another folder");
        let (_, header) = SafeTensors::read_metadata(&bytes).with_context(damaged)?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let field = |key: &str| metadata.get(key).with_context(damaged);
        if field("config")? != config {
            bail!(
                "`{name}` belongs to a run with other settings ({}); use another folder, or the same settings",
                field("config")?
            );
        }
        let step = field("step")?.parse().with_context(damaged)?;
        let seconds = field("seconds")?.parse().with_context(damaged)?;
        let tensors = SafeTensors::deserialize(&bytes).with_context(damaged)?;
        let read = |key: &str| -> Result<Tensor> {
            let view = tensors.tensor(key).with_context(damaged)?;
            let values: Vec<f32> =
                view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
            if view.dtype() != safetensors::Dtype::F32 || values.len() != self.ema.numel() {
                bail!(damaged());
            }
            Ok(Tensor::from_slice(&values).to_device(self.ema.device()))
        };
        let (params, ema, m, v) = (read("params")?, read("ema")?, read("adam.m")?, read("adam.v")?);
        // In place: the network holds views of this vector.
        tch::no_grad(|| self.params.values.copy_(&params));
        (self.ema, self.adam.m, self.adam.v, self.step, self.seconds) = (ema, m, v, step, seconds);
        Ok(true)
    }
}

fn file(dir: &Path) -> PathBuf {
    dir.join("checkpoint.safetensors")
}
