//! Euler ancestral.

use super::super::Solver;
use super::{Noise, PARAMS, first_order};
use crate::{Entry, Grid, Plan, Result};

/// Registry entry.
pub(crate) const ENTRY: Entry = Entry {
    name: "euler-a",
    family: "Ancestral",
    summary: "Euler below the next level, then noise up to it; the same numbers as ddim with the same eta",
    params: PARAMS,
    order: 1,
    evals_per_step: 1,
    deterministic: false,
    reference: "Song, Meng, Ermon 2021, arXiv 2010.02502, eq. 12 and 16; SDE-DPM-Solver++(1): arXiv 2211.01095",
    build: |p| Ok(Box::new(EulerA(Noise::from_params(p)?))),
};

/// Euler ancestral: order 1, one evaluation per step, stochastic.
///
/// With `rho = sigma / alpha`, an Euler step goes to `rho_down = sqrt(rho'^2 - rho_up^2)`, `rho_up = eta rho'
/// sqrt(1 - rho'^2 / rho^2)`, and noise of the size `s_noise rho_up` raises the level to `rho'`. With `eta` = 1 this is
/// [`ddpm`](super::Ddpm) with the small variance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EulerA(pub Noise);

impl Solver for EulerA {
    fn name(&self) -> String {
        self.0.name("euler-a")
    }

    fn plan(&self, grid: &Grid) -> Result<Plan> {
        first_order(self.name(), grid, false, |from, to| self.0.split(from, to))
    }

    fn evals(&self, steps: usize, _to_zero: bool) -> usize {
        steps
    }
}
