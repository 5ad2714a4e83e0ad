//! Guidance at some evaluations only.

use std::fmt::Debug;

use crate::guidance::{Branches, EvalCtx, Guidance, Guided, Images, Preds};

/// Says where there is guidance.
pub trait Gate: Copy + Debug + Send + 'static {
    /// Whether it goes by the number of the step.
    const STEPWISE: bool;

    /// The images that are guided at this evaluation, by what `ctx` says and nothing else.
    fn open(&self, ctx: &EvalCtx<'_>) -> Images;
}

/// Asks for a second prediction of the images for which the gate is open, and of no other.
#[derive(Debug)]
pub struct Gated<G> {
    /// Where.
    pub gate: G,
    /// What guides.
    pub inner: Box<dyn Guidance>,
}

impl<G: Gate> Guidance for Gated<G> {
    fn plan(&mut self, ctx: &EvalCtx<'_>) -> Branches {
        match self.gate.open(ctx) {
            Images::None => Branches::cond(),
            keep => self.inner.plan(ctx).only(&keep, ctx.batch()),
        }
    }

    fn combine(&mut self, ctx: &EvalCtx<'_>, preds: Preds) -> Guided {
        match self.gate.open(ctx) {
            Images::None => preds.cond.into(),
            _ => self.inner.combine(ctx, preds),
        }
    }

    decorates!();

    fn stepwise(&self) -> bool {
        G::STEPWISE || self.inner.stepwise()
    }

    fn fresh(&self) -> Box<dyn Guidance> {
        Box::new(Self { gate: self.gate, inner: self.inner.fresh() })
    }
}
