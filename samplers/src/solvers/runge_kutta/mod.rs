//! Explicit Runge-Kutta methods, one loop over tableaus.

mod dpm2;
mod tableau;

pub(crate) use dpm2::ENTRY as ENTRY_DPM_2;
pub(super) use tableau::{Butcher, EULER, HEUN_2, HEUN_3, MIDPOINT};
use tableau::{CLASSICAL_4, HOUWEN_3, KUTTA_3, RALSTON_3, SSP_3};

pub use dpm2::Dpm2;

use super::Solver;
use super::coordinate::{Coordinate, CoordinateStep};
use super::stages::explicit;
use crate::{Entry, Grid, Node, Path, Plan, PlanBuilder, Result, Slot};

const DEIS: &str = "Zhang and Chen 2023, arXiv 2204.13902, eq. 17 (rhoRK)";

/// Writes the entry of a tableau, so that its name and numbers stand in one place.
macro_rules! entry {
    ($name:literal, $tableau:ident, $order:literal, $reference:expr, $summary:literal) => {
        Entry {
            name: $name,
            family: "Runge-Kutta",
            summary: $summary,
            params: "",
            order: $order,
            evals_per_step: $tableau.evals() as u32,
            deterministic: true,
            reference: $reference,
            build: |_| Ok(Box::new(RungeKutta { name: $name, tableau: $tableau })),
        }
    };
}

/// Registry entry of explicit Euler.
pub(crate) const ENTRY_EULER: Entry = entry!(
    "euler",
    EULER,
    1,
    "Karras et al. 2022, arXiv 2206.00364, eq. 4; flow: Liu et al. 2022, arXiv 2209.03003, eq. 1",
    "explicit Euler on the probability-flow equation; the same numbers as ddim"
);
/// Registry entry of the midpoint rule.
pub(crate) const ENTRY_MIDPOINT: Entry = entry!(
    "midpoint",
    MIDPOINT,
    2,
    "Hairer, Norsett, Wanner 1993, Solving Ordinary Differential Equations I, section II.1",
    "midpoint rule; on the flow path the usual second-order flow sampler"
);
/// Registry entry of the trapezoidal rule.
pub(crate) const ENTRY_HEUN_2: Entry = entry!(
    "rhork2-heun",
    HEUN_2,
    2,
    DEIS,
    "trapezoidal rule in rho (flow path: in t); the same plan as heun without churn"
);
/// Registry entry of Kutta's method.
pub(crate) const ENTRY_KUTTA_3: Entry = entry!(
    "rhork3-kutta",
    KUTTA_3,
    3,
    DEIS,
    "Kutta's third-order method in rho (flow path: in t), the paper's choice"
);
/// Registry entry of Heun's third-order method.
pub(crate) const ENTRY_HEUN_3: Entry = entry!(
    "rhork3-heun",
    HEUN_3,
    3,
    DEIS,
    "Heun's third-order method in rho (flow path: in t), no stage at the end"
);
/// Registry entry of Ralston's method.
pub(crate) const ENTRY_RALSTON_3: Entry = entry!(
    "rhork3-ralston",
    RALSTON_3,
    3,
    DEIS,
    "Ralston's third-order method in rho (flow path: in t), no stage at the end"
);
/// Registry entry of the strong-stability-preserving method.
pub(crate) const ENTRY_SSP_3: Entry = entry!(
    "rhork3-ssp",
    SSP_3,
    3,
    DEIS,
    "strong-stability-preserving third-order method in rho (flow path: in t)"
);
/// Registry entry of van der Houwen's method.
pub(crate) const ENTRY_HOUWEN_3: Entry = entry!(
    "rhork3-houwen",
    HOUWEN_3,
    3,
    DEIS,
    "van der Houwen's third-order method in rho (flow path: in t), no stage at the end"
);
/// Registry entry of the classical method.
pub(crate) const ENTRY_CLASSICAL_4: Entry =
    entry!("rhork4", CLASSICAL_4, 4, DEIS, "classical fourth-order method in rho (flow path: in t)");

/// An explicit Runge-Kutta method: as many evaluations per step as it has stages, deterministic.
///
/// In `x / alpha` against `rho = sigma / alpha`, where the probability-flow equation is `dy/drho = eps` (arXiv
/// 2204.13902, eq. 17); on the flow path, and in a step from `alpha` = 0, in `x / (alpha + sigma)` against
/// `sigma / (alpha + sigma)` with the velocity `eps - x0`. Euler is DDIM in both.
///
/// A slope at `sigma` = 0 is undefined. A method with a stage at the end of the step takes an Euler step into
/// `sigma` = 0, as EDM does, so that N steps of s stages cost `s N - (s - 1)` evaluations; this lowers the order of a
/// grid whose last step is not short. Methods without such a stage keep their order there and cost `s N`; they ask the
/// network about noise levels below the last node above 0, which only some were trained for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RungeKutta {
    name: &'static str,
    tableau: Butcher,
}

/// Adds one Runge-Kutta step from the state `x` at `from` (of number `from_index`) to `to`.
pub(super) fn step(
    b: &mut PlanBuilder,
    path: &Path,
    tableau: &Butcher,
    x: Slot,
    (from, from_index): (&Node, usize),
    (to, to_index): (&Node, usize),
) -> Slot {
    let tableau = if to.sigma == 0.0 && tableau.looks_at_the_end() { &EULER } else { tableau };
    let frame = CoordinateStep { path, coordinate: Coordinate::of(path, from), from: *from, to: *to };
    explicit(b, &frame, tableau, x, from_index, (to, to_index))
}

impl Solver for RungeKutta {
    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn plan(&self, grid: &Grid) -> Result<Plan> {
        let mut b = PlanBuilder::new(self.name(), grid);
        let mut x = b.state();
        for (i, pair) in grid.nodes().windows(2).enumerate() {
            x = step(&mut b, grid.path(), &self.tableau, x, (&pair[0], i), (&pair[1], i + 1));
            b.end_step(x);
        }
        b.finish()
    }

    fn evals(&self, steps: usize, to_zero: bool) -> usize {
        let stages = self.tableau.evals();
        let saved = if to_zero && self.tableau.looks_at_the_end() { stages - 1 } else { 0 };
        stages * steps - saved
    }
}
