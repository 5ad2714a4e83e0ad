//! Rules run by hand, and distributions whose guided denoiser is known.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fewstep::guidance::{Branches, EvalCtx, Guidance, Guided, Images, LevelClassifier, Preds, Rule};
use fewstep_models::{Denoiser, ModelSpec, Prediction};
use fewstep_samplers::{Node, Pred};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

pub(crate) fn fixture() -> Value {
    serde_json::from_str(include_str!("../fixtures/guidance.json")).unwrap()
}

/// A flat list of a fixture as images of 1x2x2, f64.
pub(crate) fn images(value: &Value) -> Tensor {
    numbers(value).view([-1, 1, 2, 2])
}

/// A flat list of a fixture, f64.
pub(crate) fn numbers(value: &Value) -> Tensor {
    let values: Vec<f64> = value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
    Tensor::from_slice(&values)
}

pub(crate) fn worst(a: &Tensor, b: &Tensor) -> f64 {
    f64::try_from((a - b).abs().max()).unwrap()
}

pub(crate) fn rule(text: &str) -> Box<dyn Guidance> {
    Rule::parse(text).unwrap().guidance().fresh()
}

/// Where a rule is called, without a sampler.
pub(crate) struct Place<'a> {
    pub spec: ModelSpec,
    pub node: Node,
    pub x: &'a Tensor,
    pub scale: f64,
}

impl<'a> Place<'a> {
    pub(crate) fn new(x: &'a Tensor, scale: f64) -> Self {
        Self { spec: super::tiny_spec().0, node: Node { t: 2.0, alpha: 1.0, sigma: 2.0 }, x, scale }
    }

    pub(crate) fn ctx(&self, step: usize) -> EvalCtx<'_> {
        let nodes = std::slice::from_ref(&self.node);
        let (x, scale, spec) = (self.x, self.scale, &self.spec);
        EvalCtx { x, nodes, start: nodes, step, steps: 3, stage: 0, scale, spec }
    }

    pub(crate) fn full(&self, rule: &mut dyn Guidance, step: usize, c: &Tensor, u: &Tensor) -> Guided {
        let _ = rule.plan(&self.ctx(step));
        rule.combine(&self.ctx(step), Preds::pair(c.shallow_clone(), u.shallow_clone()))
    }

    pub(crate) fn call(&self, rule: &mut dyn Guidance, step: usize, c: &Tensor, u: &Tensor) -> Tensor {
        self.full(rule, step, c, u).x0
    }

    /// Gives the rule what it asks for and no more, as an evaluator does.
    pub(crate) fn ask(
        &self,
        rule: &mut dyn Guidance,
        (step, stage): (usize, usize),
        c: &Tensor,
        u: &Tensor,
    ) -> (Branches, Tensor) {
        let ctx = EvalCtx { stage, ..self.ctx(step) };
        let branches = rule.plan(&ctx);
        if branches == Branches::cond() {
            return (branches, c.shallow_clone());
        }
        let images = branches.other().clone();
        let other = (images != Images::None).then(|| images.take(u));
        let x0 = rule.combine(&ctx, Preds { cond: c.shallow_clone(), other, images, fresh: true }).x0;
        (branches, x0)
    }
}

/// Tells the same `x0` for every state: `c` with a label, `u` without.
pub(crate) struct Table {
    pub c: Tensor,
    pub u: Tensor,
    pub spec: ModelSpec,
}

impl Denoiser for Table {
    fn predict(
        &self,
        x: &Tensor,
        node: &Node,
        want: Pred,
        class: Option<&Tensor>,
    ) -> fewstep_models::Result<Tensor> {
        let null = class.unwrap().ge(self.spec.classes.unwrap()).view([-1, 1, 1, 1]);
        let x0 = self.u.where_self(&null, &self.c);
        let (a, b) = Prediction::of_x0(node, want);
        Ok(x * a + x0 * b)
    }

    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn share(&self) -> Box<dyn Denoiser> {
        let (c, u) = (self.c.shallow_clone(), self.u.shallow_clone());
        Box::new(Self { c, u, spec: self.spec.clone() })
    }
}

/// Ten round normal distributions of deviation 0.3 in 48 dimensions, one a class, with their means about 0.5 from zero in
/// each. Denoisers with and without the label are closed forms. f64.
pub(crate) struct Blobs {
    /// `[10, 48]`.
    means: Tensor,
    spec: ModelSpec,
}

impl Blobs {
    pub(crate) const SIZE: i64 = 48;
    const STD: f64 = 0.3;

    pub(crate) fn new() -> Self {
        Self::drawn(11)
    }

    /// With other means.
    pub(crate) fn drawn(seed: u64) -> Self {
        let mut means = vec![0f32; 480];
        fewstep::pipeline::NoiseSource::new(seed).fill(0, 0, &mut means);
        let means = Tensor::from_slice(&means).to_kind(Kind::Double).view([10, Self::SIZE]) * 0.5;
        Self { means, spec: ModelSpec { shape: [Self::SIZE, 1, 1], ..super::tiny_spec().0 } }
    }

    /// The same with a network of another kind, for rules that work in what it puts out.
    pub(crate) fn predicting(prediction: Prediction) -> Self {
        let mut blobs = Self::new();
        blobs.spec.prediction = prediction;
        blobs
    }

    /// The ideal classifier of these distributions.
    pub(crate) fn classifier(&self, highest: f64) -> BlobClassifier {
        let calls = Arc::new(AtomicUsize::new(0));
        BlobClassifier { means: self.means.shallow_clone(), highest, calls }
    }

    /// Root mean square of the data.
    pub(crate) fn rms(&self) -> f64 {
        let mean = f64::try_from(self.means.square().mean(Kind::Double)).unwrap();
        (mean + Self::STD * Self::STD).sqrt()
    }
}

impl Denoiser for Blobs {
    fn predict(
        &self,
        x: &Tensor,
        node: &Node,
        want: Pred,
        class: Option<&Tensor>,
    ) -> fewstep_models::Result<Tensor> {
        let flat = x.flatten(1, -1); // [b, 48]
        let (variance, alpha) = (Self::STD * Self::STD, node.alpha);
        let spread = alpha * alpha * variance + node.sigma * node.sigma;
        let off = flat.unsqueeze(1) - &self.means * alpha; // [b, 10, 48]
        let square = off.square().sum_dim_intlist(&[2i64][..], false, Kind::Double);
        let posterior = (square * (-0.5 / spread)).softmax(1, Kind::Double); // [b, 10]
        let class = class.unwrap();
        let null = class.ge(10).view([-1, 1]);
        let known = class.clamp(0, 9).one_hot(10).to_kind(Kind::Double);
        let share = posterior.where_self(&null, &known).unsqueeze(2);
        let each = &self.means + off * (alpha * variance / spread);
        let x0 = (each * share).sum_dim_intlist(&[1i64][..], false, Kind::Double).view_as(x);
        let (a, b) = Prediction::of_x0(node, want);
        Ok(x * a + x0 * b)
    }

    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn share(&self) -> Box<dyn Denoiser> {
        Box::new(Self { means: self.means.shallow_clone(), spec: self.spec.clone() })
    }
}

/// Knows `ln p(class | z)` of [`Blobs`] in closed form.
pub(crate) struct BlobClassifier {
    means: Tensor,
    highest: f64,
    /// How often anybody has asked.
    pub calls: Arc<AtomicUsize>,
}

impl LevelClassifier for BlobClassifier {
    fn log_probs(&self, z: &Tensor, rho: &[f64]) -> anyhow::Result<Tensor> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let spread: Vec<f64> = rho.iter().map(|rho| -0.5 / (Blobs::STD * Blobs::STD + rho * rho)).collect();
        let off = z.flatten(1, -1).unsqueeze(1) - &self.means; // [n, 10, 48]
        let square = off.square().sum_dim_intlist(&[2i64][..], false, Kind::Double);
        Ok((square * Tensor::from_slice(&spread).view([-1, 1])).log_softmax(1, Kind::Double))
    }

    fn highest(&self) -> f64 {
        self.highest
    }

    fn check(&self, _: &ModelSpec) -> anyhow::Result<()> {
        Ok(())
    }

    fn share(&self) -> Box<dyn LevelClassifier> {
        let (means, calls) = (self.means.shallow_clone(), Arc::clone(&self.calls));
        Box::new(Self { means, highest: self.highest, calls })
    }
}

pub(crate) fn cpu(kind: Kind) -> (Kind, Device) {
    (kind, Device::Cpu)
}
