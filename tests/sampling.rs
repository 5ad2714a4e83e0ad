//! The executor and the batch loop, without the command line.

#![expect(clippy::unwrap_used, reason = "a test")]

mod common;

use common::{silent, tiny};
use fewstep::pipeline::{Batches, Evaluator, Job, Outcome, Silent, execute, quantise};
use fewstep_models::{Denoiser, ModelSpec, NetDenoiser};
use fewstep_samplers::exact::Mixture;
use fewstep_samplers::interpreter::{self, Model};
use fewstep_samplers::{Grid, GridRule, Node, NoiseKey, Path, Plan, Pred, registry, solver};
use tch::{Device, Kind, Tensor};

fn plan(name: &str, steps: usize) -> Plan {
    let path: Path = "vp-linear".parse().unwrap();
    solver(name)
        .unwrap()
        .plan(&GridRule::default_for(&path).grid(&path, steps, None, None, None).unwrap())
        .unwrap()
}

fn pictures(
    denoiser: &NetDenoiser,
    plan: &Plan,
    images: Vec<u64>,
    batch: usize,
    workers: usize,
) -> Vec<(u64, Vec<u8>)> {
    let job =
        Job { seed: 5, images, class: None, init: None, batch, workers, device: Device::Cpu, share: None };
    let mut all = Vec::new();
    for batch in Batches::new(plan, denoiser, &job, &silent()) {
        let batch = batch.unwrap();
        let pixels = quantise(&batch.x);
        for (i, &image) in batch.images.iter().enumerate() {
            all.push((image, Vec::try_from(pixels.get(i as i64).view(-1)).unwrap()));
        }
    }
    all.sort();
    all
}

#[test]
fn a_picture_depends_on_its_number_alone() {
    tch::set_num_threads(1);
    let denoiser = tiny();
    for plan in [plan("deis-tab3", 4), plan("ddim:eta=1", 4)] {
        let all = pictures(&denoiser, &plan, (0..12).collect(), 4, 2);
        // Another order and other neighbours in a batch of the same shape: the same bytes.
        assert_eq!(pictures(&denoiser, &plan, (0..12).rev().collect(), 4, 2), all);
        assert_eq!(pictures(&denoiser, &plan, vec![7], 4, 2), [all[7].clone()]);
        // Nor does it matter how many threads there are.
        assert_eq!(pictures(&denoiser, &plan, (0..12).collect(), 4, 1), all);
        // In libtorch another shape may round otherwise, by at most one grey level.
        let most = u8::from(!denoiser.any_batch());
        for batch in [1, 5, 12] {
            for ((_, a), (_, b)) in pictures(&denoiser, &plan, (0..12).collect(), batch, 2).iter().zip(&all) {
                assert!(a.iter().zip(b).all(|(x, y)| x.abs_diff(*y) <= most), "batch {batch}");
            }
        }
        assert!(all.windows(2).all(|w| w[0].1 != w[1].1), "different numbers give different pictures");
    }
}

/// Says that its arithmetic is the same for any batch, or not, and fails if it is asked about another number of images.
#[derive(Clone, Debug)]
struct Counting {
    any_batch: bool,
    sizes: Vec<i64>,
    spec: ModelSpec,
}

impl Denoiser for Counting {
    fn predict(
        &self,
        x: &Tensor,
        _: &Node,
        _: Pred,
        class: Option<&Tensor>,
    ) -> fewstep_models::Result<Tensor> {
        assert!(self.sizes.contains(&x.size()[0]) && class.unwrap().size()[0] == x.size()[0]);
        Ok(x.zeros_like())
    }

    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn any_batch(&self) -> bool {
        self.any_batch
    }

    fn share(&self) -> Box<dyn Denoiser> {
        Box::new(self.clone())
    }
}

#[test]
fn a_batch_is_padded_only_where_its_size_matters() {
    for (any_batch, sizes) in [(false, vec![4]), (true, vec![4, 1])] {
        let denoiser = Counting { any_batch, sizes, spec: common::tiny_spec().0 };
        let images = (0..5).collect();
        let job = Job {
            seed: 5,
            images,
            class: None,
            init: None,
            batch: 4,
            workers: 1,
            device: Device::Cpu,
            share: None,
        };
        let batches = Batches::new(&plan("ddim", 2), &denoiser, &job, &silent());
        let sizes: Vec<_> = batches.map(|batch| batch.unwrap().x.size()[0]).collect();
        assert_eq!(sizes, [4, 1], "padding is not handed on");
    }
}

/// The exact denoiser of a mixture, as a tensor model.
#[derive(Debug)]
struct Exact {
    mixture: Mixture,
    spec: ModelSpec,
}

impl Denoiser for Exact {
    fn predict(
        &self,
        x: &Tensor,
        node: &Node,
        want: Pred,
        _: Option<&Tensor>,
    ) -> fewstep_models::Result<Tensor> {
        let values = Vec::<f64>::try_from(x.view(-1).to_kind(Kind::Double)).unwrap();
        let out = self.mixture.predict(&values, node, want);
        Ok(Tensor::from_slice(&out).to_kind(Kind::Float).view_as(x))
    }

    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn share(&self) -> Box<dyn Denoiser> {
        Box::new(Self { mixture: self.mixture.clone(), spec: self.spec.clone() })
    }
}

#[test]
fn executor_equals_the_f64_interpreter_for_every_solver() {
    // "Noise" that tells every key from every other.
    let noise = |key| {
        let value = match key {
            NoiseKey::Draw(draw) => f64::from(draw).cos(),
            NoiseKey::Brownian { from, to } => (from + 1.7 * to.ln_1p()).sin(),
        };
        [value, -value, 0.5 * value, 2.0 * value]
    };
    let exact = Exact { mixture: Mixture::gaussian(0.5).unwrap(), spec: common::tiny_spec().0 };
    for entry in registry() {
        let plan = plan(entry.name, 6);
        let start = [0.3, -1.2, 2.0, 0.01].map(|z: f64| z * plan.init_scale());
        let want =
            interpreter::run(&plan, &exact.mixture, start.to_vec(), |key| noise(key).to_vec(), |_, _, _| {})
                .unwrap();
        let x = Tensor::from_slice(&start).to_kind(Kind::Float).view([4, 1, 1, 1]);
        let mut told = |key| Tensor::from_slice(&noise(key)).to_kind(Kind::Float).view([4, 1, 1, 1]);
        let Outcome::Done(got) =
            execute(&plan, x, &mut Evaluator::new(&exact, None, None, 4), &mut told, &Silent).unwrap()
        else {
            panic!("cancelled")
        };
        let got = Vec::<f64>::try_from(got.view(-1).to_kind(Kind::Double)).unwrap();
        for (g, w) in got.iter().zip(&want) {
            assert!((g - w).abs() < 2e-5 * (1.0 + w.abs()), "{}: {got:?} {want:?}", entry.name);
        }
    }
}

/// The ODE in rho is the same on every path, so DDIM on matching noise levels must give the same image on each.
#[test]
fn a_model_can_be_driven_along_another_path() {
    tch::set_num_threads(1);
    let denoiser = tiny();
    let vp: Path = "vp-linear".parse().unwrap();
    let edm: Path = "edm".parse().unwrap();
    let times = [0.7, 0.4, 0.2, 0.05];
    let rhos = times.map(|t| vp.node(t).rho());
    // Drawn once: other tests may draw from libtorch's one generator at any moment.
    let y = Tensor::randn([2, 1, 28, 28], (Kind::Float, Device::Cpu)) * rhos[0]; // x / alpha
    let run = |path: &Path, times: &[f64]| {
        let plan = solver("ddim").unwrap().plan(&Grid::new(path, times, "test").unwrap()).unwrap();
        let class = Tensor::from_slice(&[1i64, 8]);
        let mut none = |_| unreachable!("ddim draws no noise");
        let x = &y * plan.nodes[0].alpha;
        let mut evaluator = Evaluator::new(&denoiser, Some(&class), None, 2);
        match execute(&plan, x, &mut evaluator, &mut none, &Silent).unwrap() {
            Outcome::Done(x) => x / plan.nodes[plan.steps].alpha,
            Outcome::Cancelled => panic!("nobody cancelled"),
        }
    };
    let worst = f64::try_from((run(&vp, &times) - run(&edm, &rhos)).abs().max()).unwrap();
    assert!(worst < 1e-4, "paths differ by {worst:e}");
}

/// From a noisy version of a picture of the data the exact flow leads back near it, the nearer the less noise there was.
#[test]
fn a_run_can_start_from_a_picture() {
    let exact = Exact { mixture: Mixture::gaussian(0.5).unwrap(), spec: common::tiny_spec().0 };
    let start: Vec<f32> = (0..784).map(|i| (i as f32 * 0.7).sin() * 0.7).collect();
    let distance = |first: usize| {
        let full = GridRule::UniformT.grid(&Path::Flow, 20, None, None, None).unwrap();
        let times: Vec<f64> = full.times().skip(first).collect();
        let plan = solver("heun").unwrap().plan(&Grid::new(&Path::Flow, &times, "part").unwrap()).unwrap();
        let init = Some(start.clone());
        let job = Job {
            seed: 0,
            images: vec![3],
            class: None,
            init,
            batch: 1,
            workers: 1,
            device: Device::Cpu,
            share: None,
        };
        let x = Batches::new(&plan, &exact, &job, &silent()).next().unwrap().unwrap().x;
        let x = Vec::<f32>::try_from(x.view(-1)).unwrap();
        (x.iter().zip(&start).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>() / 784.0).sqrt()
    };
    // For normal data of deviation c = 1/2, t of noise and a mean square s of the picture, the flow scales the noisy
    // state (1 - t) p + t z by c / hypot(c (1 - t), t).
    let expected = |t: f64| {
        let gain = 0.5 / (0.5 * (1.0 - t)).hypot(t);
        let s = start.iter().map(|p| f64::from(*p).powi(2)).sum::<f64>() / 784.0;
        ((gain * (1.0 - t) - 1.0).powi(2) * s + (gain * t).powi(2)).sqrt()
    };
    for first in [4, 10, 18] {
        let (got, want) = (distance(first), expected(1.0 - first as f64 / 20.0));
        assert!((got / want - 1.0).abs() < 0.1, "from step {first}: {got} instead of {want}");
    }
}

/// The noise of a stochastic solver is keyed by interval: more steps draw the same picture more exactly.
#[test]
fn more_steps_refine_a_stochastic_picture() {
    let exact = Exact { mixture: Mixture::gaussian(0.5).unwrap(), spec: common::tiny_spec().0 };
    let picture = |seed: u64, steps: usize| {
        let job = Job {
            seed,
            images: vec![3],
            class: None,
            init: None,
            batch: 1,
            workers: 1,
            device: Device::Cpu,
            share: None,
        };
        let x = Batches::new(&plan("ddim:eta=1", steps), &exact, &job, &silent()).next().unwrap().unwrap().x;
        Vec::<f32>::try_from(x.view(-1)).unwrap()
    };
    let distance = |a: &[f32], b: &[f32]| {
        (a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>() / a.len() as f64).sqrt()
    };
    let fine = picture(0, 1024);
    let errors = [16, 64, 256].map(|n| distance(&picture(0, n), &fine));
    assert!(errors[0] > 1.8 * errors[1] && errors[1] > 1.8 * errors[2], "{errors:?}");
    assert!(errors[2] < 0.1 * distance(&picture(1, 256), &fine), "{errors:?}");
}

#[test]
fn a_result_that_is_not_finite_is_an_error() {
    #[derive(Debug)]
    struct Broken(ModelSpec);
    impl Denoiser for Broken {
        fn predict(
            &self,
            x: &Tensor,
            _: &Node,
            _: Pred,
            _: Option<&Tensor>,
        ) -> fewstep_models::Result<Tensor> {
            Ok(x * f64::NAN)
        }
        fn spec(&self) -> &ModelSpec {
            &self.0
        }
        fn share(&self) -> Box<dyn Denoiser> {
            Box::new(Self(self.0.clone()))
        }
    }
    let x = Tensor::zeros([1, 1, 28, 28], (Kind::Float, Device::Cpu));
    let mut none = |_| unreachable!();
    let broken = Broken(common::tiny_spec().0);
    let mut evaluator = Evaluator::new(&broken, None, None, 1);
    let error = execute(&plan("ddim", 3), x, &mut evaluator, &mut none, &Silent).unwrap_err();
    assert!(error.to_string().contains("not finite"), "{error}");
}
