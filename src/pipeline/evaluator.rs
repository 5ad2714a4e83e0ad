//! Answers the questions of a sampler: one network call, or the several of a guidance rule.

use anyhow::{Context, Result, bail};
use fewstep_models::{Denoiser, Prediction};
use fewstep_samplers::{Node, Pred};
use tch::{Device, Kind, Tensor};

use crate::guidance::{Branches, EvalCtx, Guidance, Guide, Guided, Images, Preds, cosine};

/// Where in a run a question is asked. `nodes` has one entry for all images, or one for each.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    /// Where the states stand.
    pub nodes: &'a [Node],
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
        Self { denoiser, class, guide, forwards: vec![0; batch], looks: false }
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
            return Ok(Answer {
                value: self.call(x, at.nodes, want, self.class)?,
                renoise: None,
                look: None,
            });
        };
        let answer = self.guided(&mut running, x, at, want);
        self.guide = Some(running);
        answer
    }

    fn guided(&mut self, running: &mut Running<'_>, x: &Tensor, at: At<'_>, want: Pred) -> Result<Answer> {
        if at.stage == 0 {
            running.start = at.nodes.to_vec();
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
        let preds = self.branches(&branches, running.guide.weak(), x, at.nodes)?;
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

    /// The predictions that a rule asked for, as `x0`.
    fn branches(
        &self,
        branches: &Branches,
        weak: Option<&dyn Denoiser>,
        x: &Tensor,
        nodes: &[Node],
    ) -> Result<Preds> {
        let one = match (branches.uncond != Images::None, branches.weak != Images::None) {
            (true, true) => {
                bail!("a guidance rule compares with one other prediction, and this one asks for two")
            }
            (true, false) => Some((&branches.uncond, self.denoiser, true)),
            (false, true) => weak.map(|weak| (&branches.weak, weak, false)),
            (false, false) => None,
        };
        let cond = |x: &Tensor| match &branches.cond {
            Images::All => self.call(x, nodes, Pred::X0, self.class),
            Images::None => Ok(x.zeros_like()),
            Images::Some(_) => {
                bail!("a guidance rule asks for the conditional prediction of some images only")
            }
        };
        let Some((images, denoiser, null)) = one else {
            return Ok(Preds { cond: cond(x)?, other: None, images: Images::None, fresh: true });
        };
        let some = images.take(x);
        let class = if null {
            let null = denoiser.spec().classes.context("the model has no label to leave out")?;
            Some(Tensor::full([some.size()[0]], null, (Kind::Int64, x.device())))
        } else {
            self.class.map(|class| images.take(class))
        };
        let of_some: Vec<Node> = if let [node] = nodes {
            vec![*node]
        } else {
            let mask = images.mask(nodes.len());
            nodes.iter().zip(mask).filter(|(_, kept)| *kept).map(|(node, _)| *node).collect()
        };
        if let (true, Images::All, true, Some(with), Some(without)) =
            (null, &branches.cond, joint(x.device()), self.class, &class)
        {
            let nodes = if let [node] = nodes { vec![*node] } else { [nodes, &of_some].concat() };
            let class = Tensor::cat(&[with, without], 0);
            let both = self.call(&Tensor::cat(&[x, &some], 0), &nodes, Pred::X0, Some(&class))?;
            let (n, k) = (x.size()[0], some.size()[0]);
            let (cond, other) = (both.narrow(0, 0, n), both.narrow(0, n, k));
            return Ok(Preds { cond, other: Some(other), images: images.clone(), fresh: true });
        }
        let other = predict(denoiser, &some, &of_some, Pred::X0, class.as_ref())?;
        Ok(Preds { cond: cond(x)?, other: Some(other), images: images.clone(), fresh: true })
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

/// Whether both branches go through the network in one call of twice the batch: on a GPU, where small batches leave it
/// idle. On a CPU an image costs about the same in any batch of some size, and two calls need half the
/// memory; `cargo bench --bench guidance` compares the two.
fn joint(device: Device) -> bool {
    device != Device::Cpu
}

fn predict(
    denoiser: &dyn Denoiser,
    x: &Tensor,
    nodes: &[Node],
    want: Pred,
    class: Option<&Tensor>,
) -> Result<Tensor> {
    Ok(match nodes {
        [node] => denoiser.predict(x, node, want, class)?,
        _ => denoiser.predict_each(x, nodes, want, class)?,
    })
}
