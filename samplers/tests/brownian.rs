//! Stochastic methods along a given Brownian path: strong convergence.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod common;

use common::images::mixture;
use common::{plan, slope, smooth};
use fewstep_samplers::{Grid, NoiseKey, interpreter};

/// A Brownian path on the nodes of a fine grid, for many samples.
struct Brownian {
    clocks: Vec<f64>,
    /// The path at each clock.
    values: Vec<Vec<f64>>,
}

const SAMPLES: usize = 400;

/// Standard normal numbers from a counter: SplitMix64 and Box-Muller.
fn normals(counter: &mut u64) -> f64 {
    let mut uniform = || {
        *counter = counter.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *counter;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    };
    let (a, b) = (1.0 - uniform(), uniform());
    (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
}

impl Brownian {
    fn on(grid: &Grid) -> Self {
        let clocks: Vec<f64> = grid.nodes().iter().map(|n| (n.alpha / n.sigma).powi(2)).collect();
        let (mut counter, mut values) = (7, vec![vec![0.0; SAMPLES]]);
        for pair in clocks.windows(2) {
            let size = (pair[1] - pair[0]).sqrt();
            values.push(values.last().unwrap().iter().map(|w| w + size * normals(&mut counter)).collect());
        }
        Self { clocks, values }
    }

    fn at(&self, clock: f64) -> &[f64] {
        let i = self.clocks.partition_point(|c| *c < clock * (1.0 - 1e-9));
        assert!((self.clocks[i] / clock - 1.0).abs() < 1e-8, "no node at clock {clock}");
        &self.values[i]
    }

    fn run(&self, spec: &str, n: usize) -> Vec<f64> {
        let data = mixture();
        let mut counter = 11;
        let start = (0..SAMPLES).map(|_| 10.0 * normals(&mut counter)).collect();
        let noise = |key| match key {
            NoiseKey::Brownian { from, to } => {
                let size = (to - from).sqrt();
                self.at(to).iter().zip(self.at(from)).map(|(b, a)| (b - a) / size).collect()
            }
            NoiseKey::Draw(_) => panic!("{spec} does not follow the path"),
        };
        interpreter::run(&plan(spec, &smooth(n)), &data, start, noise, |_, _, _| {}).unwrap()
    }
}

#[test]
fn finer_grids_converge_to_one_solution_on_the_same_brownian_path() {
    let path = Brownian::on(&smooth(4096));
    for eta in ["1", "0.5"] {
        // One reference for all: they solve the same equation, in which eta and tau are one strength.
        let exact = path.run(&format!("dpmpp-sde:eta={eta}"), 2048);
        for name in [
            "ddim:eta",
            "euler-a:eta",
            "dpmpp-sde:eta",
            "dpmpp-2s-a:eta",
            "sde-dpmpp-1:tau",
            "sde-dpmpp-2m:tau",
            "sde-dpmpp-2m:type=heun:tau",
            "sde-dpmpp-3m:type=exact:tau",
        ] {
            let spec = format!("{name}={eta}");
            let points: Vec<(usize, f64)> = [16, 32, 64, 128, 256]
                .into_iter()
                .map(|n| {
                    let got = path.run(&spec, n);
                    let square: f64 = got.iter().zip(&exact).map(|(a, b)| (a - b).powi(2)).sum();
                    (n, (square / SAMPLES as f64).sqrt())
                })
                .collect();
            let order = slope(&points);
            #[expect(clippy::print_stderr, reason = "the measured orders are worth seeing")]
            {
                eprintln!("{spec} strong order {order:.3} {points:.5?}");
            }
            assert!((order - 1.0).abs() < 0.15, "{spec}: strong order {order:.3}");
        }
    }
}
