//! Measures one plan: images stream from the sampler into the metrics and never touch the disk.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result};
use fewstep_eval::data::Split;
use fewstep_eval::feature::{Builtin, CLASSIFIERS, Classifier, EXTRACT_BATCH, FeatureNet};
use fewstep_eval::report::{RealInfo, ReferenceInfo};
use fewstep_eval::stats::Reference;
use fewstep_models::Denoiser;
use fewstep_samplers::Plan;
use tch::Tensor;

use super::choice::{Choice, Group};
use super::measures::{Measures, Seen, Twin};
use super::real::{Eye, Real};
use crate::guidance::Guide;
use crate::pipeline::{Batch, Batches, Job, Observer, quantise};

/// A built-in feature network, the real images' statistics, and the metrics that are asked for.
#[derive(Debug)]
pub struct Judge {
    net: Classifier,
    extractor: String,
    reference: Reference,
    data: String,
    choice: Choice,
    real: Real,
    threads: usize,
}

/// What a block of a cell came to.
#[derive(Debug)]
pub struct Measured {
    /// `fd`, `fd_mean_term`, `fd_cov_term`, where they apply `accuracy` and `rmse`, and what else was asked for.
    pub metrics: BTreeMap<String, f64>,
    /// Mean over images of the network passes.
    pub forwards: f64,
    /// Wall clock from the start of the block to its last batch: sampling, and the features and sums over images that are
    /// taken meanwhile. The workers go on while these are, so that the two cannot be told apart. What is made of all images
    /// at once is not in it. Answers taken over from other plans count as what they took there.
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
    /// They are compared with these.
    With(Twin<'a>),
    /// They are the teacher's, and are kept.
    Teacher,
}

/// Images that a report shows of each cell.
pub(super) const SHOWN: i64 = 10;

impl Judge {
    /// The judge of images of `shape`, channels, height and width, with the network that ships for them.
    ///
    /// # Errors
    /// If there is none, or the built-in files are damaged.
    pub fn for_shape(shape: [i64; 3], choice: Choice) -> Result<Self> {
        let text = |shape: [usize; 3]| shape.map(|n| n.to_string()).join("x");
        let shape = shape.map(|n| n as usize);
        let builtin = Builtin::for_shape(shape).with_context(|| {
            let known: Vec<String> = CLASSIFIERS.iter().map(|b| text(b.arch.image_shape())).collect();
            format!(
                "the built-in feature networks look at {} images, the model makes {}",
                known.join(" and "),
                text(shape)
            )
        })?;
        let (net, statistics) = builtin.open()?;
        let extractor = net.id()?;
        let reference = Reference::new(&statistics.moments)?;
        let real = Real { extractor: extractor.clone(), ..Real::default() };
        Ok(Self { net, extractor, reference, data: statistics.data, choice, real, threads: 1 })
    }

    /// Threads of the metrics that compare all images with one another, which are computed while nothing is sampled.
    #[must_use]
    pub fn threads(self, threads: usize) -> Self {
        Self { threads, ..self }
    }

    /// Looks at real images for blocks of `samples` images: the split behind the network's statistics, for metrics that
    /// [need](Choice::needs_data) it, and the one held out.
    ///
    /// # Errors
    /// If they do not have the shape of this judge.
    pub fn see(&mut self, train: Option<&Split>, test: Option<&Split>, samples: u64) -> Result<()> {
        let eye = Eye { net: &self.net, reference: &self.reference, extractor: &self.extractor };
        self.real = Real::see(eye, &self.choice, train, test, samples)?;
        Ok(())
    }

    /// What held-out images have, if they were seen.
    pub fn real(&self) -> Option<&RealInfo> {
        self.real.info.as_ref()
    }

    /// The metrics that are asked for.
    pub fn choice(&self) -> &Choice {
        &self.choice
    }

    /// What a report says of the reference, at `samples` images a block.
    pub fn info(&self, samples: u64) -> ReferenceInfo {
        ReferenceInfo {
            data: self.data.clone(),
            n: self.reference.n(),
            extractor: self.extractor.clone(),
            floor: self.reference.floor(samples),
            rows: self.real.reference.as_ref().and_then(|side| side.about.n),
            real: self.real.info.clone(),
        }
    }

    /// The teacher's features, if they are compared.
    ///
    /// # Errors
    /// If the images have another shape.
    pub fn twin_features(&self, images: &Tensor) -> Result<Option<Tensor>> {
        let wanted = self.choice.has(Group::PairedFeatures);
        Ok(wanted.then(|| self.net.extract(&quantise(images))).transpose()?)
    }

    /// Metrics of images that are there already, `[n, c, h, w]` f32: all but those that need classes or a teacher.
    ///
    /// # Errors
    /// If the images have another shape, or a metric cannot be computed.
    pub fn review(&self, images: &Tensor) -> Result<BTreeMap<String, f64>> {
        let mut measures = Measures::new(&self.choice);
        let _pixels = self.push(&mut measures, images, &[], None)?;
        self.finish(measures)
    }

    /// Samples `job`, at least 2 images, along `plan` and measures them. `None` if the observer cancelled.
    ///
    /// # Errors
    /// If sampling fails, or a metric cannot be computed.
    pub fn measure(
        &self,
        plan: &Plan,
        (denoiser, guide): (&dyn Denoiser, Option<&Guide>),
        job: &Job,
        paired: Paired<'_>,
        observer: &Arc<dyn Observer>,
    ) -> Result<Option<Measured>> {
        let twin = if let Paired::With(twin) = paired { Some(twin) } else { None };
        let mut measures = Measures::new(&self.choice);
        let mut seen = 0;
        let (mut shown, mut kept) = (Vec::new(), Vec::new());
        // Features are taken of whole extraction batches, so that none is padded half-way.
        let mut waiting: Vec<Batch> = Vec::new();
        let mut forwards = 0;
        let known = Choice::knows(denoiser.spec().classes);
        let clock = Instant::now();
        let mut batches = Batches::guided(plan, denoiser, guide, job, observer);
        loop {
            let batch = batches.next().transpose()?;
            let last = batch.is_none();
            forwards += batch.iter().flat_map(|batch| &batch.forwards).sum::<usize>();
            waiting.extend(batch);
            let ready: usize = waiting.iter().map(|b| b.images.len()).sum();
            if ready > 0 && (last || ready >= 4 * EXTRACT_BATCH) && !batches.cancelled() {
                let x = Tensor::cat(&waiting.iter().map(|b| b.x.shallow_clone()).collect::<Vec<_>>(), 0);
                let mut classes: Vec<usize> =
                    waiting.drain(..).flat_map(|b| b.classes).map(|c| c as usize).collect();
                if !known {
                    classes.clear();
                }
                let pixels = self.push(&mut measures, &x, &classes, twin)?;
                let n = x.size()[0];
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
        let saved = job.share.as_ref().map_or(0.0, |share| share.saved().as_secs_f64());
        let seconds = clock.elapsed().as_secs_f64() + saved / job.workers as f64;
        if batches.cancelled() {
            return Ok(None);
        }
        let metrics = self.finish(measures)?;
        let images = (!kept.is_empty()).then(|| Tensor::cat(&kept, 0));
        let forwards = forwards as f64 / job.images.len() as f64;
        Ok(Some(Measured { metrics, forwards, seconds, shown: Tensor::cat(&shown, 0), images }))
    }

    /// One pass of the network over the next images; gives them in 8 bits.
    fn push(
        &self,
        measures: &mut Measures<'_>,
        x: &Tensor,
        classes: &[usize],
        twin: Option<Twin<'_>>,
    ) -> Result<Tensor> {
        let pixels = quantise(x);
        let out = self.net.infer(&pixels)?;
        measures.push(&Seen { x, pixels: &pixels, out: &out, classes }, twin)?;
        Ok(pixels)
    }

    fn finish(&self, measures: Measures<'_>) -> Result<BTreeMap<String, f64>> {
        let before = tch::get_num_threads();
        tch::set_num_threads(i32::try_from(self.threads).unwrap_or(i32::MAX));
        let metrics = measures.metrics(&self.reference, &self.real);
        tch::set_num_threads(before);
        metrics
    }
}
