//! The classifier of noisy images behind classifier guidance.

use std::path::Path;

use anyhow::Result;
use fewstep_eval::feature::{NOISY, NoisyClassifier};
use fewstep_models::Params;
use tch::{Device, Kind, Tensor};

use super::Task;
use super::classify::{fresh, over, shifted};
use super::levels::quantiles;
use crate::output::write_whole;
use crate::train::Training;

/// Trains [`NoisyClassifier`] on the labels of images with noise (arXiv 2105.05233, section 4).
#[derive(Debug)]
pub struct ClassifyNoisy {
    seed: u64,
    net: Option<NoisyClassifier>,
}

/// Mean of `ln rho`. Higher than where a diffusion network is trained: below `rho = 0.1` a noisy image is told as
/// well as a clean one and guidance adds next to nothing, while the first steps of a sampler stand at 10 and more, where the
/// labels teach slowly because so little of the class is left.
const MEAN: f64 = 0.5;

/// Standard deviation of `ln rho`.
const STD: f64 = 1.8;

impl ClassifyNoisy {
    /// With fresh weights from `seed`.
    pub fn new(seed: u64) -> Self {
        Self { seed, net: None }
    }
}

impl Task for ClassifyNoisy {
    fn init(&mut self, device: Device) -> Params {
        fresh(&NOISY, self.seed, device)
    }

    fn bind(&mut self, params: &Params) {
        self.net = over(&NOISY, params).and_then(NoisyClassifier::new).ok();
    }

    fn loss(&self, images: &Tensor, labels: &Tensor) -> Tensor {
        let Some(net) = &self.net else { unreachable!("`bind` comes before `loss`") };
        let (lo, hi) = NoisyClassifier::LEVELS;
        let level = |(_, z): (f64, f64)| (MEAN + STD * z).exp().clamp(lo, hi);
        let rho: Vec<f64> = quantiles(images.size()[0]).into_iter().map(level).collect();
        let spread =
            Tensor::from_slice(&rho).to_kind(Kind::Float).view([-1, 1, 1, 1]).to_device(images.device());
        let images = shifted(images);
        let z = &images + images.randn_like() * spread;
        match net.log_probs(&z, &rho) {
            Ok(told) => told.nll_loss(labels),
            Err(e) => unreachable!("the training set fits the network: {e}"),
        }
    }

    fn snapshot(&self, _: &Params, _: &Path, _: &Training) -> Result<()> {
        Ok(()) // of use to nobody before the end
    }

    fn finish(&self, ema: &Params, dir: &Path, about: &Training) -> Result<()> {
        write_whole(&dir.join("weights.safetensors"), &over(&NOISY, ema)?.to_safetensors(true)?)?;
        about.save(dir)
    }
}
