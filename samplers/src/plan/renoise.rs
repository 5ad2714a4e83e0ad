//! The form of a plan that lets guidance choose what a state is noised with again.

use std::collections::BTreeMap;

use super::{Op, Plan, Slot};
use crate::{Error, Result};

/// An evaluation that a later combination may read.
#[derive(Clone, Copy)]
struct Seen {
    /// Position among the evaluations.
    number: usize,
    x: Slot,
    alpha: f64,
    unguided: Slot,
}

impl Plan {
    /// The plan in which each step lands on the prediction `D` and is noised again with another one, `U`, that
    /// [`Op::Renoise`] asks for; CFG++ puts the unconditional prediction there (arXiv 2406.08070).
    ///
    /// A step `keep x + w0 D0 + w1 D1 + ...` through `x0` becomes
    /// `keep x + (w0 + alpha keep) D0 - alpha keep U0 + w1 U1 + ...`, with `alpha` at the start of the step: the noise in
    /// `x` is what `U0` leaves of it, and older predictions steer it. For DDIM that is
    /// `alpha' D + (sigma' / sigma) (x - alpha U)`; for DPM-Solver++(2M) it is the two-step form in public use. Where
    /// `U = D` it is the same plan.
    ///
    /// # Errors
    /// [`Error::Unsuited`] for a plan that asks for anything but one `x0` a step.
    pub fn renoised(&self) -> Result<Self> {
        let unsuited = || Error::Unsuited {
            solver: self.solver.clone(),
            reason: "to be noised again with another prediction it must ask for one x0 a step; take ddim, \
                     dpmpp-2m, dpmpp-3m, res-2m or sde-dpmpp-2m"
                .to_owned(),
        };
        let mut seen: BTreeMap<Slot, Seen> = BTreeMap::new();
        let mut next = self.slots() as u32;
        let mut ops = Vec::with_capacity(self.ops.len() + self.nfe());
        for op in &self.ops {
            match op {
                Op::Eval { out, x, node, pred } => {
                    let node = self.nodes.get(*node).filter(|_| *pred == super::Pred::X0);
                    let alpha = node.ok_or_else(unsuited)?.alpha;
                    let unguided = Slot(next);
                    next += 1;
                    seen.insert(*out, Seen { number: seen.len(), x: *x, alpha, unguided });
                    ops.extend([op.clone(), Op::Renoise { out: unguided, of: *out }]);
                }
                Op::Lin { out, terms } => {
                    ops.push(Op::Lin { out: *out, terms: split(terms, &seen).ok_or_else(unsuited)? });
                }
                Op::Renoise { .. } => return Ok(self.clone()),
                Op::Noise { .. } | Op::Brownian { .. } | Op::EndStep { .. } => ops.push(op.clone()),
            }
        }
        let plan = Self { ops, ..self.clone() };
        plan.validate()?;
        Ok(plan)
    }
}

/// The terms of one combination, the predictions in it split; `None` if the newest was not made from the state in it.
fn split(terms: &[(f64, Slot)], seen: &BTreeMap<Slot, Seen>) -> Option<Vec<(f64, Slot)>> {
    let newest = terms.iter().filter_map(|(_, slot)| seen.get(slot)).max_by_key(|s| s.number);
    let Some(newest) = newest else { return Some(terms.to_vec()) };
    let is_state = |slot: Slot| slot != newest.x && seen.values().any(|s| s.x == slot);
    if terms.iter().any(|(_, slot)| is_state(*slot)) {
        return None;
    }
    let keep = terms.iter().find(|(_, slot)| *slot == newest.x).map_or(0.0, |(c, _)| *c);
    let noise = newest.alpha * keep;
    let mut new = Vec::with_capacity(terms.len() + 1);
    for &(c, slot) in terms {
        match seen.get(&slot) {
            Some(s) if s.number == newest.number => new.extend([(c + noise, slot), (-noise, s.unguided)]),
            Some(s) => new.push((c, s.unguided)),
            None => new.push((c, slot)),
        }
    }
    new.retain(|(c, _)| *c != 0.0);
    Some(new)
}
