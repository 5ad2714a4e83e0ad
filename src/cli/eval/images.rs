//! `fewstep eval fid`, `kid`, `is`, …, and `eval images` for several at once.

use anyhow::{Result, bail};
use fewstep_eval::metrics::Neighbours;

use super::options::Common;
use crate::cli::{Exit, print};
use crate::measure::{Input, Metric, Settings, Wanted, foresee, measure};

/// Samples and a reference.
#[derive(Debug, clap::Args)]
pub(super) struct Pair {
    /// Folder, zip, npz or npy batch, idx file; for Fréchet distances also statistics (npz)
    samples: String,
    /// The same, or `fmnist-train` or `fmnist-colour-train`, the training sets of the built-in networks
    reference: String,
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    tuning: Tuning,
}

/// Samples alone.
#[derive(Debug, clap::Args)]
pub(super) struct Single {
    /// Folder, zip, npz or npy batch, idx file
    samples: String,
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    tuning: Tuning,
}

/// Several metrics from one run of the network
#[derive(Debug, clap::Args)]
pub(super) struct Several {
    /// Folder, zip, npz or npy batch, idx file
    samples: String,
    /// The same; not needed for `is` alone
    reference: Option<String>,
    /// Some of fid, sfid, kid, is, pr, dc
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "fid,kid,is,pr,dc")]
    metrics: Vec<Metric>,
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    tuning: Tuning,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Settings of the metrics")]
struct Tuning {
    /// Blocks of KID
    #[arg(long, value_name = "N", default_value_t = Settings::default().kid_blocks as u32, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    kid_subsets: u32,
    /// Pictures a block, or all there are if fewer
    #[arg(long, value_name = "N", default_value_t = Settings::default().kid_size as u32, value_parser = parse_block)]
    kid_subset_size: u32,
    /// Parts of the Inception Score
    #[arg(long, value_name = "N", default_value_t = Settings::default().splits as u32, value_parser = clap::value_parser!(u32).range(1..))]
    splits: u32,
    /// Seed of the draws of KID and Inception Score
    #[arg(long, value_name = "N", default_value_t = Settings::default().seed)]
    seed: u32,
    /// Neighbours in precision and recall
    #[arg(long, value_name = "K", default_value_t = Settings::default().neighbours.precision, value_parser = clap::value_parser!(u32).range(1..))]
    pr_k: u32,
    /// Neighbours in density and coverage
    #[arg(long, value_name = "K", default_value_t = Settings::default().neighbours.density, value_parser = clap::value_parser!(u32).range(1..))]
    dc_k: u32,
}

/// Pictures a block of KID.
fn parse_block(text: &str) -> Result<u32, String> {
    match text.parse::<u32>() {
        Ok(0 | 1) => Err("a block compares its pictures with each other; give at least 2".to_owned()),
        Ok(size) => Ok(size),
        Err(_) => Err("it is no whole number of pictures; give at least 2".to_owned()),
    }
}

pub(super) fn pair(metric: Metric, args: &Pair) -> Result<Exit> {
    run(&[metric], &args.samples, Some(&args.reference), &args.common, &args.tuning)
}

pub(super) fn single(metric: Metric, args: &Single) -> Result<Exit> {
    run(&[metric], &args.samples, None, &args.common, &args.tuning)
}

pub(super) fn several(args: &Several) -> Result<Exit> {
    let compares = args.metrics.iter().find(|metric| metric.compares());
    if let (Some(metric), None) = (compares, &args.reference) {
        bail!("`{metric}` compares with a reference; give it after the samples, or choose `--metrics is`");
    }
    run(&args.metrics, &args.samples, args.reference.as_deref(), &args.common, &args.tuning)
}

fn run(
    metrics: &[Metric],
    samples: &str,
    reference: Option<&str>,
    common: &Common,
    tuning: &Tuning,
) -> Result<Exit> {
    let mut inputs = vec![(Input::open(samples)?, all(metrics, 0))];
    if let Some(reference) = reference {
        inputs.push((Input::open(reference)?, all(metrics, 1)));
    }
    let settings = Settings {
        kid_blocks: tuning.kid_subsets as usize,
        kid_size: tuning.kid_subset_size as usize,
        seed: tuning.seed,
        splits: tuning.splits as usize,
        neighbours: Neighbours { precision: tuning.pr_k, density: tuning.dc_k },
    };
    foresee(metrics, &inputs[0].0, inputs.get(1).map(|(input, _)| input), common.n, settings)?;
    let Some(sides) = common.sides(&inputs)? else { return Ok(Exit::Interrupted) };
    for value in measure(metrics, &sides[0], sides.get(1), settings)? {
        print(&if common.json { value.json().to_string() } else { value.line() });
    }
    Ok(Exit::Done)
}

/// What all metrics together want of a side.
fn all(metrics: &[Metric], side: usize) -> Wanted {
    let wanted = metrics.iter().map(|metric| metric.wanted()[side]);
    wanted.fold(Wanted::default(), Wanted::and)
}
