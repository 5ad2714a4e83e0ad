//! Options that the verbs of `eval` share.

use std::cell::Cell;
use std::path::PathBuf;

use anyhow::{Result, bail};
use fewstep_eval::feature::inception::Protocol;
use indicatif::ProgressBar;

use crate::cli::{bar, note, set_threads, warn};
use crate::measure::{Extractor, FeatureSpace, Input, Means, Options, Side, Wanted};

/// Which network looks at the pictures, and how.
#[derive(Debug, clap::Args)]
pub(super) struct Common {
    /// Inception weights: `pt_inception-2015-12-05-6726825d.pth`, or the same as safetensors
    #[arg(long, value_name = "FILE", conflicts_with = "extractor")]
    weights: Option<PathBuf>,
    /// Take weights of another hash; the values then compare with those of the same file only
    #[arg(long, requires = "weights", conflicts_with = "extractor")]
    any_weights: bool,
    /// A built-in network instead; its values are called FD, KD and CS
    #[arg(long, value_enum)]
    extractor: Option<FeatureSpace>,
    /// How pictures are brought to 299x299: tf1 (TTUR, ADM, torch-fidelity, EDM), torch (pytorch-fid), clean (clean-fid)
    #[arg(long, value_name = "NAME", default_value = "tf1")]
    protocol: Protocol,
    /// The first so many pictures of each side, in the order of a folder's manifest, else in natural order of their names
    #[arg(short, value_name = "N", value_parser = clap::value_parser!(u64).range(2..))]
    pub(super) n: Option<u64>,
    /// Pictures handed to a worker at a time; no value depends on it
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=4096))]
    batch: u32,
    /// Networks side by side, one thread each [default: one a core]; no value depends on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    workers: Option<u32>,
    /// Keep features in DIR and go on from what is there: after an interruption, or with the next command
    #[arg(long, value_name = "DIR")]
    resume: Option<PathBuf>,
    /// Print JSON, one object a line
    #[arg(long)]
    pub(super) json: bool,
}

impl Common {
    /// Brings in the sides. `None` if the user asked to stop.
    ///
    /// # Errors
    /// If a network is needed and none was given, or a side cannot be brought in.
    pub(super) fn sides(&self, inputs: &[(Input, Wanted)]) -> Result<Option<Vec<Side>>> {
        // Linear algebra has the threads of the machine whatever `--workers` says, as its last bits depend on them.
        let cores = set_threads(None)?;
        let workers = self.workers.map_or(cores, |n| n as usize);
        let needed = inputs.iter().find(|(input, wanted)| input.needs_network(*wanted));
        let extractor = match needed {
            Some((input, _)) => Some(self.network(input)?),
            // The built-in reference has statistics for each of these.
            None => self.extractor.map(Extractor::builtin).transpose()?,
        };
        let extractor = extractor.as_ref();
        let (mut order, mut remarks) = (Vec::new(), Vec::new());
        for (place, (input, wanted)) in inputs.iter().enumerate() {
            if self.n.is_some() && input.is_whole(*wanted) {
                remarks.push(whole(place, input, *wanted)?);
            }
            input.suits(*wanted, self.n, extractor)?;
            order.push((place, input.pictures(*wanted, self.n)?));
        }
        // What only has to be read comes before pictures, which may take hours: then it is known to be sound.
        order.sort_by_key(|(_, pictures)| *pictures > 0);
        let progress = Progress::new(order.iter().map(|(_, pictures)| pictures).sum());
        let mut sides = Vec::new();
        for (place, pictures) in order {
            let (input, wanted) = &inputs[place];
            let told = |done| progress.at(done);
            let options = Options { batch: self.batch as usize, workers, progress: &told };
            let means = Means { extractor, limit: self.n, state: self.resume.as_deref(), options };
            let Some(side) = input.side(*wanted, means)? else {
                progress.bar.abandon();
                match &self.resume {
                    Some(dir) => note(&format!("stopped; the same command goes on from `{}`", dir.display())),
                    None => note("stopped; with `--resume DIR` a run can go on where it stopped"),
                }
                return Ok(None);
            };
            progress.next(pictures);
            sides.push((place, side));
        }
        sides.sort_by_key(|(place, _)| *place);
        let sides: Vec<Side> = sides.into_iter().map(|(_, side)| side).collect();
        progress.bar.finish_and_clear();
        for remark in remarks.iter().chain(sides.iter().flat_map(|side| &side.remarks)) {
            note(remark);
        }
        Ok(Some(sides))
    }

    fn network(&self, input: &Input) -> Result<Extractor> {
        match (&self.weights, self.extractor) {
            (Some(file), _) => {
                let extractor = Extractor::inception(file, self.protocol, self.any_weights)?;
                if self.any_weights {
                    let text =
                        "is not checked against the published weights; its values compare with its own only";
                    warn(&format!("`{}` {text}", file.display()));
                }
                Ok(extractor)
            }
            (None, Some(which)) => Extractor::builtin(which),
            (None, None) => {
                let name = input.name();
                bail!(
                    "`{name}` needs a network; give `--weights FILE` for FID, or `--extractor fmnist-cnn` for FD"
                )
            }
        }
    }
}

/// What is to be said where `-n` meets a mean and covariance.
///
/// # Errors
/// For samples, the first of which are meant. A reference is as it is: `-n` then counts off the rest alone.
fn whole(place: usize, input: &Input, wanted: Wanted) -> Result<String> {
    let name = input.name();
    if place == 0 {
        bail!("`{name}` holds mean and covariance of all its pictures; leave out `-n`, or give pictures");
    }
    let text = format!("`{name}` is taken whole, whatever `-n` says: it holds mean and covariance");
    let pictures = input.needs_network(wanted);
    Ok(if pictures { format!("{text}; of the pictures beside them the first are taken") } else { text })
}

/// A bar over all sides.
struct Progress {
    bar: ProgressBar,
    before: Cell<u64>,
}

impl Progress {
    fn new(total: u64) -> Self {
        let bar = bar(total, "{bar:30} {pos}/{len} pictures, {per_sec}, {eta} left");
        if total == 0 {
            bar.set_draw_target(indicatif::ProgressDrawTarget::hidden());
        }
        Self { bar, before: Cell::new(0) }
    }

    /// So many pictures of the present side are done.
    fn at(&self, done: u64) {
        self.bar.set_position(self.before.get() + done);
    }

    /// A side of `n` pictures is done.
    fn next(&self, n: u64) {
        self.before.set(self.before.get() + n);
    }
}
