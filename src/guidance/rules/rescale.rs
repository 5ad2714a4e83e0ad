//! Guidance rescale.

use crate::guidance::reduce::{scale, std};
use crate::guidance::registry::{Build, GuidanceEntry, Kind};
use crate::guidance::{Branches, EvalCtx, Guidance, Guided, Preds};

/// Registry entry.
pub(in crate::guidance) const ENTRY: GuidanceEntry = GuidanceEntry {
    name: "rescale",
    kind: Kind::Correction,
    summary: "brings the standard deviation of each guided image back towards that of c",
    params: "phi=0.7 (how far, 0 to 1)",
    reference: "Lin et al. 2023, arXiv 2305.08891, section 3.4",
    build: Build::Around(1, |p, inner| {
        let phi = p.number("phi", 0.7, 0.0..=1.0)?;
        Ok(Box::new(Rescale { phi, inner }))
    }),
};

/// `phi g std(c) / std(g) + (1 - phi) g` for the guided `g`; a constant `g` stays as it is.
#[derive(Debug)]
pub struct Rescale {
    /// How far.
    pub phi: f64,
    /// What guides.
    pub inner: Box<dyn Guidance>,
}

impl Guidance for Rescale {
    fn plan(&mut self, ctx: &EvalCtx<'_>) -> Branches {
        self.inner.plan(ctx)
    }

    fn combine(&mut self, ctx: &EvalCtx<'_>, preds: Preds) -> Guided {
        let (images, guided) = (preds.images.clone(), preds.other.is_some());
        let c = images.take(&preds.cond);
        let mut out = self.inner.combine(ctx, preds);
        if guided {
            let g = images.take(&out.x0);
            let (wanted, found) = (std(&c), std(&g));
            let ratio = (wanted / &found).where_self(&found.gt(0.0), &found.ones_like());
            let new = scale(&g, &(ratio * self.phi + (1.0 - self.phi)));
            out.x0 = images.put(&out.x0, &new);
        }
        out
    }

    decorates!();

    fn fresh(&self) -> Box<dyn Guidance> {
        Box::new(Self { phi: self.phi, inner: self.inner.fresh() })
    }
}
