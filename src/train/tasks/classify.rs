//! The feature classifier behind the built-in quality metrics.

use std::path::Path;

use anyhow::Result;
use fewstep_eval::data::Split;
use fewstep_eval::feature::{Arch, COLOUR, Classifier, FeatureNet, GREY};
use fewstep_eval::stats::{ShardedMoments, Statistics};
use fewstep_models::Params;
use tch::{Device, Kind, Reduction, Tensor};

use super::Task;
use crate::output::write_whole;
use crate::train::Training;

/// Trains the feature network on labels.
#[derive(Debug)]
pub struct Classify<'a> {
    data: &'a Split,
    seed: u64,
    net: Option<Classifier>,
}

/// Largest shift of a training image, in pixels.
const SHIFT: i64 = 1;

/// Weight of the thumbnail's squared error beside the cross entropy.
const THUMBNAIL: f64 = 2.0;

/// Rows that statistics are gathered in.
const CHUNK: usize = 1000;

impl<'a> Classify<'a> {
    /// `data` is the training set; its statistics are written beside the weights.
    pub fn new(data: &'a Split, seed: u64) -> Self {
        Self { data, seed, net: None }
    }

    fn arch(&self) -> &'static Arch {
        if self.data.channels == 3 { &COLOUR } else { &GREY }
    }
}

impl Task for Classify<'_> {
    fn init(&mut self, device: Device) -> Params {
        fresh(self.arch(), self.seed, device)
    }

    fn bind(&mut self, params: &Params) {
        self.net = over(self.arch(), params).ok();
    }

    fn loss(&self, images: &Tensor, labels: &Tensor) -> Tensor {
        let Some(net) = &self.net else { unreachable!("`bind` comes before `loss`") };
        let images = shifted(images);
        let loss = || -> fewstep_eval::Result<Tensor> {
            let out = net.forward(&images)?;
            let class = out.logits.cross_entropy_loss(labels, None::<&Tensor>, Reduction::Mean, -100, 0.0);
            Ok(match net.thumbnails(&images, &out.features)? {
                Some((told, real)) => class + (told - real).square().mean(Kind::Float) * THUMBNAIL,
                None => class,
            })
        };
        loss().unwrap_or_else(|e| unreachable!("the training set fits the network: {e}"))
    }

    fn snapshot(&self, _: &Params, _: &Path, _: &Training) -> Result<()> {
        Ok(()) // of use to nobody before the end, and the statistics take a while
    }

    fn finish(&self, ema: &Params, dir: &Path, about: &Training) -> Result<()> {
        // Statistics belong to the weights as they are stored, so they are read back in half precision first.
        let arch = self.arch();
        let bytes = over(arch, ema)?.to_safetensors(true)?;
        let net = Classifier::from_safetensors(arch, &bytes)?;
        write_whole(&dir.join("weights.safetensors"), &bytes)?;
        let mut moments = ShardedMoments::new(net.dim());
        for first in (0..self.data.len()).step_by(CHUNK) {
            let count = CHUNK.min(self.data.len() - first);
            moments.push_features(&net.extract(&self.data.tensor(first, count)?)?, first as u64)?;
        }
        let statistics = Statistics {
            moments: moments.moments()?,
            extractor: net.id()?,
            data: self.data.name(),
            data_sha256: self.data.sha256.to_owned(),
        };
        write_whole(&dir.join("train-statistics.safetensors"), &statistics.to_safetensors()?)?;
        about.save(dir)
    }
}

/// Weights to start from, which follow from `seed` alone.
pub(super) fn fresh(arch: &'static Arch, seed: u64, device: Device) -> Params {
    match Classifier::init(arch, seed) {
        Ok(net) => {
            net.named_parameters().iter().map(|(name, t)| (name.to_owned(), t.to_device(device))).collect()
        }
        Err(e) => unreachable!("a fresh network has the right shapes: {e}"),
    }
}

/// The network over `params`.
pub(super) fn over(arch: &'static Arch, params: &Params) -> fewstep_eval::Result<Classifier> {
    Classifier::from_tensors(arch, params.iter().map(|(name, t)| (name.clone(), t.shallow_clone())).collect())
}

/// Each image moved by up to [`SHIFT`] pixels, so that features do not hang on exact positions.
pub(super) fn shifted(images: &Tensor) -> Tensor {
    let size = images.size();
    let (b, c, h, w) = (size[0], size[1], size[2], size[3]);
    let padded = match c {
        1 => (images + 1.0).constant_pad_nd([SHIFT; 4]) - 1.0, // the background is -1
        _ => images.replication_pad2d([SHIFT; 4]),
    };
    let options = (Kind::Int64, images.device());
    let offset = |extent: i64| {
        Tensor::randint_low(0, 2 * SHIFT + 1, [b, 1], options) + Tensor::arange(extent, options)
    };
    let rows = offset(h).view([b, 1, h, 1]).expand([b, c, h, w + 2 * SHIFT], false);
    let columns = offset(w).view([b, 1, 1, w]).expand([b, c, h, w], false);
    padded.gather(2, &rows, false).gather(3, &columns, false)
}
