//! The difference of the branches, kept over several steps.

use tch::{Device, Kind as Type, Tensor};

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
        Ok(Box::new(Cached::new(every, inner)))
    }),
};

/// `u` at steps 0, `every`, 2 `every`, ...; in between it is `c - d` with the newest `d`. Where a step is not guided at all,
/// the next `u` is computed as soon as the last is `every` steps old.
#[derive(Debug)]
pub struct Cached {
    /// One step of so many computes `u`.
    pub every: usize,
    /// Newest `d`, `[b, c, h, w]`.
    d: Option<Tensor>,
    /// The step of which it is, `[b]` f64, on the CPU; -1 where there is none.
    step: Option<Tensor>,
    /// Images that are guided at this evaluation with what is kept; from one call to the next.
    carried: Images,
    /// What guides.
    pub inner: Box<dyn Guidance>,
}

impl Cached {
    /// A rule with nothing remembered.
    pub fn new(every: usize, inner: Box<dyn Guidance>) -> Self {
        Self { every, d: None, step: None, carried: Images::None, inner }
    }

    /// The images whose `d` will do at step `now`. That of the same step will not: all stages of a step are alike.
    fn ready(&self, now: usize, batch: usize) -> Images {
        let kept = self.step.as_ref().and_then(|step| Vec::<f64>::try_from(step).ok());
        let Some(kept) = kept else { return Images::None };
        let will_do = |step: &f64| *step >= 0.0 && (1.0..self.every as f64).contains(&(now as f64 - step));
        let mut ready: Vec<bool> = kept.iter().map(will_do).collect();
        ready.resize(batch, false);
        Images::of(&ready)
    }
}

impl Guidance for Cached {
    fn plan(&mut self, ctx: &EvalCtx<'_>) -> Branches {
        let batch = ctx.batch();
        let asked = self.inner.plan(ctx);
        // Carried or computed, all images alike: one that has nothing fresh enough makes all compute.
        let all = asked.other();
        if all.and(&self.ready(ctx.step, batch), batch) != *all {
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
            let none = || Tensor::full([ctx.batch() as i64], -1.0, (Type::Double, Device::Cpu));
            let step = self.step.take().unwrap_or_else(none);
            self.step = Some(images.put(&step, &images.take(&step).full_like(ctx.step as f64)));
        }
        self.inner.combine(ctx, preds)
    }

    decorates!();

    fn state(&mut self) -> Vec<&mut Option<Tensor>> {
        let mut all = self.inner.state();
        all.extend([&mut self.d, &mut self.step]);
        all
    }

    fn stepwise(&self) -> bool {
        true
    }

    fn fresh(&self) -> Box<dyn Guidance> {
        Box::new(Self::new(self.every, self.inner.fresh()))
    }
}
