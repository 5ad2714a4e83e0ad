//! Explicit Euler.

use super::Solver;
use super::coordinate::Coordinate;
use crate::{Entry, Grid, Plan, PlanBuilder, Result};

/// Registry entry.
pub(crate) const ENTRY: Entry = Entry {
    name: "euler",
    family: "Runge-Kutta",
    summary: "explicit Euler on the probability-flow equation; the same numbers as ddim",
    params: "",
    order: 1,
    evals_per_step: 1,
    deterministic: true,
    reference: "Karras et al. 2022, arXiv 2206.00364, eq. 4; flow: Liu et al. 2022, arXiv 2209.03003, eq. 1",
    build: |_| Ok(Box::new(Euler)),
};

/// Euler: order 1, one evaluation per step, deterministic.
///
/// In `x / alpha` against `rho`, on the flow path in `x` against `t` with the velocity `eps - x0`. In exact arithmetic
/// both equal DDIM; it is here for velocity networks, which need no conversion, and because people ask for it by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Euler;

impl Solver for Euler {
    fn name(&self) -> String {
        "euler".to_owned()
    }

    fn plan(&self, grid: &Grid) -> Result<Plan> {
        let mut b = PlanBuilder::new(self.name(), grid);
        let mut x = b.state();
        for (i, pair) in grid.nodes().windows(2).enumerate() {
            let y = Coordinate::of(grid.path(), &pair[0]);
            let (keep, move_) = y.step(&pair[0], &pair[1]);
            let slope = b.eval(x, i, y.pred());
            x = b.lin(&[(keep, x), (move_, slope)]);
            b.end_step(x);
        }
        b.finish()
    }

    fn evals(&self, steps: usize, _to_zero: bool) -> usize {
        steps
    }
}
