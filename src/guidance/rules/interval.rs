//! Guidance in an interval of noise levels.

use crate::guidance::registry::{Build, GuidanceEntry, Kind};
use crate::guidance::{Branches, EvalCtx, Guidance, Guided, Images, Preds};

/// Registry entry.
pub(in crate::guidance) const ENTRY: GuidanceEntry = GuidanceEntry {
    name: "interval",
    kind: Kind::Saving,
    summary: "guides only where lo < sigma/alpha <= hi at the start of the step",
    params: "lo=0 (0 or more), hi=inf",
    reference: "Kynkäänniemi et al. 2024, arXiv 2404.07724",
    build: Build::Around(4, |p, inner| {
        let lo = p.number("lo", 0.0, 0.0..=f64::INFINITY)?;
        let expected = format!("a number above lo={lo}");
        let hi = p.parsed("hi", f64::INFINITY, &expected, |text| text.parse().ok().filter(|hi| *hi > lo))?;
        Ok(Box::new(Interval { lo, hi, inner }))
    }),
};

/// Guidance for `lo < rho <= hi`, with `rho = sigma / alpha` the noise level of EDM whatever the path.
#[derive(Debug)]
pub struct Interval {
    /// Excluded lower end.
    pub lo: f64,
    /// Included upper end.
    pub hi: f64,
    /// What guides.
    pub inner: Box<dyn Guidance>,
}

impl Guidance for Interval {
    fn plan(&mut self, ctx: &EvalCtx<'_>) -> Branches {
        let inside: Vec<bool> =
            ctx.start.iter().map(|node| self.lo < node.rho() && node.rho() <= self.hi).collect();
        // One node stands for all images.
        match Images::of(&inside) {
            Images::None => Branches::cond(),
            keep => self.inner.plan(ctx).only(&keep, ctx.batch()),
        }
    }

    fn combine(&mut self, ctx: &EvalCtx<'_>, preds: Preds) -> Guided {
        if preds.other.is_none() && ctx.start.iter().all(|n| !(self.lo < n.rho() && n.rho() <= self.hi)) {
            return preds.cond.into();
        }
        self.inner.combine(ctx, preds)
    }

    decorates!();

    fn fresh(&self) -> Box<dyn Guidance> {
        Box::new(Self { inner: self.inner.fresh(), ..*self })
    }
}
