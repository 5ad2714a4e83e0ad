//! The scale over the run.

use std::f64::consts::PI;

use crate::guidance::registry::{Build, GuidanceEntry, Kind};
use crate::guidance::{Branches, EvalCtx, Guidance, Guided, Images, Preds, is_off};

/// Registry entry.
pub(in crate::guidance) const ENTRY: GuidanceEntry = GuidanceEntry {
    name: "schedule",
    kind: Kind::Schedule,
    summary: "the scale over the run: 1 + (w - 1) f(p), with p from 0 at the first step to 1 at the last",
    params: "shape=linear (f = 2p, or cosine: 1 - cos(pi p), or power: (1 - cos(pi p^s)) / 2), s=4 (above 0, for power)",
    reference: "Wang et al. 2024, arXiv 2404.13040 (linear, cosine); Gao et al. 2023, arXiv 2303.14389 (power)",
    build: Build::Schedule(|p| {
        let words = [("linear", 'l'), ("cosine", 'c'), ("power", 'p')];
        let word = p.choice("shape", 'l', &words)?;
        let s = p.number("s", 4.0, 1e-3..=1e3)?;
        Ok(match word {
            'c' => Shape::Cosine,
            'p' => Shape::Power(s),
            _ => Shape::Linear,
        })
    }),
};

/// How the part of the scale above 1 goes with the progress of the run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// It stays.
    Constant,
    /// `2p`, of mean 1.
    Linear,
    /// `1 - cos(pi p)`, of mean 1.
    Cosine,
    /// `(1 - cos(pi p^s)) / 2`, from 0 to 1.
    Power(f64),
}

impl Shape {
    /// The factor at progress `p`.
    pub fn at(self, p: f64) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::Linear => 2.0 * p,
            Self::Cosine => 1.0 - (PI * p).cos(),
            Self::Power(s) => 0.5 * (1.0 - (PI * p.powf(s)).cos()),
        }
    }
}

/// The outermost decorator of every rule: sets the scale of the step, keeps a scale of 1 from costing or changing anything,
/// and makes the steps that [rest](Guidance::rests), whatever their scale.
#[derive(Debug)]
pub struct Scaled {
    /// How it goes over the run.
    pub shape: Shape,
    /// What guides.
    pub inner: Box<dyn Guidance>,
}

impl Scaled {
    fn resting(&self, ctx: &EvalCtx<'_>) -> bool {
        !is_off(ctx.scale) && self.inner.rests(ctx)
    }

    fn at<'a>(&self, ctx: &EvalCtx<'a>) -> EvalCtx<'a> {
        EvalCtx { scale: 1.0 + (ctx.scale - 1.0) * self.shape.at(ctx.progress()), ..*ctx }
    }
}

impl Guidance for Scaled {
    fn plan(&mut self, ctx: &EvalCtx<'_>) -> Branches {
        if self.resting(ctx) {
            return Branches::default();
        }
        let ctx = self.at(ctx);
        if is_off(ctx.scale) { Branches::cond() } else { self.inner.plan(&ctx) }
    }

    fn combine(&mut self, ctx: &EvalCtx<'_>, preds: Preds) -> Guided {
        if self.resting(ctx) {
            // eps - x0 = 0 with x = alpha x0 + sigma eps.
            return ctx.affine(&Images::All, ctx.x, |node| (1.0 / (node.alpha + node.sigma), 0.0)).into();
        }
        let ctx = self.at(ctx);
        if is_off(ctx.scale) { preds.cond.into() } else { self.inner.combine(&ctx, preds) }
    }

    decorates!();

    fn stepwise(&self) -> bool {
        self.shape != Shape::Constant || self.inner.stepwise()
    }

    fn fresh(&self) -> Box<dyn Guidance> {
        Box::new(Self { shape: self.shape, inner: self.inner.fresh() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Factors computed in f64 with numpy at p = 1, 3/4, 1/2, 1/4.
    #[test]
    fn shapes() {
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        let want = [1.0, 0.227_337_505_789, 0.009_607_359_798, 0.000_037_649_080];
        for (p, want) in [1.0, 0.75, 0.5, 0.25].into_iter().zip(want) {
            close(Shape::Power(4.0).at(p), want);
        }
        for shape in [Shape::Constant, Shape::Linear, Shape::Cosine] {
            close((0..=20).map(|i| shape.at(f64::from(i) / 20.0)).sum::<f64>() / 21.0, 1.0);
        }
    }
}
