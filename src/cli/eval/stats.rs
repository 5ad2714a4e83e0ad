//! `fewstep eval stats`: statistics of pictures, kept for later.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use fewstep_eval::stats::files::{Stored, write_npz};

use super::options::Common;
use crate::cli::{Exit, note};
use crate::measure::{Input, Metric, Wanted};
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
    prove_writable(&args.output)?;
    let wanted = Wanted { moments: true, spatial: args.spatial, ..Wanted::default() };
    let inputs = [(Input::open(&args.images)?, wanted)];
    let Some(sides) = args.common.sides(&inputs)? else { return Ok(Exit::Interrupted) };
    for side in sides {
        let about = side.origin(Metric::Fid).clone();
        let n = about.n;
        let moments = side.moments.context("there are no moments")?;
        let bytes = write_npz(&Stored { moments, spatial: side.spatial, about })?;
        write_whole(&args.output, &bytes)?;
        let n = n.map_or_else(|| "an unknown number of".to_owned(), |n| n.to_string());
        note(&format!("statistics of {n} pictures are in `{}`", args.output.display()));
    }
    Ok(Exit::Done)
}

/// Fails at once, and not after hours of pictures, where [`write_whole`] would fail at the end: makes the file that it is
/// going to write, and takes it away again.
fn prove_writable(path: &Path) -> Result<()> {
    let shown = path.display();
    let Some(name) = path.file_name().filter(|_| !path.is_dir()) else {
        bail!("cannot write `{shown}`: it is a folder; name a file in it");
    };
    let mut name = name.to_owned();
    name.push(".partial");
    let beside = path.with_file_name(name);
    File::create(&beside)
        .and_then(|_| fs::remove_file(&beside))
        .with_context(|| format!("cannot write `{shown}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_written_is_found_out_and_nothing_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("old.npz"), "old").unwrap();
        for name in ["new.npz", "old.npz"] {
            prove_writable(&at(name)).unwrap();
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert_eq!(fs::read(at("old.npz")).unwrap(), b"old");
        for path in [at("missing/x.npz"), at(""), at("old.npz/x.npz"), "/".into()] {
            let error = prove_writable(&path).unwrap_err().to_string();
            assert!(error.contains("cannot write `"), "{error}");
        }
    }
}
