//! `fewstep eval convert`: statistics of other programs into one format.

use std::path::PathBuf;

use anyhow::{Result, bail};
use fewstep_eval::stats::files::{StatisticsFile, write_npz};

use crate::cli::{Exit, note};
use crate::output::write_whole;

/// Statistics files of other programs to `mu` and `sigma`: TTUR, pytorch-fid, clean-fid, EDM, guided-diffusion, score_sde
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// An npz file with `mu` and `sigma`, or with features in `pool_3` or `feats`
    input: PathBuf,
    /// The file to write
    #[arg(short, value_name = "FILE")]
    output: PathBuf,
    /// Say how many pictures it is about, where the file does not
    #[arg(short, value_name = "N", value_parser = clap::value_parser!(u64).range(2..))]
    n: Option<u64>,
    /// Say which protocol it was made with, where the file does not
    #[arg(long, value_name = "NAME")]
    protocol: Option<fewstep_eval::feature::inception::Protocol>,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    let name = args.input.display();
    let Some(file) = StatisticsFile::look(&args.input)? else {
        bail!("`{name}` holds no statistics; give an npz with `mu` and `sigma`, `pool_3` or `feats`");
    };
    let mut stored = file.read()?;
    let protocol = args.protocol.map(|p| p.to_string());
    for (what, stored, given) in [
        ("`-n`", stored.about.n.map(|n| n.to_string()), args.n.map(|n| n.to_string())),
        ("`--protocol`", stored.about.protocol.clone(), protocol.clone()),
    ] {
        if let (Some(stored), Some(given)) = (stored, given)
            && stored != given
        {
            bail!("{what} is `{given}`, but `{name}` says `{stored}`; leave it out");
        }
    }
    stored.about.n = stored.about.n.or(args.n);
    stored.about.protocol = stored.about.protocol.or(protocol);
    write_whole(&args.output, &write_npz(&stored)?)?;
    let n = stored.about.n.map_or_else(|| "an unknown number of".to_owned(), |n| n.to_string());
    note(&format!("statistics of {n} pictures are in `{}`", args.output.display()));
    Ok(Exit::Done)
}
