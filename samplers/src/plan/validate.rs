//! The rules that every plan keeps.

use std::collections::BTreeSet;

use super::{Op, Plan, Slot};
use crate::grid::MAX_STEPS;
use crate::text::steers;
use crate::{Error, Node, Result};

/// Most ops of a plan; bounds how long a hostile file can make an executor work.
const MAX_OPS: usize = 16 * MAX_STEPS;

/// Most tensors at a time; bounds what it can make an executor allocate. The solvers here need at most a dozen.
const MAX_LIVE: usize = 64;

/// Streams of noise from here on are those of Brownian paths.
const MAX_DRAW: u32 = 1 << 31;

/// How far a node may stand from its path, relative to the sizes there: other machines' `exp` and `ln` differ by far
/// less, a node of another path by far more.
const OFF_PATH: f64 = 1e-9;

impl Plan {
    /// Checks every rule: a known version, a valid path, nodes on that path with the grid part strictly decreasing,
    /// slots numbered without gaps and each written once and before it is read, finite coefficients, distinct noise
    /// streams from 1, no evaluation at `sigma` = 0, and the steps ended in order.
    ///
    /// # Errors
    /// [`Error::PlanVersion`], [`Error::BadParam`] for the path, otherwise [`Error::InvalidPlan`].
    pub fn validate(&self) -> Result<()> {
        if self.version != Self::VERSION {
            let found = u64::from(self.version);
            return Err(Error::PlanVersion { found, supported: Self::VERSION });
        }
        self.path.validate()?;
        if [&self.solver, &self.grid].iter().any(|text| text.contains(steers)) {
            let reason = "`solver` or `grid` holds a control character; take it out".to_owned();
            return Err(Error::InvalidPlan { reason });
        }
        self.validate_nodes()
            .and_then(|()| self.validate_ops())
            .map_err(|reason| Error::InvalidPlan { reason })
    }

    fn validate_nodes(&self) -> std::result::Result<(), String> {
        if self.steps == 0 || self.steps > MAX_STEPS {
            return Err(format!("steps is {}; it must be from 1 to {MAX_STEPS}", self.steps));
        }
        if self.nodes.len() <= self.steps {
            return Err(format!(
                "{} steps need {} nodes, found {}",
                self.steps,
                self.steps + 1,
                self.nodes.len()
            ));
        }
        if self.nodes.len() > MAX_OPS {
            return Err(format!("{} nodes are more than the allowed {MAX_OPS}", self.nodes.len()));
        }
        for (i, node) in self.nodes.iter().enumerate() {
            let Node { t, alpha, sigma } = *node;
            let usable = t.is_finite() && alpha.is_finite() && sigma.is_finite();
            if !(usable && alpha >= 0.0 && sigma >= 0.0 && alpha + sigma > 0.0) {
                return Err(format!("node {i} needs finite t, alpha >= 0 and sigma >= 0, not both 0"));
            }
            let there = self.path.node(t);
            let off = (there.alpha - alpha).abs() + (there.sigma - sigma).abs();
            if off.is_nan() || off > OFF_PATH * (alpha + sigma) {
                return Err(format!(
                    "node {i} is not on path `{}`: at t = {t} it should have alpha = {} and sigma = {}",
                    self.path, there.alpha, there.sigma
                ));
            }
        }
        for (i, pair) in self.nodes[..=self.steps].windows(2).enumerate() {
            if pair[1].t >= pair[0].t {
                return Err(format!(
                    "grid node {} is not below node {i} in t; list them from noise to data",
                    i + 1
                ));
            }
        }
        Ok(())
    }

    fn validate_ops(&self) -> std::result::Result<(), String> {
        if self.ops.len() > MAX_OPS {
            return Err(format!("{} ops are more than the allowed {MAX_OPS}", self.ops.len()));
        }
        let mut written = vec![false; self.slots()];
        written[Slot::STATE.index()] = true;
        let mut draws = BTreeSet::new();
        let mut ended = 0;
        for (i, op) in self.ops.iter().enumerate() {
            if let Some(slot) = op.reads().find(|slot| written.get(slot.index()) != Some(&true)) {
                return Err(format!("op {i} reads slot {}, which nothing before it writes", slot.0));
            }
            if let Some(slot) = op.writes() {
                match written.get_mut(slot.index()) {
                    Some(done) if !*done => *done = true,
                    Some(_) => {
                        return Err(format!("op {i} writes slot {} a second time; use a new slot", slot.0));
                    }
                    None => {
                        return Err(format!(
                            "op {i} writes slot {}; number the slots without gaps from 1",
                            slot.0
                        ));
                    }
                }
            }
            if let Op::Renoise { of, .. } = op
                && !matches!(i.checked_sub(1).map(|before| &self.ops[before]), Some(Op::Eval { out, .. }) if out == of)
            {
                return Err(format!(
                    "op {i} renoises slot {}, which the op before it does not evaluate; put it there",
                    of.0
                ));
            }
            self.validate_op(op, &mut ended, &mut draws).map_err(|reason| format!("op {i} {reason}"))?;
        }
        self.validate_memory()?;
        if ended != self.steps {
            return Err(format!("{ended} of {} steps are ended; end each with an end-step op", self.steps));
        }
        if written.get(self.output.index()) != Some(&true) {
            return Err(format!("the output is slot {}, which no op writes", self.output.0));
        }
        Ok(())
    }

    fn validate_memory(&self) -> std::result::Result<(), String> {
        let mut live = 1;
        for (i, (op, dying)) in self.ops.iter().zip(self.last_uses()).enumerate() {
            live += usize::from(op.writes().is_some());
            if live > MAX_LIVE {
                return Err(format!(
                    "op {i} is the place where {live} slots are in use; at most {MAX_LIVE} may be"
                ));
            }
            live -= dying.len();
        }
        Ok(())
    }

    fn validate_op(
        &self,
        op: &Op,
        ended: &mut usize,
        draws: &mut BTreeSet<u32>,
    ) -> std::result::Result<(), String> {
        let at = |node: usize| {
            self.nodes
                .get(node)
                .ok_or_else(|| format!("names node {node}, but there are {}", self.nodes.len()))
        };
        match op {
            Op::Eval { node, .. } => {
                if at(*node)?.sigma <= 0.0 {
                    return Err(
                        "evaluates the network at sigma = 0, where it says nothing; end there".to_owned()
                    );
                }
            }
            Op::Renoise { .. } => {}
            Op::Lin { terms, .. } => {
                if terms.is_empty() {
                    return Err("is a linear combination without terms; give at least one".to_owned());
                }
                if let Some((c, slot)) = terms.iter().find(|(c, _)| !c.is_finite()) {
                    return Err(format!("scales slot {} by {c}; coefficients must be finite", slot.0));
                }
                let distinct: BTreeSet<Slot> = terms.iter().map(|(_, slot)| *slot).collect();
                if distinct.len() != terms.len() {
                    return Err(
                        "names a slot twice in one linear combination; add the coefficients".to_owned()
                    );
                }
            }
            Op::Noise { draw, .. } => {
                if *draw == 0 {
                    return Err(
                        "draws noise from stream 0, which made the initial state; start at 1".to_owned()
                    );
                }
                if *draw >= MAX_DRAW {
                    return Err(format!("draws noise from stream {draw}; streams are below {MAX_DRAW}"));
                }
                if !draws.insert(*draw) {
                    return Err(format!("draws noise from stream {draw} a second time; use a new stream"));
                }
            }
            Op::Brownian { from, to, .. } => {
                if !(*from >= 0.0 && to > from && to.is_finite()) {
                    return Err(format!("draws Brownian noise from {from} to {to}; give 0 <= from < to"));
                }
            }
            Op::EndStep { step, node, .. } => {
                at(*node)?;
                if step != ended {
                    return Err(format!("ends step {step}, but the next to end is {ended}"));
                }
                if *node != step + 1 {
                    return Err(format!("ends step {step} at node {node}; it must be {}", step + 1));
                }
                *ended += 1;
            }
        }
        Ok(())
    }
}
