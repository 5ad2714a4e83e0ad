//! Autoguidance.

use crate::guidance::registry::{Build, GuidanceEntry, Kind};
use crate::guidance::{Branches, EvalCtx, Guidance, Guided, Images, Needs, Preds};

/// Registry entry.
pub(in crate::guidance) const ENTRY: GuidanceEntry = GuidanceEntry {
    name: "auto",
    kind: Kind::Combiner,
    summary: "autoguidance: away from a weaker network, which --weak-model names, with the same label",
    params: "",
    reference: "Karras et al. 2024, arXiv 2406.02507",
    build: Build::Combiner(|_| Ok(Box::new(Auto))),
};

/// `D0 + w (D1 - D0)`, with `D0` of the weaker network.
#[derive(Clone, Copy, Debug)]
pub struct Auto;

impl Guidance for Auto {
    fn plan(&mut self, _: &EvalCtx<'_>) -> Branches {
        Branches { weak: Images::All, ..Branches::cond() }
    }

    fn combine(&mut self, ctx: &EvalCtx<'_>, preds: Preds) -> Guided {
        preds.away(ctx.scale).into()
    }

    fn needs(&self) -> Needs {
        Needs::Weak
    }

    fn fresh(&self) -> Box<dyn Guidance> {
        Box::new(*self)
    }
}
