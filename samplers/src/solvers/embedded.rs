//! Embedded pairs: a method, and a lower one on the same slopes, whose difference measures the error of the step.

use super::coordinate::{Coordinate, CoordinateStep};
use super::exponential::{DPM_2S, DPM_3S, LambdaStep, ORDER_1, Phis, Quantity};
use super::runge_kutta::{EULER, MIDPOINT};
use super::stages::{Frame, Stage, Tableau};
use crate::{Node, Path, Pred};

/// Coefficients of the state and of the predictions so far, in that order.
pub(crate) type Row = Vec<f64>;

/// One step, as data: a state and a prediction at each stage, then two linear combinations.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pair {
    pub(crate) pred: Pred,
    /// Where the step leads.
    pub(crate) to: Node,
    /// Each stage's node, and its state out of the predictions before it. The first is the step's start.
    pub(crate) stages: Vec<(Node, Row)>,
    /// The solution of the lower order.
    pub(crate) lo: Row,
    /// The solution of the higher order; none where the step must be taken as it is.
    pub(crate) hi: Option<Row>,
}

/// What DPM-Solver-2 with `r` = 1/3 makes of the first two slopes of DPM-Solver-3.
const DPM_2S_THIRD: &[Phis] = &[(-0.5, 0.0), (1.5, 0.0)];

/// DPM-Solver-1 inside DPM-Solver-2 (arXiv 2206.00927, algorithm 1; in `x0` arXiv 2211.01095, algorithm 1).
pub(crate) fn dpm_12(quantity: Quantity, path: &Path, from: &Node, to: &Node) -> Pair {
    let frame = LambdaStep { path, quantity, from: *from, to: *to };
    embed(&frame, from, to, &DPM_2S, ORDER_1.end)
}

/// DPM-Solver-2 inside DPM-Solver-3 (arXiv 2206.00927, algorithm 2).
pub(crate) fn dpm_23(quantity: Quantity, path: &Path, from: &Node, to: &Node) -> Pair {
    let frame = LambdaStep { path, quantity, from: *from, to: *to };
    embed(&frame, from, to, &DPM_3S, DPM_2S_THIRD)
}

/// Euler inside the midpoint rule for `x / (alpha + sigma)` against `sigma / (alpha + sigma)`, where the equation is finite
/// at `alpha` = 0.
pub(crate) fn from_noise(path: &Path, from: &Node, to: &Node) -> Pair {
    let frame = CoordinateStep { path, coordinate: Coordinate::Flow, from: *from, to: *to };
    embed(&frame, from, to, &MIDPOINT, EULER.end)
}

/// The step into clean data: the result is the predicted `x0`.
pub(crate) fn into_data(quantity: Quantity, from: &Node, to: &Node) -> Pair {
    let lo = match quantity {
        Quantity::Eps => vec![to.alpha / from.alpha, -to.alpha / from.alpha * from.sigma],
        Quantity::X0 => vec![0.0, to.alpha],
    };
    Pair { pred: quantity.pred(), to: *to, stages: vec![(*from, vec![1.0])], lo, hi: None }
}

fn embed<F: Frame>(frame: &F, from: &Node, to: &Node, hi: &Tableau<'_, F::Weight>, lo: &[F::Weight]) -> Pair {
    let mut stages = vec![(*from, vec![1.0])];
    stages.extend(hi.stages.iter().map(|Stage { c, weights }| {
        let node = frame.stage(*c);
        (node, frame.row(&node, *c, weights))
    }));
    let (lo, hi) = (frame.row(to, 1.0, lo), frame.row(to, 1.0, hi.end));
    Pair { pred: frame.pred(), to: *to, stages, lo, hi: Some(hi) }
}
