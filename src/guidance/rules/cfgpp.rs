//! CFG++.

use crate::guidance::registry::{Build, GuidanceEntry, Kind};
use crate::guidance::{Branches, EvalCtx, Guidance, Guided, Images, Preds};

/// Registry entry.
pub(in crate::guidance) const ENTRY: GuidanceEntry = GuidanceEntry {
    name: "cfgpp",
    kind: Kind::Combiner,
    summary: "CFG++: lands on u + (w / 12.5) (c - u) and is noised again with u; needs one x0 a step, as ddim and dpmpp-2m ask for",
    params: "",
    reference: "Chung et al. 2024, arXiv 2406.08070",
    build: Build::Combiner(|_| Ok(Box::new(CfgPp))),
};

/// The scale of CFG that goes with `lambda = 1`: the paper compares its 0.6 with 7.5.
const UNIT: f64 = 12.5;

/// `u + lambda (c - u)` with `lambda = w / 12.5`; the state is noised again with `u`.
#[derive(Clone, Copy, Debug)]
pub struct CfgPp;

impl Guidance for CfgPp {
    fn plan(&mut self, _: &EvalCtx<'_>) -> Branches {
        Branches { uncond: Images::All, ..Branches::cond() }
    }

    fn combine(&mut self, ctx: &EvalCtx<'_>, preds: Preds) -> Guided {
        let renoise = preds.other.as_ref().map(|u| preds.images.put(&preds.cond, u));
        let x0 = preds.guide(|c, u| u + (c - u) * (ctx.scale / UNIT));
        Guided { x0, renoise, capped: None }
    }

    fn renoises(&self) -> bool {
        true
    }

    fn fresh(&self) -> Box<dyn Guidance> {
        Box::new(*self)
    }
}
