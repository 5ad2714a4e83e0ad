//! The difference of the branches, kept over several steps.

use tch::{Device, Kind as Type, Tensor};

use crate::guidance::images::flags;
use crate::guidance::registry::{Build, GuidanceEntry, Kind};
use crate::guidance::{Branches, EvalCtx, Guidance, Guided, Images, Preds};

/// Registry entry.
pub(in crate::guidance) const ENTRY: GuidanceEntry = GuidanceEntry {
    name: "cached",
    kind: Kind::Saving,
    summary: "computes u every so many steps only; between, u = c - d with the last d, as x0",
    params: "every=2 (1 to 1000)",
    reference: "the idea of FasterCache, arXiv 2410.19355, without its frequency bands",
    build: Build::Around(6, |p, inner| {
        let every = p.count("every", 2, 1..=1000)?;
        Ok(Box::new(Cached { every, d: None, known: None, carried: Images::None, inner }))
    }),
};

/// `u` at steps 0, `every`, 2 `every`, ...; in between it is `c - d` with the newest `d` of the image.
#[derive(Debug)]
pub struct Cached {
    /// One step of so many computes `u`.
    pub every: usize,
    /// Newest `d`, `[b, c, h, w]`.
    d: Option<Tensor>,
    /// Whether there is one, `[b]` f64 0 or 1, on the CPU.
    known: Option<Tensor>,
    /// Images that are guided at this evaluation with what is kept; from one call to the next.
    carried: Images,
    /// What guides.
    pub inner: Box<dyn Guidance>,
}

impl Guidance for Cached {
    fn plan(&mut self, ctx: &EvalCtx<'_>) -> Branches {
        let batch = ctx.batch();
        let asked = self.inner.plan(ctx);
        // Carried or computed, all images of a step alike: one that has nothing kept yet makes all compute.
        let all = asked.other();
        let ready = Images::of(&flags(self.known.as_ref(), batch));
        if ctx.step.is_multiple_of(self.every) || all.and(&ready, batch) != *all {
            self.carried = Images::None;
            return asked;
        }
        self.carried = all.clone();
        let carried = *all != Images::None;
        Branches { carried, ..asked.clone().only(&Images::None, batch) }
    }

    fn combine(&mut self, ctx: &EvalCtx<'_>, mut preds: Preds) -> Guided {
        if let Some(d) = self.d.as_ref().filter(|_| self.carried != Images::None) {
            let images = self.carried.clone();
            let other = images.take(&preds.cond) - images.take(d);
            preds = Preds { cond: preds.cond, other: Some(other), images, fresh: false };
        } else if let Some(other) = &preds.other {
            let images = &preds.images;
            let kept = self.d.take().unwrap_or_else(|| preds.cond.zeros_like());
            self.d = Some(images.put(&kept, &(images.take(&preds.cond) - other)));
            let zeros = || Tensor::zeros([ctx.batch() as i64], (Type::Double, Device::Cpu));
            let known = self.known.take().unwrap_or_else(zeros);
            self.known = Some(images.put(&known, &images.take(&known).ones_like()));
        }
        self.inner.combine(ctx, preds)
    }

    decorates!();

    fn state(&mut self) -> Vec<&mut Option<Tensor>> {
        let mut all = self.inner.state();
        all.extend([&mut self.d, &mut self.known]);
        all
    }

    fn stepwise(&self) -> bool {
        true
    }

    fn fresh(&self) -> Box<dyn Guidance> {
        Box::new(Self {
            every: self.every,
            d: None,
            known: None,
            carried: Images::None,
            inner: self.inner.fresh(),
        })
    }
}
