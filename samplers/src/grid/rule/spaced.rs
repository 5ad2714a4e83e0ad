//! Rules whose nodes stand evenly, or by a known warp, in some coordinate of the path.

use super::GridRule;
use super::span::Span;
use crate::grid::beta;
use crate::{Error, Path, Result};

/// The coordinate: a monotone function of time, with its inverse.
#[derive(Clone, Copy, Debug)]
enum Spacing {
    /// `t`.
    Time,
    /// `t^(1/k)`.
    TimeRoot(f64),
    /// `(sigma/alpha)^(1/k)`.
    RhoRoot(f64),
    /// `s^(1/k)` in the time of a fitted path.
    Fitted(Fit, f64),
    /// `ln(alpha/sigma)`.
    Lambda,
    /// `atan(sigma/alpha)`, finite on every path.
    Angle,
}

/// How far the nodes have come in it, as a function of their index over that of the last.
#[derive(Clone, Copy, Debug)]
enum Warp {
    /// Evenly.
    Even,
    /// The share still to go is raised to a power.
    Power(f64),
    /// The share still to go is a quantile of the beta distribution.
    Beta(f64, f64),
}

/// A linear VP path in the time `s`: `ln(1 + rho^2) = beta_d s^2 / 2 + beta_min s`.
#[derive(Clone, Copy, Debug)]
struct Fit {
    beta_d: f64,
    beta_min: f64,
}

impl Fit {
    /// Where the lowest level stands; the highest is at 1.
    const START: f64 = 1e-3;

    fn between(hi: f64, lo: f64) -> Self {
        let (hi, lo) = ((hi * hi).ln_1p(), (lo * lo).ln_1p());
        let beta_d = 2.0 * (lo / Self::START - hi) / (Self::START - 1.0);
        Self { beta_d, beta_min: hi - 0.5 * beta_d }
    }

    /// The later one of the two times of a level: with `beta_min` below 0 levels first fall.
    fn time(self, rho: f64) -> f64 {
        let root = (self.beta_min * self.beta_min + 2.0 * self.beta_d * (rho * rho).ln_1p()).sqrt();
        (root - self.beta_min) / self.beta_d
    }

    fn rho(self, s: f64) -> f64 {
        (s * (0.5 * self.beta_d * s + self.beta_min)).exp_m1().sqrt()
    }
}

impl Spacing {
    fn of(self, path: &Path, t: f64) -> f64 {
        match self {
            Self::Time => t,
            Self::TimeRoot(k) => t.powf(1.0 / k),
            Self::RhoRoot(k) => path.rho(t).powf(1.0 / k),
            Self::Fitted(fit, k) => fit.time(path.rho(t)).powf(1.0 / k),
            Self::Lambda => path.lambda(t),
            Self::Angle => {
                let node = path.node(t);
                node.sigma.atan2(node.alpha)
            }
        }
    }

    fn time(self, path: &Path, value: f64) -> f64 {
        match self {
            Self::Time => value,
            Self::TimeRoot(k) => value.powf(k),
            Self::RhoRoot(k) => path.t_of_rho(value.powf(k)),
            Self::Fitted(fit, k) => path.t_of_rho(fit.rho(value.powf(k))),
            Self::Lambda => path.t_of_lambda(value),
            Self::Angle => path.t_of_rho(value.tan()),
        }
    }
}

impl Warp {
    fn at(self, u: f64) -> f64 {
        match self {
            Self::Even => u,
            Self::Power(k) => 1.0 - (1.0 - u).powf(k),
            // 1 minus the quantile at 1 - u, by symmetry.
            Self::Beta(a, b) => beta::inverse(u, b, a),
        }
    }
}

/// `count` times from `t_max` to `t_min`, both exact; just `t_max` when `count` is 1.
pub(super) fn times(rule: &GridRule, span: &Span<'_>, count: usize) -> Result<Vec<f64>> {
    let Span { path, t_max, t_min, .. } = *span;
    let (spacing, warp) = match *rule {
        GridRule::TimeUniform { k } => {
            (Spacing::Fitted(Fit::between(path.rho(t_max), path.rho(t_min)), k), Warp::Even)
        }
        GridRule::PowerT { k } => (Spacing::TimeRoot(k), Warp::Even),
        GridRule::Karras { rho } => (Spacing::RhoRoot(rho), Warp::Even),
        GridRule::LogSnr | GridRule::Exponential => (Spacing::Lambda, Warp::Even),
        GridRule::PolyExponential { rho } => (Spacing::Lambda, Warp::Power(rho)),
        GridRule::KlOptimal => (Spacing::Angle, Warp::Even),
        GridRule::BetaRho { alpha, beta } => (Spacing::RhoRoot(1.0), Warp::Beta(alpha, beta)),
        GridRule::BetaT { alpha, beta } => (Spacing::Time, Warp::Beta(alpha, beta)),
        _ => (Spacing::Time, Warp::Even),
    };
    if matches!(spacing, Spacing::TimeRoot(_)) && t_min < 0.0 {
        return Err(Error::TimeOutside { t: t_min, path: path.to_string(), lo: 0.0, hi: t_max });
    }
    let (a, b) = (spacing.of(path, t_max), spacing.of(path, t_min));
    // One node alone never looks at the other end.
    for (t, value, limit) in [(t_max, a, "t_max"), (t_min, b, "t_min")].into_iter().take(count) {
        if !value.is_finite() {
            return Err(Error::InfiniteLogSnr { rule: span.rule.clone(), path: path.to_string(), t, limit });
        }
    }
    let inner = |i: usize| {
        let u = warp.at(i as f64 / (count - 1) as f64);
        // Rounding may step over a limit from close by.
        spacing.time(path, a + u * (b - a)).clamp(t_min, t_max)
    };
    Ok((0..count)
        .map(|i| match i {
            0 => t_max,
            i if i + 1 == count => t_min,
            i => inner(i),
        })
        .collect())
}
