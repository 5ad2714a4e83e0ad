//! What can be trained: one file each.

mod classify;
mod denoise;
mod levels;
mod noisy;

use std::path::Path;

use anyhow::Result;
use fewstep_models::Params;
use tch::{Device, Tensor};

pub use classify::Classify;
pub use denoise::Denoise;
pub use levels::Levels;
pub use noisy::ClassifyNoisy;

use super::Training;

/// A network, its loss, and what becomes of it.
pub trait Task {
    /// Fresh parameters, from libtorch's global generator.
    fn init(&mut self, device: Device) -> Params;

    /// Builds the network over `params`, which the optimiser changes in place.
    fn bind(&mut self, params: &Params);

    /// Mean loss of a batch; everything random comes from libtorch's global generator, seeded for this step.
    ///
    /// # Shapes
    /// `images: [b, c, h, w]` f32 in `[-1, 1]`, `labels: [b]` i64, output a scalar
    fn loss(&self, images: &Tensor, labels: &Tensor) -> Tensor;

    /// Called at every checkpoint: writes what can be had of the model so far into `dir`.
    ///
    /// # Errors
    /// If a file cannot be written.
    fn snapshot(&self, ema: &Params, dir: &Path, about: &Training) -> Result<()>;

    /// Called once, after the last step: writes the finished model into `dir`.
    ///
    /// # Errors
    /// If a file cannot be written.
    fn finish(&self, ema: &Params, dir: &Path, about: &Training) -> Result<()>;
}
