//! Pairs of Gaussians whose Fréchet distance is known; `scripts/parity/make_frechet_fixtures.py` says how.

use fewstep_eval::stats::Moments;
use serde::Deserialize;
use tch::Tensor;

/// One pair: the numbers it follows from, and the distance with 50 digits rounded to f64.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Pair {
    pub(crate) d: usize,
    rank1: usize,
    rank2: usize,
    p1: f64,
    p2: f64,
    pub(crate) seed: u64,
    pub(crate) exact: f64,
}

/// All pairs of the fixture.
pub(crate) fn pairs() -> Vec<Pair> {
    serde_json::from_str(include_str!("../fixtures/frechet.json")).unwrap()
}

/// The script's generator.
struct Lcg(u64);

impl Lcg {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    fn many(&mut self, n: usize, scale: f64) -> Vec<f64> {
        (0..n).map(|_| scale * self.uniform()).collect()
    }
}

impl Pair {
    /// Both Gaussians.
    pub(crate) fn build(&self) -> (Moments, Moments) {
        let d = self.d;
        let mut rng = Lcg(self.seed);
        let mut deviations = |rank: usize, p: f64| -> Vec<f64> {
            (0..d)
                .map(|i| if i < rank { (0.5 + rng.uniform()) * (1.0 + i as f64).powf(-p) } else { 0.0 })
                .collect()
        };
        let (a, b) = (deviations(self.rank1, self.p1), deviations(self.rank2, self.p2));
        let planes = rng.many(d / 2, std::f64::consts::PI);
        let shift = rng.many(d, 0.1);
        let (mut first, mut second) = (diagonal(&a), diagonal(&b));
        rotate(&mut second, d, &planes, d / 2);
        let mut stride = 1;
        while stride < d {
            let angles = rng.many(d / 2, std::f64::consts::PI);
            rotate(&mut first, d, &angles, stride);
            rotate(&mut second, d, &angles, stride);
            stride *= 2;
        }
        (moments(&vec![0.0; d], &first), moments(&shift, &second))
    }
}

fn diagonal(values: &[f64]) -> Vec<f64> {
    let d = values.len();
    (0..d * d).map(|i| if i % (d + 1) == 0 { values[i / (d + 1)] } else { 0.0 }).collect()
}

/// Turns each pair of rows (i, i + stride), i running over blocks of 2 * stride.
fn rotate(rows: &mut [f64], d: usize, angles: &[f64], stride: usize) {
    let lows = (0..d).filter(|i| i % (2 * stride) < stride && i + stride < d);
    for (i, angle) in lows.zip(angles) {
        let (sin, cos) = angle.sin_cos();
        let (head, tail) = rows.split_at_mut((i + stride) * d);
        for (x, y) in head[i * d..(i + 1) * d].iter_mut().zip(&mut tail[..d]) {
            (*x, *y) = (cos * *x - sin * *y, sin * *x + cos * *y);
        }
    }
}

/// A Gaussian with covariance `factor factor^T`.
fn moments(mean: &[f64], factor: &[f64]) -> Moments {
    let d = mean.len();
    let factor = Tensor::from_slice(factor).view([d as i64, d as i64]);
    let mut covariance = vec![0.0; d * d];
    factor.matmul(&factor.tr()).copy_data(&mut covariance, d * d);
    Moments::from_covariance(1_000_000, mean, &covariance).unwrap()
}
