//! One point on a path.

use serde::{Deserialize, Serialize};

/// A point on a [`Path`](crate::Path): the state there is `x = alpha * x0 + sigma * eps`.
///
/// All three numbers are finite, so that a node is plain JSON; `rho` and `lambda`, which reach infinity at the ends
/// of a path, are computed on demand.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// The path's own time, which is also what its time embedding is made from.
    pub t: f64,
    /// Scale of the data, at least 0.
    pub alpha: f64,
    /// Scale of the noise, at least 0.
    pub sigma: f64,
}

impl Node {
    /// Noise-to-signal ratio `sigma / alpha`, the noise level of the EDM paper; `+inf` where `alpha` is 0.
    #[must_use]
    pub fn rho(&self) -> f64 {
        self.sigma / self.alpha
    }

    /// Half the log signal-to-noise ratio, `ln(alpha / sigma)`: `-inf` at pure noise, `+inf` at clean data.
    #[must_use]
    pub fn lambda(&self) -> f64 {
        // Two logarithms, not one of a quotient: neither over- nor underflows.
        self.alpha.ln() - self.sigma.ln()
    }

    /// What divides a state to bring it to the variance-preserving scale.
    pub(crate) fn scale(&self) -> f64 {
        self.alpha.hypot(self.sigma)
    }

    /// Signal-to-noise ratio `(alpha / sigma)^2`, the clock of the Brownian path.
    pub(crate) fn clock(&self) -> f64 {
        (self.alpha / self.sigma).powi(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_a_path_are_infinite_with_the_right_sign() {
        let noise = Node { t: 1.0, alpha: 0.0, sigma: 1.0 };
        let data = Node { t: 0.0, alpha: 1.0, sigma: 0.0 };
        assert_eq!((noise.rho(), noise.lambda()), (f64::INFINITY, f64::NEG_INFINITY));
        assert_eq!((data.rho(), data.lambda()), (0.0, f64::INFINITY));
    }

    #[test]
    fn lambda_is_minus_ln_rho() {
        let n = Node { t: 0.5, alpha: 0.8, sigma: 0.6 };
        assert!((n.lambda() + n.rho().ln()).abs() < 1e-15);
    }
}
