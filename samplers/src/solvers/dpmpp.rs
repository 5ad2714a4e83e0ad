//! DPM-Solver++ multistep.

use super::Solver;
use crate::phi::phi_2;
use crate::spec::Params;
use crate::{Entry, Grid, Node, Plan, PlanBuilder, Pred, Result, Slot};

/// Registry entry.
pub(crate) const ENTRY_2M: Entry = Entry {
    name: "dpmpp-2m",
    family: "DPM-Solver++",
    summary: "DPM-Solver++(2M): exponential two-step method on x0, linear in lambda",
    params: "type=midpoint (or heun), lower_order_final=auto (below 10 steps; or true, false)",
    order: 2,
    evals_per_step: 1,
    deterministic: true,
    reference: "Lu et al. 2022, arXiv 2211.01095, algorithm 2",
    build: |p| Ok(Box::new(Dpmpp2m::from_params(p)?)),
};

/// How the slope of `x0` enters the step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// The slope is weighted as if taken at the middle of the step (the paper's algorithm 2).
    Midpoint,
    /// The slope is integrated exactly, which equals RES-2M (arXiv 2308.02157).
    Heun,
}

/// When the last step falls back to order 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LowerOrderFinal {
    /// Below 10 steps, as the authors' code does.
    Auto,
    /// Always.
    Always,
    /// Only where it must: into `sigma` = 0.
    Never,
}

/// DPM-Solver++(2M): order 2, one evaluation per step, deterministic.
///
/// With `h` the step in `lambda`, `m0` and `m1` the newest two `x0` predictions, and `r = h_before / h`, the step is
/// `x' = (sigma'/sigma) x - alpha' (e^-h - 1) m0 + alpha' w(h) (m0 - m1)/r`, where `w = (1 - e^-h)/2` for `midpoint`
/// and `w = h phi_2(-h)` for `heun`. The first step, a step after one of infinite length (from `alpha` = 0) and a
/// step into `sigma` = 0 have order 1. Prefer it with guidance, where its `x0` form is robust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dpmpp2m {
    /// Weight of the slope.
    pub kind: Type,
    /// Order of the last step.
    pub lower_order_final: LowerOrderFinal,
}

const TYPES: [(&str, Type); 2] = [("midpoint", Type::Midpoint), ("heun", Type::Heun)];
const FINALS: [(&str, LowerOrderFinal); 3] =
    [("auto", LowerOrderFinal::Auto), ("true", LowerOrderFinal::Always), ("false", LowerOrderFinal::Never)];

impl Dpmpp2m {
    fn from_params(p: &mut Params) -> Result<Self> {
        Ok(Self {
            kind: p.choice("type", Type::Midpoint, &TYPES)?,
            lower_order_final: p.choice("lower_order_final", LowerOrderFinal::Auto, &FINALS)?,
        })
    }

    fn lowers_last(self, steps: usize) -> bool {
        match self.lower_order_final {
            LowerOrderFinal::Auto => steps < 10,
            LowerOrderFinal::Always => true,
            LowerOrderFinal::Never => false,
        }
    }

    /// Adds one step. `before` is the previous evaluation with the length in `lambda` of the step that it began.
    fn step(
        self,
        b: &mut PlanBuilder,
        pair: &[Node],
        x: Slot,
        m0: Slot,
        before: Option<(Slot, f64)>,
    ) -> Slot {
        let (from, to) = (&pair[0], &pair[1]);
        let h = to.lambda() - from.lambda();
        let base = [(to.sigma / from.sigma, x), (-to.alpha * f64::exp_m1(-h), m0)];
        let Some((m1, h_before)) = before else { return b.lin(&base) };
        let weight = match self.kind {
            Type::Midpoint => -0.5 * f64::exp_m1(-h),
            Type::Heun => h * phi_2(-h),
        };
        let slope = to.alpha * weight * h / h_before;
        b.lin(&[base[0], base[1], (slope, m0), (-slope, m1)])
    }
}

impl Solver for Dpmpp2m {
    fn name(&self) -> String {
        let mut name = "dpmpp-2m".to_owned();
        if self.kind == Type::Heun {
            name.push_str(":type=heun");
        }
        match self.lower_order_final {
            LowerOrderFinal::Auto => {}
            LowerOrderFinal::Always => name.push_str(":lower_order_final=true"),
            LowerOrderFinal::Never => name.push_str(":lower_order_final=false"),
        }
        name
    }

    fn plan(&self, grid: &Grid) -> Result<Plan> {
        let mut b = PlanBuilder::new(self.name(), grid);
        let mut x = b.state();
        let mut before = None;
        for (i, pair) in grid.nodes().windows(2).enumerate() {
            let m0 = b.eval(x, i, Pred::X0);
            let last = i + 1 == grid.steps();
            let first_order = pair[1].sigma == 0.0 || (last && self.lowers_last(grid.steps()));
            x = self.step(&mut b, pair, x, m0, before.filter(|_| !first_order));
            b.end_step(x);
            let h = pair[1].lambda() - pair[0].lambda();
            before = h.is_finite().then_some((m0, h));
        }
        b.finish()
    }

    fn evals(&self, steps: usize, _to_zero: bool) -> usize {
        steps
    }
}
