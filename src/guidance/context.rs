//! What a rule is told of an evaluation.

use fewstep_models::ModelSpec;
use fewstep_samplers::Node;
use tch::Tensor;

use super::Images;

/// One evaluation. `nodes` and `start` have one entry for all images, or one for each.
#[derive(Debug)]
pub struct EvalCtx<'a> {
    /// The state that the network sees, `[b, c, h, w]`.
    pub x: &'a Tensor,
    /// Where the state stands: `t`, `alpha`, `sigma`.
    pub nodes: &'a [Node],
    /// Where the first evaluation of this step stood. What is switched by noise level is switched by this, so that all
    /// stages of a step are alike.
    pub start: &'a [Node],
    /// Number of the step, from 0.
    pub step: usize,
    /// Number of steps.
    pub steps: usize,
    /// Evaluations of this step before this one.
    pub stage: usize,
    /// The guidance scale `w`; 1 means none.
    pub scale: f64,
    /// How the network was trained.
    pub spec: &'a ModelSpec,
}

/// The quantity in which a rule works. Where it only adds multiples of `d`, all are the same; a projection or a norm
/// is another thing in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// The clean image.
    X0,
    /// What the network puts out: noise, velocity, or the inner network of EDM.
    Raw,
}

impl Space {
    /// The words of specifications.
    pub const WORDS: [(&'static str, Self); 2] = [("x0", Self::X0), ("raw", Self::Raw)];
}

impl EvalCtx<'_> {
    /// Number of images.
    pub fn batch(&self) -> usize {
        self.x.size()[0] as usize
    }

    /// Progress of the run, 0 at the first step and 1 at the last.
    pub fn progress(&self) -> f64 {
        if self.steps < 2 { 0.5 } else { self.step as f64 / (self.steps - 1) as f64 }
    }

    /// `x0` of `images` in another space.
    pub fn enter(&self, space: Space, images: &Images, x0: &Tensor) -> Tensor {
        match space {
            Space::X0 => x0.shallow_clone(),
            Space::Raw => {
                let affine = |node: &Node| {
                    let (a, b) = self.spec.x0_of_raw(node);
                    (-a / b, 1.0 / b)
                };
                self.affine(images, x0, affine)
            }
        }
    }

    /// The way back.
    pub fn leave(&self, space: Space, images: &Images, value: &Tensor) -> Tensor {
        match space {
            Space::X0 => value.shallow_clone(),
            Space::Raw => self.affine(images, value, |node| self.spec.x0_of_raw(node)),
        }
    }

    /// `a x + b value`, for `(a, b)` of each image's node.
    pub fn affine(&self, images: &Images, value: &Tensor, of: impl Fn(&Node) -> (f64, f64)) -> Tensor {
        let x = images.take(self.x);
        if let [node] = self.nodes {
            let (a, b) = of(node);
            return x * a + value * b;
        }
        let (a, b): (Vec<f64>, Vec<f64>) = self.nodes.iter().map(of).unzip();
        let column = |values: &[f64]| {
            let column = images.take(&Tensor::from_slice(values).to_device(x.device()));
            column.to_kind(x.kind()).view([-1, 1, 1, 1])
        };
        x.g_mul(&column(&a)) + value.g_mul(&column(&b))
    }
}
