//! Multistep sampling of consistency models.

use super::Solver;
use super::ancestral::{Split, first_order};
use crate::spec::{Params, spec_text};
use crate::{Entry, Grid, Plan, Result};

/// Registry entry.
pub(crate) const ENTRY: Entry = Entry {
    name: "consistency",
    family: "Consistency",
    summary: "jump to x0, then noise to the next level; for distilled networks",
    params: "gamma=1 (share of fresh noise, 0 to 1)",
    order: 1,
    evals_per_step: 1,
    deterministic: false,
    reference: "Song et al. 2023, arXiv 2303.01469, algorithm 1; gamma-sampling: Kim et al. 2024, arXiv 2310.02279",
    build: |p| Ok(Box::new(Consistency::from_params(p)?)),
};

/// Consistency sampling: one evaluation per step, stochastic for `gamma` > 0.
///
/// `x' = alpha' x0 + sqrt(1 - gamma^2) sigma' eps + gamma sigma' z`: a jump to the level `sqrt(1 - gamma^2) sigma'` along
/// the predicted direction, then fresh noise. `gamma` = 0 is DDIM, of order 1. `gamma` = 1 forgets the state but for
/// `x0`; the original algorithm is this with the level of its last output, a small number, in place of 0, and on the
/// flow path it is the stochastic sampler `x' = (1 - t') x0 + t' z`. With a network that was not distilled `gamma` > 0
/// does not converge, as the noise of a step does not shrink with its length; it is drawn anew in every step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Consistency {
    /// Share of fresh noise, 0 (none) to 1 (all).
    pub gamma: f64,
}

impl Consistency {
    fn from_params(p: &mut Params) -> Result<Self> {
        Ok(Self { gamma: p.number("gamma", 1.0, 0.0..=1.0)? })
    }
}

impl Solver for Consistency {
    fn name(&self) -> String {
        spec_text("consistency", &[("gamma", self.gamma, 1.0)])
    }

    fn plan(&self, grid: &Grid) -> Result<Plan> {
        let keep = ((1.0 - self.gamma) * (1.0 + self.gamma)).sqrt();
        first_order(self.name(), grid, true, |_, to| Split {
            down: keep * to.sigma,
            up: self.gamma * to.sigma,
        })
    }

    fn evals(&self, steps: usize, _to_zero: bool) -> usize {
        steps
    }
}
