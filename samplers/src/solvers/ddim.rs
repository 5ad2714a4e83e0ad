//! DDIM with the noise parameter eta.

use super::Solver;
use crate::spec::Params;
use crate::{Entry, Grid, Node, Plan, PlanBuilder, Pred, Result};

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
/// eq. 12 and 16). `eps` is eliminated in favour of `x0`, which leaves coefficients between 0 and 1 that are finite
/// both at `alpha` = 0 and at `sigma'` = 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ddim {
    /// Share of ancestral noise, 0 (none) to 1 (DDPM).
    pub eta: f64,
}

/// The step `x' = keep x + pull x0 + noise z`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Transfer {
    pub(crate) keep: f64,
    pub(crate) pull: f64,
    pub(crate) noise: f64,
}

impl Ddim {
    fn from_params(p: &mut Params) -> Result<Self> {
        Ok(Self { eta: p.number("eta", 0.0, 0.0..=1.0)? })
    }

    /// Coefficients of the step.
    pub(crate) fn transfer(self, from: &Node, to: &Node) -> Transfer {
        let noise = self.noise(from, to);
        let keep = ((to.sigma - noise) * (to.sigma + noise)).max(0.0).sqrt() / from.sigma;
        Transfer { keep, pull: to.alpha - from.alpha * keep, noise }
    }

    /// Standard deviation of the noise added by the step; 0 for the step into clean data.
    pub(crate) fn noise(self, from: &Node, to: &Node) -> f64 {
        if self.eta == 0.0 || to.sigma == 0.0 {
            return 0.0;
        }
        // h is infinite when the step starts at alpha = 0; expm1 then gives exactly -1.
        let h = to.lambda() - from.lambda();
        self.eta * to.sigma * (-f64::exp_m1(-2.0 * h)).sqrt()
    }
}

/// Adds the deterministic DDIM step through `x0`: the start of every method that needs a step from `alpha` = 0.
pub(super) fn step_through_x0(
    b: &mut PlanBuilder,
    from: &Node,
    to: &Node,
    x: crate::Slot,
    x0: crate::Slot,
) -> crate::Slot {
    let keep = to.sigma / from.sigma;
    b.lin(&[(keep, x), (to.alpha - from.alpha * keep, x0)])
}

impl Solver for Ddim {
    fn name(&self) -> String {
        if self.eta == 0.0 { "ddim".to_owned() } else { format!("ddim:eta={}", self.eta) }
    }

    fn plan(&self, grid: &Grid) -> Result<Plan> {
        let mut b = PlanBuilder::new(self.name(), grid);
        let mut x = b.state();
        for (i, pair) in grid.nodes().windows(2).enumerate() {
            let (from, to) = (&pair[0], &pair[1]);
            let x0 = b.eval(x, i, Pred::X0);
            let step = self.transfer(from, to);
            x = if step.noise > 0.0 {
                let z = b.brownian(from, to);
                b.lin(&[(step.keep, x), (step.pull, x0), (step.noise, z)])
            } else {
                b.lin(&[(step.keep, x), (step.pull, x0)])
            };
            b.end_step(x);
        }
        b.finish()
    }

    fn evals(&self, steps: usize, _to_zero: bool) -> usize {
        steps
    }
}
