//! DPM-Solver++(2S) ancestral.

use super::super::Solver;
use super::super::exponential::{DPM_2S, Quantity, step, step_into_zero};
use super::{Noise, PARAMS};
use crate::{Entry, Grid, Node, Plan, PlanBuilder, Result};

/// Registry entry.
pub(crate) const ENTRY: Entry = Entry {
    name: "dpmpp-2s-a",
    family: "Ancestral",
    summary: "DPM-Solver++(2S) below the next level, then noise up to it",
    params: PARAMS,
    order: 2,
    evals_per_step: 2,
    deterministic: false,
    reference: "Lu et al. 2022, arXiv 2211.01095, algorithm 1; split of the noise: arXiv 2010.02502, eq. 16",
    build: |p| Ok(Box::new(Dpmpp2sA(Noise::from_params(p)?))),
};

/// DPM-Solver++(2S) with ancestral noise: order 2 for `eta` = 0 and in the distribution of its samples, two
/// evaluations per step, stochastic.
///
/// A whole step of `dpmpp-2s` goes to the level `sqrt(rho'^2 - rho_up^2)` of [`euler-a`](super::EulerA), and noise
/// raises it to `rho'`. The step into `sigma` = 0 has order 1 and one evaluation, so that N steps to zero cost 2N - 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dpmpp2sA(pub Noise);

impl Solver for Dpmpp2sA {
    fn name(&self) -> String {
        self.0.name("dpmpp-2s-a")
    }

    fn plan(&self, grid: &Grid) -> Result<Plan> {
        let mut b = PlanBuilder::new(self.name(), grid);
        let mut x = b.state();
        for (i, pair) in grid.nodes().windows(2).enumerate() {
            let (from, to) = (&pair[0], &pair[1]);
            x = if to.sigma == 0.0 {
                step_into_zero(&mut b, x, (from, i), to)
            } else {
                let split = self.0.split(from, to);
                // The lower level has the data's scale of the next node, so that noise is all that is missing; it is
                // no point of the path, and no evaluation takes place there.
                let below = Node { sigma: split.down, ..*to };
                let below = (&below, i + 1);
                let x = step(&mut b, grid.path(), Quantity::X0, &DPM_2S, x, (from, i), below);
                split.add(&mut b, x, |b| b.brownian(from, to))
            };
            b.end_step(x);
        }
        b.finish()
    }

    fn evals(&self, steps: usize, to_zero: bool) -> usize {
        2 * steps - usize::from(to_zero)
    }
}
