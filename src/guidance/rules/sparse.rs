//! Guidance at some of the steps.

use super::gate::{Gate, Gated};
use crate::guidance::registry::{Build, GuidanceEntry, Kind};
use crate::guidance::{EvalCtx, Images};

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
        Ok(Box::new(Gated { gate: Sparse { every, until }, inner }))
    }),
};

/// Guidance at steps 0, `every`, 2 `every`, ... of the first `until` of the run; nothing makes up for the others.
#[derive(Clone, Copy, Debug)]
pub struct Sparse {
    /// One step of so many.
    pub every: usize,
    /// Share of the steps.
    pub until: f64,
}

impl Gate for Sparse {
    const STEPWISE: bool = true;

    fn open(&self, ctx: &EvalCtx<'_>) -> Images {
        let early = (ctx.step as f64) < self.until * ctx.steps as f64;
        if early && ctx.step.is_multiple_of(self.every) { Images::All } else { Images::None }
    }
}
