//! Runs dynamic solvers on tensors.

use anyhow::{Context, Result, bail, ensure};
use fewstep_models::Denoiser;
use fewstep_samplers::dynamic::{self, Dynamic, Machine, Query, Report, Round, Tolerance};
use fewstep_samplers::{Grid, Node, NoiseKey, Pred};
use tch::{Device, Kind, Tensor};

use super::brownian::Brownian;
use super::evaluator::{At, Evaluator};
use super::executor::Observer;
use super::noise::NoiseSource;
use crate::guidance::Guide;

/// The images of a batch, as a dynamic solver sees them.
pub(super) struct Tensors<'a> {
    denoiser: &'a dyn Denoiser,
    classes: Option<&'a [i64]>,
    guide: Option<&'a Guide>,
    forwards: Vec<usize>,
    noise: NoiseSource,
    images: &'a [u64],
    paths: Vec<Brownian<'a>>,
    device: Device,
}

impl<'a> Tensors<'a> {
    /// `classes` has one class an image, or is `None` for an unconditional model. However many states a solver asks about at
    /// a time, a call of the network is given no more of them than there are `images`.
    ///
    /// # Errors
    /// If the guidance depends on the order of the steps.
    pub(super) fn new(
        denoiser: &'a dyn Denoiser,
        classes: Option<&'a [i64]>,
        guide: Option<&'a Guide>,
        noise: NoiseSource,
        images: &'a [u64],
        device: Device,
    ) -> Result<Self> {
        let size = denoiser.spec().shape.iter().product::<i64>() as usize;
        let paths = images.chunks(1).map(|image| Brownian::new(noise, image, size)).collect();
        ensure!(
            Evaluator::new(denoiser, None, guide, 0).takes_any_order(),
            "this guidance goes by steps, or has the solver noise a state again; a solver that chooses its steps as it goes \
             cannot have it: take another solver, or a rule that does neither"
        );
        let forwards = vec![0; images.len()];
        Ok(Self { denoiser, classes, guide, forwards, noise, images, paths, device })
    }

    /// Passes of a network so far, for each image.
    pub(super) fn into_forwards(self) -> Vec<usize> {
        self.forwards
    }

    /// Takes the states in `x` (noise times the first node's `sigma`) to the end of `grid`; `None` if the observer
    /// broke the run off.
    ///
    /// # Shapes
    /// `x: [images, c, h, w]` f32, kept
    pub(super) fn run(
        &mut self,
        solver: &Dynamic,
        grid: &Grid,
        x: &Tensor,
        observer: &dyn Observer,
    ) -> Result<Option<(Tensor, Report)>> {
        let _no_grad = tch::no_grad_guard();
        let states = (0..x.size()[0]).map(|i| x.get(i)).collect();
        let watch = &mut |round: &Round<'_, Tensor>| observer.round(round.number);
        match solver.run(grid, self, states, watch)? {
            dynamic::Outcome::Cancelled(_) => Ok(None),
            dynamic::Outcome::Done { states, report } => {
                let x = Tensor::stack(&states, 0);
                if !bool::try_from(x.isfinite().all())? {
                    bail!(
                        "the result is not finite: solver `{}` diverged; lower its tolerances",
                        solver.name()
                    );
                }
                Ok(Some((x, report)))
            }
        }
    }
}

impl Machine for Tensors<'_> {
    /// `[c, h, w]` f32.
    type State = Tensor;
    type Error = anyhow::Error;

    fn eval(&mut self, batch: &[Query<'_, Tensor>]) -> Result<Vec<Tensor>> {
        let Some(first) = batch.first() else { return Ok(vec![]) };
        if batch.len() > self.images.len() {
            let mut all = Vec::with_capacity(batch.len());
            for part in batch.chunks(self.images.len()) {
                all.extend(self.eval(part)?);
            }
            return Ok(all);
        }
        let pred: Pred = first.pred;
        if batch.iter().any(|query| query.pred != pred) {
            // From pure noise the adaptive solvers ask for velocities; an image that has to repeat that step does so while
            // others are on. Rare enough for a call each.
            return batch.iter().map(|query| Ok(self.eval(&[Query { ..*query }])?.remove(0))).collect();
        }
        let x = Tensor::stack(&batch.iter().map(|query| query.x.shallow_clone()).collect::<Vec<_>>(), 0);
        let nodes: Vec<Node> = batch.iter().map(|query| query.node).collect();
        let start: Vec<Node> = batch.iter().map(|query| query.start).collect();
        let class = self.classes.map(|classes| {
            let asked: Vec<i64> = batch.iter().map(|query| classes[query.image]).collect();
            Tensor::from_slice(&asked).to_device(self.device)
        });
        // Rules that remember were refused: an evaluator for this one question will do, and steps have no number.
        let mut evaluator = Evaluator::new(self.denoiser, class.as_ref(), self.guide, batch.len());
        let at = At { nodes: &nodes, start: Some(&start), step: 0, steps: 1, stage: 0 };
        let out = evaluator.eval(&x, at, pred)?.value;
        for (query, forwards) in batch.iter().zip(evaluator.forwards()) {
            self.forwards[query.image] += forwards;
        }
        Ok((0..batch.len() as i64).map(|i| out.get(i)).collect())
    }

    fn lin(&mut self, terms: &[(f64, &Tensor)]) -> Result<Tensor> {
        let (first, rest) = terms.split_first().context("a linear combination without terms")?;
        let mut sum = first.1 * first.0;
        for (c, x) in rest {
            sum += *x * *c;
        }
        Ok(sum)
    }

    fn noise(&mut self, image: usize, key: NoiseKey) -> Result<Tensor> {
        let shape = self.denoiser.spec().shape;
        let values = match key {
            NoiseKey::Draw(n) => {
                self.noise.batch(&self.images[image..=image], n, shape.iter().product::<i64>() as usize)
            }
            NoiseKey::Brownian { from, to } => self.paths[image].increment(from, to),
        };
        Ok(Tensor::from_slice(&values).view(shape).to_device(self.device))
    }

    fn error_norm(
        &mut self,
        hi: &Tensor,
        lo: &Tensor,
        (c, before): (f64, &Tensor),
        tolerance: Tolerance,
    ) -> Result<f64> {
        let size = lo.abs().maximum(&(before.abs() * c));
        let scale = (size * tolerance.rtol).clamp_min(tolerance.atol);
        Ok(f64::try_from(((hi - lo) / scale).square().mean(Kind::Double))?.sqrt())
    }

    fn mean_squares(&mut self, pairs: &[(&Tensor, &Tensor)]) -> Result<Vec<f64>> {
        let stack = |side: &dyn Fn(&(&Tensor, &Tensor)) -> Tensor| {
            Tensor::stack(&pairs.iter().map(side).collect::<Vec<_>>(), 0)
        };
        if pairs.is_empty() {
            return Ok(vec![]);
        }
        let (a, b) = (stack(&|p| p.0.shallow_clone()), stack(&|p| p.1.shallow_clone()));
        let means = (a - b).square().flatten(1, -1).mean_dim(&[1i64][..], false, Kind::Double);
        Ok(Vec::<f64>::try_from(means.to_device(Device::Cpu))?)
    }
}
