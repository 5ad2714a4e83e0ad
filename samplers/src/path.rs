//! Paths from data to noise: `alpha` and `sigma` as functions of a time `t`, with their inverses.

mod names;
mod table;

use std::f64::consts::FRAC_PI_2;

use serde::{Deserialize, Serialize};

pub use table::{BetaTable, Betas};

use crate::{Error, Node, Result};

/// How `alpha` and `sigma` depend on the time `t`; larger `t` is noisier.
///
/// The text form ([`Display`](std::fmt::Display), [`FromStr`](std::str::FromStr)) is a name with optional
/// parameters, for example `vp-linear` or `edm:sigma_max=50`; [`Path::NAMES`] lists the names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Path {
    /// Variance-preserving diffusion with a linear noise rate, `t` in [0, 1] (Song et al. 2021, arXiv 2011.13456,
    /// eq. 32): `ln alpha^2 = -(beta_1 - beta_0) t^2 / 2 - beta_0 t`, `sigma^2 = 1 - alpha^2`.
    VpLinear {
        /// Noise rate at `t` = 0, positive; usually 0.1.
        beta_0: f64,
        /// Noise rate at `t` = 1, at least `beta_0`; usually 20.
        beta_1: f64,
    },
    /// A variance-preserving table of `beta` values (Ho et al. 2020, arXiv 2006.11239), `t` the row index as a real
    /// number. Between rows `ln rho` is linear in `t`; below row 0 `rho` falls linearly to 0 at `t` = -1.
    Discrete(BetaTable),
    /// Variance-preserving with a cosine (Nichol and Dhariwal 2021, arXiv 2102.09672, eq. 17), `t` in [0, 1]:
    /// `alpha = cos(pi/2 (t + s)/(1 + s))`, divided by its value at 0.
    VpCosine {
        /// Offset that keeps the first steps from being tiny; usually 0.008.
        s: f64,
    },
    /// Variance-exploding with geometric levels (Song et al. 2021, arXiv 2011.13456, eq. 31): `alpha = 1`,
    /// `sigma = sigma_min (sigma_max / sigma_min)^t`. This never reaches 0, so that below `t` = 0 the level falls
    /// linearly to 0 at `t` = -1.
    Ve {
        /// Noise level at `t` = 0, positive.
        sigma_min: f64,
        /// Noise level at `t` = 1, above `sigma_min`.
        sigma_max: f64,
    },
    /// `alpha = 1`, `sigma = t` (Karras et al. 2022, arXiv 2206.00364).
    Edm {
        /// Smallest level that the network was trained for; usually 0.002.
        sigma_min: f64,
        /// Largest level that the network was trained for; usually 80.
        sigma_max: f64,
    },
    /// Rectified flow (Liu et al. 2022, arXiv 2209.03003): `alpha = 1 - t`, `sigma = t`, `t` in [0, 1].
    Flow,
}

impl Path {
    /// The point at time `t`, without cancellation at either end.
    ///
    /// Times beyond the noisy end of the path are extrapolated where the formula allows it, because churn asks for a
    /// level slightly above the first one.
    #[must_use]
    pub fn node(&self, t: f64) -> Node {
        let (alpha, sigma) = match self {
            Self::VpLinear { beta_0, beta_1 } => {
                let ln_alpha_bar = -0.5 * (beta_1 - beta_0) * t * t - beta_0 * t;
                ((0.5 * ln_alpha_bar).exp(), (-ln_alpha_bar.exp_m1()).max(0.0).sqrt())
            }
            Self::Discrete(table) => {
                let rho = table.rho(t);
                let norm = rho.hypot(1.0);
                (1.0 / norm, rho / norm)
            }
            Self::VpCosine { s } => cosine(t, *s),
            Self::Ve { sigma_min, sigma_max } if t >= 0.0 => {
                (1.0, sigma_min * (t * (sigma_max / sigma_min).ln()).exp())
            }
            Self::Ve { sigma_min, .. } => (1.0, sigma_min * (1.0 + t).max(0.0)),
            Self::Edm { .. } => (1.0, t),
            Self::Flow => (1.0 - t, t),
        };
        Node { t, alpha, sigma }
    }

    /// `lambda = ln(alpha / sigma)` at time `t`; infinite at the ends that the path reaches.
    #[must_use]
    pub fn lambda(&self, t: f64) -> f64 {
        self.node(t).lambda()
    }

    /// `rho = sigma / alpha` at time `t`.
    #[must_use]
    pub fn rho(&self, t: f64) -> f64 {
        self.node(t).rho()
    }

    /// The time at which the path has this `lambda`. `+inf` gives the time of [`Path::zero`]; `-inf` gives the time
    /// of pure noise where the path has one (flow, cosine) and `+inf` where it does not.
    #[must_use]
    pub fn t_of_lambda(&self, lambda: f64) -> f64 {
        match self {
            Self::VpLinear { beta_0, beta_1 } => {
                // -ln alpha^2 = ln(1 + rho^2), then the stable root of the quadratic in t.
                let c = softplus(-2.0 * lambda);
                let root = (beta_0 * beta_0 + 2.0 * (beta_1 - beta_0) * c).sqrt();
                if c.is_infinite() { f64::INFINITY } else { 2.0 * c / (beta_0 + root) }
            }
            Self::Discrete(table) => table.t_of_ln_rho(-lambda),
            Self::VpCosine { .. } | Self::Ve { .. } | Self::Edm { .. } => self.t_of_rho((-lambda).exp()),
            Self::Flow => 1.0 / (1.0 + lambda.exp()),
        }
    }

    /// The time at which the path has this `rho` (0 to `+inf`); see [`Path::t_of_lambda`] for the ends.
    #[must_use]
    pub fn t_of_rho(&self, rho: f64) -> f64 {
        match self {
            Self::VpLinear { .. } | Self::Discrete(_) => self.t_of_lambda(-rho.ln()),
            Self::VpCosine { s } => cosine_t(rho, *s),
            Self::Ve { sigma_min, .. } if rho < *sigma_min => rho / sigma_min - 1.0,
            Self::Ve { sigma_min, sigma_max } => (rho / sigma_min).ln() / (sigma_max / sigma_min).ln(),
            Self::Edm { .. } => rho,
            Self::Flow if rho.is_infinite() => 1.0,
            Self::Flow => rho / (1.0 + rho),
        }
    }

    /// The usual integration range `(t_min, t_max)`: where the networks of this path were trained and where the
    /// papers start and stop.
    #[must_use]
    pub fn range(&self) -> (f64, f64) {
        match self {
            Self::VpLinear { .. } => (1e-3, 1.0),
            Self::Discrete(table) => (0.0, table.rows() as f64 - 1.0),
            // At 1 nothing of the data is left; 0.9946 is where DPM-Solver stops (lambda near -5.1).
            Self::VpCosine { .. } => (1e-3, 0.9946),
            Self::Ve { .. } | Self::Flow => (0.0, 1.0),
            Self::Edm { sigma_min, sigma_max } => (*sigma_min, *sigma_max),
        }
    }

    /// All times that a grid node may have, from [`Path::zero`] to the noisiest.
    #[must_use]
    pub fn domain(&self) -> (f64, f64) {
        let hi = match self {
            Self::Discrete(table) => table.rows() as f64 - 1.0,
            Self::Edm { .. } => LARGEST_SIGMA,
            _ => 1.0,
        };
        (self.zero().t, hi)
    }

    /// The node of clean data: `alpha` = 1, `sigma` = 0. A grid that ends at zero ends here.
    #[must_use]
    pub fn zero(&self) -> Node {
        let t = match self {
            Self::Discrete(_) | Self::Ve { .. } => -1.0,
            _ => 0.0,
        };
        Node { t, alpha: 1.0, sigma: 0.0 }
    }

    /// Number of rows of a discrete table; `None` on a continuous path.
    #[must_use]
    pub fn rows(&self) -> Option<usize> {
        match self {
            Self::Discrete(table) => Some(table.rows()),
            _ => None,
        }
    }

    /// Times strictly between `t_lo` and `t_hi` at which `t(lambda)` has a kink, in decreasing order; quadrature must
    /// not step over them.
    pub(crate) fn kinks(&self, t_hi: f64, t_lo: f64) -> Vec<f64> {
        let inside = |t: &f64| *t < t_hi && *t > t_lo;
        match self {
            Self::Discrete(table) => (0..table.rows()).rev().map(|row| row as f64).filter(inside).collect(),
            Self::Ve { .. } => [0.0].into_iter().filter(inside).collect(),
            _ => Vec::new(),
        }
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`Error::BadParam`] with the range that would be accepted.
    pub fn validate(&self) -> Result<()> {
        let check = |key: &str, value: f64, lo: f64, hi: f64| {
            if value >= lo && value <= hi {
                return Ok(());
            }
            Err(Error::BadParam {
                owner: format!("path `{}`", self.name()),
                key: key.to_owned(),
                value: value.to_string(),
                expected: format!("a number from {lo} to {hi}"),
            })
        };
        match self {
            Self::VpLinear { beta_0, beta_1 } => {
                check("beta_0", *beta_0, 1e-6, 1e3)?;
                check("beta_1", *beta_1, *beta_0, 1e3)
            }
            Self::VpCosine { s } => check("s", *s, 1e-6, 1.0),
            Self::Ve { sigma_min, sigma_max } | Self::Edm { sigma_min, sigma_max } => {
                check("sigma_min", *sigma_min, 1e-9, 0.5 * LARGEST_SIGMA)?;
                check("sigma_max", *sigma_max, sigma_min * 1.001, LARGEST_SIGMA)
            }
            // A table is checked when it is made.
            Self::Discrete(_) | Self::Flow => Ok(()),
        }
    }
}

/// Far above every published noise level; only there to keep squares and exponentials finite.
const LARGEST_SIGMA: f64 = 1e6;

/// `ln(1 + e^x)`; `e^x` is never formed where it overflows.
fn softplus(x: f64) -> f64 {
    if x > 0.0 { x + (-x).exp().ln_1p() } else { x.exp().ln_1p() }
}

/// `(alpha, sigma)` of the cosine path.
fn cosine(t: f64, s: f64) -> (f64, f64) {
    let quarter = FRAC_PI_2 / (1.0 + s);
    // cos(theta) as the sine of the complement is exactly 0 at t = 1, and exactly 1 after division at t = 0.
    let cos_0 = quarter.sin();
    let alpha = (quarter * (1.0 - t)).sin() / cos_0;
    // cos^2(a) - cos^2(b) = sin(b + a) sin(b - a): no cancellation near the data.
    let product = (quarter * (t + 2.0 * s)).sin() * (quarter * t).sin();
    (alpha, product.max(0.0).sqrt() / cos_0)
}

/// The time at which the cosine path has noise-to-signal ratio `rho`.
fn cosine_t(rho: f64, s: f64) -> f64 {
    let quarter = FRAC_PI_2 / (1.0 + s);
    let (sin_0, cos_0) = ((quarter * s).sin(), quarter.sin());
    let norm = rho.hypot(1.0);
    let (alpha, sigma) = if rho.is_infinite() { (0.0, 1.0) } else { (1.0 / norm, rho / norm) };
    let (sin, cos) = (sin_0.hypot(sigma * cos_0), alpha * cos_0);
    let sum = sin.atan2(cos) + quarter * s;
    let sin_difference = (sigma * cos_0).powi(2) / sum.sin();
    sin_difference.atan2(cos * cos_0 + sin * sin_0) / quarter
}
