//! A run that was stopped goes on bit for bit.

#![expect(clippy::unwrap_used, reason = "a test")]

mod common;

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use fewstep::train::tasks::{ClassifyNoisy, Denoise, Levels, Task};
use fewstep::train::{TrainConfig, train};
use fewstep_eval::data::{Part, Split};
use fewstep_eval::feature::{Classifier, FeatureNet as _, NOISY};
use fewstep_models::{ModelFolder, UNet2dConfig};
use tch::Device;

fn data() -> Split {
    let images: Vec<u8> = (0..40 * 784u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let labels = (0..40).map(|i| i % 10).collect();
    Split { images, channels: 1, part: Part::Train, labels, sha256: "" }
}

fn config() -> TrainConfig {
    TrainConfig {
        task: "edm".into(),
        steps: 12,
        batch: 8,
        lr: 1e-3,
        warmup: 3,
        ema: 0.9,
        clip: 1.0,
        seed: 4,
        init: None,
    }
}

/// libtorch has one random generator for the whole process, which a run seeds at every step: one run at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// Trains in `dir`, stopping after each of `stops`; gives the bytes of the weights.
fn run(dir: &Path, stops: &[u64]) -> Vec<u8> {
    let task = || -> Box<dyn Task> {
        let (spec, net) = common::tiny_spec();
        Box::new(Denoise::new(spec, net, Levels::LogNormal { mean: -1.2, std: 1.2 }))
    };
    run_task(&task, dir, stops);
    fs::read(dir.join("unet/diffusion_pytorch_model.fp16.safetensors")).unwrap()
}

/// Trains `task` in `dir`, stopping after each of `stops`.
fn run_task(task: &dyn Fn() -> Box<dyn Task>, dir: &Path, stops: &[u64]) {
    tch::set_num_threads(1);
    let data = data();
    let mut stops = stops.iter();
    let mut losses = Vec::new();
    loop {
        let stop = stops.next().copied();
        let done = train(&mut *task(), &config(), &data, dir, Device::Cpu, &mut |progress| {
            if progress.logged {
                losses.push(progress.loss);
            }
            if Some(progress.step) == stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        if done.unwrap() {
            assert!(losses.iter().all(|l| l.is_finite()));
            return;
        }
    }
}

#[test]
fn resume_is_exact_to_the_bit() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (whole, pieces) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let want = run(whole.path(), &[]);
    assert!(run(pieces.path(), &[1, 5, 6]) == want, "the weights differ");
    let checkpoint = |dir: &Path| {
        let bytes = fs::read(dir.join("checkpoint.safetensors")).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        file.tensors()
            .into_iter()
            .map(|(name, t)| (name, t.data().to_vec()))
            .collect::<std::collections::BTreeMap<_, _>>()
    };
    assert!(checkpoint(whole.path()) == checkpoint(pieces.path()), "parameters, average or moments differ");
}

#[test]
fn the_classifier_of_noisy_images_resumes_to_the_bit() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (whole, pieces) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let task = || -> Box<dyn Task> { Box::new(ClassifyNoisy::new(4)) };
    run_task(&task, whole.path(), &[]);
    run_task(&task, pieces.path(), &[1, 5]);
    let weights = |dir: &Path| fs::read(dir.join("weights.safetensors")).unwrap();
    let bytes = weights(whole.path());
    assert!(bytes == weights(pieces.path()), "the weights differ");
    // What was written is what the guidance rule reads, and it has learnt something.
    let net = |bytes: &[u8]| Classifier::from_safetensors(&NOISY, bytes).unwrap();
    assert_ne!(net(&bytes).id().unwrap(), Classifier::init(&NOISY, 4).unwrap().id().unwrap());
}

#[test]
fn a_checkpoint_of_another_run_or_a_damaged_one_is_refused() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &[]);
    let (spec, net) = common::tiny_spec();
    let again = |config: &TrainConfig| {
        let mut task = Denoise::new(spec.clone(), net.clone(), Levels::Uniform);
        train(&mut task, config, &data(), dir.path(), Device::Cpu, &mut |_| ControlFlow::Continue(()))
            .unwrap_err()
            .to_string()
    };
    let other = again(&TrainConfig { lr: 2e-3, ..config() });
    assert!(other.contains("other settings"), "{other}");
    let path = dir.path().join("checkpoint.safetensors");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let damaged = again(&config());
    assert!(damaged.contains("is damaged; start"), "{damaged}");
    // Without its checkpoint it is a model like any other, which no run writes over.
    fs::remove_file(&path).unwrap();
    let weights = dir.path().join("unet/diffusion_pytorch_model.fp16.safetensors");
    let before = fs::read(&weights).unwrap();
    let model = again(&config());
    assert!(model.contains("holds a model that this run would write over"), "{model}");
    assert!(fs::read(&weights).unwrap() == before);
}

#[test]
fn a_start_from_another_model_is_its_weights() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    run(first.path(), &[]);
    let model = ModelFolder::open(first.path().to_str().unwrap()).unwrap();
    let (spec, net) = common::tiny_spec();
    let mut task = Denoise::new(spec.clone(), net.clone(), Levels::Uniform);
    task.start_from(&model).unwrap();
    // A run that is stopped at once, with a learning rate of next to nothing.
    let still = TrainConfig { lr: 1e-12, ema: 0.0, init: Some("first".into()), ..config() };
    let done = train(&mut task, &still, &data(), second.path(), Device::Cpu, &mut |_| ControlFlow::Break(()));
    assert!(!done.unwrap());
    let weights = |dir: &Path| fs::read(dir.join("unet/diffusion_pytorch_model.fp16.safetensors")).unwrap();
    assert!(weights(first.path()) == weights(second.path()));

    let other = UNet2dConfig { block_out_channels: vec![8, 24], ..net };
    let error = Denoise::new(spec, other, Levels::Uniform).start_from(&model).unwrap_err().to_string();
    assert!(error.contains("another network"), "{error}");
}
