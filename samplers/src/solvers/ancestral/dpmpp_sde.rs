//! DPM-Solver++ for the reverse diffusion, single-step with a stage in the middle.

use super::super::Solver;
use super::super::exponential::middle;
use super::{Noise, PARAMS};
use crate::{Entry, Grid, Plan, PlanBuilder, Pred, Result};

/// Registry entry.
pub(crate) const ENTRY: Entry = Entry {
    name: "dpmpp-sde",
    family: "Ancestral",
    summary: "DPM-Solver++ on the reverse diffusion, two stages on one Brownian path",
    params: PARAMS,
    order: 2,
    evals_per_step: 2,
    deterministic: false,
    reference: "Lu et al. 2022, arXiv 2211.01095, SDE-DPM-Solver++ with the stages of algorithm 1",
    build: |p| Ok(Box::new(DpmppSde(Noise::from_params(p)?))),
};

/// DPM-Solver++ (SDE): order 2 for `eta` = 0 and in the width of samples of normal data, order 1 along a given Brownian
/// path, two evaluations per step, stochastic.
///
/// An ancestral step to the middle in `lambda`, then from the start an ancestral step over the whole length with the
/// `x0` found in the middle. The noise of both is the Brownian path's over their own lengths, so that the stage sees
/// the noise that the step will have had by then. From `alpha` = 0 the middle is that of `sigma / (alpha + sigma)`. The
/// step into `sigma` = 0 has order 1 and one evaluation, so that N steps to zero cost 2N - 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DpmppSde(pub Noise);

impl Solver for DpmppSde {
    fn name(&self) -> String {
        self.0.name("dpmpp-sde")
    }

    fn plan(&self, grid: &Grid) -> Result<Plan> {
        let mut b = PlanBuilder::new(self.name(), grid);
        let mut x = b.state();
        for (i, pair) in grid.nodes().windows(2).enumerate() {
            let (from, to) = (&pair[0], &pair[1]);
            let mut x0 = b.eval(x, i, Pred::X0);
            if to.sigma > 0.0 {
                let mid = middle(grid.path(), from, to);
                let split = self.0.split(from, &mid);
                let there = split.step(&mut b, (from, &mid), x, x0, |b| b.brownian(from, &mid));
                let index = b.node(mid);
                x0 = b.eval(there, index, Pred::X0);
            }
            let split = self.0.split(from, to);
            x = split.step(&mut b, (from, to), x, x0, |b| b.brownian(from, to));
            b.end_step(x);
        }
        b.finish()
    }

    fn evals(&self, steps: usize, to_zero: bool) -> usize {
        2 * steps - usize::from(to_zero)
    }
}
