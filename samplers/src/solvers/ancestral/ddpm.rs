//! DDPM: sampling the reverse Markov chain.

use super::super::Solver;
use super::{Split, first_order};
use crate::spec::Params;
use crate::{Entry, Grid, Node, Plan, Result};

/// Registry entry.
pub(crate) const ENTRY: Entry = Entry {
    name: "ddpm",
    family: "Ancestral",
    summary: "the reverse Markov chain of the forward diffusion; needs many steps",
    params: "variance=small (or large)",
    order: 1,
    evals_per_step: 1,
    deterministic: false,
    reference: "Ho, Jain, Abbeel 2020, arXiv 2006.11239, eq. 7 and algorithm 2",
    build: |p| Ok(Box::new(Ddpm::from_params(p)?)),
};

/// Which variance a step of the chain has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variance {
    /// That of `x'` given `x` and `x0`, `sigma'^2 (1 - e^(-2h))`: right for data that is one point.
    Small,
    /// That of `x` given `x'` in the forward chain, `sigma^2 (1 - e^(-2h))`, the paper's `beta`: right for standard
    /// normal data. Far too large in long steps.
    Large,
}

/// DDPM: order 1, one evaluation per step, stochastic.
///
/// The mean is `alpha' (1 - e^(-2h)) x0 + (sigma'/sigma) e^-h x`, which on a table of variances and between neighbouring
/// rows is eq. 7 of the paper, and on any other path and grid the same chain with fewer links. The step into `sigma` = 0
/// adds no noise. The small variance is [`ddim`](super::super::ddim::Ddim) with `eta` = 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ddpm {
    /// Which variance.
    pub variance: Variance,
}

impl Ddpm {
    fn from_params(p: &mut Params) -> Result<Self> {
        let words = [("small", Variance::Small), ("large", Variance::Large)];
        Ok(Self { variance: p.choice("variance", Variance::Small, &words)? })
    }

    fn split(self, from: &Node, to: &Node) -> Split {
        let small = Split::ancestral(from, to, 1.0);
        match self.variance {
            Variance::Large if to.sigma > 0.0 => small.scaled(from.sigma / to.sigma),
            _ => small,
        }
    }
}

impl Solver for Ddpm {
    fn name(&self) -> String {
        match self.variance {
            Variance::Small => "ddpm".to_owned(),
            Variance::Large => "ddpm:variance=large".to_owned(),
        }
    }

    fn plan(&self, grid: &Grid) -> Result<Plan> {
        first_order(self.name(), grid, false, |from, to| self.split(from, to))
    }

    fn evals(&self, steps: usize, _to_zero: bool) -> usize {
        steps
    }
}
