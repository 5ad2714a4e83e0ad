//! Classifier-free guidance.

use crate::guidance::registry::{Build, GuidanceEntry, Kind};
use crate::guidance::{Branches, EvalCtx, Guidance, Guided, Images, Preds};

/// Registry entry.
pub(in crate::guidance) const ENTRY: GuidanceEntry = GuidanceEntry {
    name: "cfg",
    kind: Kind::Combiner,
    summary: "classifier-free guidance: u + w (c - u)",
    params: "",
    reference: "Ho, Salimans 2022, arXiv 2207.12598, eq. 6 with w - 1 for its w",
    build: Build::Combiner(|_| Ok(Box::new(Cfg))),
};

/// `c + (w - 1) (c - u)`, the same in every space.
#[derive(Clone, Copy, Debug)]
pub struct Cfg;

impl Guidance for Cfg {
    fn plan(&mut self, _: &EvalCtx<'_>) -> Branches {
        Branches { uncond: Images::All, ..Branches::cond() }
    }

    fn combine(&mut self, ctx: &EvalCtx<'_>, preds: Preds) -> Guided {
        preds.away(ctx.scale).into()
    }

    fn fresh(&self) -> Box<dyn Guidance> {
        Box::new(*self)
    }
}
