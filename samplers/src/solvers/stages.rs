//! The loop that all explicit one-step methods share: Runge-Kutta and exponential.

use crate::{Node, PlanBuilder, Pred, Slot};

/// An intermediate state of a step, at the share `c` of the way, from the slopes before it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stage<'a, W> {
    pub c: f64,
    pub weights: &'a [W],
}

/// A method as data. The first slope is taken at the start of the step, then one at each stage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tableau<'a, W> {
    pub stages: &'a [Stage<'a, W>],
    /// Weights of all slopes in the result.
    pub end: &'a [W],
}

impl<W> Tableau<'_, W> {
    /// Network evaluations of one step.
    pub(super) const fn evals(&self) -> usize {
        self.stages.len() + 1
    }

    /// Whether a stage stands at the end of the step.
    pub(super) fn looks_at_the_end(&self) -> bool {
        self.stages.iter().any(|stage| stage.c >= 1.0)
    }
}

/// How one step measures its way and what the weights of a tableau mean there.
pub(super) trait Frame {
    /// A weight in a tableau.
    type Weight: Copy;

    /// What the network is asked for.
    fn pred(&self) -> Pred;

    /// The point of the path at the share `c` of the way.
    fn stage(&self, c: f64) -> Node;

    /// Coefficient of the state at the start in the state at `to`.
    fn keep(&self, to: &Node) -> f64;

    /// Coefficient of a slope in the state at `to`, the share `c` of the way.
    fn weigh(&self, to: &Node, c: f64, weight: Self::Weight) -> f64;

    /// Coefficients of the state at the start and of the slopes in the state at `to`, the share `c` of the way.
    fn row(&self, to: &Node, c: f64, weights: &[Self::Weight]) -> Vec<f64> {
        let slopes = weights.iter().map(|weight| self.weigh(to, c, *weight));
        std::iter::once(self.keep(to)).chain(slopes).collect()
    }
}

/// Adds one step from the state `x` at node number `from` to the node `to` of number `to_index`; gives the state there.
pub(super) fn explicit<F: Frame>(
    b: &mut PlanBuilder,
    frame: &F,
    tableau: &Tableau<'_, F::Weight>,
    x: Slot,
    from: usize,
    (to, to_index): (&Node, usize),
) -> Slot {
    let state = |b: &mut PlanBuilder, node: &Node, c: f64, weights: &[F::Weight], slopes: &[Slot]| {
        let slots = std::iter::once(x).chain(slopes.iter().copied());
        let terms: Vec<(f64, Slot)> = frame.row(node, c, weights).into_iter().zip(slots).collect();
        b.lin(&terms)
    };
    let mut slopes = vec![b.eval(x, from, frame.pred())];
    for Stage { c, weights } in tableau.stages {
        let (node, index) = if *c < 1.0 {
            let node = frame.stage(*c);
            (node, b.node(node))
        } else {
            (*to, to_index)
        };
        let there = state(b, &node, *c, weights, &slopes);
        slopes.push(b.eval(there, index, frame.pred()));
    }
    state(b, to, 1.0, tableau.end, &slopes)
}
