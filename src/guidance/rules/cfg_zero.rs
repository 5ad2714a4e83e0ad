//! CFG-Zero*.

use crate::guidance::reduce::{dot, scale};
use crate::guidance::registry::{Build, GuidanceEntry, Kind};
use crate::guidance::{Branches, EvalCtx, Guidance, Guided, Images, Preds, Space};

/// Registry entry.
pub(in crate::guidance) const ENTRY: GuidanceEntry = GuidanceEntry {
    name: "cfg-zero",
    kind: Kind::Combiner,
    summary: "CFG-Zero*: u is first scaled to fit c; for flow models",
    params: "zero_steps=1 (first steps with velocity 0 and no network call; never the last one), space=raw (or x0)",
    reference: "Fan et al. 2025, arXiv 2503.18886",
    build: Build::Combiner(|p| {
        let zero_steps = p.count("zero_steps", 1, 0..=1000)?;
        let space = p.choice("space", Space::Raw, &Space::WORDS)?;
        Ok(Box::new(CfgZero { zero_steps, space }))
    }),
};

/// `s u + w (c - s u)` with `s = <c, u> / |u|^2`.
#[derive(Clone, Copy, Debug)]
pub struct CfgZero {
    /// First steps that keep the state where it is.
    pub zero_steps: usize,
    /// Where the product is taken.
    pub space: Space,
}

impl Guidance for CfgZero {
    fn plan(&mut self, _: &EvalCtx<'_>) -> Branches {
        Branches { uncond: Images::All, ..Branches::cond() }
    }

    fn combine(&mut self, ctx: &EvalCtx<'_>, preds: Preds) -> Guided {
        preds
            .guide(|c, u| {
                let c = ctx.enter(self.space, &preds.images, c);
                let u = ctx.enter(self.space, &preds.images, u);
                let u = scale(&u, &(dot(&c, &u) / (dot(&u, &u) + 1e-8)));
                ctx.leave(self.space, &preds.images, &(&u + (c - &u) * ctx.scale))
            })
            .into()
    }

    fn rests(&self, ctx: &EvalCtx<'_>) -> bool {
        // A run that rests throughout would end with the noise that it began with.
        ctx.step < self.zero_steps && ctx.step + 1 < ctx.steps
    }

    fn stepwise(&self) -> bool {
        self.zero_steps > 0
    }

    fn fresh(&self) -> Box<dyn Guidance> {
        Box::new(*self)
    }
}
