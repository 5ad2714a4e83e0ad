//! Guidance at some of the steps.

use crate::guidance::registry::{Build, GuidanceEntry, Kind};
use crate::guidance::{Branches, EvalCtx, Guidance, Guided, Preds};

/// Registry entry.
pub(in crate::guidance) const ENTRY: GuidanceEntry = GuidanceEntry {
    name: "sparse",
    kind: Kind::Saving,
    summary: "guides only every so many steps, or only in the first share of them",
    params: "every=1 (1 to 1000), until=1 (share of the steps, 0 to 1)",
    reference: "Dinh et al. 2024, arXiv 2408.11194 (every); arXiv 2506.08351 (until)",
    build: Build::Around(5, |p, inner| {
        let every = p.count("every", 1, 1..=1000)?;
        let until = p.number("until", 1.0, 0.0..=1.0)?;
        Ok(Box::new(Sparse { every, until, inner }))
    }),
};

/// Guidance at steps 0, `every`, 2 `every`, ... of the first `until` of the run; nothing makes up for the others.
#[derive(Debug)]
pub struct Sparse {
    /// One step of so many.
    pub every: usize,
    /// Share of the steps.
    pub until: f64,
    /// What guides.
    pub inner: Box<dyn Guidance>,
}

impl Sparse {
    fn guides(&self, ctx: &EvalCtx<'_>) -> bool {
        ctx.step.is_multiple_of(self.every) && (ctx.step as f64) < self.until * ctx.steps as f64
    }
}

impl Guidance for Sparse {
    fn plan(&mut self, ctx: &EvalCtx<'_>) -> Branches {
        if self.guides(ctx) { self.inner.plan(ctx) } else { Branches::cond() }
    }

    fn combine(&mut self, ctx: &EvalCtx<'_>, preds: Preds) -> Guided {
        if self.guides(ctx) { self.inner.combine(ctx, preds) } else { preds.cond.into() }
    }

    decorates!();

    fn stepwise(&self) -> bool {
        true
    }

    fn fresh(&self) -> Box<dyn Guidance> {
        Box::new(Self { inner: self.inner.fresh(), ..*self })
    }
}
