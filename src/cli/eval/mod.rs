//! `fewstep eval`: metrics of pictures that exist, and of the built-in metrics themselves.

mod convert;
mod extractor;
mod images;
mod options;
mod stats;

use anyhow::Result;
use clap::Subcommand;

use super::Exit;
use crate::measure::Metric;

/// Measure pictures you have: FID, KID, Inception Score, precision and recall
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Fréchet distance (FID with `--weights`, FD with `--extractor`) of samples to a reference
    Fid(images::Pair),
    /// Fréchet distance of spatial features (sFID)
    Sfid(images::Pair),
    /// Kernel distance (KID)
    Kid(images::Pair),
    /// Inception Score of samples
    Is(images::Single),
    /// Precision and recall
    Pr(images::Pair),
    /// Density and coverage
    Dc(images::Pair),
    Images(images::Several),
    Stats(stats::Args),
    Convert(convert::Args),
    Extractor(extractor::Args),
}

/// # Errors
/// Those of the verb.
pub(super) fn run(args: &Args) -> Result<Exit> {
    match &args.what {
        What::Fid(pair) => images::pair(Metric::Fid, pair),
        What::Sfid(pair) => images::pair(Metric::Sfid, pair),
        What::Kid(pair) => images::pair(Metric::Kid, pair),
        What::Is(single) => images::single(Metric::Is, single),
        What::Pr(pair) => images::pair(Metric::Pr, pair),
        What::Dc(pair) => images::pair(Metric::Dc, pair),
        What::Images(several) => images::several(several),
        What::Stats(args) => stats::run(args),
        What::Convert(args) => convert::run(args),
        What::Extractor(args) => extractor::run(args),
    }
}
