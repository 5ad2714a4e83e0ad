//! Dynamic thresholding.

use tch::{Kind, Tensor};

use crate::guidance::reduce::scale;
use crate::guidance::registry::{Build, GuidanceEntry, Kind as Class};
use crate::guidance::{Branches, EvalCtx, Guidance, Guided, Preds};

/// Registry entry.
pub(in crate::guidance) const ENTRY: GuidanceEntry = GuidanceEntry {
    name: "threshold",
    kind: Class::Correction,
    summary: "dynamic thresholding: clips x0 at a quantile of its size and shrinks it to [-1, 1]; for models of pixels",
    params: "p=0.995 (the quantile, 0 to 1), min=1 (1 or more, never clips below this)",
    reference: "Saharia et al. 2022, arXiv 2205.11487, section 2.3",
    build: Build::Around(2, |p, inner| {
        let quantile = p.number("p", 0.995, 0.0..=1.0)?;
        let min = p.number("min", 1.0, 1.0..=1e6)?;
        Ok(Box::new(Threshold { quantile, min, inner }))
    }),
};

/// `clamp(x0, -s, s) / s` with `s = max(quantile of |x0|, min)` of each guided image.
#[derive(Debug)]
pub struct Threshold {
    /// The quantile, interpolated linearly.
    pub quantile: f64,
    /// Smallest `s`, 1 or more: below 1 the division would blow an image up.
    pub min: f64,
    /// What guides.
    pub inner: Box<dyn Guidance>,
}

impl Threshold {
    fn clip(&self, x0: &Tensor) -> Tensor {
        let size = x0.to_kind(Kind::Double).abs().flatten(1, -1);
        let s = size.quantile_scalar(self.quantile, 1, true, "linear").clamp_min(self.min);
        let s = s.view([-1, 1, 1, 1]);
        let bound = s.to_kind(x0.kind());
        scale(&x0.minimum(&bound).maximum(&-bound), &s.reciprocal())
    }
}

impl Guidance for Threshold {
    fn plan(&mut self, ctx: &EvalCtx<'_>) -> Branches {
        self.inner.plan(ctx)
    }

    fn combine(&mut self, ctx: &EvalCtx<'_>, preds: Preds) -> Guided {
        let (images, guided) = (preds.images.clone(), preds.other.is_some());
        let mut out = self.inner.combine(ctx, preds);
        if guided {
            out.x0 = images.put(&out.x0, &self.clip(&images.take(&out.x0)));
        }
        out
    }

    decorates!();

    fn fresh(&self) -> Box<dyn Guidance> {
        Box::new(Self { inner: self.inner.fresh(), ..*self })
    }
}
