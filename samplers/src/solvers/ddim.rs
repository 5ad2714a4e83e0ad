//! DDIM with the noise parameter eta.

use super::Solver;
use super::ancestral::{Split, Transfer, first_order};
use crate::spec::{Params, spec_text};
use crate::{Entry, Grid, Node, Plan, PlanBuilder, Result, Slot};

/// Registry entry.
pub(crate) const ENTRY: Entry = Entry {
    name: "ddim",
    family: "DDIM",
    summary: "exact for a constant prediction; eta=1 is ancestral sampling",
    params: "eta=0 (share of ancestral noise, 0 to 1)",
    order: 1,
    evals_per_step: 1,
    deterministic: true,
    reference: "Song, Meng, Ermon 2021, arXiv 2010.02502, eq. 12 and 16",
    build: |p| Ok(Box::new(Ddim::from_params(p)?)),
};

/// DDIM: order 1, one evaluation per step, deterministic for `eta` = 0.
///
/// Prefer it as the reference that everything else must beat, and with many steps and `eta` = 1 as DDPM. The step is
/// `x' = alpha' x0 + sqrt(sigma'^2 - s^2) eps + s z` with `s = eta sigma' sqrt(1 - e^(-2h))` (arXiv 2010.02502,
/// eq. 12 and 16). It is also DPM-Solver-1 and DPM-Solver++(1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ddim {
    /// Share of ancestral noise, 0 (none) to 1 (DDPM).
    pub eta: f64,
}

impl Ddim {
    fn from_params(p: &mut Params) -> Result<Self> {
        Ok(Self { eta: p.number("eta", 0.0, 0.0..=1.0)? })
    }

    /// Coefficients of the step.
    pub(crate) fn transfer(self, from: &Node, to: &Node) -> Transfer {
        Split::ancestral(from, to, self.eta).transfer(from, to)
    }
}

/// Adds the deterministic DDIM step through `x0`: the start of every method that needs a step from `alpha` = 0.
pub(super) fn step_through_x0(b: &mut PlanBuilder, from: &Node, to: &Node, x: Slot, x0: Slot) -> Slot {
    let step = Split { down: to.sigma, up: 0.0 }.transfer(from, to);
    b.lin(&[(step.keep, x), (step.pull, x0)])
}

impl Solver for Ddim {
    fn name(&self) -> String {
        spec_text("ddim", &[("eta", self.eta, 0.0)])
    }

    fn plan(&self, grid: &Grid) -> Result<Plan> {
        first_order(self.name(), grid, false, |from, to| Split::ancestral(from, to, self.eta))
    }

    fn evals(&self, steps: usize, _to_zero: bool) -> usize {
        steps
    }
}
