//! What a plan costs beside the network: `cargo bench --bench plan`.
//!
//! Three tables: the time to compile 50 steps of every solver, at most 1 ms; the share of a run of the built-in model at
//! batch 64 that is not the network, measured side by side in the same run, at most 3 %; and what else an image costs, in
//! per cent of ten calls of the network. It fails where a limit is passed.

#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs, reason = "a benchmark")]

use std::cell::Cell;
use std::time::{Duration, Instant};

use fewstep::output::Picture;
use fewstep::pipeline::{Brownian, Evaluator, NoiseSource, Outcome, Silent, execute, quantise};
use fewstep_eval::feature::fmnist_cnn;
use fewstep_models::{Denoiser, ModelFolder, ModelSpec};
use fewstep_samplers::{GridRule, Node, NoiseKey, Path, Pred, registry, solver};
use serde_json::json;
use tch::{Device, Kind, Tensor};

/// A denoiser that keeps the time spent in it.
struct Timed {
    inner: Box<dyn Denoiser>,
    spent: Cell<Duration>,
}

impl Denoiser for Timed {
    fn predict(
        &self,
        x: &Tensor,
        node: &Node,
        want: Pred,
        class: Option<&Tensor>,
    ) -> fewstep_models::Result<Tensor> {
        let clock = Instant::now();
        let out = self.inner.predict(x, node, want, class);
        self.spent.set(self.spent.get() + clock.elapsed());
        out
    }

    fn spec(&self) -> &ModelSpec {
        self.inner.spec()
    }

    fn share(&self) -> Box<dyn Denoiser> {
        self.inner.share()
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn compile_times() {
    println!("{:<18}{:>14}", "solver", "us, worst path");
    let mut worst: (f64, &str, &str) = (0.0, "", "");
    // Parameters that ask for other integrals.
    let others = [
        "exp-ab:pred=x0",
        "exp-ab:pred=flow",
        "exp-ab:in=rho",
        "exp-ab:in=lambda",
        "exp-ab:in=share",
        "sa-solver:predictor=4:corrector=4:slope=exact",
        "dpmpp-3m:type=exact",
    ];
    for spec in registry().iter().map(|entry| entry.name).chain(others) {
        let solver = solver(spec).unwrap();
        let mut slowest: f64 = 0.0;
        for (name, _) in Path::NAMES {
            let path: Path = name.parse().unwrap();
            let grid = GridRule::default_for(&path).grid(&path, 50, None, None, None).unwrap();
            let once = |_| {
                let clock = Instant::now();
                let plan = solver.plan(&grid).unwrap();
                assert!(plan.nfe() > 0);
                1e6 * clock.elapsed().as_secs_f64()
            };
            let us = median((0..21).map(once).collect());
            slowest = slowest.max(us);
            if us > worst.0 {
                worst = (us, spec, name);
            }
        }
        println!("{spec:<18}{slowest:>14.0}");
    }
    let (us, spec, path) = worst;
    println!("slowest: {spec} on {path} with {us:.0} us for 50 steps\n");
    assert!(us < 1000.0, "a plan of 50 steps takes less than a millisecond");
}

fn overheads() {
    tch::set_num_threads(1);
    let model = ModelFolder::open("fmnist-edm").unwrap().load(Device::Cpu, Kind::Float).unwrap();
    let path = Path::vp_linear();
    let class = Tensor::arange(IMAGES, (Kind::Int64, Device::Cpu)).remainder(10);
    let (source, numbers) = (NoiseSource::new(0), (0..IMAGES as u64).collect::<Vec<_>>());
    println!("{:<18}{:>12}{:>12}{:>12}", "solver", "network ms", "plan ms", "per cent");
    for name in ["ddim", "deis-tab3", "dpmpp-2m", "heun", "sde-dpmpp-2m", "dpmpp-2s-a"] {
        let grid = GridRule::default_for(&path).grid(&path, 5, None, None, None).unwrap();
        let plan = solver(name).unwrap().plan(&grid).unwrap();
        let (mut network, mut rest) = (Vec::new(), Vec::new());
        for _ in 0..7 {
            let x = Tensor::randn([IMAGES, 1, 28, 28], (Kind::Float, Device::Cpu));
            let mut walk = Brownian::new(source, &numbers, SIZE);
            let timed = Timed { inner: model.share(), spent: Cell::default() };
            let clock = Instant::now();
            let mut noise = |key: NoiseKey| {
                let values = match key {
                    NoiseKey::Draw(n) => source.batch(&numbers, n, SIZE),
                    NoiseKey::Brownian { from, to } => walk.increment(from, to),
                };
                Tensor::from_slice(&values).view([IMAGES, 1, 28, 28])
            };
            let Outcome::Done(_) = execute(
                &plan,
                x,
                &mut Evaluator::new(&timed, Some(&class), None, IMAGES as usize),
                &mut noise,
                &Silent,
            )
            .unwrap() else {
                unreachable!("nobody cancels")
            };
            network.push(1e3 * timed.spent.get().as_secs_f64());
            rest.push(1e3 * clock.elapsed().saturating_sub(timed.spent.get()).as_secs_f64());
        }
        let (network, rest) = (median(network), median(rest));
        println!("{name:<18}{network:>12.1}{rest:>12.2}{:>12.2}", 100.0 * rest / network);
        assert!(rest <= 0.03 * network, "{name}: all but the network takes at most 3 %");
    }
}

/// Median time of `rounds` calls in us, for one of [`IMAGES`].
fn each(mut call: impl FnMut()) -> f64 {
    let mut once = || {
        let clock = Instant::now();
        call();
        1e6 * clock.elapsed().as_secs_f64() / IMAGES as f64
    };
    once(); // warms up
    median((0..15).map(|_| once()).collect())
}

const IMAGES: i64 = 64;
const SIZE: usize = 784;

fn around() {
    tch::set_num_threads(1);
    let _no_grad = tch::no_grad_guard();
    let model = ModelFolder::open("fmnist-edm").unwrap().load(Device::Cpu, Kind::Float).unwrap();
    let features = fmnist_cnn().unwrap().0;
    let folder = tempfile::tempdir().unwrap();
    let (source, numbers) = (NoiseSource::new(0), (0..IMAGES as u64).collect::<Vec<_>>());
    let x = Tensor::randn([IMAGES, 1, 28, 28], (Kind::Float, Device::Cpu));
    let class = Tensor::arange(IMAGES, (Kind::Int64, Device::Cpu)).remainder(10);
    let node = model.spec().path.node(1.0);
    let pixels = quantise(&x);
    let text = json!({"model": "fmnist-edm", "run_seed": 0, "solver": "deis-tab3", "steps": 10, "image": 1, "class": 3});
    let pictures: Vec<_> = (0..IMAGES).map(|i| Picture::new(&pixels.get(i), text.clone()).unwrap()).collect();
    let network = 10.0 * each(|| drop(model.predict(&x, &node, Pred::X0, Some(&class)).unwrap()));
    let mut path = Brownian::new(source, &numbers, SIZE);
    let mut at = 1e-4;
    let rows = [
        ("ten calls of the network", network),
        ("initial noise", each(|| drop(source.batch(&numbers, 0, SIZE)))),
        (
            "ten Brownian increments",
            10.0 * each(|| {
                path.increment(at, at * 1.37);
                at *= 1.37;
            }),
        ),
        ("8-bit pixels", each(|| drop(quantise(&x)))),
        (
            "PNG, hash, file",
            each(|| {
                for (i, picture) in pictures.iter().enumerate() {
                    picture.save(&folder.path().join(format!("{i}.png"))).unwrap();
                }
            }),
        ),
        ("features of the judge", each(|| drop(features.infer(&pixels).unwrap()))),
    ];
    println!("\n{:<26}{:>12}{:>12}", "an image", "us", "per cent");
    for (name, us) in rows {
        println!("{name:<26}{us:>12.1}{:>12.2}", 100.0 * us / network);
    }
}

fn main() {
    compile_times();
    overheads();
    around();
}
