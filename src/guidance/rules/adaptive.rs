//! Adaptive guidance: the unconditional branch ends when it has nothing to add.

use tch::{Device, Kind as Type, Tensor};

use crate::guidance::images::flags;
use crate::guidance::reduce::cosine;
use crate::guidance::registry::{Build, GuidanceEntry, Kind};
use crate::guidance::{Branches, EvalCtx, Guidance, Guided, Images, Preds};

/// Registry entry.
pub(in crate::guidance) const ENTRY: GuidanceEntry = GuidanceEntry {
    name: "adaptive",
    kind: Kind::Saving,
    summary: "stops guiding an image once the cosine of its c and u, as x0, reaches gamma",
    params: "gamma=0.991 (-1 to 1)",
    reference: "Castillo et al. 2023, arXiv 2312.12487, with x0 for eps",
    build: Build::Around(3, |p, inner| {
        let gamma = p.number("gamma", 0.991, -1.0..=1.0)?;
        Ok(Box::new(Adaptive::new(gamma, inner)))
    }),
};

/// Guidance until `cos(c, u) >= gamma`, for each image on its own. The cosine is that of `x0`: that of the noise is near
/// 1 from the first step on.
#[derive(Debug)]
pub struct Adaptive {
    /// Where to stop.
    pub gamma: f64,
    /// Of each image, whether its predictions have agreed, `[b]` f64 0 or 1, on the CPU.
    agreed: Option<Tensor>,
    /// Of each image, whether it is not guided in this step: what had agreed when the step began.
    stopped: Option<Tensor>,
    /// What guides.
    pub inner: Box<dyn Guidance>,
}

impl Adaptive {
    /// A rule with nothing remembered.
    pub fn new(gamma: f64, inner: Box<dyn Guidance>) -> Self {
        Self { gamma, agreed: None, stopped: None, inner }
    }
}

impl Guidance for Adaptive {
    fn plan(&mut self, ctx: &EvalCtx<'_>) -> Branches {
        if ctx.stage == 0 {
            self.stopped = self.agreed.as_ref().map(Tensor::shallow_clone);
        }
        let going: Vec<bool> = flags(self.stopped.as_ref(), ctx.batch()).iter().map(|s| !s).collect();
        match Images::of(&going) {
            Images::None => Branches::cond(),
            keep => self.inner.plan(ctx).only(&keep, ctx.batch()),
        }
    }

    fn combine(&mut self, ctx: &EvalCtx<'_>, preds: Preds) -> Guided {
        // All stages of a step are guided alike: what the first one finds holds from the next step on, and only what was
        // computed now says anything.
        if let Some(other) = preds.other.as_ref().filter(|_| preds.fresh && ctx.stage == 0) {
            let cosine = cosine(&preds.images.take(&preds.cond), other).to_device(Device::Cpu);
            let agree = cosine.ge(self.gamma).to_kind(Type::Double);
            let kept = self.agreed.take();
            let kept =
                kept.unwrap_or_else(|| Tensor::zeros([ctx.batch() as i64], (Type::Double, Device::Cpu)));
            self.agreed = Some(preds.images.put(&kept, &agree));
        }
        self.inner.combine(ctx, preds)
    }

    decorates!();

    fn state(&mut self) -> Vec<&mut Option<Tensor>> {
        let mut all = self.inner.state();
        all.extend([&mut self.agreed, &mut self.stopped]);
        all
    }

    fn stepwise(&self) -> bool {
        true
    }

    fn fresh(&self) -> Box<dyn Guidance> {
        Box::new(Self::new(self.gamma, self.inner.fresh()))
    }
}
