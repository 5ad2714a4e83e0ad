//! `fewstep eval stats`: statistics of pictures, kept for later.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use fewstep_eval::stats::files::{Stored, write_npz};

use super::options::Common;
use crate::cli::{Exit, note};
use crate::measure::{Input, Wanted};
use crate::output::write_whole;

/// Mean and covariance of features, in the npz format that pytorch-fid and others read
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder, zip, npz or npy batch, idx file
    images: String,
    /// The file to write
    #[arg(short, value_name = "FILE")]
    output: PathBuf,
    /// Spatial features too (`mu_s`, `sigma_s`), for sFID
    #[arg(long)]
    spatial: bool,
    #[command(flatten)]
    common: Common,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    let wanted = Wanted { moments: true, spatial: args.spatial, ..Wanted::default() };
    let inputs = [(Input::open(&args.images)?, wanted)];
    let Some(sides) = args.common.sides(&inputs)? else { return Ok(Exit::Interrupted) };
    for side in sides {
        let moments = side.moments.context("there are no moments")?;
        let bytes = write_npz(&Stored { moments, spatial: side.spatial, about: side.about.clone() })?;
        write_whole(&args.output, &bytes)?;
        let n = side.about.n.map_or_else(|| "an unknown number of".to_owned(), |n| n.to_string());
        note(&format!("statistics of {n} pictures are in `{}`", args.output.display()));
    }
    Ok(Exit::Done)
}
