//! The analytical first step: a plan without its first network evaluation.

use super::Solver;
use crate::{Error, Grid, Node, Op, Plan, Pred, Result};

/// Any solver with its first evaluation replaced by a formula.
///
/// At a high noise level the network says little beyond `eps = x / sqrt(alpha^2 + sigma^2)`, the state with its deviation
/// brought to 1: `x` itself on a variance-preserving path, `x / sqrt(1 + sigma^2)` where `alpha` = 1 (Dockhorn, Vahdat,
/// Kreis 2022, arXiv 2210.05475). The other predictions follow from `eps`. One evaluation less, otherwise the plan of
/// the solver.
#[derive(Debug)]
pub struct Afs {
    inner: Box<dyn Solver>,
}

impl Afs {
    /// `inner` without its first evaluation.
    #[must_use]
    pub fn new(inner: Box<dyn Solver>) -> Self {
        Self { inner }
    }
}

/// The factor between `x` and a prediction.
fn factor(node: &Node, pred: Pred) -> f64 {
    let Node { alpha, sigma, .. } = *node;
    let norm = alpha.hypot(sigma);
    let eps = 1.0 / norm;
    // (1 - sigma / norm) / alpha, without the difference and the quotient that alpha = 0 spoils.
    let x0 = alpha / ((norm + sigma) * norm);
    match pred {
        Pred::Eps => eps,
        Pred::X0 => x0,
        Pred::Flow => eps - x0,
    }
}

impl Solver for Afs {
    fn name(&self) -> String {
        format!("{}:afs=true", self.inner.name())
    }

    fn plan(&self, grid: &Grid) -> Result<Plan> {
        let mut plan = self.inner.plan(grid)?;
        plan.solver = self.name();
        if plan.nfe() < 2 {
            return Err(Error::Unsuited {
                solver: self.name(),
                reason: "its one evaluation is the one to leave out; use more steps or drop `afs`".to_owned(),
            });
        }
        let first = plan.ops.iter_mut().find(|op| matches!(op, Op::Eval { .. }));
        if let Some(op) = first
            && let Op::Eval { out, x, node, pred } = *op
        {
            let node = plan.nodes.get(node).copied();
            *op = Op::Lin { out, terms: vec![(node.map_or(f64::NAN, |node| factor(&node, pred)), x)] };
        }
        plan.validate()?;
        Ok(plan)
    }

    fn evals(&self, steps: usize, to_zero: bool) -> usize {
        self.inner.evals(steps, to_zero) - 1
    }

    fn steps_for_nfe(&self, nfe: usize, to_zero: bool) -> Option<usize> {
        if nfe == 0 {
            return None; // a plan asks the network at least once
        }
        self.inner.steps_for_nfe(nfe.saturating_add(1), to_zero)
    }

    fn packed(&self, nfe: usize, to_zero: bool) -> Option<Box<dyn Solver>> {
        if nfe == 0 {
            return None;
        }
        let inner = self.inner.packed(nfe.saturating_add(1), to_zero)?;
        Some(Box::new(Self { inner }))
    }
}
