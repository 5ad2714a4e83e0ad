//! DPM-Solver with adaptive steps.

mod course;
mod way;

use super::Dynamic;
use super::course::Course;
use super::entry::DynamicEntry;
use super::machine::{Machine, Tolerance};
use crate::solvers::exponential::Quantity;
use crate::spec::{Params, spec_text};
use crate::{Grid, Pred};
use course::AdaptiveCourse;

const PARAMS: &str = "atol=0.0078, rtol=0.05 (error per step), h_init=0.05 (first step), theta=0.9 (safety), \
    pred=eps (or x0), max_nfe=1000 (per image)";

/// Registry entry of order 2.
pub(super) const ENTRY_12: DynamicEntry = DynamicEntry {
    name: "dpm-12",
    summary: "DPM-Solver-12: steps as long as an error estimate allows, two evaluations each",
    params: PARAMS,
    order: 2,
    evals_per_step: Some(2),
    deterministic: true,
    pred: Pred::Eps,
    reference: "Lu et al. 2022, arXiv 2206.00927, appendix C; step control: arXiv 2105.14080, algorithm 1",
    build: |p| Ok(Dynamic::Adaptive(Adaptive::from_params(Order::Two, p)?)),
};

/// Registry entry of order 3.
pub(super) const ENTRY_23: DynamicEntry = DynamicEntry {
    name: "dpm-23",
    summary: "DPM-Solver-23: steps as long as an error estimate allows, three evaluations each",
    order: 3,
    evals_per_step: Some(3),
    build: |p| Ok(Dynamic::Adaptive(Adaptive::from_params(Order::Three, p)?)),
    ..ENTRY_12
};

/// The order of the solution that is kept; the other one is an order below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// DPM-Solver-12.
    Two,
    /// DPM-Solver-23.
    Three,
}

/// DPM-Solver-12 and DPM-Solver-23 (Lu et al. 2022, arXiv 2206.00927, appendix C), each image with its own steps.
///
/// A step of length `h` in `lambda` is solved at two orders, `lo` and `hi`. Its error is
/// `E = rms((hi - lo) / max(atol, rtol max(|lo|, |lo before|)))`, where `lo before` is the lower solution of the last
/// accepted step (Jolicoeur-Martineau et al. 2021, arXiv 2105.14080). With `E <= 1` the state becomes `hi`; either way
/// `h` becomes `min(theta h E^(-1/order), what remains)`. The prediction at the start of a rejected step is used again,
/// so that a rejected step costs one evaluation less than an accepted one.
///
/// The papers work on variance-preserving paths. Elsewhere states are compared after division by
/// `sqrt(alpha^2 + sigma^2)`, so that the steps depend on noise levels alone; otherwise `rtol` would allow an error in
/// proportion to the noise of the EDM path, and a first step straight to the end with it.
///
/// Only the first and the last node of the grid matter. `lambda` is infinite at two ends:
///
/// - From `alpha` = 0 the first step is the explicit midpoint rule with Euler inside, in `x / (alpha + sigma)` against
///   `s = sigma / (alpha + sigma)`. Its length in `s` begins at `h_init` and is controlled like any other.
/// - To `sigma` = 0 the last step takes the predicted `x0` (degree 0), unchecked, from where `rho` is `atol`, so that what
///   is left of the noise is as small as the error allowed. It starts earlier where the network was not trained that
///   far: at the end of [`Path::range`](crate::Path::range) or the grid's last node before zero, whichever is lower. Its
///   error there, `rho^2 / (2 s)` for normal data of deviation `s`, does not fall with the tolerance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adaptive {
    /// The order of the solution that is kept.
    pub order: Order,
    /// What the solvers interpolate.
    pub quantity: Quantity,
    /// The error that a step may have.
    pub tolerance: Tolerance,
    /// Length of the first step, in `lambda` (from `alpha` = 0 in `s`), positive.
    pub h_init: f64,
    /// Safety factor of the step length, above 0 and below 1.
    pub theta: f64,
    /// Most evaluations of one image.
    pub max_nfe: usize,
}

const QUANTITIES: [(&str, Quantity); 2] = [("eps", Quantity::Eps), ("x0", Quantity::X0)];

impl Adaptive {
    /// The published settings: `atol` is 2/256, one shade of an 8-bit picture between -1 and 1.
    #[must_use]
    pub fn new(order: Order) -> Self {
        let tolerance = Tolerance { atol: 0.0078, rtol: 0.05 };
        Self { order, quantity: Quantity::Eps, tolerance, h_init: 0.05, theta: 0.9, max_nfe: 1000 }
    }

    fn from_params(order: Order, p: &mut Params) -> crate::Result<Self> {
        let d = Self::new(order);
        Ok(Self {
            order,
            tolerance: Tolerance {
                atol: p.number("atol", d.tolerance.atol, 1e-12..=1e3)?,
                rtol: p.number("rtol", d.tolerance.rtol, 0.0..=1e3)?,
            },
            h_init: p.number("h_init", d.h_init, 1e-6..=10.0)?,
            theta: p.number("theta", d.theta, 0.01..=0.999)?,
            quantity: p.choice("pred", d.quantity, &QUANTITIES)?,
            max_nfe: p.count("max_nfe", d.max_nfe, 1..=1_000_000)?,
        })
    }

    pub(super) fn name(&self) -> String {
        let d = Self::new(self.order);
        let mut name = match self.order {
            Order::Two => "dpm-12".to_owned(),
            Order::Three => "dpm-23".to_owned(),
        };
        if self.quantity == Quantity::X0 {
            name.push_str(":pred=x0");
        }
        let params = [
            ("atol", self.tolerance.atol, d.tolerance.atol),
            ("rtol", self.tolerance.rtol, d.tolerance.rtol),
            ("h_init", self.h_init, d.h_init),
            ("theta", self.theta, d.theta),
            ("max_nfe", self.max_nfe as f64, d.max_nfe as f64),
        ];
        spec_text(&name, &params)
    }

    pub(super) fn course<'a, M: Machine>(
        &self,
        grid: &'a Grid,
        image: usize,
        x: M::State,
    ) -> Result<Box<dyn Course<M> + 'a>, M::Error>
    where
        M::State: 'a,
    {
        Ok(Box::new(AdaptiveCourse::new(*self, grid, image, x)?))
    }
}
