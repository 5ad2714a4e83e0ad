//! Solvers, one file a family.
//!
//! A solver is pure mathematics: it turns a [`Grid`] into a [`Plan`] and never sees a tensor. To add one, write its
//! file here and its line in the registry; the tests that go through the registry pick it up.

use std::fmt::Debug;

use crate::grid::MAX_STEPS;
use crate::{Grid, Plan, Result};

pub mod afs;
pub mod ancestral;
pub mod consistency;
mod coordinate;
pub mod ddim;
pub(crate) mod embedded;
pub mod exponential;
pub mod heun;
pub mod multistep;
pub mod restart;
pub mod runge_kutta;
mod stages;

/// Compiles a grid into a plan.
pub trait Solver: Debug + Send + Sync {
    /// The specification that builds this very solver, with the parameters that differ from their defaults.
    fn name(&self) -> String;

    /// The plan for a grid.
    ///
    /// # Errors
    /// [`Error::NotFinite`](crate::Error::NotFinite) where a formula of the solver has no finite value on this grid,
    /// [`Error::Unsuited`](crate::Error::Unsuited) where the solver needs another grid or more steps.
    fn plan(&self, grid: &Grid) -> Result<Plan>;

    /// Network evaluations (NFE) of a plan with `steps` steps, at least 1; `to_zero` says whether the grid ends at `sigma` = 0.
    fn evals(&self, steps: usize, to_zero: bool) -> usize;

    /// The largest number of steps that costs at most `nfe` evaluations; `None` when even one step costs more.
    /// The budget may not be used up: [`Solver::evals`] of the answer says what is.
    ///
    /// More steps never cost less, and no grid has more than 100,000.
    fn steps_for_nfe(&self, nfe: usize, to_zero: bool) -> Option<usize> {
        let (mut fit, mut most) = (0, nfe.min(MAX_STEPS));
        while fit < most {
            let steps = most - (most - fit) / 2;
            if self.evals(steps, to_zero) <= nfe {
                fit = steps;
            } else {
                most = steps - 1;
            }
        }
        (fit > 0).then_some(fit)
    }

    /// The variant of this solver that spends exactly `nfe` evaluations, for solvers that mix steps of different cost;
    /// `None` when the solver has one form only. Ask the variant for its number of steps.
    fn packed(&self, _nfe: usize, _to_zero: bool) -> Option<Box<dyn Solver>> {
        None
    }
}
