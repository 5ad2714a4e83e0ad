//! What a network predicts, and the exact conversions between all of it: the only place where they stand.
//!
//! With `x = alpha x0 + sigma eps`, every parametrisation in use is linear in `x` and the raw output `r`, so each
//! conversion is a pair of scalars, computed in f64 and without cancellation.

use fewstep_samplers::{Node, Pred};
use serde::{Deserialize, Serialize};

/// Parametrisation of a network's raw output.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Prediction {
    /// The noise `eps` (2006.11239).
    Eps,
    /// The clean image `x0`.
    X0,
    /// `v = alpha eps - sigma x0` (2202.00512 §4).
    V,
    /// `u = eps - x0`, the velocity of the straight path (2209.03003); on any path it is read as that combination.
    Flow,
    /// `x0 = c_skip x + c_out F(c_in x)` with the scalings of 2206.00364, Table 1; needs a path with `alpha = 1`.
    Edm {
        /// Standard deviation of the data.
        sigma_data: f64,
    },
}

impl Prediction {
    /// What the noisy image is multiplied with before the network sees it.
    pub fn input_scale(self, node: &Node) -> f64 {
        match self {
            Self::Edm { sigma_data } => 1.0 / node.sigma.hypot(sigma_data),
            _ => 1.0,
        }
    }

    /// `(a, b)` such that the wanted quantity is `a x + b r`, for `x` and `node` on the network's own path.
    pub fn output(self, node: &Node, want: Pred) -> (f64, f64) {
        let (x0, eps) = (self.x0(node), self.eps(node));
        match want {
            Pred::X0 => x0,
            Pred::Eps => eps,
            Pred::Flow => (eps.0 - x0.0, eps.1 - x0.1),
        }
    }

    /// `(p, q)` such that the raw output that a perfect network gives is `p x0 + q eps`: the target of training.
    pub fn target(self, node: &Node) -> (f64, f64) {
        match self {
            Self::Eps => (0.0, 1.0),
            Self::X0 => (1.0, 0.0),
            Self::V => (-node.sigma, node.alpha),
            Self::Flow => (-1.0, 1.0),
            Self::Edm { sigma_data } => {
                let norm = node.sigma.hypot(sigma_data);
                (node.sigma / (sigma_data * norm), -sigma_data / norm)
            }
        }
    }

    /// `(a, b)` such that the wanted quantity is `a x + b x0`, for `x` at `node`.
    pub fn of_x0(node: &Node, want: Pred) -> (f64, f64) {
        Self::X0.output(node, want)
    }

    fn x0(self, node: &Node) -> (f64, f64) {
        let (alpha, sigma) = (node.alpha, node.sigma);
        match self {
            Self::Eps => (1.0 / alpha, -sigma / alpha),
            Self::X0 => (0.0, 1.0),
            Self::V => {
                let norm = alpha * alpha + sigma * sigma;
                (alpha / norm, -sigma / norm)
            }
            Self::Flow => (1.0 / (alpha + sigma), -sigma / (alpha + sigma)),
            Self::Edm { sigma_data } => {
                let norm = sigma.hypot(sigma_data);
                ((sigma_data / norm).powi(2), sigma * sigma_data / norm)
            }
        }
    }

    fn eps(self, node: &Node) -> (f64, f64) {
        let (alpha, sigma) = (node.alpha, node.sigma);
        match self {
            Self::Eps => (0.0, 1.0),
            Self::X0 => (1.0 / sigma, -alpha / sigma),
            Self::V => {
                let norm = alpha * alpha + sigma * sigma;
                (sigma / norm, alpha / norm)
            }
            Self::Flow => (1.0 / (alpha + sigma), alpha / (alpha + sigma)),
            Self::Edm { sigma_data } => {
                let norm = sigma.hypot(sigma_data);
                (sigma / (norm * norm), -sigma_data / norm)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Prediction; 5] = [
        Prediction::Eps,
        Prediction::X0,
        Prediction::V,
        Prediction::Flow,
        Prediction::Edm { sigma_data: 0.5 },
    ];

    /// A perfect network's output must give back exactly the image and the noise that made the input.
    #[test]
    fn output_inverts_target() {
        let (x0, eps) = (0.37, -1.42);
        for (alpha, sigma) in [(0.9, 0.3), (0.006, 0.99998), (0.5, 0.5), (1.0, 80.0), (1.0, 0.002)] {
            let node = Node { t: 0.5, alpha, sigma };
            let x = alpha * x0 + sigma * eps;
            for prediction in ALL {
                if alpha < 1.0 && matches!(prediction, Prediction::Edm { .. }) {
                    continue; // defined on alpha = 1 only
                }
                let (p, q) = prediction.target(&node);
                let r = p * x0 + q * eps;
                for (want, value) in [(Pred::X0, x0), (Pred::Eps, eps), (Pred::Flow, eps - x0)] {
                    let (a, b) = prediction.output(&node, want);
                    let got = a * x + b * r;
                    let scale = (a * x).abs() + (b * r).abs() + 1.0;
                    assert!(
                        (got - value).abs() < 1e-14 * scale,
                        "{prediction:?} {want:?} {alpha} {sigma}: {got} {value}"
                    );
                }
            }
        }
    }

    #[test]
    fn edm_has_unit_variance_at_both_ends_of_the_network() {
        // 2206.00364, appendix B.6: the scalings are chosen so that input and target have variance one.
        let edm = Prediction::Edm { sigma_data: 0.5 };
        for sigma in [0.002, 0.5, 3.0, 80.0] {
            let node = Node { t: sigma, alpha: 1.0, sigma };
            let input = edm.input_scale(&node).powi(2) * (0.25 + sigma * sigma);
            let (p, q) = edm.target(&node);
            assert!((input - 1.0).abs() < 1e-14);
            assert!((p * p * 0.25 + q * q - 1.0).abs() < 1e-14);
        }
    }
}
