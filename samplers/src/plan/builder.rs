//! Writes plans, so that a solver reads like its formulas.

use super::{Op, Plan, Pred, Slot};
use crate::{Error, Grid, Node, Result};

/// Builds a [`Plan`] op by op.
///
/// Nothing here returns an error before [`PlanBuilder::finish`], which reports the first problem: formulas stay free
/// of error handling.
#[derive(Debug)]
pub struct PlanBuilder {
    plan: Plan,
    next_slot: u32,
    next_draw: u32,
    next_step: usize,
    error: Option<Error>,
}

impl PlanBuilder {
    /// Starts the plan of `solver` (its specification) on `grid`.
    #[must_use]
    pub fn new(solver: impl Into<String>, grid: &Grid) -> Self {
        let plan = Plan {
            version: Plan::VERSION,
            solver: solver.into(),
            path: grid.path().clone(),
            grid: grid.rule().to_owned(),
            nodes: grid.nodes().to_vec(),
            steps: grid.steps(),
            ops: Vec::new(),
            output: Slot::STATE,
        };
        Self { plan, next_slot: 1, next_draw: 1, next_step: 0, error: None }
    }

    /// The state at the first node.
    #[must_use]
    pub fn state(&self) -> Slot {
        Slot::STATE
    }

    /// Adds a node off the grid and returns its index for [`PlanBuilder::eval`].
    pub fn node(&mut self, node: Node) -> usize {
        self.plan.nodes.push(node);
        self.plan.nodes.len() - 1
    }

    /// Evaluates the network on `x` at a node (grid nodes have the indices 0 to `steps`).
    pub fn eval(&mut self, x: Slot, node: usize, pred: Pred) -> Slot {
        let out = self.fresh();
        self.plan.ops.push(Op::Eval { out, x, node, pred });
        out
    }

    /// Forms the linear combination of slots. Terms with coefficient 0 are left out, so that an infinity or a NaN in
    /// an unused slot cannot spoil the sum, and terms with the same slot are joined.
    pub fn lin(&mut self, terms: &[(f64, Slot)]) -> Slot {
        let mut kept: Vec<(f64, Slot)> = Vec::with_capacity(terms.len());
        for &(c, slot) in terms {
            if !c.is_finite() {
                self.fail(c);
            }
            match kept.iter_mut().find(|(_, s)| *s == slot) {
                Some((sum, _)) => *sum += c,
                None => kept.push((c, slot)),
            }
        }
        kept.retain(|(c, _)| *c != 0.0);
        let out = self.fresh();
        self.plan.ops.push(Op::Lin { out, terms: kept });
        out
    }

    /// Draws fresh standard normal noise from the next stream.
    pub fn noise(&mut self) -> Slot {
        let out = self.fresh();
        self.plan.ops.push(Op::Noise { out, draw: self.next_draw });
        self.next_draw += 1;
        out
    }

    /// Draws the normalised increment of the Brownian path between two nodes, the noise of a stochastic solver's step.
    /// With more steps the same picture is refined, which fresh noise would not give.
    pub fn brownian(&mut self, from: &Node, to: &Node) -> Slot {
        let out = self.fresh();
        let (from, to) = (from.clock(), to.clock());
        if !(from.is_finite() && to.is_finite()) {
            self.fail(to);
        }
        self.plan.ops.push(Op::Brownian { out, from, to });
        out
    }

    /// Ends the current step with the state `x` at the next grid node.
    pub fn end_step(&mut self, x: Slot) {
        self.plan.ops.push(Op::EndStep { step: self.next_step, x, node: self.next_step + 1 });
        self.plan.output = x;
        self.next_step += 1;
    }

    /// Checks the plan and hands it out. The output is the state of the last [`PlanBuilder::end_step`].
    ///
    /// # Errors
    /// [`Error::NotFinite`] when a coefficient was NaN or infinite, [`Error::InvalidPlan`] when a rule of plans is
    /// broken, for example a missing step.
    pub fn finish(self) -> Result<Plan> {
        match self.error {
            Some(e) => Err(e),
            None => self.plan.validate().map(|()| self.plan),
        }
    }

    fn fresh(&mut self) -> Slot {
        self.next_slot += 1;
        Slot(self.next_slot - 1)
    }

    fn fail(&mut self, value: f64) {
        let (solver, step) = (self.plan.solver.clone(), self.next_step);
        self.error.get_or_insert(Error::NotFinite { solver, step, value });
    }
}
