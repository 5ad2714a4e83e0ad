//! DPM2 of EDM-style samplers: the midpoint rule with a geometric middle.

use super::super::stages::{Stage, Tableau};
use super::{Coordinate, CoordinateStep, MIDPOINT, Solver, explicit};
use crate::{Entry, Grid, Node, Plan, PlanBuilder, Result};

/// Registry entry.
pub(crate) const ENTRY: Entry = Entry {
    name: "dpm-2",
    family: "Runge-Kutta",
    summary: "midpoint rule with the middle at sqrt(rho rho'); the same numbers as dpm-2s",
    params: "",
    order: 2,
    evals_per_step: 2,
    deterministic: true,
    reference: "Lu et al. 2022, arXiv 2206.00927, algorithm 1, written in rho",
    build: |_| Ok(Box::new(Dpm2)),
};

/// DPM2: order 2, two evaluations per step, deterministic.
///
/// An Euler step in `x / alpha` to the geometric mean of both noise levels, then a whole step with the slope found
/// there. In exact arithmetic this is [`dpm-2s`](super::super::exponential::SingleStep). From `alpha` = 0 it is the
/// midpoint rule of [`RungeKutta`](super::RungeKutta), into `sigma` = 0 an Euler step: N steps to zero cost 2N - 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dpm2;

/// Where the geometric mean of the noise levels stands, as a share of the way in `rho`.
fn middle(from: &Node, to: &Node) -> f64 {
    let half = 0.5 * (to.lambda() - from.lambda());
    // (e^-h/2 - 1) / (e^-h - 1)
    1.0 / (1.0 + (-half).exp())
}

impl Solver for Dpm2 {
    fn name(&self) -> String {
        "dpm-2".to_owned()
    }

    fn plan(&self, grid: &Grid) -> Result<Plan> {
        let mut b = PlanBuilder::new(self.name(), grid);
        let (mut x, path) = (b.state(), grid.path());
        for (i, pair) in grid.nodes().windows(2).enumerate() {
            let (from, to) = (&pair[0], &pair[1]);
            x = if from.alpha == 0.0 && to.sigma > 0.0 {
                super::step(&mut b, path, &MIDPOINT, x, (from, i), (to, i + 1))
            } else if to.sigma == 0.0 {
                super::step(&mut b, path, &super::EULER, x, (from, i), (to, i + 1))
            } else {
                let frame = CoordinateStep { path, coordinate: Coordinate::Rho, from: *from, to: *to };
                let c = middle(from, to);
                let stages = [Stage { c, weights: &[c] }];
                explicit(&mut b, &frame, &Tableau { stages: &stages, ..MIDPOINT }, x, i, (to, i + 1))
            };
            b.end_step(x);
        }
        b.finish()
    }

    fn evals(&self, steps: usize, to_zero: bool) -> usize {
        2 * steps - usize::from(to_zero)
    }
}
