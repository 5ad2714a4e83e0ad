//! Heun's method with the optional churn of EDM.

use std::f64::consts::SQRT_2;

use super::Solver;
use super::ancestral::raise;
use super::runge_kutta::{HEUN_2, step};
use crate::spec::Params;
use crate::{Entry, Grid, Node, Plan, PlanBuilder, Result, Slot};

/// Registry entry.
pub(crate) const ENTRY: Entry = Entry {
    name: "heun",
    family: "Runge-Kutta",
    summary: "Heun's method of EDM; s_churn>0 adds noise before each step",
    params: "s_churn=0 (0 or more), s_min=0, s_max=inf (noise levels with churn), s_noise=1 (0 to 2)",
    order: 2,
    evals_per_step: 2,
    deterministic: true,
    reference: "Karras et al. 2022, arXiv 2206.00364, algorithms 1 and 2",
    build: |p| Ok(Box::new(Heun::from_params(p)?)),
};

/// Heun (trapezoidal corrector): order 2, two evaluations per step, deterministic for `s_churn` = 0.
///
/// In the coordinates of [`RungeKutta`](super::runge_kutta::RungeKutta). The step into `sigma` = 0 is an Euler step, as the slope
/// there is undefined, so that N steps to zero cost 2N - 1 evaluations. Prefer it where many evaluations are
/// affordable; below about ten the multistep methods are far better. The noise of churn is drawn anew in every step: with
/// another number of steps it is another path, not the same one refined.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heun {
    /// Total churn, at least 0: each step raises its noise level by the factor `1 + min(s_churn / N, sqrt 2 - 1)`.
    pub s_churn: f64,
    /// Lowest noise level (`sigma / alpha`) with churn.
    pub s_min: f64,
    /// Highest noise level with churn.
    pub s_max: f64,
    /// Standard deviation of the churn noise, about 1.
    pub s_noise: f64,
}

impl Default for Heun {
    fn default() -> Self {
        Self { s_churn: 0.0, s_min: 0.0, s_max: f64::INFINITY, s_noise: 1.0 }
    }
}

impl Heun {
    fn from_params(p: &mut Params) -> Result<Self> {
        let d = Self::default();
        Ok(Self {
            s_churn: p.number("s_churn", d.s_churn, 0.0..=1e6)?,
            s_min: p.number("s_min", d.s_min, 0.0..=1e6)?,
            s_max: p.number("s_max", d.s_max, 0.0..=f64::INFINITY)?,
            s_noise: p.number("s_noise", d.s_noise, 0.0..=2.0)?,
        })
    }

    /// Raises the noise level before step `i`; returns the state with its node and the node's index.
    fn churn(&self, b: &mut PlanBuilder, grid: &Grid, i: usize, x: Slot) -> (Slot, Node, usize) {
        let node = grid.nodes()[i];
        let rho = node.rho();
        let gamma = (self.s_churn / grid.steps() as f64).min(SQRT_2 - 1.0);
        // Pure noise cannot be made noisier.
        if gamma <= 0.0 || rho.is_infinite() || rho < self.s_min || rho > self.s_max {
            return (x, node, i);
        }
        let raised = grid.path().node(grid.path().t_of_rho(rho * (1.0 + gamma)));
        let x = raise(b, x, &node, &raised, self.s_noise);
        let index = b.node(raised);
        (x, raised, index)
    }
}

impl Solver for Heun {
    fn name(&self) -> String {
        let d = Self::default();
        let params = [
            ("s_churn", self.s_churn, d.s_churn),
            ("s_min", self.s_min, d.s_min),
            ("s_max", self.s_max, d.s_max),
            ("s_noise", self.s_noise, d.s_noise),
        ];
        crate::spec::spec_text("heun", &params)
    }

    fn plan(&self, grid: &Grid) -> Result<Plan> {
        let mut b = PlanBuilder::new(self.name(), grid);
        let mut x = b.state();
        for i in 0..grid.steps() {
            let to = grid.nodes()[i + 1];
            let (start, from, from_index) = self.churn(&mut b, grid, i, x);
            x = step(&mut b, grid.path(), &HEUN_2, start, (&from, from_index), (&to, i + 1));
            b.end_step(x);
        }
        b.finish()
    }

    fn evals(&self, steps: usize, to_zero: bool) -> usize {
        2 * steps - usize::from(to_zero)
    }
}
