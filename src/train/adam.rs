//! Adam with its moments in the open, because a resume needs them and tch does not give out those of its own.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};
use tch::Tensor;

/// Adam (1412.6980, algorithm 1) on one vector.
#[derive(Debug)]
pub struct Adam {
    /// Mean of the gradient, `[n]`.
    pub m: Tensor,
    /// Mean of its square, `[n]`.
    pub v: Tensor,
}

const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;
const EPS: f64 = 1e-8;

impl Adam {
    /// Moments of zero for a vector like `values`.
    pub fn new(values: &Tensor) -> Self {
        Self { m: values.zeros_like(), v: values.zeros_like() }
    }

    /// Step number `step` (from 1) of length `lr` against `grad`, in place.
    pub fn step(&mut self, values: &mut Tensor, grad: &Tensor, step: u64, lr: f64) {
        self.m *= BETA_1;
        self.m += grad * (1.0 - BETA_1);
        self.v *= BETA_2;
        self.v += grad * grad * (1.0 - BETA_2);
        let unbias = |beta: f64| 1.0 - beta.powf(step as f64);
        let denominator = (self.v.sqrt() * (1.0 / unbias(BETA_2).sqrt())) + EPS;
        *values -= &self.m * (lr / unbias(BETA_1)) / denominator;
    }
}

/// Learning rate over a run: linear warm-up, then half a cosine down to zero.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// Highest rate.
    pub lr: f64,
    /// Steps of warm-up.
    pub warmup: u64,
    /// Steps in all.
    pub steps: u64,
}

impl Schedule {
    /// The rate of step `step`, from 1.
    pub fn at(&self, step: u64) -> f64 {
        if step <= self.warmup {
            return self.lr * step as f64 / self.warmup as f64;
        }
        let done = (step - self.warmup) as f64 / (self.steps - self.warmup).max(1) as f64;
        self.lr * 0.5 * (1.0 + (PI * done.min(1.0)).cos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_steps_by_hand() {
        let mut x = Tensor::from_slice(&[1.0f64, -2.0]);
        let mut adam = Adam::new(&x);
        adam.step(&mut x, &Tensor::from_slice(&[0.5f64, -0.1]), 1, 0.1);
        adam.step(&mut x, &Tensor::from_slice(&[-0.25f64, -0.1]), 2, 0.1);
        // First step: lr * sign. Second: m = 0.9*0.05 - 0.025 = 0.02, v = 0.999*0.00025 + 0.0000625.
        let second: f64 =
            0.1 * (0.02 / (1.0 - 0.81)) / ((0.000_312_25_f64 / (1.0 - 0.998_001)).sqrt() + 1e-8);
        let got = Vec::<f64>::try_from(x).expect("a vector");
        assert!((got[0] - (1.0 - 0.1 - second)).abs() < 1e-7, "{got:?}");
        assert!((got[1] - (-2.0 + 0.2)).abs() < 1e-7, "{got:?}");
    }

    #[test]
    fn schedule_rises_and_falls() {
        let s = Schedule { lr: 1.0, warmup: 10, steps: 110 };
        assert!((s.at(5) - 0.5).abs() < 1e-12);
        assert!((s.at(10) - 1.0).abs() < 1e-12);
        assert!((s.at(60) - 0.5).abs() < 1e-12);
        assert!(s.at(110).abs() < 1e-12);
    }
}
