//! Runs plans on plain `f64` vectors: the reference executor, for tests and toy models.

use crate::{Error, Node, NoiseKey, Op, Plan, Pred, Result};

/// Something that predicts; the counterpart of a network.
pub trait Model {
    /// The prediction asked for, of the same length as `x`.
    fn predict(&self, x: &[f64], node: &Node, pred: Pred) -> Vec<f64>;
}

/// Runs `plan` from the state `start` at its first node and returns the output.
///
/// `noise(key)` gives the standard normal numbers that an op asks for, of the same length as `start`. `hook(step, node, x)`
/// sees the state at the end of each step and may overwrite it.
///
/// # Errors
/// When the plan is invalid, or [`Error::Length`] when `model`, `noise` or `hook` gives a vector of another length.
pub fn run(
    plan: &Plan,
    model: &(impl Model + ?Sized),
    start: Vec<f64>,
    mut noise: impl FnMut(NoiseKey) -> Vec<f64>,
    mut hook: impl FnMut(usize, &Node, &mut Vec<f64>),
) -> Result<Vec<f64>> {
    plan.validate()?;
    let expected = start.len();
    let check = |what: &'static str, v: Vec<f64>| {
        if v.len() == expected { Ok(v) } else { Err(Error::Length { what, found: v.len(), expected }) }
    };
    // A validated plan writes each slot before it is read, so that the empty vectors are never seen.
    let mut slots = vec![Vec::new(); plan.slots()];
    slots[0] = start;
    for (op, dying) in plan.ops.iter().zip(plan.last_uses()) {
        match op {
            Op::Eval { out, x, node, pred } => {
                let prediction = model.predict(&slots[x.index()], &plan.nodes[*node], *pred);
                slots[out.index()] = check("the model's prediction", prediction)?;
            }
            Op::Renoise { out, of } => {
                let value = slots[of.index()].clone();
                slots[out.index()] = value;
            }
            Op::Lin { out, terms } => {
                let mut sum = vec![0.0; expected];
                for (c, slot) in terms {
                    for (s, v) in sum.iter_mut().zip(&slots[slot.index()]) {
                        *s += c * v;
                    }
                }
                slots[out.index()] = sum;
            }
            Op::Noise { out, draw } => slots[out.index()] = check("the noise", noise(NoiseKey::Draw(*draw)))?,
            Op::Brownian { out, from, to } => {
                let key = NoiseKey::Brownian { from: *from, to: *to };
                slots[out.index()] = check("the noise", noise(key))?;
            }
            Op::EndStep { step, x, node } => {
                let mut state = std::mem::take(&mut slots[x.index()]);
                hook(*step, &plan.nodes[*node], &mut state);
                slots[x.index()] = check("the state after the step hook", state)?;
            }
        }
        for slot in dying {
            slots[slot.index()] = Vec::new();
        }
    }
    Ok(std::mem::take(&mut slots[plan.output.index()]))
}
