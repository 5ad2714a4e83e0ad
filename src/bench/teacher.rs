//! The many-step run that few-step images are compared with, kept on disk so that a resumed bench has it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use fewstep_models::{Params, to_safetensors};
use safetensors::SafeTensors;
use tch::{Kind, Tensor};

use crate::output::write_whole;

/// The teacher's images of one block.
#[derive(Debug)]
pub struct Teacher {
    /// `[samples, c, h, w]` f32.
    pub images: Tensor,
}

impl Teacher {
    /// The images of a block in `dir`, if they are there and come from the plan with this hash.
    ///
    /// # Errors
    /// If the file is damaged.
    pub fn load(dir: &Path, block: u32, plan_hash: &str, samples: u64) -> Result<Option<Self>> {
        let path = file(dir, block);
        if !path.exists() {
            return Ok(None);
        }
        let damaged = || format!("`{}` is damaged; delete it and run again", path.display());
        let bytes = std::fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
        let (_, header) = SafeTensors::read_metadata(&bytes).with_context(damaged)?;
        if header.metadata().as_ref().and_then(|m| m.get("plan_hash")).map(String::as_str) != Some(plan_hash)
        {
            return Ok(None);
        }
        let tensors = SafeTensors::deserialize(&bytes).with_context(damaged)?;
        let view = tensors.tensor("images").with_context(damaged)?;
        let shape: Vec<i64> = view.shape().iter().map(|&n| n as i64).collect();
        ensure!(
            view.dtype() == safetensors::Dtype::F32 && shape.first() == Some(&(samples as i64)),
            damaged()
        );
        let values: Vec<f32> =
            view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        Ok(Some(Self { images: Tensor::from_slice(&values).view(shape.as_slice()) }))
    }

    /// Keeps the images for a resume.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, dir: &Path, block: u32, plan_hash: &str) -> Result<()> {
        let params = Params::from([("images".to_owned(), self.images.shallow_clone())]);
        let bytes = to_safetensors(&params, Kind::Float, &[("plan_hash", plan_hash)])?;
        write_whole(&file(dir, block), &bytes)
    }
}

fn file(dir: &Path, block: u32) -> PathBuf {
    dir.join(format!("teacher-{block}.safetensors"))
}
