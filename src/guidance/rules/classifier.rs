//! Classifier guidance.

use crate::guidance::registry::{Build, GuidanceEntry, Kind};
use crate::guidance::{Branches, EvalCtx, Guidance, Guided, Images, Needs, Preds};

/// Registry entry.
pub(in crate::guidance) const ENTRY: GuidanceEntry = GuidanceEntry {
    name: "classifier",
    kind: Kind::Combiner,
    summary: "classifier guidance: c + (w - 1) sigma^2 / alpha times the gradient of ln p(label), told by the \
              built-in classifier of noisy Fashion-MNIST; one pass of the network",
    params: "",
    reference: "Dhariwal, Nichol 2021, arXiv 2105.05233, algorithm 2, with w - 1 for its s",
    build: Build::Combiner(|_| Ok(Box::new(Classifier))),
};

/// `c + (w - 1) d` with [`difference`](crate::guidance::difference) for `d`. To what stands around it the rule looks like
/// `cfg` with `u = c - d`.
#[derive(Clone, Copy, Debug)]
pub struct Classifier;

impl Guidance for Classifier {
    fn plan(&mut self, _: &EvalCtx<'_>) -> Branches {
        Branches { classifier: Images::All, ..Branches::cond() }
    }

    fn combine(&mut self, ctx: &EvalCtx<'_>, preds: Preds) -> Guided {
        preds.away(ctx.scale).into()
    }

    fn needs(&self) -> Needs {
        Needs::Classifier
    }

    fn fresh(&self) -> Box<dyn Guidance> {
        Box::new(*self)
    }
}
