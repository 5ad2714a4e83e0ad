//! `fewstep train`: makes the built-in models from Fashion-MNIST.

use std::ops::ControlFlow;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use fewstep_eval::data::{CLASS_NAMES, FashionMnist, Split};
use fewstep_eval::sha256_hex;
use fewstep_models::{ModelFolder, ModelSpec, Prediction, TimeInput, UNet2dConfig, unet2d::SampleSize};
use fewstep_samplers::Path;

use super::Exit;
use crate::device::DeviceChoice;
use crate::interrupt;
use crate::train::tasks::{Classify, ClassifyNoisy, Denoise, Levels, Task};
use crate::train::{TrainConfig, train};

/// Train one of the built-in models; a run that was stopped goes on from its checkpoint
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What to train
    task: TaskName,
    /// Folder of the run: checkpoint, log, preview, and at the end the model
    #[arg(short, long)]
    output: PathBuf,
    /// Folder with the four Fashion-MNIST files (`make data`)
    #[arg(long, default_value = "data/fashion-mnist")]
    data: PathBuf,
    /// Paint the garments and their backgrounds, a hue each (RGB)
    #[arg(long)]
    colour: bool,
    /// Train the classifier on images with noise of every level, for the guidance rule `classifier`
    #[arg(long)]
    noisy: bool,
    /// Steps in all
    #[arg(long, default_value_t = 8000, allow_negative_numbers = true)]
    steps: u64,
    /// Images a step
    #[arg(long, default_value_t = 64, allow_negative_numbers = true)]
    batch: usize,
    /// Highest learning rate
    #[arg(long, default_value_t = 1e-3, allow_negative_numbers = true)]
    lr: f64,
    /// Steps of warm-up
    #[arg(long, default_value_t = 200, allow_negative_numbers = true)]
    warmup: u64,
    /// Decay of the moving average of the weights
    #[arg(long, default_value_t = 0.999, allow_negative_numbers = true)]
    ema: f64,
    /// Largest norm of a gradient
    #[arg(long, default_value_t = 1.0, allow_negative_numbers = true)]
    clip: f64,
    /// Seed of everything random
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    seed: u64,
    /// Built-in model or folder to start from, in place of random weights
    #[arg(long)]
    init: Option<String>,
    /// auto, cpu, cuda or cuda:N
    #[arg(long, default_value_t = DeviceChoice::Auto)]
    device: DeviceChoice,
    /// Threads that libtorch computes with [default: all cores]
    #[arg(long)]
    threads: Option<usize>,
}

impl Args {
    /// What is trained, as the checkpoint knows it.
    fn name(&self) -> String {
        let task = self.task.to_possible_value().map(|v| v.get_name().to_owned()).unwrap_or_default();
        let kind = |flag: bool, name| if flag { name } else { "" };
        format!("{task}{}{}", kind(self.colour, "-colour"), kind(self.noisy, "-noisy"))
    }
}

/// What can be trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum TaskName {
    /// Diffusion UNet with EDM preconditioning
    Edm,
    /// Diffusion UNet that predicts v on the VP path
    V,
    /// Rectified-flow UNet
    Flow,
    /// Feature classifier of the built-in metrics
    Classifier,
}

/// Starts or resumes a run.
///
/// # Errors
/// If the data, the folder or the settings are unusable.
pub(super) fn run(args: &Args) -> Result<Exit> {
    ensure!(args.steps > 0, "--steps 0 trains nothing; give at least 1");
    ensure!(
        args.warmup <= args.steps,
        "--warmup {} is longer than the run of {} steps",
        args.warmup,
        args.steps
    );
    // Written so that NaN fails.
    ensure!(args.lr > 0.0 && args.lr <= 1.0, "--lr {} must be above 0 and at most 1", args.lr);
    ensure!((0.0..1.0).contains(&args.ema), "--ema {} must be at least 0 and below 1", args.ema);
    ensure!(args.clip > 0.0, "--clip {} must be above 0; inf clips nothing", args.clip);
    ensure!(
        args.init.is_none() || args.task != TaskName::Classifier,
        "--init starts diffusion and flow networks; the classifier starts at random"
    );
    ensure!(
        !args.noisy || args.task == TaskName::Classifier,
        "--noisy is for `classifier`; diffusion and flow networks learn from noisy images anyway"
    );
    ensure!(!(args.noisy && args.colour), "--noisy trains on grey images; leave --colour out");
    let device = args.device.resolve()?;
    super::set_threads(args.threads)?;
    let init = args.init.as_ref().map(|name| ModelFolder::open(name)).transpose()?;
    super::options::create_dir(&args.output)?;
    let data = FashionMnist::open_train(&args.data)?;
    let data = if args.colour { data.colour() } else { data };
    ensure!(
        (1..=data.len()).contains(&args.batch),
        "--batch {} must be between 1 and the {} training images",
        args.batch,
        data.len()
    );
    let config = TrainConfig {
        task: args.name(),
        steps: args.steps,
        batch: args.batch,
        lr: args.lr,
        warmup: args.warmup,
        ema: args.ema,
        clip: args.clip,
        seed: args.seed,
        init: init.as_ref().map(|m| format!("{}@{}", m.name, &sha256_hex(m.weight_bytes())[..16])),
    };
    let mut task = task(args, &data, init.as_ref())?;
    let bar = super::bar(args.steps, "{prefix} {wide_bar} {pos}/{len} · loss {msg} · {eta} left");
    bar.set_prefix(config.task.clone());
    let complete = train(&mut *task, &config, &data, &args.output, device, &mut |progress| {
        bar.set_position(progress.step);
        if progress.logged {
            bar.set_message(format!("{:.4}", progress.loss));
        }
        if interrupt::asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .with_context(|| format!("training `{}` in `{}`", config.task, args.output.display()))?;
    bar.finish_and_clear();
    if complete {
        super::print(&args.output.display().to_string());
        Ok(Exit::Done)
    } else {
        super::note("stopped; the same command goes on from here");
        Ok(Exit::Interrupted)
    }
}

fn task<'a>(args: &Args, data: &'a Split, init: Option<&ModelFolder>) -> Result<Box<dyn Task + 'a>> {
    let vp: Path = "vp-linear".parse()?;
    let edm: Path = "edm".parse()?;
    let (path, sample_path, prediction, time, levels) = match args.task {
        TaskName::Edm => (
            edm,
            vp,
            Prediction::Edm { sigma_data: 0.5 },
            TimeInput::LogSigma { scale: 250.0 },
            // Wider than the paper's, because a few-step sampler asks often at high noise.
            Levels::LogNormal { mean: -1.0, std: 1.6 },
        ),
        TaskName::V => (vp.clone(), vp, Prediction::V, TimeInput::Scaled { scale: 999.0 }, Levels::Uniform),
        TaskName::Flow => {
            (Path::Flow, Path::Flow, Prediction::Flow, TimeInput::Scaled { scale: 1000.0 }, Levels::Uniform)
        }
        TaskName::Classifier => {
            return Ok(if args.noisy {
                Box::new(ClassifyNoisy::new(args.seed))
            } else {
                Box::new(Classify::new(data, args.seed))
            });
        }
    };
    let channels = data.channels as i64;
    let spec = ModelSpec {
        version: 1,
        path,
        sample_path,
        prediction,
        time,
        shape: [channels, 28, 28],
        classes: Some(10),
        class_names: CLASS_NAMES.iter().map(ToString::to_string).collect(),
    };
    let mut task = Denoise::new(spec, network(channels), levels);
    if let Some(model) = init {
        task.start_from(model)?;
    }
    Ok(Box::new(task))
}

/// The built-in UNet: small enough to be trained on two cores in about two hours.
fn network(channels: i64) -> UNet2dConfig {
    let names = |list: [&str; 3]| list.iter().map(ToString::to_string).collect();
    UNet2dConfig {
        sample_size: Some(SampleSize::Square(28)),
        in_channels: channels,
        out_channels: channels,
        down_block_types: names(["DownBlock2D", "DownBlock2D", "AttnDownBlock2D"]),
        up_block_types: names(["AttnUpBlock2D", "UpBlock2D", "UpBlock2D"]),
        block_out_channels: vec![32, 48, 96],
        layers_per_block: 1,
        attention_head_dim: Some(32),
        norm_num_groups: 8,
        num_class_embeds: Some(11),
        ..UNet2dConfig::default()
    }
}
