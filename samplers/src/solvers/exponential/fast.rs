//! Third-order steps with a tail of lower orders, so that any number of evaluations can be spent exactly.

use super::super::Solver;
use super::{DPM_2S, DPM_3S, Exponential, ORDER_1, Quantity};
use crate::spec::Params;
use crate::{Entry, Grid, Plan, Result};

const fn entry(
    name: &'static str,
    family: &'static str,
    summary: &'static str,
    reference: &'static str,
    build: crate::entry::Build,
) -> Entry {
    Entry {
        name,
        family,
        summary,
        params: "tail=none (orders of the last steps, 1 to 3, as 21; chosen by a budget of evaluations)",
        order: 3,
        evals_per_step: 3,
        deterministic: true,
        reference,
        build,
    }
}

/// Registry entry of DPM-Solver-fast.
pub(crate) const ENTRY_DPM_FAST: Entry = entry(
    "dpm-fast",
    "DPM-Solver",
    "DPM-Solver-3 with lower orders at the end; spends any number of evaluations exactly",
    "Lu et al. 2022, arXiv 2206.00927, section 3 and appendix on implementation (DPM-Solver-fast)",
    |p| Ok(Box::new(Fast::from_params(p, "dpm-fast", Quantity::Eps)?)),
);

/// Registry entry of DPM-Solver++-fast.
pub(crate) const ENTRY_DPMPP_FAST: Entry = entry(
    "dpmpp-fast",
    "DPM-Solver++",
    "DPM-Solver++(3S) with lower orders at the end; spends any number of evaluations exactly",
    "Lu et al. 2022, arXiv 2211.01095; packing: arXiv 2206.00927, DPM-Solver-fast",
    |p| Ok(Box::new(Fast::from_params(p, "dpmpp-fast", Quantity::X0)?)),
);

/// Longest tail; those that a budget asks for have at most three.
const LONGEST: usize = 16;

/// Third-order single-step methods with a tail: order 3 but for the last steps, as many evaluations per step as its
/// order, deterministic.
///
/// [`Solver::packed`] picks the tail for a budget: with `n = 3 (K - 1) + k` evaluations the orders are `3, ..., 3, 2, 1`
/// (K steps) for k = 0, `3, ..., 3, 1` for k = 1 and `3, ..., 3, 2` for k = 2. A grid that ends at `sigma` = 0 cannot
/// use the order 2 there; the orders are then `3, ..., 3, 2, 2, 1` for k = 2, in K + 1 steps, and `1, 1` for two
/// evaluations. Without a tail this is `dpm-3s` or `dpmpp-3s`.
///
/// All K steps are steps of the grid. On the log-SNR grid that is the published method; on others the authors' code makes a
/// grid of n cells and lets a step of order k span k of them, so that the lower orders at the end take shorter steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fast {
    name: &'static str,
    quantity: Quantity,
    tail: Vec<usize>,
}

impl Fast {
    fn from_params(p: &mut Params, name: &'static str, quantity: Quantity) -> Result<Self> {
        let expected = format!("none, or 1 to {LONGEST} digits from 1 to 3, for example 21");
        let tail = p.parsed("tail", Vec::new(), &expected, |text| {
            if text == "none" {
                return Some(Vec::new());
            }
            let order = |c: char| c.to_digit(10).filter(|d| (1..=3).contains(d)).map(|d| d as usize);
            let orders: Vec<usize> = text.chars().map(order).collect::<Option<_>>()?;
            (1..=LONGEST).contains(&orders.len()).then_some(orders)
        })?;
        Ok(Self { name, quantity, tail })
    }

    /// The order of step `i` of `steps`; a grid shorter than the tail has the end of it.
    fn order(&self, i: usize, steps: usize, to_zero: bool) -> usize {
        if to_zero && i + 1 == steps {
            return 1;
        }
        (i + self.tail.len()).checked_sub(steps).and_then(|at| self.tail.get(at)).copied().unwrap_or(3)
    }
}

const fn tableau(order: usize) -> Exponential {
    match order {
        1 => ORDER_1,
        2 => DPM_2S,
        _ => DPM_3S,
    }
}

impl Solver for Fast {
    fn name(&self) -> String {
        if self.tail.is_empty() {
            return self.name.to_owned();
        }
        let digits: String = self.tail.iter().map(ToString::to_string).collect();
        format!("{}:tail={digits}", self.name)
    }

    fn plan(&self, grid: &Grid) -> Result<Plan> {
        let (steps, to_zero) = (grid.steps(), grid.to_zero());
        super::plan(self.name(), grid, self.quantity, |i| tableau(self.order(i, steps, to_zero)))
    }

    fn evals(&self, steps: usize, to_zero: bool) -> usize {
        (0..steps).map(|i| self.order(i, steps, to_zero)).sum()
    }

    fn packed(&self, nfe: usize, to_zero: bool) -> Option<Box<dyn Solver>> {
        let tail: &[usize] = match (nfe, nfe % 3, to_zero) {
            (0, ..) => return None,
            (_, 0, _) => &[2, 1],
            (_, 1, _) => &[1],
            (_, _, false) => &[2],
            (2, _, true) => &[1, 1],
            (_, _, true) => &[2, 2, 1],
        };
        Some(Box::new(Self { tail: tail.to_vec(), ..self.clone() }))
    }
}
