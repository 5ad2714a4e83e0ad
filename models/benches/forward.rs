//! One evaluation of the network, in libtorch and in the CPU engine: `cargo bench -p fewstep-models --bench forward`.
//!
//! One thread. The contenders take turns in one run and the medians are compared, so that a busy machine slows all
//! alike. The last columns say where the engine's time goes.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a benchmark"
)]

#[path = "../tests/nets/mod.rs"]
mod nets;

use std::cell::RefCell;
use std::time::Instant;

use fewstep_models::cpu::{CpuUNet, Section};
use fewstep_models::{Fresh, Given, Params, Scope, UNet2d, UNet2dConfig};
use tch::{Device, Kind, Tensor};

/// The same with random weights: their values cost nothing.
fn with_attention() -> (UNet2dConfig, Params) {
    let config = nets::with_attention();
    let fresh = RefCell::new(Fresh::new(Device::Cpu));
    let _ = UNet2d::new(&Scope::root(&fresh), config.clone());
    (config, fresh.into_inner().into_params())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn compare(name: &str, config: &UNet2dConfig, params: &Params) {
    let eager = |kind: Kind| {
        let params: Params = params.iter().map(|(name, t)| (name.clone(), t.to_kind(kind))).collect();
        let given = RefCell::new(Given(&params));
        UNet2d::new(&Scope::root(&given), config.clone())
    };
    let (f32_net, bf16_net) = (eager(Kind::Float), eager(Kind::BFloat16));
    let engines = CpuUNet::variants(config, params).unwrap();
    for (_, engine) in &engines {
        engine.profile(true);
    }
    for b in [1i64, 16, 64] {
        let x = Tensor::randn([b, config.in_channels, 28, 28], (Kind::Float, Device::Cpu));
        let x16 = x.to_kind(Kind::BFloat16);
        let t = Tensor::full([b], 0.5, (Kind::Float, Device::Cpu));
        let class =
            config.num_class_embeds.map(|n| Tensor::arange(b, (Kind::Int64, Device::Cpu)).remainder(n));
        let class = class.as_ref();
        let mut contenders: Vec<Box<dyn Fn() -> Tensor>> = vec![
            Box::new(|| f32_net.forward(&x, &t, class).unwrap()),
            Box::new(|| bf16_net.forward(&x16, &t, class).unwrap()),
        ];
        for (_, engine) in &engines {
            contenders.push(Box::new(|| engine.forward(&x, &t, class).unwrap()));
        }
        let rounds = (160 / b).clamp(5, 25);
        let mut times = vec![vec![]; contenders.len()];
        for round in 0..=rounds {
            for (run, times) in contenders.iter().zip(&mut times) {
                let clock = Instant::now();
                let _ = run();
                if round > 0 {
                    times.push(clock.elapsed().as_secs_f64() * 1e3 / b as f64); // the first round warms up
                } else {
                    for (_, engine) in &engines {
                        engine.spent();
                    }
                }
            }
        }
        let medians: Vec<f64> = times.into_iter().map(median).collect();
        for ((set, engine), ours) in engines.iter().zip(&medians[2..]) {
            let spent = engine.spent();
            let total: f64 = spent.iter().map(|(_, d)| d.as_secs_f64()).sum();
            let (f32_ms, bf16_ms) = (medians[0], medians[1]);
            print!("{name:<12}{set:<8}{b:>5}{f32_ms:>9.3}{bf16_ms:>9.3}{ours:>9.3}{:>8.2}", f32_ms / ours);
            for (_, d) in &spent {
                print!("{:>12.0}", 100.0 * d.as_secs_f64() / total);
            }
            println!();
        }
    }
}

fn main() {
    tch::set_num_threads(1);
    tch::manual_seed(0);
    let _no_grad = tch::no_grad_guard();
    print!("{:<20}{:>5}{:>9}{:>9}{:>9}{:>8}", "ms an image", "batch", "f32", "bf16", "engine", "f32/e.");
    for s in Section::ALL {
        print!("{:>12}", format!("{s:?}"));
    }
    println!(" (per cent of the engine)");
    let (config, params) = nets::built_in();
    compare("fmnist-edm", &config, &params);
    let (config, params) = with_attention();
    compare("32-64-64", &config, &params);
}
