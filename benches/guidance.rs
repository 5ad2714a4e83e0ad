//! What guidance costs beside the network: `cargo bench --bench guidance`.
//!
//! One evaluation of the built-in model at batch 64, all in one run and in turns: CFG and APG, whose difference is the
//! projection; both branches in one call of twice the batch against two calls; and the rules without a network.

#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs, reason = "a benchmark")]

use std::time::Instant;

use fewstep::guidance::{Beside, BuiltIn, Guide, Rule, difference};
use fewstep::pipeline::{At, Evaluator};
use fewstep_models::{Denoiser, ModelFolder, ModelSpec};
use fewstep_samplers::{Node, Pred};
use tch::{Device, Kind, Tensor};

const BATCH: i64 = 64;
const ROUNDS: usize = 31;

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    tch::set_num_threads(1);
    let _no_grad = tch::no_grad_guard();
    let model = ModelFolder::open("fmnist-edm").unwrap().load(Device::Cpu, Kind::Float).unwrap();
    let x = Tensor::randn([BATCH, 1, 28, 28], (Kind::Float, Device::Cpu));
    let class = Tensor::arange(BATCH, (Kind::Int64, Device::Cpu)).remainder(10);
    let node = Node { t: 0.8, alpha: 1.0, sigma: 0.8 };
    let at = At { nodes: &[node], start: None, step: 0, steps: 10, stage: 0 };

    let texts = ["cfg", "apg:eta=0", "apg:eta=0:r_rms=0.1:beta=-0.5"];
    let guides: Vec<Guide> = texts
        .iter()
        .map(|text| Guide::new(&Rule::parse(text).unwrap(), 4.0, &model, Beside::Nothing).unwrap())
        .collect();
    let mut evaluators: Vec<Evaluator<'_>> =
        guides.iter().map(|g| Evaluator::new(&model, Some(&class), Some(g), BATCH as usize)).collect();
    let mut spent = vec![Vec::new(); texts.len()];
    for _ in 0..ROUNDS {
        for (evaluator, spent) in evaluators.iter_mut().zip(&mut spent) {
            let clock = Instant::now();
            let _ = evaluator.eval(&x, at, Pred::X0).unwrap();
            spent.push(1e3 * clock.elapsed().as_secs_f64());
        }
    }
    println!("{:<34}{:>10}{:>14}", "one step at batch 64", "ms", "against cfg");
    for (text, times) in texts.iter().zip(&spent) {
        // Turns are paired, so that what else the machine does falls on both.
        let ratio = median(times.iter().zip(&spent[0]).map(|(a, b)| a / b).collect());
        println!("{text:<34}{:>10.2}{ratio:>14.4}", median(times.clone()));
        assert!(ratio <= 1.01, "`{text}` takes {ratio:.4} of the time of cfg");
    }

    classifier(&model, node);

    let twice = (Tensor::cat(&[&x, &x], 0), Tensor::cat(&[&class, &class.full_like(10)], 0));
    let null = class.full_like(10);
    let (mut one, mut two) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let clock = Instant::now();
        let _ = model.predict(&twice.0, &node, Pred::X0, Some(&twice.1)).unwrap();
        one.push(1e3 * clock.elapsed().as_secs_f64());
        let clock = Instant::now();
        let _ = model.predict(&x, &node, Pred::X0, Some(&class)).unwrap();
        let _ = model.predict(&x, &node, Pred::X0, Some(&null)).unwrap();
        two.push(1e3 * clock.elapsed().as_secs_f64());
    }
    let ratio = median(one.iter().zip(&two).map(|(a, b)| a / b).collect());
    println!(
        "\nboth branches in one call {:.2} ms, in two {:.2} ms: ratio {ratio:.3}",
        median(one),
        median(two)
    );
    // The arithmetic of the rule alone, on predictions that are there.
    println!("{:<34}{:>10}", "rule alone", "ms");
    let table = Known(model.spec().clone(), x.shallow_clone());
    for text in texts {
        let guide = Guide::new(&Rule::parse(text).unwrap(), 4.0, &table, Beside::Nothing).unwrap();
        let mut evaluator = Evaluator::new(&table, Some(&class), Some(&guide), BATCH as usize);
        let times = (0..ROUNDS * 10).map(|_| {
            let clock = Instant::now();
            let _ = evaluator.eval(&x, at, Pred::X0).unwrap();
            1e3 * clock.elapsed().as_secs_f64()
        });
        println!("{text:<34}{:>10.3}", median(times.collect()));
    }
}

/// What the classifier of classifier guidance costs against a pass of the network, in turns.
fn classifier(model: &dyn Denoiser, node: Node) {
    let classifier = BuiltIn::new(Device::Cpu).unwrap();
    println!("\n{:<34}{:>10}{:>14}{:>10}", "classifier and its gradient", "ms", "network, ms", "ratio");
    for batch in [16, 64] {
        let x = Tensor::randn([batch, 1, 28, 28], (Kind::Float, Device::Cpu));
        let class = Tensor::arange(batch, (Kind::Int64, Device::Cpu)).remainder(10);
        let (mut told, mut pass) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let clock = Instant::now();
            let _ = difference(&classifier, &x, &[node], &class).unwrap();
            told.push(1e3 * clock.elapsed().as_secs_f64());
            let clock = Instant::now();
            let _ = model.predict(&x, &node, Pred::X0, Some(&class)).unwrap();
            pass.push(1e3 * clock.elapsed().as_secs_f64());
        }
        let ratio = median(told.iter().zip(&pass).map(|(a, b)| a / b).collect());
        println!("{:<34}{:>10.2}{:>14.2}{ratio:>10.3}", format!("batch {batch}"), median(told), median(pass));
    }
}

/// A network that costs nothing.
struct Known(ModelSpec, Tensor);

impl Denoiser for Known {
    fn predict(&self, _: &Tensor, _: &Node, _: Pred, _: Option<&Tensor>) -> fewstep_models::Result<Tensor> {
        Ok(self.1.shallow_clone())
    }

    fn spec(&self) -> &ModelSpec {
        &self.0
    }

    fn share(&self) -> Box<dyn Denoiser> {
        Box::new(Self(self.0.clone(), self.1.shallow_clone()))
    }
}
