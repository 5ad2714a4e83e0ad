//! Writes the plan of a scheduler: what all of them share.

use super::error;
use super::schedule::Schedule;
use crate::{Grid, Node, Path, Plan, PlanBuilder, Pred, Result, Slot};

/// What standard normal noise is scaled by to make the first state (`init_noise_sigma`), on the variance-preserving
/// scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// By nothing, whatever the first level.
    Unit,
    /// By the `sigma` of the first level.
    Level,
}

/// A plan in the making, for a scheduler whose states are on the variance-preserving scale.
pub(super) struct Writer {
    pub(super) b: PlanBuilder,
    times: Vec<f64>,
    path: Path,
    grid: Vec<Node>,
    merged: bool,
}

impl Writer {
    /// The writer and the first state.
    pub(super) fn new(
        spec: &str,
        name: &str,
        path: &Path,
        schedule: &Schedule,
        start: Start,
    ) -> Result<(Self, Slot)> {
        let mut at: Vec<f64> = schedule.levels.iter().map(|level| level.t).collect();
        // A step of no length is no step of a grid: its evaluation joins the step before it.
        let merged = schedule.repeats_last();
        if merged {
            at.pop();
        }
        if at.len() < 2 {
            return Err(error(
                name,
                "makes a single step of zero length here and returns the noise as it was",
                "ask for at least 2 steps",
            ));
        }
        let grid = Grid::new(path, &at, schedule.rule.clone())?;
        let mut b = PlanBuilder::new(format!("diffusers/{spec}"), &grid);
        let scale = if start == Start::Unit { 1.0 / grid.nodes()[0].sigma } else { 1.0 };
        let x = b.state();
        let x = if start == Start::Unit { b.lin(&[(scale, x)]) } else { x };
        let (times, nodes) = (schedule.times.clone(), grid.nodes().to_vec());
        Ok((Self { b, times, path: path.clone(), grid: nodes, merged }, x))
    }

    /// Evaluation number `i`, at the time that the network is told; it need not be where the state is.
    pub(super) fn eval(&mut self, i: usize, x: Slot, pred: Pred) -> Slot {
        self.eval_at(self.times[i], x, pred)
    }

    /// An evaluation at any time.
    #[expect(clippy::float_cmp, reason = "a grid node serves when it is the very same time")]
    pub(super) fn eval_at(&mut self, t: f64, x: Slot, pred: Pred) -> Slot {
        let node = match self.grid.iter().position(|node| node.t == t) {
            Some(i) => i,
            None => self.b.node(self.path.node(t)),
        };
        self.b.eval(x, node, pred)
    }

    /// Evaluation number `i`, turned into `want` (the noise or the clean image) as if the state `x` were at `level`.
    pub(super) fn model(&mut self, i: usize, level: &Node, x: Slot, want: Pred) -> Slot {
        let Node { alpha, sigma, .. } = *level;
        if self.path == Path::Flow {
            let flow = self.eval(i, x, Pred::Flow);
            let weight = if want == Pred::X0 { -sigma } else { alpha };
            return self.b.lin(&[(1.0, x), (weight, flow)]);
        }
        let eps = self.eval(i, x, Pred::Eps);
        if want == Pred::X0 { self.b.lin(&[(1.0 / alpha, x), (-sigma / alpha, eps)]) } else { eps }
    }

    /// Ends the step of evaluation `i`.
    pub(super) fn end_step(&mut self, i: usize, x: Slot) {
        if !(self.merged && i + 2 == self.times.len()) {
            self.b.end_step(x);
        }
    }

    pub(super) fn finish(self) -> Result<Plan> {
        self.b.finish()
    }
}
