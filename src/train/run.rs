//! The training loop.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tch::{Device, Kind, Tensor};

use super::adam::Schedule;
use super::checkpoint::State;
use super::flat::Flat;
use super::sampler::EpochSampler;
use super::tasks::Task;
use crate::output::write_whole;
use crate::pipeline::NoiseSource;
use fewstep_eval::data::Split;

/// Settings of a run, the same for every task. A resume must repeat them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainConfig {
    /// Name of the task.
    pub task: String,
    /// Steps in all; the learning rate falls to zero at the last one.
    pub steps: u64,
    /// Images a step.
    pub batch: usize,
    /// Highest learning rate.
    pub lr: f64,
    /// Steps of warm-up.
    pub warmup: u64,
    /// Decay of the moving average of the weights.
    pub ema: f64,
    /// Largest norm of a gradient; longer ones are scaled down to it.
    pub clip: f64,
    /// Seed of everything random.
    pub seed: u64,
    /// Model that the weights start from, with a part of its hash; `None` for a random start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<String>,
}

/// What a model's folder says of its training, in `training.json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Training {
    /// Settings of the run.
    #[serde(flatten)]
    pub config: TrainConfig,
    /// Steps done; fewer than asked for in a snapshot.
    pub done: u64,
    /// Time spent on them.
    pub seconds: f64,
}

impl Training {
    /// Writes `training.json`.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, dir: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        write_whole(&dir.join("training.json"), text.as_bytes())
    }
}

/// What the loop tells after every step.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Steps done.
    pub step: u64,
    /// Mean loss since the last log line.
    pub loss: f64,
    /// Steps between log lines are silent; this one was logged.
    pub logged: bool,
    /// The run is about to write a checkpoint and a preview.
    pub saving: bool,
}

/// Steps between lines of `log.jsonl`.
const LOG_EVERY: u64 = 20;
/// Seconds between checkpoints.
const SAVE_EVERY: f64 = 120.0;

/// Trains `task` in `dir`, from its checkpoint if it has one, until the last step or until `watch` breaks.
/// Either way the state is on disk when this returns; `true` if the run is complete.
///
/// # Errors
/// If files cannot be written, the checkpoint does not fit, the folder holds a model of another origin, or a gradient is no
/// longer finite.
pub fn train(
    task: &mut dyn Task,
    config: &TrainConfig,
    data: &Split,
    dir: &Path,
    device: Device,
    watch: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<bool> {
    fs::create_dir_all(dir).with_context(|| format!("cannot create `{}`", dir.display()))?;
    let identity = serde_json::to_string(config)?;
    tch::manual_seed(config.seed as i64);
    let flat = Flat::pack(&task.init(device));
    let leaves = flat.views();
    for leaf in leaves.values() {
        let _ = leaf.set_requires_grad(true);
    }
    task.bind(&leaves);
    let mut state = State::new(flat);
    if !state.restore(dir, &identity)? {
        refuse_model(dir)?;
    }

    let schedule = Schedule { lr: config.lr, warmup: config.warmup, steps: config.steps };
    let about =
        |state: &State| Training { config: config.clone(), done: state.step, seconds: state.seconds.round() };
    let mut sampler = EpochSampler::new(config.seed, data.len(), config.batch);
    let seeds = NoiseSource::new(config.seed);
    let log_path = dir.join("log.jsonl");
    let mut log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&log_path)
        .with_context(|| format!("cannot write `{}`", log_path.display()))?;
    let pixels = data.tensor(0, data.len())?;
    let classes = Tensor::from_slice(&data.labels).to_kind(Kind::Int64);
    let mut loss_sum = Tensor::zeros([1], (Kind::Float, device));
    let mut summed = 0;
    let mut clock = Instant::now();
    let mut saved = Instant::now();

    while state.step < config.steps {
        let step = state.step + 1;
        let index = Tensor::from_slice(&sampler.at(step));
        let labels = classes.index_select(0, &index).to_device(device);
        let images = pixels.index_select(0, &index).to_device(device).to_kind(Kind::Float) / 127.5 - 1.0;
        let bits = seeds.bits(0, STEP, step);
        tch::manual_seed(i64::from(bits[0]) << 31 | i64::from(bits[1] >> 1));
        let loss = task.loss(&images, &labels);
        loss.backward();
        let norm = update(&mut state, &leaves, config, schedule.at(step), step).with_context(|| {
            format!(
                "the gradient is not finite at step {step}; the last checkpoint in `{}` is from before: lower --lr and use \
                 another folder",
                dir.display()
            )
        })?;
        loss_sum += loss.detach();
        summed += 1;
        state.step = step;
        state.seconds += clock.elapsed().as_secs_f64();
        clock = Instant::now();

        let logged = step.is_multiple_of(LOG_EVERY) || step == config.steps;
        let mut progress = Progress { step, loss: f64::NAN, logged, saving: false };
        if logged {
            progress.loss = f64::try_from(&loss_sum)? / f64::from(summed);
            (loss_sum, summed) = (loss_sum.zeros_like(), 0);
            let line = json!({"step": step, "loss": progress.loss, "grad_norm": norm, "lr": schedule.at(step), "seconds": state.seconds});
            log.write_all(format!("{line}\n").as_bytes())
                .with_context(|| format!("cannot write `{}`", log_path.display()))?;
        }
        let last = step == config.steps;
        progress.saving = logged && (last || saved.elapsed().as_secs_f64() > SAVE_EVERY);
        let stop = watch(&progress).is_break();
        if progress.saving || stop {
            state.save(dir, &identity)?;
            saved = Instant::now();
        }
        if progress.saving || stop {
            task.snapshot(&state.ema_params(), dir, &about(&state))?;
            clock = Instant::now(); // a snapshot is not training time
        }
        if stop && !last {
            return Ok(false);
        }
    }
    task.finish(&state.ema_params(), dir, &about(&state))?;
    Ok(true)
}

/// A run writes a model over what its folder holds; only its own checkpoint says that this is its own.
fn refuse_model(dir: &Path) -> Result<()> {
    let parts = ["fewstep.json", "unet", "weights.safetensors"];
    match parts.iter().map(|part| dir.join(part)).find(|part| part.exists()) {
        None => Ok(()),
        Some(part) => bail!(
            "`{}` is there and no checkpoint with it: the folder holds a model that this run would write over; use another \
             folder",
            part.display()
        ),
    }
}

/// Stream number of the seeds that steps start from.
const STEP: u32 = 0x5354_4550;

/// Optimiser step and moving average; gives the norm of the gradient before clipping. `None`, and nothing is done, if that is
/// not finite.
fn update(
    state: &mut State,
    leaves: &fewstep_models::Params,
    config: &TrainConfig,
    lr: f64,
    step: u64,
) -> Option<f64> {
    let _no_grad = tch::no_grad_guard();
    let pieces: Vec<Tensor> = leaves
        .values()
        .map(|leaf| {
            let mut leaf = leaf.shallow_clone();
            // A parameter that the loss did not touch this time has no gradient yet.
            let grad = leaf.grad();
            let flat =
                if grad.defined() { grad.reshape([-1]).copy() } else { leaf.zeros_like().reshape([-1]) };
            leaf.zero_grad();
            flat
        })
        .collect();
    let mut grad = Tensor::cat(&pieces, 0);
    let norm = f64::try_from(grad.norm()).ok().filter(|norm| norm.is_finite())?;
    if norm > config.clip {
        grad *= config.clip / norm;
    }
    state.adam.step(&mut state.params.values, &grad, step, lr);
    // The average starts short, so that the first noisy weights do not linger (the rule of TensorFlow's EMA).
    let decay = config.ema.min((1 + step) as f64 / (10 + step) as f64);
    state.ema *= decay;
    state.ema += &state.params.values * (1.0 - decay);
    Some(norm)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fewstep_models::Params;

    #[test]
    fn a_gradient_that_is_not_finite_changes_nothing() {
        let config = TrainConfig {
            task: String::new(),
            steps: 4,
            batch: 1,
            lr: 0.1,
            warmup: 0,
            ema: 0.9,
            clip: 1.0,
            seed: 0,
            init: None,
        };
        let flat = Flat::pack(&Params::from([("w".to_owned(), Tensor::from_slice(&[1f32, -2.0]))]));
        let leaves = flat.views();
        let _ = leaves["w"].set_requires_grad(true);
        let mut state = State::new(flat);
        let mut step = |factor: f64| {
            (&leaves["w"] * factor).sum(Kind::Float).backward();
            let norm = update(&mut state, &leaves, &config, 0.1, 1);
            let values = |t: &Tensor| Vec::<f32>::try_from(t.detach()).unwrap();
            (norm, [values(&state.params.values), values(&state.ema), values(&state.adam.m)])
        };
        for factor in [f64::NAN, f64::INFINITY, 1e30] {
            let (norm, now) = step(factor);
            assert_eq!((norm, now), (None, [vec![1.0, -2.0], vec![1.0, -2.0], vec![0.0, 0.0]]), "{factor}");
        }
        let (norm, now) = step(3.0);
        assert!(
            (norm.unwrap() - 3.0 * 2f64.sqrt()).abs() < 1e-6 && now[0] != [1.0, -2.0],
            "{norm:?} {now:?}"
        );
    }
}
