//! Guidance in an interval of noise levels.

use super::gate::{Gate, Gated};
use crate::guidance::registry::{Build, GuidanceEntry, Kind};
use crate::guidance::{EvalCtx, Images};

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
        Ok(Box::new(Gated { gate: Interval { lo, hi }, inner }))
    }),
};

/// Guidance for `lo < rho <= hi`, with `rho = sigma / alpha` the noise level of EDM whatever the path.
#[derive(Clone, Copy, Debug)]
pub struct Interval {
    /// Excluded lower end.
    pub lo: f64,
    /// Included upper end.
    pub hi: f64,
}

impl Gate for Interval {
    const STEPWISE: bool = false;

    fn open(&self, ctx: &EvalCtx<'_>) -> Images {
        // One node stands for all images.
        Images::of(
            &ctx.start.iter().map(|node| self.lo < node.rho() && node.rho() <= self.hi).collect::<Vec<_>>(),
        )
    }
}
