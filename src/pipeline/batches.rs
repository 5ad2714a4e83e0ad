//! Generation as an iterator of batches; whoever consumes it (PNG writer, metrics) decides what to keep.

use std::collections::BTreeMap;
use std::mem;
use std::ops::ControlFlow;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use anyhow::{Result, anyhow};
use fewstep_models::Denoiser;
use fewstep_samplers::NoiseKey;
use tch::{Device, Kind, Tensor};

use super::brownian::Brownian;
use super::evaluator::{Evaluator, Look};
use super::executor::{Observer, Outcome, StepInfo, execute};
use super::machine::Tensors;
use super::noise::NoiseSource;
use super::program::Program;
use super::share::Share;
use crate::device::upload;
use crate::guidance::{Guide, any_batch};

/// What to generate.
#[derive(Clone, Debug)]
pub struct Job {
    /// Seed of the whole run.
    pub seed: u64,
    /// Image numbers; together with the seed each fixes its picture.
    pub images: Vec<u64>,
    /// One class for all; `None` gives image `i` the class `i mod classes`.
    pub class: Option<i64>,
    /// A picture that every run starts from, `[c, h, w]` in `[-1, 1]`; its noisy version at the plan's first node takes
    /// the place of pure noise.
    pub init: Option<Vec<f32>>,
    /// Images per network call. The last batch is padded to it, so that every call has the same shape and the same
    /// arithmetic, unless the arithmetic is the same for [any batch](any_batch).
    pub batch: usize,
    /// Batches that run side by side, each on a thread of its own.
    pub workers: usize,
    /// Where to run.
    pub device: Device,
    /// What it has in common with jobs of other plans over the same images.
    pub share: Option<Arc<Share>>,
}

impl Job {
    /// The class of image number `image` in a model of `classes` classes.
    pub fn class_of(&self, image: u64, classes: i64) -> i64 {
        self.class.unwrap_or((image % classes as u64) as i64)
    }

    /// Number of batches.
    pub fn batches(&self) -> usize {
        self.images.len().div_ceil(self.batch)
    }
}

/// A finished batch.
#[derive(Debug)]
pub struct Batch {
    /// Numbers of the images in it.
    pub images: Vec<u64>,
    /// Asked class of each; empty for an unconditional model.
    pub classes: Vec<i64>,
    /// Network evaluations spent on each.
    pub nfe: Vec<usize>,
    /// Passes of a network spent on each: as many, but for guidance.
    pub forwards: Vec<usize>,
    /// `[n, c, h, w]` f32, about `[-1, 1]`, on the CPU.
    pub x: Tensor,
}

/// Iterator over the batches of a [`Job`], in order. Work starts at once and runs a few batches ahead of the
/// consumer. Ends early when the observer cancels; see [`Batches::cancelled`].
#[derive(Debug)]
pub struct Batches {
    done: Receiver<Finished>,
    stop: Arc<AtomicBool>,
    workers: Vec<JoinHandle<()>>,
    early: BTreeMap<usize, Result<Option<Batch>>>,
    at: usize,
    count: usize,
    cancelled: bool,
}

impl Batches {
    /// Starts the workers; each has an instance of `denoiser` over the same weights.
    pub fn new(
        program: impl Into<Program>,
        denoiser: &dyn Denoiser,
        job: &Job,
        observer: &Arc<dyn Observer>,
    ) -> Self {
        Self::guided(program, denoiser, None, job, observer)
    }

    /// [`Batches::new`] with guidance.
    pub fn guided(
        program: impl Into<Program>,
        denoiser: &dyn Denoiser,
        guide: Option<&Guide>,
        job: &Job,
        observer: &Arc<dyn Observer>,
    ) -> Self {
        let batches = job.batches();
        let workers = job.workers.clamp(1, batches.max(1));
        let (send, done) = sync_channel(workers);
        let next = Arc::new(AtomicUsize::new(0));
        let program = Arc::new(program.into());
        let kernel_threads = tch::get_num_threads();
        let stop = Arc::new(AtomicBool::new(false));
        let start = |_| {
            let worker = Worker {
                program: Arc::clone(&program),
                denoiser: denoiser.share(),
                guide: guide.map(Guide::share),
                job: job.clone(),
                observer: Arc::clone(observer),
                stop: Arc::clone(&stop),
                next: Arc::clone(&next),
            };
            let send = send.clone();
            thread::spawn(move || {
                tch::set_num_threads(kernel_threads); // a thread does not inherit it
                worker.run(&send);
            })
        };
        let workers = (0..workers).map(start).collect();
        Self { done, stop, workers, early: BTreeMap::new(), at: 0, count: batches, cancelled: false }
    }

    /// Whether the observer broke the run off.
    pub fn cancelled(&self) -> bool {
        self.cancelled
    }
}

impl Iterator for Batches {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.cancelled || self.at >= self.count {
            return None;
        }
        let result = loop {
            if let Some(result) = self.early.remove(&self.at) {
                break result;
            }
            match self.done.recv() {
                Ok((at, result)) => _ = self.early.insert(at, result),
                Err(_) => break Err(anyhow!(DIED)),
            }
        };
        self.at += 1;
        match result {
            Ok(Some(batch)) => Some(Ok(batch)),
            Ok(None) => {
                self.cancelled = true;
                None
            }
            Err(error) => {
                self.at = self.count; // nothing comes after an error
                Some(Err(error))
            }
        }
    }
}

/// A consumer that gives up, on a full disk for instance, must not leave threads behind: the process would tear libtorch
/// down under them.
impl Drop for Batches {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        while self.done.recv().is_ok() {} // until the last worker hangs up
        for worker in mem::take(&mut self.workers) {
            let _ = worker.join(); // a panic of a worker was reported by `next`
        }
    }
}

const DIED: &str = "a worker died; is there enough memory? try a smaller --batch";

/// Number of a batch, and what came of it: nothing if it was cancelled.
type Finished = (usize, Result<Option<Batch>>);

/// Passes steps on, and breaks the run off when nobody waits for it any more.
struct Stoppable<'a> {
    observer: &'a dyn Observer,
    stop: &'a AtomicBool,
}

impl Observer for Stoppable<'_> {
    fn step(&self, info: &StepInfo<'_>) -> ControlFlow<()> {
        if self.stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { self.observer.step(info) }
    }

    fn round(&self, number: usize) -> ControlFlow<()> {
        if self.stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { self.observer.round(number) }
    }

    fn guidance(&self, look: &Look) {
        self.observer.guidance(look);
    }

    fn looks(&self) -> bool {
        self.observer.looks()
    }
}

/// One thread's share of the work.
struct Worker {
    program: Arc<Program>,
    denoiser: Box<dyn Denoiser>,
    guide: Option<Guide>,
    job: Job,
    observer: Arc<dyn Observer>,
    stop: Arc<AtomicBool>,
    next: Arc<AtomicUsize>,
}

impl Worker {
    /// Takes batch after batch until there are none, or nobody listens any more.
    fn run(&self, send: &SyncSender<Finished>) {
        loop {
            let at = self.next.fetch_add(1, Ordering::Relaxed);
            if at >= self.job.batches() || self.stop.load(Ordering::Relaxed) {
                return;
            }
            // libtorch panics when memory runs out. Whoever waits for this batch must hear of it, or would wait until all others
            // are done.
            let result = panic::catch_unwind(AssertUnwindSafe(|| self.batch(at)));
            let result = result.unwrap_or_else(|_| Err(anyhow!(DIED)));
            let more = matches!(result, Ok(Some(_)));
            if send.send((at, result)).is_err() || !more {
                return;
            }
        }
    }

    fn batch(&self, at: usize) -> Result<Option<Batch>> {
        let (spec, job) = (self.denoiser.spec(), &self.job);
        let start = at * job.batch;
        let images = &job.images[start..(start + job.batch).min(job.images.len())];
        let mut padded = images.to_vec();
        if !any_batch(&*self.denoiser, self.guide.as_ref()) {
            padded.resize(job.batch, images[images.len() - 1]);
        }
        let noise = NoiseSource::new(job.seed);
        let mut path = Brownian::new(noise, &padded, spec.shape.iter().product::<i64>() as usize);
        let mut draw =
            |key: NoiseKey| tensor(&noise_of(noise, &padded, &mut path, key), spec.shape, job.device);
        let classes: Vec<i64> =
            spec.classes.map(|n| padded.iter().map(|&i| job.class_of(i, n)).collect()).unwrap_or_default();
        let start = self.program.start();
        let mut x = draw(NoiseKey::Draw(0)) * start.sigma;
        if let Some(init) = &job.init {
            x += Tensor::from_slice(init).view(spec.shape).to_device(job.device) * start.alpha;
        }
        let observer = Stoppable { observer: &*self.observer, stop: &self.stop };
        let (x, nfe, forwards) = match &*self.program {
            Program::Plan(plan) => {
                let class = spec.classes.map(|_| Tensor::from_slice(&classes).to_device(job.device));
                let guide = self.guide.as_ref();
                let mut evaluator = Evaluator::new(&*self.denoiser, class.as_ref(), guide, padded.len())
                    .sharing(job.share.as_deref(), at);
                match execute(plan, x, &mut evaluator, &mut draw, &observer)? {
                    Outcome::Done(x) => (x, vec![plan.nfe(); padded.len()], evaluator.forwards().to_vec()),
                    Outcome::Cancelled => return Ok(None),
                }
            }
            Program::Dynamic { solver, grid } => {
                let class = spec.classes.map(|_| &classes[..]);
                let guide = self.guide.as_ref();
                let mut machine = Tensors::new(&*self.denoiser, class, guide, noise, &padded, job.device)?;
                let Some((x, report)) = machine.run(solver, grid, &x, &observer)? else { return Ok(None) };
                (x, report.images.iter().map(|tally| tally.nfe).collect(), machine.into_forwards())
            }
        };
        let n = images.len();
        Ok(Some(Batch {
            images: images.to_vec(),
            classes: classes.into_iter().take(n).collect(),
            nfe: nfe.into_iter().take(n).collect(),
            forwards: forwards.into_iter().take(n).collect(),
            x: x.narrow(0, 0, n as i64).to_device(Device::Cpu),
        }))
    }
}

/// The noise of several images that an op asks for, one after the other.
fn noise_of(noise: NoiseSource, images: &[u64], path: &mut Brownian<'_>, key: NoiseKey) -> Vec<f32> {
    match key {
        NoiseKey::Draw(n) => noise.batch(images, n, path.size()),
        NoiseKey::Brownian { from, to } => path.increment(from, to),
    }
}

/// As many images of `shape` as `values` hold.
fn tensor(values: &[f32], [c, h, w]: [i64; 3], device: Device) -> Tensor {
    upload(&Tensor::from_slice(values).view([-1, c, h, w]), device)
}

/// 8-bit pixels from `[-1, 1]`: `clip(127.5 x + 128)`, truncated, which rounds halves up (the rule of 2206.00364).
///
/// # Shapes
/// any shape f32 `->` same shape u8, on the CPU
pub fn quantise(x: &Tensor) -> Tensor {
    (x * 127.5 + 128.0).clamp(0.0, 255.0).to_kind(Kind::Uint8).to_device(Device::Cpu)
}
