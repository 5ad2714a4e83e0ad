//! Guidance: what stands between the network's predictions and the solver.
//!
//! A rule says for each image which predictions it needs, and makes one of them. It sees `x0`, whatever the network
//! predicts and whatever the solver asks for; conversions are exact and not its business. Rules are decorators: one
//! *combiner* (`cfg`, `apg`, ...) in the middle, around it what changes its result (`rescale`, `threshold`) or saves
//! calls (`interval`, `adaptive`, ...), outermost the schedule of the scale. [`Rule::parse`] puts them together.
//!
//! Notation: `c` and `u` are the conditional and the unconditional prediction of one image, `d = c - u`, `w` is the
//! scale, and `w = 1` means no guidance: no second call is made and `c` stays as it is, bit by bit.

mod classifier;
mod context;
mod guide;
mod images;
mod reduce;
mod registry;
pub mod rules;

pub use classifier::{BuiltIn, LevelClassifier, difference};
pub use context::{EvalCtx, Space};
pub use guide::{Beside, Guide, Rule, any_batch};
pub use images::Images;
pub(crate) use reduce::cosine;
pub use registry::{GuidanceEntry, Kind, registry};

use std::fmt::Debug;

use tch::Tensor;

/// Which predictions an evaluation needs. The cost in network passes is counted from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Branches {
    /// With the label.
    pub cond: Images,
    /// Without a label.
    pub uncond: Images,
    /// Of the second, weaker network, with the label.
    pub weak: Images,
    /// The conditional one less what a classifier finds: no pass of a network.
    pub classifier: Images,
    /// Whether the rule will put in a second prediction that it has kept.
    pub carried: bool,
}

impl Branches {
    /// The conditional prediction alone, for all images.
    pub fn cond() -> Self {
        Self { cond: Images::All, ..Self::default() }
    }

    /// `keep` of the images that another prediction was asked for; the conditional one stays.
    #[must_use]
    pub fn only(self, keep: &Images, batch: usize) -> Self {
        let [uncond, weak, classifier] =
            [&self.uncond, &self.weak, &self.classifier].map(|images| images.and(keep, batch));
        Self { uncond, weak, classifier, ..self }
    }

    /// The images that another prediction was asked for, whichever it is.
    pub fn other(&self) -> &Images {
        let all = [&self.uncond, &self.weak, &self.classifier];
        all.into_iter().find(|images| **images != Images::None).unwrap_or(&Images::None)
    }
}

/// The predictions that were asked for, as `x0`.
#[derive(Debug)]
pub struct Preds {
    /// Conditional, `[b, c, h, w]`; zeros if nobody asked.
    pub cond: Tensor,
    /// The one to guide away from, `[k, c, h, w]`, for the images in `images`; none if nobody asked.
    pub other: Option<Tensor>,
    /// Which images `other` is of, in its order.
    pub images: Images,
    /// Whether `other` was computed at this evaluation and not carried over from an earlier one.
    pub fresh: bool,
}

impl Preds {
    /// Predictions of a whole batch.
    pub fn pair(cond: Tensor, other: Tensor) -> Self {
        Self { cond, other: Some(other), images: Images::All, fresh: true }
    }

    /// `c + (w - 1) (c - other)`, the same in every space.
    pub fn away(&self, scale: f64) -> Tensor {
        self.guide(|c, other| c + (c - other) * (scale - 1.0))
    }

    /// Replaces `cond` of the images that have another prediction by `f(c, other)`.
    pub fn guide(&self, f: impl FnOnce(&Tensor, &Tensor) -> Tensor) -> Tensor {
        match &self.other {
            None => self.cond.shallow_clone(),
            Some(other) => self.images.put(&self.cond, &f(&self.images.take(&self.cond), other)),
        }
    }
}

/// Whether a scale means no guidance.
pub fn is_off(scale: f64) -> bool {
    scale.to_bits() == 1f64.to_bits()
}

/// What a rule made of the predictions.
#[derive(Debug)]
pub struct Guided {
    /// The prediction that the solver gets, `[b, c, h, w]`.
    pub x0: Tensor,
    /// What a state is noised with again where that is another one (CFG++), `[b, c, h, w]`.
    pub renoise: Option<Tensor>,
    /// Of the images that were guided, whether the length of `d` was capped, `[k]` bool.
    pub capped: Option<Tensor>,
}

impl From<Tensor> for Guided {
    fn from(x0: Tensor) -> Self {
        Self { x0, renoise: None, capped: None }
    }
}

/// What a rule needs beside the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing at all.
    Nothing,
    /// Labels that can be left out.
    Labels,
    /// A second, weaker network.
    Weak,
    /// A classifier of noisy images.
    Classifier,
}

/// A guidance rule. One instance serves one batch at a time.
pub trait Guidance: Debug + Send {
    /// Which predictions this evaluation needs. Called once at each.
    fn plan(&mut self, ctx: &EvalCtx<'_>) -> Branches;

    /// Makes one prediction of those asked for. Not called where that is [`Branches::cond`] alone.
    fn combine(&mut self, ctx: &EvalCtx<'_>, preds: Preds) -> Guided;

    /// The rule inside a decorator.
    fn inner(&self) -> Option<&dyn Guidance> {
        None
    }

    /// The rule inside a decorator, to be changed.
    fn inner_mut(&mut self) -> Option<&mut (dyn Guidance + 'static)> {
        None
    }

    /// What is kept from one evaluation to the next: tensors whose first axis is the batch. Everything that a rule
    /// remembers is here, so that it can be cleared, saved, put back, cut and permuted.
    fn state(&mut self) -> Vec<&mut Option<Tensor>> {
        self.inner_mut().map_or_else(Vec::new, Guidance::state)
    }

    /// Whether an answer depends on earlier ones or on the number of the step. Solvers that choose their steps as they go
    /// cannot have such a rule.
    fn stepwise(&self) -> bool {
        self.inner().is_some_and(Guidance::stepwise)
    }

    /// Whether this step keeps the state where it is, without a network call.
    fn rests(&self, ctx: &EvalCtx<'_>) -> bool {
        self.inner().is_some_and(|inner| inner.rests(ctx))
    }

    /// Whether the solver has to noise the state again with [`Guided::renoise`].
    fn renoises(&self) -> bool {
        self.inner().is_some_and(Guidance::renoises)
    }

    /// What is needed beside the network.
    fn needs(&self) -> Needs {
        self.inner().map_or(Needs::Labels, Guidance::needs)
    }

    /// Weight of earlier differences in the present one.
    fn momentum(&self) -> f64 {
        self.inner().map_or(0.0, Guidance::momentum)
    }

    /// Another instance with the same parameters and nothing remembered.
    fn fresh(&self) -> Box<dyn Guidance>;
}

impl dyn Guidance + '_ {
    /// Forgets everything: called before a run.
    pub fn begin(&mut self) {
        self.state().into_iter().for_each(|kept| *kept = None);
    }

    /// What is remembered now, for `restore`.
    pub fn snapshot(&mut self) -> Vec<Option<Tensor>> {
        // Kept tensors are replaced, never written to.
        self.state().into_iter().map(|kept| kept.as_ref().map(Tensor::shallow_clone)).collect()
    }

    /// Goes back to what a `snapshot` of this rule remembered, as after a step that was rejected.
    pub fn restore(&mut self, snapshot: &[Option<Tensor>]) {
        for (kept, saved) in self.state().into_iter().zip(snapshot) {
            *kept = saved.as_ref().map(Tensor::shallow_clone);
        }
    }

    /// Keeps the images `index` in this order and forgets the others.
    pub fn retain(&mut self, index: &[i64]) {
        for kept in self.state() {
            *kept =
                kept.as_ref().map(|t| t.index_select(0, &Tensor::from_slice(index).to_device(t.device())));
        }
    }
}
