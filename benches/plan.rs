//! What a plan costs beside the network: `cargo bench --bench plan`.
//!
//! Two tables: the time to compile 50 steps of every solver, and the share of a run of the built-in model at batch 64 that
//! is not the network, measured side by side in the same run.

#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs, reason = "a benchmark")]

use std::cell::Cell;
use std::time::{Duration, Instant};

use fewstep::pipeline::{Evaluator, Outcome, Silent, execute};
use fewstep_models::{Denoiser, ModelFolder, ModelSpec};
use fewstep_samplers::{GridRule, Node, NoiseKey, Path, Pred, registry, solver};
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
    println!("{:<18}{:>14}", "solver", "us a plan");
    let path = Path::vp_linear();
    let grid = GridRule::default_for(&path).grid(&path, 50, None, None, None).unwrap();
    let mut worst: (f64, &str) = (0.0, "");
    for entry in registry() {
        let solver = solver(entry.name).unwrap();
        let once = |_| {
            let clock = Instant::now();
            let plan = solver.plan(&grid).unwrap();
            assert!(plan.nfe() > 0);
            1e6 * clock.elapsed().as_secs_f64()
        };
        let us = median((0..21).map(once).collect());
        if us > worst.0 {
            worst = (us, entry.name);
        }
        println!("{:<18}{us:>14.0}", entry.name);
    }
    println!("slowest: {} with {:.0} us for 50 steps\n", worst.1, worst.0);
}

fn overheads() {
    const BATCH: i64 = 64;
    tch::set_num_threads(1);
    let model = ModelFolder::open("fmnist-edm").unwrap().load(Device::Cpu, Kind::Float).unwrap();
    let path = Path::vp_linear();
    let class = Tensor::arange(BATCH, (Kind::Int64, Device::Cpu)).remainder(10);
    println!("{:<18}{:>12}{:>12}{:>12}", "solver", "network ms", "plan ms", "per cent");
    for name in ["ddim", "deis-tab3", "dpmpp-2m", "heun"] {
        let grid = GridRule::default_for(&path).grid(&path, 5, None, None, None).unwrap();
        let plan = solver(name).unwrap().plan(&grid).unwrap();
        let (mut network, mut rest) = (Vec::new(), Vec::new());
        for _ in 0..7 {
            let x = Tensor::randn([BATCH, 1, 28, 28], (Kind::Float, Device::Cpu));
            let timed = Timed { inner: model.share(), spent: Cell::default() };
            let clock = Instant::now();
            let mut noise = |_: NoiseKey| unreachable!("deterministic");
            let Outcome::Done(_) = execute(
                &plan,
                x,
                &mut Evaluator::new(&timed, Some(&class), None, BATCH as usize),
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
    }
}

fn main() {
    compile_times();
    overheads();
}
