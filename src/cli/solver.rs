//! Everything that may stand after `--solver`.

use anyhow::{Result, anyhow, bail, ensure};
use fewstep_samplers::compat::diffusers;
use fewstep_samplers::dynamic::{Dynamic, dynamic_registry, dynamic_solver};
use fewstep_samplers::{Path, Plan, Solver, registry, solver, unknown};

use super::note;
use super::options::{Budget, GridArgs};
use crate::pipeline::Program;

/// What stands before the name of a scheduler of diffusers, here and in its plans.
const DIFFUSERS: &str = "diffusers/";

/// A solver by its specification.
pub(super) enum AnySolver {
    /// Compiles to a plan on any grid.
    Static(Box<dyn Solver>),
    /// Chooses its steps as it goes.
    Dynamic(Dynamic),
    /// A scheduler of diffusers, which brings its own grid.
    Diffusers(String),
}

/// Says so where a budget of evaluations is not used up.
pub(super) fn note_unspent(plan: &Plan, nfe: Option<usize>) {
    if let Some(nfe) = nfe.filter(|nfe| *nfe != plan.nfe()) {
        let (solver, spent) = (&plan.solver, plan.nfe());
        note(&format!("`{solver}` cannot spend exactly {nfe} evaluations here; it spends {spent}"));
    }
}

impl AnySolver {
    /// Reads one specification.
    pub(super) fn parse(spec: &str, grid: &GridArgs) -> Result<Self> {
        let spec = spec.trim();
        if let Some(scheduler) = spec.strip_prefix(DIFFUSERS) {
            return Ok(Self::Diffusers(scheduler.to_owned()));
        }
        if grid.compat.is_some() {
            return Ok(Self::Diffusers(spec.to_owned()));
        }
        let name = spec.split(':').next().unwrap_or_default();
        let dynamic = dynamic_registry().iter().map(|entry| entry.name);
        if dynamic.clone().any(|known| known == name) {
            return Ok(Self::Dynamic(dynamic_solver(spec)?));
        }
        ensure!(
            !spec.contains(','),
            "`{spec}` lists several solvers; give one, or compare them with `fewstep bench`"
        );
        if registry().iter().all(|entry| entry.name != name) {
            return Err(unknown("solver", name, registry().iter().map(|e| e.name).chain(dynamic)).into());
        }
        Ok(Self::Static(solver(spec)?))
    }

    /// What it is called in plans.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Static(solver) => solver.name(),
            Self::Dynamic(solver) => solver.name(),
            Self::Diffusers(scheduler) => format!("{DIFFUSERS}{scheduler}"),
        }
    }

    /// Its plan; `strength` as in [`GridArgs::plan`].
    pub(super) fn plan(&self, grid: &GridArgs, path: &Path, budget: Budget, strength: f64) -> Result<Plan> {
        match self {
            Self::Static(solver) => grid.plan(&**solver, path, budget, strength),
            Self::Diffusers(scheduler) => {
                ensure!(
                    strength >= 1.0,
                    "`{}` starts from pure noise only; leave --init-image and --strength out",
                    self.name()
                );
                self.refuse_grid(grid)?;
                match budget {
                    Budget::Steps(steps) => Ok(diffusers::plan(scheduler, path, steps)?),
                    Budget::Nfe(nfe) => {
                        let within = |nfe| diffusers_within(scheduler, path, nfe);
                        within(nfe)?.ok_or_else(|| too_few(&self.name(), nfe, within))
                    }
                }
            }
            Self::Dynamic(_) => {
                bail!(
                    "`{}` has no plan, as its steps depend on what the network says; run it with `generate`",
                    self.name()
                )
            }
        }
    }

    /// Refuses a grid beside a scheduler's own.
    fn refuse_grid(&self, grid: &GridArgs) -> Result<()> {
        ensure!(
            !grid.places_steps(),
            "`{}` brings its own grid; leave --grid, --t-max, --t-min and --end out",
            self.name()
        );
        Ok(())
    }

    /// The plan that spends exactly `nfe` evaluations, if there is one.
    pub(super) fn exactly(&self, grid: &GridArgs, path: &Path, nfe: usize) -> Result<Option<Plan>> {
        let plan = match self {
            Self::Static(solver) => grid.within(&**solver, path, Budget::Nfe(nfe), 1.0)?,
            Self::Diffusers(scheduler) => {
                self.refuse_grid(grid)?;
                diffusers_within(scheduler, path, nfe)?
            }
            Self::Dynamic(_) => Some(self.plan(grid, path, Budget::Nfe(nfe), 1.0)?),
        };
        Ok(plan.filter(|plan| plan.nfe() == nfe))
    }

    /// What makes images, if it is more than a plan.
    pub(super) fn program(
        &self,
        grid: &GridArgs,
        path: &Path,
        budget: Budget,
        strength: f64,
    ) -> Result<Program> {
        let Self::Dynamic(solver) = self else {
            return Ok(Program::Plan(self.plan(grid, path, budget, strength)?));
        };
        let Budget::Steps(steps) = budget else {
            bail!("`{}` finds out on the way how many evaluations it needs; leave --nfe out", solver.name())
        };
        Ok(Program::Dynamic { solver: *solver, grid: grid.steps(path, steps, strength)? })
    }
}

/// The plan of a scheduler with the most steps that `nfe` evaluations pay for; nothing where one step costs more.
fn diffusers_within(scheduler: &str, path: &Path, nfe: usize) -> Result<Option<Plan>> {
    // Single step counts crash there, and the next smaller one will do; where more do, the settings are to blame.
    const CRASHES: usize = 3;
    Budget::Nfe(nfe).check()?;
    // A table has no more steps than rows; where there is none, that of the scheduler has a thousand.
    let most = nfe.min(path.rows().unwrap_or(1000));
    let (mut first, mut crashes, mut dear) = (None, 0, false);
    for steps in (1..=most).rev() {
        match diffusers::plan(scheduler, path, steps) {
            Ok(plan) if plan.nfe() <= nfe => return Ok(Some(plan)),
            Ok(_) => dear = true,
            Err(error) => {
                first.get_or_insert(error);
                crashes += 1;
                if crashes > CRASHES {
                    break;
                }
            }
        }
    }
    match first {
        Some(error) if !dear => Err(error.into()),
        _ => Ok(None),
    }
}

/// That `nfe` evaluations are too few for a solver, and how many are not; `within` gives the plan of a budget.
pub(super) fn too_few(
    solver: &str,
    nfe: usize,
    within: impl Fn(usize) -> Result<Option<Plan>>,
) -> anyhow::Error {
    const FAR: usize = 1000;
    match (nfe + 1..=nfe + FAR).find(|nfe| matches!(within(*nfe), Ok(Some(_)))) {
        Some(least) => anyhow!("`{solver}` takes at least {least} evaluations here; raise --nfe from {nfe}"),
        None => anyhow!("`{solver}` needs more than {nfe} evaluations; raise --nfe"),
    }
}
