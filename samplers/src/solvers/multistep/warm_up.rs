//! The Runge-Kutta start of PNDM.

use super::kernel::Step;
use crate::{Node, PlanBuilder, Slot};

/// First steps that take several evaluations instead of fewer outputs. Every stage is a DDIM step from the start of the
/// step with the output of the stage before it (pseudo Runge-Kutta, arXiv 2202.09778).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct WarmUp {
    /// Number of steps.
    pub(super) steps: usize,
    /// Where the stages after the first stand, as a fraction of the step in `t`: one half or 1.
    pub(super) stages: &'static [f64],
    /// Weights of all stages.
    pub(super) weights: &'static [f64],
}

impl WarmUp {
    /// The classical fourth-order method in three steps.
    pub(super) const RK4: Self =
        Self { steps: 3, stages: &[0.5, 0.5, 1.0], weights: &[1.0 / 6.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 6.0] };
    /// Heun's method in one step.
    pub(super) const HEUN: Self = Self { steps: 1, stages: &[1.0], weights: &[0.5, 0.5] };

    /// Whether step `i` belongs to the start. A step into `sigma` = 0 does not: nothing can be evaluated there.
    pub(super) fn covers(self, i: usize, to: &Node) -> bool {
        i < self.steps && to.sigma > 0.0
    }

    /// Evaluations beyond one a step.
    pub(super) fn extra_evals(self, steps: usize, to_zero: bool) -> usize {
        self.stages.len() * self.steps.min(steps - usize::from(to_zero))
    }

    /// Adds step `i`, of which `first` is the output at its start.
    pub(super) fn add(self, b: &mut PlanBuilder, step: &Step, i: usize, x: Slot, first: Slot) -> Slot {
        let half = step.path.node(0.5 * (step.from.t + step.to.t));
        let middle = self.stages.iter().any(|c| *c < 1.0).then(|| b.node(half));
        let mut outputs = vec![(self.weights[0], first)];
        let mut newest = first;
        for (c, weight) in self.stages.iter().zip(&self.weights[1..]) {
            let (index, node) = match middle {
                Some(index) if *c < 1.0 => (index, &half),
                _ => (i + 1, step.to),
            };
            let part = Step { to: node, ..*step };
            let there = b.lin(&[(part.keep(), x), (part.total(), newest)]);
            newest = b.eval(there, index, step.pred);
            outputs.push((*weight, newest));
        }
        let total = step.total();
        let mut terms = vec![(step.keep(), x)];
        terms.extend(outputs.into_iter().map(|(weight, slot)| (weight * total, slot)));
        b.lin(&terms)
    }
}
