//! Exponential single-step methods in `lambda`: DPM-Solver, DPM-Solver++ and RES.

mod fast;
mod frame;

pub(crate) use fast::{ENTRY_DPM_FAST, ENTRY_DPMPP_FAST};
use frame::RES_2S;
pub(super) use frame::{DPM_2S, DPM_3S, Exponential, LambdaStep, ORDER_1, Phis, middle};

pub use fast::Fast;
pub use frame::Quantity;

use super::Solver;
use super::ddim::step_through_x0;
use super::runge_kutta;
use super::stages::explicit;
use crate::{Entry, Grid, Node, Path, Plan, PlanBuilder, Pred, Result, Slot};

const DPM: &str = "Lu et al. 2022, arXiv 2206.00927, algorithms 1 and 2";
const RES: &str = "Zhang, Song, Chen 2023, arXiv 2308.02157, single-step scheme of order 2";
const DPMPP_2: &str = "Lu et al. 2022, arXiv 2211.01095, algorithm 1";
const DPMPP_3: &str = "Lu et al. 2022, arXiv 2211.01095, with the stages of arXiv 2206.00927, algorithm 2";

/// Writes the entry of a tableau, so that its name and numbers stand in one place.
macro_rules! entry {
    ($name:literal, $family:literal, $quantity:ident, $tableau:ident, $order:literal, $reference:expr, $summary:literal) => {
        Entry {
            name: $name,
            family: $family,
            summary: $summary,
            params: "",
            order: $order,
            evals_per_step: $tableau.evals() as u32,
            deterministic: true,
            reference: $reference,
            build: |_| {
                Ok(Box::new(SingleStep { name: $name, quantity: Quantity::$quantity, tableau: $tableau }))
            },
        }
    };
}

/// Registry entry of DPM-Solver-2.
pub(crate) const ENTRY_DPM_2S: Entry =
    entry!("dpm-2s", "DPM-Solver", Eps, DPM_2S, 2, DPM, "DPM-Solver-2: exponential midpoint rule on eps");
/// Registry entry of DPM-Solver-3.
pub(crate) const ENTRY_DPM_3S: Entry = entry!(
    "dpm-3s",
    "DPM-Solver",
    Eps,
    DPM_3S,
    3,
    DPM,
    "DPM-Solver-3: exponential three-stage method on eps"
);
/// Registry entry of DPM-Solver++(2S).
pub(crate) const ENTRY_DPMPP_2S: Entry = entry!(
    "dpmpp-2s",
    "DPM-Solver++",
    X0,
    DPM_2S,
    2,
    DPMPP_2,
    "DPM-Solver++(2S): exponential midpoint rule on x0"
);
/// Registry entry of DPM-Solver++(3S).
pub(crate) const ENTRY_DPMPP_3S: Entry = entry!(
    "dpmpp-3s",
    "DPM-Solver++",
    X0,
    DPM_3S,
    3,
    DPMPP_3,
    "DPM-Solver++(3S): exponential three-stage method on x0"
);
/// Registry entry of RES-2S.
pub(crate) const ENTRY_RES_2S: Entry =
    entry!("res-2s", "RES", X0, RES_2S, 2, RES, "exponential two-stage method on x0 of stiff order 2");

/// An exponential Runge-Kutta method in `lambda`: as many evaluations per step as its order, deterministic.
///
/// With `z = h` for `eps` and `z = -h` for `x0`, a stage is `(alpha_i / alpha) x - sigma_i h sum_j a_ij(z) eps_j` or
/// `(sigma_i / sigma) x + alpha_i h sum_j a_ij(z) x0_j`; the weights combine `phi_1` and `phi_2`. Stages stand at 1/2, or
/// at 1/3 and 2/3, of the way in `lambda`. Two steps have infinite length there and are taken otherwise. The step into
/// `sigma` = 0 has order 1 and one evaluation, so that N steps of k evaluations to zero cost `k N - (k - 1)`. The step
/// from `alpha` = 0 is that of the Runge-Kutta method of the same order and cost in `sigma / (alpha + sigma)`: the
/// midpoint rule, or Heun's third-order method.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SingleStep {
    name: &'static str,
    quantity: Quantity,
    tableau: Exponential,
}

/// Adds the step into `sigma` = 0.
pub(super) fn step_into_zero(b: &mut PlanBuilder, x: Slot, (from, index): (&Node, usize), to: &Node) -> Slot {
    let x0 = b.eval(x, index, Pred::X0);
    step_through_x0(b, from, to, x, x0)
}

/// Adds one step from the state `x` at `from` (of number `from_index`) to `to`, which may lie off the path unless the
/// method evaluates there.
pub(super) fn step(
    b: &mut PlanBuilder,
    path: &Path,
    quantity: Quantity,
    tableau: &Exponential,
    x: Slot,
    (from, from_index): (&Node, usize),
    (to, to_index): (&Node, usize),
) -> Slot {
    if from.alpha == 0.0 {
        let same = match tableau.evals() {
            1 => &runge_kutta::EULER,
            2 => &runge_kutta::MIDPOINT,
            _ => &runge_kutta::HEUN_3,
        };
        return runge_kutta::step(b, path, same, x, (from, from_index), (to, to_index));
    }
    let frame = LambdaStep { path, quantity, from: *from, to: *to };
    explicit(b, &frame, tableau, x, from_index, (to, to_index))
}

/// A plan whose step `i` is taken by `tableau(i)`.
fn plan(
    name: String,
    grid: &Grid,
    quantity: Quantity,
    tableau: impl Fn(usize) -> Exponential,
) -> Result<Plan> {
    let mut b = PlanBuilder::new(name, grid);
    let mut x = b.state();
    for (i, pair) in grid.nodes().windows(2).enumerate() {
        let (from, to) = ((&pair[0], i), (&pair[1], i + 1));
        x = if to.0.sigma == 0.0 {
            step_into_zero(&mut b, x, from, to.0)
        } else {
            step(&mut b, grid.path(), quantity, &tableau(i), x, from, to)
        };
        b.end_step(x);
    }
    b.finish()
}

impl Solver for SingleStep {
    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn plan(&self, grid: &Grid) -> Result<Plan> {
        plan(self.name(), grid, self.quantity, |_| self.tableau)
    }

    fn evals(&self, steps: usize, to_zero: bool) -> usize {
        let k = self.tableau.evals();
        k * steps - if to_zero { k - 1 } else { 0 }
    }
}
