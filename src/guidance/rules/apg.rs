//! Adaptive projected guidance.

use fewstep_samplers::{Params, Result};
use tch::Tensor;

use crate::guidance::reduce::{dot, norm, scale};
use crate::guidance::registry::{Build, GuidanceEntry, Kind};
use crate::guidance::{Branches, EvalCtx, Guidance, Guided, Images, Preds, Space};

/// Registry entry.
pub(in crate::guidance) const ENTRY: GuidanceEntry = GuidanceEntry {
    name: "apg",
    kind: Kind::Combiner,
    summary: "adaptive projected guidance: of d = c - u, capped, mostly the part orthogonal to c",
    params: "eta=0 (share of the parallel part, -1 to 1), r=0 (longest d of an image; 0: any) or r_rms=0 (the same over \
             sqrt of its size), beta=0 (momentum, between -1 and 1), space=x0 (or raw), native=false (true: u + w d', as \
             diffusers has it by default)",
    reference: "Sadat, Hilliges, Weber 2024, arXiv 2410.02416, algorithm 1",
    build: Build::Combiner(|p| Ok(Box::new(Apg::from_params(p)?))),
};

/// `c + (w - 1) d'`, with `d'` made of `d = c - u` in three steps: momentum, a cap on its length, and a weight on its part
/// parallel to `c`.
///
/// The momentum buffer `m = d + beta m_before` keeps the value before the cap. It moves on once a step, with the first
/// evaluation, and takes nothing from a difference that was carried over. Later stages of a step take the first one's
/// `d + beta m_before` for their `d`: with one of their own, 20 steps of heun end a fifth too large on the mixture of
/// docs/guidance.md, where this ends within 1 %. Without momentum each stage has its own `d`.
#[derive(Debug)]
pub struct Apg {
    /// Share of the part parallel to `c` that is kept.
    pub eta: f64,
    /// Greatest length of `d`, of which the unit follows.
    pub cap: Cap,
    /// Weight of the difference before; below 0 it pushes away from it.
    pub beta: f64,
    /// Where all of this happens.
    pub space: Space,
    /// `u + w d'` in place of `c + (w - 1) d'`.
    pub native: bool,
    /// The buffer.
    m: Option<Tensor>,
    /// What the first evaluation of the step made of its `d`.
    first: Option<Tensor>,
}

/// A bound on the length of `d`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cap {
    /// None.
    Off,
    /// On the Euclidean length of an image.
    Length(f64),
    /// On the root of the mean square, which does not depend on the resolution.
    Rms(f64),
}

impl Apg {
    /// A rule with nothing remembered.
    pub fn new(eta: f64, cap: Cap, beta: f64) -> Self {
        Self { eta, cap, beta, space: Space::X0, native: false, m: None, first: None }
    }

    fn from_params(p: &mut Params) -> Result<Self> {
        let eta = p.number("eta", 0.0, -1.0..=1.0)?;
        let r = p.number("r", 0.0, 0.0..=1e9)?;
        let expected = "a number of 0 or more, and not `r` too";
        let rms = p.parsed("r_rms", 0.0, expected, |text| {
            text.parse().ok().filter(|v: &f64| *v >= 0.0 && v.is_finite() && r == 0.0)
        })?;
        let beta =
            p.parsed("beta", 0.0, "a number between -1 and 1, or the buffer grows for ever", |text| {
                text.parse().ok().filter(|v: &f64| v.abs() < 1.0)
            })?;
        let space = p.choice("space", Space::X0, &Space::WORDS)?;
        let native = p.flag("native", false)?;
        let cap = match (r, rms) {
            (r, _) if r > 0.0 => Cap::Length(r),
            (_, rms) if rms > 0.0 => Cap::Rms(rms),
            _ => Cap::Off,
        };
        Ok(Self { space, native, ..Self::new(eta, cap, beta) })
    }

    /// `d` of `images`, `[k, ...]`, with the momentum; moves the buffer on.
    fn push(&mut self, d: Tensor, ctx: &EvalCtx<'_>, images: &Images, fresh: bool) -> Tensor {
        if self.beta == 0.0 {
            return d;
        }
        if let Some(first) = self.first.as_ref().filter(|_| ctx.stage > 0) {
            return images.take(first);
        }
        let d = match &self.m {
            Some(before) => d + images.take(before) * self.beta,
            None => d,
        };
        let put = |kept: &Option<Tensor>| {
            let kept = kept.as_ref().map_or_else(|| ctx.x.zeros_like(), Tensor::shallow_clone);
            Some(images.put(&kept, &d))
        };
        self.first = put(&self.first);
        if fresh {
            self.m = put(&self.m);
        }
        d
    }

    /// The length that `cap` allows, if any.
    fn longest(&self, image: &[i64]) -> Option<f64> {
        match self.cap {
            Cap::Off => None,
            Cap::Length(r) => Some(r),
            Cap::Rms(r) => Some(r * (image.iter().product::<i64>() as f64).sqrt()),
        }
    }
}

impl Guidance for Apg {
    fn plan(&mut self, _: &EvalCtx<'_>) -> Branches {
        Branches { uncond: Images::All, ..Branches::cond() }
    }

    fn combine(&mut self, ctx: &EvalCtx<'_>, preds: Preds) -> Guided {
        let Some(u) = &preds.other else { return preds.cond.into() };
        let images = &preds.images;
        let c = ctx.enter(self.space, images, &images.take(&preds.cond));
        let u = ctx.enter(self.space, images, u);
        let mut d = self.push(&c - &u, ctx, images, preds.fresh);
        let mut capped = None;
        if let Some(r) = self.longest(&d.size()[1..]) {
            let length = norm(&d);
            capped = Some(length.gt(r).view(-1));
            // Where d = 0 the quotient is infinite, and the cap does nothing.
            d = scale(&d, &(length.reciprocal() * r).clamp_max(1.0));
        }
        if self.eta.to_bits() != 1f64.to_bits() {
            let square = norm(&c).clamp_min(1e-12).square();
            let parallel = scale(&c, &(dot(&d, &c) / square));
            d = &d + parallel * (self.eta - 1.0); // not in place: it may be what the buffer keeps
        }
        let out = if self.native { u + d * ctx.scale } else { c + d * (ctx.scale - 1.0) };
        let x0 = images.put(&preds.cond, &ctx.leave(self.space, images, &out));
        Guided { x0, renoise: None, capped }
    }

    fn state(&mut self) -> Vec<&mut Option<Tensor>> {
        vec![&mut self.m, &mut self.first]
    }

    fn stepwise(&self) -> bool {
        self.beta != 0.0
    }

    fn momentum(&self) -> f64 {
        self.beta
    }

    fn fresh(&self) -> Box<dyn Guidance> {
        Box::new(Self { m: None, first: None, ..*self })
    }
}
