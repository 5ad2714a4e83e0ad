//! Measures one plan: images stream from the sampler into the metrics and never touch the disk.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use fewstep_eval::feature::{Classifier, EXTRACT_BATCH, FeatureNet, fmnist_cnn};
use fewstep_eval::metrics::{ConditionalAccuracy, PairedRmse};
use fewstep_eval::report::ReferenceInfo;
use fewstep_eval::stats::{Reference, ShardedMoments};
use fewstep_models::Denoiser;
use fewstep_samplers::Plan;
use tch::Tensor;

use crate::pipeline::{Batch, Batches, Job, Observer, quantise};

/// The built-in feature network and the real images' statistics.
#[derive(Debug)]
pub struct Judge {
    net: Classifier,
    reference: Reference,
    data: String,
}

/// What a cell came to.
#[derive(Debug)]
pub struct Measured {
    /// `fd`, `fd_mean_term`, `fd_cov_term`, and where they apply `accuracy` and `rmse`.
    pub metrics: BTreeMap<String, f64>,
    /// Time spent in sampling, metrics not counted.
    pub seconds: f64,
    /// The first images, `[n, c, h, w]` u8, to be shown.
    pub shown: Tensor,
    /// All images f32, `[samples, c, h, w]`, if they were asked for.
    pub images: Option<Tensor>,
}

/// Images that a report shows of each cell.
pub(super) const SHOWN: i64 = 10;

impl Judge {
    /// Loads what ships with the program.
    ///
    /// # Errors
    /// If the built-in files are damaged.
    pub fn new() -> Result<Self> {
        let (net, statistics) = fmnist_cnn()?;
        let reference = Reference::new(&statistics.moments)?;
        Ok(Self { net, reference, data: statistics.data })
    }

    /// What a report says of the reference, at `samples` images a cell.
    ///
    /// # Errors
    /// If the weights cannot be hashed.
    pub fn info(&self, samples: u64) -> Result<ReferenceInfo> {
        Ok(ReferenceInfo {
            data: self.data.clone(),
            n: self.reference.n(),
            extractor: self.net.id()?,
            floor: self.reference.floor(samples),
        })
    }

    /// Whether this judge can look at images of `shape`.
    pub fn takes(&self, shape: [i64; 3]) -> bool {
        self.net.image_shape().map(|n| n as i64) == shape
    }

    /// Samples `job` along `plan` and measures the images, against those of `teacher` too if there are any.
    /// `None` if the observer cancelled.
    ///
    /// # Errors
    /// If sampling fails.
    pub fn measure(
        &self,
        plan: &Plan,
        denoiser: &dyn Denoiser,
        job: &Job,
        teacher: Option<&Tensor>,
        keep: bool,
        observer: &Arc<dyn Observer>,
    ) -> Result<Option<Measured>> {
        let mut moments = ShardedMoments::new(self.net.dim());
        let mut accuracy = ConditionalAccuracy::new(denoiser.spec().classes.unwrap_or(0) as usize);
        let mut rmse = PairedRmse::new();
        let (mut seconds, mut seen) = (0.0, 0);
        let (mut shown, mut kept) = (Vec::new(), Vec::new());
        // Features are taken of whole extraction batches, so that none is padded half-way.
        let mut waiting: Vec<Batch> = Vec::new();
        let mut batches = Batches::new(plan, denoiser, job, observer);
        loop {
            let clock = Instant::now();
            let batch = batches.next().transpose()?;
            seconds += clock.elapsed().as_secs_f64();
            let last = batch.is_none();
            waiting.extend(batch);
            let ready: usize = waiting.iter().map(|b| b.images.len()).sum();
            if ready > 0 && (last || ready >= 4 * EXTRACT_BATCH) && !batches.cancelled() {
                let x = Tensor::cat(&waiting.iter().map(|b| b.x.shallow_clone()).collect::<Vec<_>>(), 0);
                let classes: Vec<usize> =
                    waiting.drain(..).flat_map(|b| b.classes).map(|c| c as usize).collect();
                let pixels = quantise(&x);
                let out = self.net.infer(&pixels)?;
                moments.push_features(&out.features, seen as u64)?;
                if !classes.is_empty() {
                    accuracy.push(&out.logits, &classes)?;
                }
                let n = x.size()[0];
                if let Some(teacher) = teacher {
                    rmse.push(&x, &teacher.narrow(0, seen, n))?;
                }
                if seen < SHOWN {
                    shown.push(pixels.narrow(0, 0, n.min(SHOWN - seen)));
                }
                if keep {
                    kept.push(x);
                }
                seen += n;
            }
            if last {
                break;
            }
        }
        if batches.cancelled() {
            return Ok(None);
        }
        let distance = self.reference.distance(&moments.moments()?)?;
        let mut metrics = BTreeMap::from([
            ("fd".to_owned(), distance.fd),
            ("fd_mean_term".to_owned(), distance.mean_term),
            ("fd_cov_term".to_owned(), distance.cov_term),
        ]);
        metrics.extend(accuracy.value().map(|v| ("accuracy".to_owned(), v)));
        metrics.extend(rmse.mean().map(|v| ("rmse".to_owned(), v)));
        let images = keep.then(|| Tensor::cat(&kept, 0));
        Ok(Some(Measured { metrics, seconds, shown: Tensor::cat(&shown, 0), images }))
    }
}
