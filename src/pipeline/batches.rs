//! Generation as an iterator of batches; whoever consumes it (PNG writer, metrics) decides what to keep.

use anyhow::Result;
use fewstep_models::Denoiser;
use fewstep_samplers::Plan;
use tch::{Device, Kind, Tensor};

use super::executor::{Observer, Outcome, execute};
use super::noise::NoiseSource;

/// What to generate.
#[derive(Clone, Debug)]
pub struct Job {
    /// Seed of the whole run.
    pub seed: u64,
    /// Image numbers; together with the seed each fixes its picture.
    pub images: Vec<u64>,
    /// One class for all; `None` gives image `i` the class `i mod classes`.
    pub class: Option<i64>,
    /// Images per network call. The last batch is padded to it, so that every call has the same shape and the same
    /// arithmetic.
    pub batch: usize,
    /// Where to run.
    pub device: Device,
}

impl Job {
    /// The class of image number `image` in a model of `classes` classes.
    pub fn class_of(&self, image: u64, classes: i64) -> i64 {
        self.class.unwrap_or((image % classes as u64) as i64)
    }
}

/// A finished batch.
#[derive(Debug)]
pub struct Batch {
    /// Numbers of the images in it.
    pub images: Vec<u64>,
    /// Asked class of each; empty for an unconditional model.
    pub classes: Vec<i64>,
    /// `[n, c, h, w]` f32, about `[-1, 1]`, on the CPU.
    pub x: Tensor,
}

/// Iterator over the batches of a [`Job`]. Ends early when the observer cancels; see [`Batches::cancelled`].
pub struct Batches<'a> {
    plan: &'a Plan,
    denoiser: &'a dyn Denoiser,
    observer: &'a mut dyn Observer,
    job: &'a Job,
    at: usize,
    cancelled: bool,
}

impl<'a> Batches<'a> {
    /// Nothing runs before the first `next`.
    pub fn new(
        plan: &'a Plan,
        denoiser: &'a dyn Denoiser,
        job: &'a Job,
        observer: &'a mut dyn Observer,
    ) -> Self {
        Self { plan, denoiser, observer, job, at: 0, cancelled: false }
    }

    /// Whether the observer broke the run off.
    pub fn cancelled(&self) -> bool {
        self.cancelled
    }

    fn run(&mut self, images: &[u64]) -> Result<Option<Batch>> {
        let (spec, job) = (self.denoiser.spec(), self.job);
        let mut padded = images.to_vec();
        padded.resize(job.batch, images[images.len() - 1]);
        let noise = NoiseSource::new(job.seed);
        let mut draw = |n: u32| noise.batch(&padded, n, &spec.shape).to_device(job.device);
        let classes: Vec<i64> =
            spec.classes.map(|n| padded.iter().map(|&i| job.class_of(i, n)).collect()).unwrap_or_default();
        let class = spec.classes.map(|_| Tensor::from_slice(&classes).to_device(job.device));
        let x = draw(0) * self.plan.init_scale();
        let outcome = execute(self.plan, x, self.denoiser, class.as_ref(), &mut draw, self.observer)?;
        let Outcome::Done(x) = outcome else {
            self.cancelled = true;
            return Ok(None);
        };
        let n = images.len();
        Ok(Some(Batch {
            images: images.to_vec(),
            classes: classes.into_iter().take(n).collect(),
            x: x.narrow(0, 0, n as i64).to_device(Device::Cpu),
        }))
    }
}

impl Iterator for Batches<'_> {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.cancelled || self.at >= self.job.images.len() {
            return None;
        }
        let job = self.job;
        let end = (self.at + job.batch).min(job.images.len());
        let images = &job.images[self.at..end];
        self.at = end;
        self.run(images).transpose()
    }
}

/// 8-bit pixels from `[-1, 1]`: `clip(127.5 x + 128)`, truncated, which rounds halves up (the rule of 2206.00364).
///
/// # Shapes
/// any shape f32 `->` same shape u8, on the CPU
pub fn quantise(x: &Tensor) -> Tensor {
    (x * 127.5 + 128.0).clamp(0.0, 255.0).to_kind(Kind::Uint8).to_device(Device::Cpu)
}
