//! Data distributions whose denoiser is known exactly: for tests, and as toy models.

use crate::interpreter::Model;
use crate::{Error, Node, Pred, Result};

/// One normal component of a [`Mixture`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Component {
    /// Share of the data, positive; shares need not sum to 1.
    pub weight: f64,
    /// Mean.
    pub mean: f64,
    /// Standard deviation, positive.
    pub std: f64,
}

/// A mixture of one-dimensional normal distributions; every element of a state is drawn from it independently.
///
/// Under `x = alpha x0 + sigma eps` a component stays normal with variance `v = alpha^2 std^2 + sigma^2`, so that both
/// conditional means are closed forms: `E[x0|x] = mean + alpha std^2 r`, `E[eps|x] = sigma r`, with
/// `r = (x - alpha mean) / v`, averaged over the components by their posterior shares.
#[derive(Clone, Debug, PartialEq)]
pub struct Mixture {
    components: Vec<Component>,
}

impl Mixture {
    /// A mixture of the given components.
    ///
    /// # Errors
    /// [`Error::BadMixture`] when there is none, or when one has a weight or deviation that is not positive and finite
    /// or a mean that is not finite.
    pub fn new(components: Vec<Component>) -> Result<Self> {
        let positive = |v: f64| v > 0.0 && v.is_finite();
        let usable = |c: &Component| positive(c.weight) && positive(c.std) && c.mean.is_finite();
        match components.iter().position(|c| !usable(c)) {
            Some(index) => Err(Error::BadMixture { index }),
            None if components.is_empty() => Err(Error::BadMixture { index: 0 }),
            None => Ok(Self { components }),
        }
    }

    /// Normal data with mean 0 and standard deviation `std`.
    ///
    /// # Errors
    /// [`Error::BadMixture`] when `std` is not positive and finite.
    pub fn gaussian(std: f64) -> Result<Self> {
        Self::new(vec![Component { weight: 1.0, mean: 0.0, std }])
    }

    /// The components.
    #[must_use]
    pub fn components(&self) -> &[Component] {
        &self.components
    }

    /// The exact `(x0, eps)` predictions for one element `x` at `node`. `alpha x0 + sigma eps` gives `x` back.
    #[must_use]
    pub fn predict_one(&self, x: f64, node: &Node) -> (f64, f64) {
        let Node { alpha, sigma, .. } = *node;
        // Log-weights are shifted by their maximum before the exponential, or far tails would be 0 / 0.
        let log_weight = |c: &Component| {
            let v = (alpha * c.std).powi(2) + sigma * sigma;
            let d = x - alpha * c.mean;
            c.weight.ln() - 0.5 * (v.ln() + d * d / v)
        };
        let top = self.components.iter().map(log_weight).fold(f64::NEG_INFINITY, f64::max);
        let (mut total, mut x0, mut eps) = (0.0, 0.0, 0.0);
        for c in &self.components {
            let share = (log_weight(c) - top).exp();
            let v = (alpha * c.std).powi(2) + sigma * sigma;
            let r = (x - alpha * c.mean) / v;
            total += share;
            x0 += share * (c.mean + alpha * c.std * c.std * r);
            eps += share * sigma * r;
        }
        (x0 / total, eps / total)
    }
}

impl Model for Mixture {
    fn predict(&self, x: &[f64], node: &Node, pred: Pred) -> Vec<f64> {
        x.iter()
            .map(|&x| {
                let (x0, eps) = self.predict_one(x, node);
                match pred {
                    Pred::X0 => x0,
                    Pred::Eps => eps,
                    Pred::Flow => eps - x0,
                }
            })
            .collect()
    }
}

/// The factor by which the exact probability flow scales a state between two nodes when the data is normal with mean
/// 0 and standard deviation `std`.
#[must_use]
pub fn gaussian_gain(std: f64, from: &Node, to: &Node) -> f64 {
    (to.alpha * std).hypot(to.sigma) / (from.alpha * std).hypot(from.sigma)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Path;

    fn mixture() -> Mixture {
        let c = |weight, mean, std| Component { weight, mean, std };
        Mixture::new(vec![c(0.3, -1.5, 0.2), c(1.0, 0.25, 0.4), c(0.5, 2.0, 0.1)]).unwrap()
    }

    #[test]
    fn predictions_recompose_the_state() {
        for t in [0.0, 1e-6, 0.1, 0.5, 0.9, 1.0] {
            let node = Path::Flow.node(t);
            for x in [-40.0, -1.0, 0.0, 0.3, 2.0, 1e3] {
                let (x0, eps) = mixture().predict_one(x, &node);
                let back = node.alpha * x0 + node.sigma * eps;
                assert!((back - x).abs() <= 1e-12 * x.abs().max(1.0), "t {t}, x {x}: {back}");
            }
        }
    }

    #[test]
    fn eps_is_minus_sigma_times_the_score() {
        let node = Path::vp_linear().node(0.3);
        let density = |x: f64| -> f64 {
            let parts = mixture()
                .components
                .iter()
                .map(|c| {
                    let v = (node.alpha * c.std).powi(2) + node.sigma.powi(2);
                    c.weight * (-(x - node.alpha * c.mean).powi(2) / (2.0 * v)).exp() / v.sqrt()
                })
                .collect::<Vec<f64>>();
            parts.iter().sum()
        };
        for x in [-1.2, 0.0, 0.7, 1.9] {
            let d = 1e-5;
            let score = (density(x + d).ln() - density(x - d).ln()) / (2.0 * d);
            let (_, eps) = mixture().predict_one(x, &node);
            assert!((eps + node.sigma * score).abs() < 1e-8, "x {x}: eps {eps}, score {score}");
        }
    }

    #[test]
    fn bad_components_are_named() {
        let bad = vec![
            Component { weight: 1.0, mean: 0.0, std: 1.0 },
            Component { weight: 1.0, mean: 0.0, std: 0.0 },
        ];
        assert_eq!(Mixture::new(bad), Err(Error::BadMixture { index: 1 }));
        assert!(Mixture::gaussian(f64::NAN).is_err());
        assert!(Mixture::new(Vec::new()).is_err());
    }
}
