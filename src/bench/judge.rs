//! Measures one plan: images stream from the sampler into the metrics and never touch the disk.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use fewstep_eval::feature::{Classifier, EXTRACT_BATCH, FeatureNet, Output, fmnist_cnn};
use fewstep_eval::metrics::{ConditionalAccuracy, PairedRmse};
use fewstep_eval::report::ReferenceInfo;
use fewstep_eval::stats::{Reference, ShardedMoments};
use fewstep_models::Denoiser;
use fewstep_samplers::Plan;
use tch::Tensor;

use crate::guidance::Guide;
use crate::pipeline::{Batch, Batches, Job, Observer, quantise};

/// The built-in feature network and the real images' statistics.
#[derive(Debug)]
pub struct Judge {
    net: Classifier,
    reference: Reference,
    data: String,
}

/// What a block of a cell came to.
#[derive(Debug)]
pub struct Measured {
    /// `fd`, `fd_mean_term`, `fd_cov_term`, and where they apply `accuracy` and `rmse`.
    pub metrics: BTreeMap<String, f64>,
    /// Mean over images of the network passes.
    pub forwards: f64,
    /// Time spent in sampling, metrics not counted.
    pub seconds: f64,
    /// The first images, `[n, c, h, w]` u8, to be shown.
    pub shown: Tensor,
    /// All images f32, `[samples, c, h, w]`, if they were to be kept.
    pub images: Option<Tensor>,
}

/// What the images have to do with a teacher's.
#[derive(Clone, Copy, Debug)]
pub enum Paired<'a> {
    /// Nothing: there is no teacher.
    No,
    /// They are compared with these, `[n, c, h, w]` f32.
    With(&'a Tensor),
    /// They are the teacher's, and are kept.
    Teacher,
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

    /// Samples `job`, at least 2 images, along `plan` and measures them. `None` if the observer cancelled.
    ///
    /// # Errors
    /// If sampling fails.
    pub fn measure(
        &self,
        plan: &Plan,
        (denoiser, guide): (&dyn Denoiser, Option<&Guide>),
        job: &Job,
        paired: Paired<'_>,
        observer: &Arc<dyn Observer>,
    ) -> Result<Option<Measured>> {
        let classes = denoiser.spec().classes.unwrap_or(0) as usize;
        let mut sums = Sums::new(self.net.dim(), classes);
        let (mut seconds, mut seen) = (0.0, 0);
        let (mut shown, mut kept) = (Vec::new(), Vec::new());
        // Features are taken of whole extraction batches, so that none is padded half-way.
        let mut waiting: Vec<Batch> = Vec::new();
        let mut forwards = 0;
        let mut batches = Batches::guided(plan, denoiser, guide, job, observer);
        loop {
            let clock = Instant::now();
            let batch = batches.next().transpose()?;
            seconds += clock.elapsed().as_secs_f64();
            let last = batch.is_none();
            forwards += batch.iter().flat_map(|batch| &batch.forwards).sum::<usize>();
            waiting.extend(batch);
            let ready: usize = waiting.iter().map(|b| b.images.len()).sum();
            if ready > 0 && (last || ready >= 4 * EXTRACT_BATCH) && !batches.cancelled() {
                let x = Tensor::cat(&waiting.iter().map(|b| b.x.shallow_clone()).collect::<Vec<_>>(), 0);
                let classes: Vec<usize> =
                    waiting.drain(..).flat_map(|b| b.classes).map(|c| c as usize).collect();
                let pixels = quantise(&x);
                let out = self.net.infer(&pixels)?;
                let n = x.size()[0];
                let teacher = match paired {
                    Paired::With(images) => Some(images.narrow(0, seen, n)),
                    Paired::No | Paired::Teacher => None,
                };
                sums.push(&x, &out, &classes, seen as u64, teacher.as_ref())?;
                if seen < SHOWN {
                    shown.push(pixels.narrow(0, 0, n.min(SHOWN - seen)));
                }
                if matches!(paired, Paired::Teacher) {
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
        let metrics = sums.metrics(&self.reference)?;
        let images = (!kept.is_empty()).then(|| Tensor::cat(&kept, 0));
        let forwards = forwards as f64 / job.images.len() as f64;
        Ok(Some(Measured { metrics, forwards, seconds, shown: Tensor::cat(&shown, 0), images }))
    }
}

/// What the metrics are made of.
struct Sums {
    moments: ShardedMoments,
    accuracy: ConditionalAccuracy,
    rmse: PairedRmse,
}

impl Sums {
    fn new(dim: usize, classes: usize) -> Self {
        Self {
            moments: ShardedMoments::new(dim),
            accuracy: ConditionalAccuracy::new(classes),
            rmse: PairedRmse::new(),
        }
    }

    /// Takes images of which the first is number `first`.
    fn push(
        &mut self,
        x: &Tensor,
        out: &Output,
        classes: &[usize],
        first: u64,
        teacher: Option<&Tensor>,
    ) -> Result<()> {
        self.moments.push_features(&out.features, first)?;
        if !classes.is_empty() {
            self.accuracy.push(&out.logits, classes)?;
        }
        if let Some(teacher) = teacher {
            self.rmse.push(x, teacher)?;
        }
        Ok(())
    }

    fn metrics(&self, reference: &Reference) -> Result<BTreeMap<String, f64>> {
        let distance = reference.distance(&self.moments.moments()?)?;
        let mut metrics = BTreeMap::from([
            ("fd".to_owned(), distance.fd),
            ("fd_mean_term".to_owned(), distance.mean_term),
            ("fd_cov_term".to_owned(), distance.cov_term),
        ]);
        metrics.extend(self.accuracy.value().map(|v| ("accuracy".to_owned(), v)));
        metrics.extend(self.rmse.mean().map(|v| ("rmse".to_owned(), v)));
        Ok(metrics)
    }
}
