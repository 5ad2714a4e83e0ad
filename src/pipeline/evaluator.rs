//! Answers the questions of a sampler: one network call, or the several of a guidance rule.

use anyhow::Result;
use fewstep_models::{Denoiser, Prediction};
use fewstep_samplers::{Node, Pred};
use tch::{Kind, Tensor};

use super::branches::{Networks, predict};
use super::share::Share;
use crate::guidance::{Branches, EvalCtx, Guidance, Guide, Guided, Images, cosine};

/// Where in a run a question is asked. `nodes` has one entry for all images, or one for each.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    /// Where the states stand.
    pub nodes: &'a [Node],
    /// Where their steps began; where nothing is said, at the nodes of the first stage.
    pub start: Option<&'a [Node]>,
    /// Number of the step, from 0.
    pub step: usize,
    /// Number of steps.
    pub steps: usize,
    /// Evaluations of this step before this one.
    pub stage: usize,
}

/// What came of an evaluation.
#[derive(Debug)]
pub struct Answer {
    /// The quantity asked for, like `x`.
    pub value: Tensor,
    /// What the state is to be noised with again, as the same quantity, where that is another one.
    pub renoise: Option<Tensor>,
    /// What guidance did, if anybody wants to know.
    pub look: Option<Look>,
}

/// What guidance did at one evaluation, of the images that were guided.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// Noise level `sigma / alpha`.
    pub rho: f64,
    /// Images.
    pub images: usize,
    /// Mean over images of the root mean square of `d`, the difference of the two `x0`.
    pub d_rms: f64,
    /// Mean over images of the cosine between the two `x0`.
    pub cosine: f64,
    /// Share of images whose `d` was capped, under a rule that caps.
    pub capped: Option<f64>,
}

/// A network, the labels of a batch, and the guidance of that batch.
pub struct Evaluator<'a> {
    denoiser: &'a dyn Denoiser,
    class: Option<&'a Tensor>,
    guide: Option<Running<'a>>,
    forwards: Vec<usize>,
    share: Option<(&'a Share, usize)>,
    asked: usize,
    /// Whether [`Answer::look`] is wanted.
    pub looks: bool,
}

/// A rule in the middle of a batch.
struct Running<'a> {
    guide: &'a Guide,
    rule: Box<dyn Guidance>,
    start: Vec<Node>,
}

impl<'a> Evaluator<'a> {
    /// For a batch of `batch` images. Without `guide` each question is one call of `denoiser`.
    ///
    /// # Shapes
    /// `class: [batch]` i64, or none for an unconditional model
    pub fn new(
        denoiser: &'a dyn Denoiser,
        class: Option<&'a Tensor>,
        guide: Option<&'a Guide>,
        batch: usize,
    ) -> Self {
        let guide = guide.map(|guide| {
            let mut rule = guide.rule();
            rule.begin();
            Running { guide, rule, start: Vec::new() }
        });
        Self { denoiser, class, guide, forwards: vec![0; batch], share: None, asked: 0, looks: false }
    }

    /// Takes answers about batch number `batch` from other plans, and leaves its own to them; under a rule it does neither.
    #[must_use]
    pub fn sharing(self, share: Option<&'a Share>, batch: usize) -> Self {
        Self { share: share.map(|share| (share, batch)), ..self }
    }

    /// Passes of a network so far, for each image.
    pub fn forwards(&self) -> &[usize] {
        &self.forwards
    }

    /// Whether solvers that repeat or reorder steps may ask.
    pub(super) fn takes_any_order(&self) -> bool {
        self.guide.as_ref().is_none_or(|running| !running.rule.stepwise() && !running.rule.renoises())
    }

    /// The quantity `want` in the states `x`.
    ///
    /// # Shapes
    /// `x: [batch, c, h, w]`, output as `x`
    ///
    /// # Errors
    /// If the denoiser refuses its input.
    pub fn eval(&mut self, x: &Tensor, at: At<'_>, want: Pred) -> Result<Answer> {
        let Some(mut running) = self.guide.take() else {
            self.count(&Images::All);
            let nth = self.asked;
            self.asked += 1;
            let ask = || self.call(x, at.nodes, want, self.class);
            let value = match self.share {
                Some((share, batch)) => share.answer((nth, batch), x.device(), ask)?,
                None => ask()?,
            };
            return Ok(Answer { value, renoise: None, look: None });
        };
        let answer = self.guided(&mut running, x, at, want);
        self.guide = Some(running);
        answer
    }

    fn guided(&mut self, running: &mut Running<'_>, x: &Tensor, at: At<'_>, want: Pred) -> Result<Answer> {
        if let Some(start) = at.start.or((at.stage == 0).then_some(at.nodes)) {
            running.start = start.to_vec();
        }
        let ctx = EvalCtx {
            x,
            nodes: at.nodes,
            start: &running.start,
            step: at.step,
            steps: at.steps,
            stage: at.stage,
            scale: running.guide.scale(),
            spec: self.denoiser.spec(),
        };
        let branches = running.rule.plan(&ctx);
        for images in [&branches.cond, &branches.uncond, &branches.weak] {
            self.count(images);
        }
        if branches == Branches::cond() {
            // Not by way of x0: the same bits as without a rule.
            return Ok(Answer {
                value: self.call(x, at.nodes, want, self.class)?,
                renoise: None,
                look: None,
            });
        }
        let networks = Networks { denoiser: self.denoiser, class: self.class, guide: running.guide };
        let preds = networks.branches(&branches, x, at.nodes)?;
        let look = match (&preds.other, self.looks) {
            (Some(other), true) => {
                let c = preds.images.take(&preds.cond);
                let d_rms =
                    (&c - other).square().flatten(1, -1).mean_dim(&[1i64][..], false, Kind::Double).sqrt();
                Some((cosine(&c, other).mean(Kind::Double), d_rms.mean(Kind::Double), c.size()[0]))
            }
            _ => None,
        };
        let Guided { x0, renoise, capped } = running.rule.combine(&ctx, preds);
        let convert = |x0: Tensor| match want {
            Pred::X0 => x0,
            _ => ctx.affine(&Images::All, &x0, |node| Prediction::of_x0(node, want)),
        };
        let look = look.map(|(cosine, d_rms, n)| -> Result<Look> {
            Ok(Look {
                rho: at.nodes.first().map_or(f64::NAN, Node::rho),
                images: n as usize,
                d_rms: f64::try_from(d_rms)?,
                cosine: f64::try_from(cosine)?,
                capped: capped
                    .map(|c| f64::try_from(c.to_kind(Kind::Double).mean(Kind::Double)))
                    .transpose()?,
            })
        });
        Ok(Answer { value: convert(x0), renoise: renoise.map(convert), look: look.transpose()? })
    }

    fn call(&self, x: &Tensor, nodes: &[Node], want: Pred, class: Option<&Tensor>) -> Result<Tensor> {
        predict(self.denoiser, x, nodes, want, class)
    }

    fn count(&mut self, images: &Images) {
        let mask = images.mask(self.forwards.len());
        for (count, asked) in self.forwards.iter_mut().zip(mask) {
            *count += usize::from(asked);
        }
    }
}
