//! Runs a plan on tensors: the only sampling loop in the program.

use std::ops::ControlFlow;

use anyhow::{Context, Result, bail};
use fewstep_samplers::{Node, NoiseKey, Op, Plan, Slot};
use tch::Tensor;

use super::evaluator::{At, Evaluator, Look};

/// What an observer is told at the end of a step.
#[derive(Debug)]
pub struct StepInfo<'a> {
    /// Steps done, from 1.
    pub step: usize,
    /// Steps in all.
    pub steps: usize,
    /// Where the state stands now.
    pub node: &'a Node,
    /// The state, `[b, c, h, w]` f32.
    pub x: &'a Tensor,
}

/// Watches a run: progress, previews, recording, cancelling. Batches run side by side, so it is told of steps from
/// several threads.
pub trait Observer: Send + Sync {
    /// Called at the end of every step; `Break` ends the run.
    fn step(&self, info: &StepInfo<'_>) -> ControlFlow<()>;

    /// Called after every guided evaluation, if [`Observer::looks`].
    fn guidance(&self, look: &Look) {
        let _ = look;
    }

    /// Whether [`Observer::guidance`] is to be called, which makes a GPU wait.
    fn looks(&self) -> bool {
        false
    }

    /// Called after every round of network calls of a dynamic solver, with its number from 1; `Break` ends the run.
    fn round(&self, number: usize) -> ControlFlow<()> {
        let _ = number;
        ControlFlow::Continue(())
    }
}

/// Watches nothing.
#[derive(Debug)]
pub struct Silent;

impl Observer for Silent {
    fn step(&self, _: &StepInfo<'_>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// How a run ended.
#[derive(Debug)]
pub enum Outcome {
    /// The final state.
    Done(Tensor),
    /// The observer broke the run off.
    Cancelled,
}

/// Executes `plan` from the state `x` (noise times [`Plan::init_scale`]).
///
/// # Shapes
/// `x: [b, c, h, w]`; `noise(key)` gives a tensor like `x`
///
/// # Errors
/// If the denoiser refuses its input, or the result is not finite.
pub fn execute(
    plan: &Plan,
    x: Tensor,
    evaluator: &mut Evaluator<'_>,
    noise: &mut dyn FnMut(NoiseKey) -> Tensor,
    observer: &dyn Observer,
) -> Result<Outcome> {
    let _no_grad = tch::no_grad_guard();
    let last_uses = plan.last_uses();
    let mut slots: Vec<Option<Tensor>> = (0..plan.slots()).map(|_| None).collect();
    slots[0] = Some(x);
    let mut places = plan.eval_places().into_iter();
    let mut done = 0;
    let mut renoise = None;
    evaluator.looks = observer.looks();
    for (op, dead) in plan.ops.iter().zip(&last_uses) {
        match op {
            Op::Eval { out, x, node, pred } => {
                let nodes = std::slice::from_ref(&plan.nodes[*node]);
                let (step, stage) = places.next().unwrap_or_default();
                let at = At { nodes, start: None, step, steps: plan.steps, stage };
                let answer = evaluator.eval(read(&slots, *x)?, at, *pred)?;
                if let Some(look) = &answer.look {
                    observer.guidance(look);
                }
                renoise = answer.renoise;
                write(&mut slots, *out, answer.value);
            }
            Op::Renoise { out, of } => {
                let value = renoise.take();
                let value = value.map_or_else(|| read(&slots, *of).map(Tensor::shallow_clone), Ok)?;
                write(&mut slots, *out, value);
            }
            Op::Lin { out, terms } => {
                let value = combine(&slots, terms)?;
                write(&mut slots, *out, value);
            }
            Op::Noise { out, draw } => {
                let value = noise(NoiseKey::Draw(*draw));
                write(&mut slots, *out, value);
            }
            Op::Brownian { out, from, to } => {
                let value = noise(NoiseKey::Brownian { from: *from, to: *to });
                write(&mut slots, *out, value);
            }
            Op::EndStep { x, node, .. } => {
                done += 1;
                let info = StepInfo {
                    step: done,
                    steps: plan.steps,
                    node: &plan.nodes[*node],
                    x: read(&slots, *x)?,
                };
                if observer.step(&info).is_break() {
                    return Ok(Outcome::Cancelled);
                }
            }
        }
        for slot in dead {
            slots[slot.index()] = None; // memory goes back while the rest of the plan runs
        }
    }
    let x = slots[plan.output.index()].take().context("the plan ends without writing its output")?;
    // One look at the very end: a look at every step would make a GPU wait.
    if !bool::try_from(x.isfinite().all())? {
        bail!(
            "the result is not finite: solver `{}` with {} steps diverged; use more steps or another solver",
            plan.solver,
            plan.steps
        );
    }
    Ok(Outcome::Done(x))
}

fn read(slots: &[Option<Tensor>], slot: Slot) -> Result<&Tensor> {
    slots[slot.index()]
        .as_ref()
        .with_context(|| format!("the plan reads slot {} before writing it", slot.index()))
}

fn write(slots: &mut [Option<Tensor>], slot: Slot, value: Tensor) {
    slots[slot.index()] = Some(value);
}

fn combine(slots: &[Option<Tensor>], terms: &[(f64, Slot)]) -> Result<Tensor> {
    let mut sum: Option<Tensor> = None;
    for &(c, slot) in terms {
        let x = read(slots, slot)?;
        sum = Some(match sum {
            None => x * c,
            Some(mut sum) => {
                sum += x * c;
                sum
            }
        });
    }
    sum.context("the plan holds an empty linear combination")
}
