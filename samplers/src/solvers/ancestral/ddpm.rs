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
    params: "variance=small (or large, or a number f from 0 to 1 between them: small^(1-f) large^f)",
    order: 1,
    evals_per_step: 1,
    deterministic: false,
    reference: "Ho, Jain, Abbeel 2020, arXiv 2006.11239, eq. 7 and algorithm 2",
    build: |p| Ok(Box::new(Ddpm::from_params(p)?)),
};

/// DDPM: order 1, one evaluation per step, stochastic.
///
/// The mean is `alpha' (1 - e^(-2h)) x0 + (sigma'/sigma) e^-h x`, which on a table of variances and between neighbouring
/// rows is eq. 7 of the paper, and on any other path and grid the same chain with fewer links. The step into `sigma` = 0
/// adds no noise. The small variance is [`ddim`](super::super::ddim::Ddim) with `eta` = 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ddpm {
    /// Which variance a step of the chain has, `small^(1-f) large^f` with this `f`.
    ///
    /// 0 is that of `x'` given `x` and `x0`, `sigma'^2 (1 - e^(-2h))`: right for data that is one point. 1 is the paper's
    /// `beta`, `sigma^2 (1 - e^(-2h))` where `alpha^2 + sigma^2` = 1; in general that of `x'` given `x` for standard normal
    /// data, `(alpha'^2 + sigma'^2) / (alpha^2 + sigma^2)` times as much, which a change of the path's scaling leaves as it
    /// is. It is right for such data, and in long steps far too large for narrower ones. What lies between is the range from
    /// which a network with learned variances chooses (Nichol, Dhariwal 2021, arXiv 2102.09672, eq. 15); here it is one
    /// number, for the network has no such output.
    pub variance: f64,
}

impl Ddpm {
    fn from_params(p: &mut Params) -> Result<Self> {
        let expected = "small, large, or a number from 0 to 1";
        let variance = p.parsed("variance", 0.0, expected, |text| match text {
            "small" => Some(0.0),
            "large" => Some(1.0),
            _ => text.parse().ok().filter(|f| (0.0..=1.0).contains(f)),
        })?;
        Ok(Self { variance })
    }

    fn split(self, from: &Node, to: &Node) -> Split {
        let small = Split::ancestral(from, to, 1.0);
        if to.sigma == 0.0 {
            return small;
        }
        let width = |node: &Node| node.alpha.hypot(node.sigma);
        let large = from.sigma / to.sigma * width(to) / width(from);
        small.scaled(large.powf(self.variance))
    }
}

impl Solver for Ddpm {
    fn name(&self) -> String {
        match self.variance {
            0.0 => "ddpm".to_owned(),
            1.0 => "ddpm:variance=large".to_owned(),
            f => format!("ddpm:variance={f}"),
        }
    }

    fn plan(&self, grid: &Grid) -> Result<Plan> {
        first_order(self.name(), grid, false, |from, to| self.split(from, to))
    }

    fn evals(&self, steps: usize, _to_zero: bool) -> usize {
        steps
    }
}
