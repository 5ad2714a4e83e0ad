//! Options that several verbs share.

mod guidance;

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, Result, bail, ensure};
use fewstep_models::{Denoiser, ModelFolder, NetDenoiser};
use fewstep_samplers::{End, Grid, GridRule, Path, Plan, Solver};
use tch::Device;

use super::solver::too_few;
use crate::device::{DeviceChoice, Dtype};
use crate::guidance::{Guide, any_batch};

pub(super) use guidance::{GuidanceArgs, parse_scale, parse_scales, suit};

/// Which model, and where it runs.
#[derive(Debug, clap::Args)]
pub(super) struct ModelArgs {
    /// Built-in model (`fewstep models list`) or folder in the diffusers layout
    #[arg(short, long, default_value = "fmnist-edm", help_heading = "Model")]
    pub model: String,
    /// auto, cpu, cuda or cuda:N
    #[arg(long, default_value_t = DeviceChoice::Auto, help_heading = "System")]
    pub device: DeviceChoice,
    /// What the network's weights are rounded to; on a GPU and in libtorch, also what it computes in
    #[arg(long, value_enum, default_value = "f32", help_heading = "System")]
    pub dtype: Dtype,
    /// Batches to run side by side on a CPU [default: one a core]
    #[arg(long, help_heading = "System")]
    pub threads: Option<usize>,
    /// Images per network call
    #[arg(long, default_value_t = 16, help_heading = "System")]
    pub batch: usize,
}

impl ModelArgs {
    /// Opens the model's files; warns of settings that are not understood.
    pub(super) fn open(&self) -> Result<ModelFolder> {
        ensure!((1..=65_536).contains(&self.batch), "--batch {} must be between 1 and 65536", self.batch);
        let folder = ModelFolder::open(&self.model)?;
        if !folder.unknown_keys.is_empty() {
            super::warn(&format!(
                "`{}`: ignored in unet/config.json: {}",
                self.model,
                folder.unknown_keys.join(", ")
            ));
        }
        Ok(folder)
    }

    /// Images per network call, when `images` are to be made by so many workers: where the batch makes no difference, few
    /// images are shared out among all of them.
    pub(super) fn batch(
        &self,
        denoiser: &dyn Denoiser,
        guide: Option<&Guide>,
        images: usize,
        workers: usize,
    ) -> usize {
        if any_batch(denoiser, guide) { self.batch.min(images.div_ceil(workers)).max(1) } else { self.batch }
    }

    /// Puts the network on its device; gives the number of batches to run side by side too.
    pub(super) fn load(&self, folder: &ModelFolder) -> Result<(NetDenoiser, Device, usize)> {
        let device = self.device.resolve()?;
        let threads = super::set_threads(self.threads)?;
        // On a CPU, one batch a core beats one batch on all cores, by far where the cores are busy otherwise (figures in
        // docs/architecture.md). It also makes a picture independent of the thread count. A GPU is one worker.
        let workers = if device == Device::Cpu { threads } else { 1 };
        if device == Device::Cpu {
            tch::set_num_threads(1);
        }
        let denoiser = folder.load(device, self.dtype.kind())?;
        if let (Device::Cpu, Some(reason)) = (device, denoiser.in_libtorch()) {
            super::note(&format!("the network runs in libtorch: {reason}"));
        }
        Ok((denoiser, device, workers))
    }
}

/// Where the steps stand.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Steps")]
pub(super) struct GridArgs {
    /// Take solvers as schedulers of diffusers 0.42.1, faults included (docs/diffusers.md), and vp-linear as their table; as
    /// writing `diffusers/` before each name with --path ddpm
    #[arg(long, value_name = "LIBRARY", value_parser = ["diffusers"], conflicts_with_all = ["grid", "t_max", "t_min", "end"])]
    pub compat: Option<String>,
    /// Path from noise to data, as `vp-linear` or `edm:sigma_max=50` (`fewstep grids` lists them) [default: the model's, in
    /// `plan` vp-linear]
    #[arg(long)]
    pub path: Option<Path>,
    /// Step grid, as `power-t:k=2` or `uniform-t:shift=3` (`fewstep grids` lists them), or a list: times as `1,0.5,0.001`,
    /// levels as `sigmas=14.6,2.7,0.03` (sigma/alpha, on the flow path t itself), `lambdas=...` [default: what suits the path]
    #[arg(long, allow_hyphen_values = true)]
    pub grid: Option<GridRule>,
    /// First time of the grid [default: the path's]
    #[arg(long, allow_negative_numbers = true)]
    pub t_max: Option<f64>,
    /// Last time of the grid before sigma = 0 [default: the path's]
    #[arg(long, allow_negative_numbers = true)]
    pub t_min: Option<f64>,
    /// Where the last step ends, t-min or zero noise [default: what the grid does]
    #[arg(long, value_name = "t-min|zero", value_parser = parse_end)]
    pub end: Option<End>,
}

fn parse_end(text: &str) -> Result<End, String> {
    match text {
        "t-min" => Ok(End::TMin),
        "zero" => Ok(End::Zero),
        _ => Err("expected t-min or zero".to_owned()),
    }
}

/// A number of steps or evaluations; which ones are possible is said later.
pub(super) fn parse_count(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| "give a whole number, 1 or more".to_owned())
}

/// A share of the steps.
pub(super) fn parse_strength(text: &str) -> Result<f64, String> {
    let value = text.parse().ok().filter(|v| *v > 0.0 && *v <= 1.0);
    value.ok_or_else(|| "give a number above 0 and at most 1".to_owned())
}

/// How much to spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Budget {
    /// So many steps.
    Steps(usize),
    /// So many network evaluations, as far as the solver can use them up.
    Nfe(usize),
}

impl Budget {
    /// Refuses a number of evaluations that is beyond use.
    pub(super) fn check(self) -> Result<()> {
        const MOST: usize = 100_000;
        if let Self::Nfe(nfe) = self {
            ensure!(nfe > 0, "0 network evaluations make no picture; ask for at least 1");
            ensure!(nfe <= MOST, "--nfe {nfe} is beyond use; ask for at most {MOST}");
        }
        Ok(())
    }
}

impl GridArgs {
    /// The path to sample along: the user's, or else `default`.
    pub(super) fn path(&self, default: &Path) -> Path {
        let path = self.path.as_ref().unwrap_or(default);
        // Schedulers of diffusers know this path as a table.
        if self.compat.is_some() && *path == Path::vp_linear() { Path::ddpm() } else { path.clone() }
    }

    /// The solver where none is named.
    pub(super) fn default_solver(&self) -> &'static str {
        if self.compat.is_some() { "deis" } else { "deis-tab3" }
    }

    /// The solvers to compare where none is named.
    pub(super) fn default_solvers(&self) -> &'static str {
        if self.compat.is_some() {
            "ddim,heun,dpmsolver-multistep,deis"
        } else {
            "ddim,heun,dpmpp-2m,deis-tab3"
        }
    }

    /// Whether anything is said of where the steps stand.
    pub(super) fn places_steps(&self) -> bool {
        self.grid.is_some() || self.t_max.is_some() || self.t_min.is_some() || self.end.is_some()
    }

    fn rule(&self, path: &Path) -> GridRule {
        self.grid.clone().unwrap_or_else(|| GridRule::default_for(path))
    }

    fn grid(&self, path: &Path, steps: usize) -> Result<Grid> {
        Ok(self.rule(path).grid(path, steps, self.t_max, self.t_min, self.end)?)
    }

    /// Steps where nobody says how many: those of a list, or else 10.
    pub(super) fn default_steps(&self, path: &Path) -> usize {
        self.rule(path).fixed_steps(path, self.end).unwrap_or(10)
    }

    /// Compiles `solver` on the last part of this grid. `strength` is the share of its steps to run, the last ones; the
    /// budget pays for those in NFE, for all of them in steps.
    pub(super) fn plan(
        &self,
        solver: &dyn Solver,
        path: &Path,
        budget: Budget,
        strength: f64,
    ) -> Result<Plan> {
        budget.check()?;
        let plan = self.within(solver, path, budget, strength)?;
        let Budget::Nfe(nfe) = budget else { return plan.context("a grid of steps has a plan") };
        let within = |nfe| self.within(solver, path, Budget::Nfe(nfe), strength);
        let plan = plan.ok_or_else(|| too_few(&solver.name(), nfe, within))?;
        ensure!(
            plan.nfe() <= nfe,
            "on this grid, whose {} steps are listed, `{}` takes {} evaluations, more than --nfe {nfe}; leave --nfe out",
            plan.steps,
            solver.name(),
            plan.nfe()
        );
        Ok(plan)
    }

    /// The same; nothing where not even one step is within the budget. A grid that is a list is taken as it is.
    pub(super) fn within(
        &self,
        solver: &dyn Solver,
        path: &Path,
        budget: Budget,
        strength: f64,
    ) -> Result<Option<Plan>> {
        let nfe = match (budget, self.rule(path).fixed_steps(path, self.end)) {
            (Budget::Steps(n), _) | (Budget::Nfe(_), Some(n)) => {
                return Ok(Some(solver.plan(&self.steps(path, n, strength)?)?));
            }
            (Budget::Nfe(nfe), None) => nfe,
        };
        // Whether a grid ends at zero does not depend on its length.
        let to_zero = self.grid(path, 2)?.to_zero();
        let packed = solver.packed(nfe, to_zero);
        let solver = packed.as_deref().unwrap_or(solver);
        let Some(kept) = solver.steps_for_nfe(nfe, to_zero) else { return Ok(None) };
        let all = ((kept as f64 / strength).round() as usize).max(kept);
        Ok(Some(solver.plan(&self.grid(path, all)?.from_step(all - kept)?)?))
    }

    /// The last part of a grid of `steps` steps: `strength` is the share of them to keep.
    pub(super) fn steps(&self, path: &Path, steps: usize, strength: f64) -> Result<Grid> {
        Ok(self.grid(path, steps)?.for_strength(strength)?)
    }
}

/// A comma list of one kind of value.
pub(super) fn parse_list<T: FromStr>(text: &str, what: &str) -> Result<Vec<T>> {
    text.split(',')
        .map(|part| part.trim().parse().ok().with_context(|| format!("`{part}` in `{text}` is not {what}")))
        .collect()
}

/// Image numbers: `0-63,100`. Each may stand there once.
pub(super) fn parse_seeds(text: &str) -> Result<Vec<u64>> {
    const MOST: usize = 10_000_000;
    let number = |s: &str| {
        s.trim()
            .parse::<u64>()
            .ok()
            .with_context(|| format!("`{s}` in seeds `{text}` is not a whole number; write as 0-63,100"))
    };
    let mut seeds = Vec::new();
    for part in text.split(',') {
        let (first, last) = match part.split_once('-') {
            Some((a, b)) => (number(a)?, number(b)?),
            None => (number(part)?, number(part)?),
        };
        ensure!(first <= last, "the range `{part}` in seeds `{text}` runs backwards");
        ensure!(
            (last - first) < MOST as u64 && seeds.len() < MOST,
            "seeds `{text}`: at most {MOST} images a run"
        );
        seeds.extend(first..=last);
    }
    let mut sorted = seeds.clone();
    sorted.sort_unstable();
    if let Some(twice) = sorted.array_windows().find(|[a, b]| a == b).map(|[a, _]| a) {
        bail!("seed {twice} stands twice in `{text}`; each seed is one picture");
    }
    Ok(seeds)
}

/// A class by number or by name.
pub(super) fn parse_class(text: &str, classes: Option<i64>, names: &[String]) -> Result<i64> {
    let count =
        classes.with_context(|| format!("--class {text}: the model is unconditional and takes none"))?;
    if let Some(at) = names.iter().position(|name| name.eq_ignore_ascii_case(text)) {
        return Ok(at as i64);
    }
    let known = if names.is_empty() {
        format!("0 to {}", count - 1)
    } else {
        format!("0 to {}, or {}", count - 1, names.join(", "))
    };
    text.parse::<i64>()
        .ok()
        .filter(|n| (0..count).contains(n))
        .with_context(|| format!("no class `{text}`; classes are {known}"))
}

/// Creates a folder for output.
pub(super) fn create_dir(dir: &PathBuf) -> Result<()> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot create the folder `{}`", dir.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds() {
        assert_eq!(parse_seeds("0-3,7").unwrap(), [0, 1, 2, 3, 7]);
        for (bad, says) in [
            ("", "not a whole number"),
            ("3-1", "backwards"),
            ("1,0-2", "twice"),
            ("a", "not a whole"),
            ("0-99999999999", "at most"),
        ] {
            let error = parse_seeds(bad).unwrap_err().to_string();
            assert!(error.contains(says), "{bad}: {error}");
        }
    }

    #[test]
    fn classes() {
        let names = ["bag".to_owned(), "dress".to_owned()];
        assert_eq!(parse_class("Dress", Some(2), &names).unwrap(), 1);
        assert_eq!(parse_class("0", Some(2), &names).unwrap(), 0);
        assert!(parse_class("2", Some(2), &names).unwrap_err().to_string().contains("bag, dress"));
        assert!(parse_class("0", None, &[]).is_err());
    }
}
