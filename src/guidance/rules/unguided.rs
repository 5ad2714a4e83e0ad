//! No guidance.

use crate::guidance::registry::{Build, GuidanceEntry, Kind};
use crate::guidance::{Branches, EvalCtx, Guidance, Guided, Needs, Preds};

/// Registry entry.
pub(in crate::guidance) const ENTRY: GuidanceEntry = GuidanceEntry {
    name: "none",
    kind: Kind::Combiner,
    summary: "the conditional prediction as it is, whatever the scale",
    params: "",
    reference: "",
    build: Build::Combiner(|_| Ok(Box::new(Unguided))),
};

/// The conditional prediction.
#[derive(Clone, Copy, Debug)]
pub struct Unguided;

impl Guidance for Unguided {
    fn plan(&mut self, _: &EvalCtx<'_>) -> Branches {
        Branches::cond()
    }

    fn combine(&mut self, _: &EvalCtx<'_>, preds: Preds) -> Guided {
        preds.cond.into()
    }

    fn needs(&self) -> Needs {
        Needs::Nothing
    }

    fn fresh(&self) -> Box<dyn Guidance> {
        Box::new(*self)
    }
}
