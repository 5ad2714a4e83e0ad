//! The coordinate in which a Runge-Kutta step is taken.

use crate::{Node, Path, Pred};

/// With `y = x / kappa` the probability-flow equation is `dy/ds = model`, without a linear term.
///
/// `kappa = alpha`, `s = rho` gives `dy/drho = eps`, the coordinate of EDM and of DEIS's rhoRK (arXiv 2204.13902,
/// eq. 17). `kappa = alpha + sigma`, `s = sigma / kappa` gives `dy/ds = eps - x0`: it stays finite at `alpha` = 0, and
/// on the flow path it is `x` against `t` itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coordinate {
    Rho,
    Flow,
}

impl Coordinate {
    /// The coordinate for a step that starts at `from`.
    pub(super) fn of(path: &Path, from: &Node) -> Self {
        if matches!(path, Path::Flow) || from.alpha == 0.0 { Self::Flow } else { Self::Rho }
    }

    /// The prediction that is `dy/ds`.
    pub(super) fn pred(self) -> Pred {
        match self {
            Self::Rho => Pred::Eps,
            Self::Flow => Pred::Flow,
        }
    }

    /// The factor between `x` and `y`.
    fn kappa(self, node: &Node) -> f64 {
        match self {
            Self::Rho => node.alpha,
            Self::Flow => node.alpha + node.sigma,
        }
    }

    /// Coefficients `(a, b)` of an explicit Euler step: `x' = a x + b model`.
    pub(super) fn step(self, from: &Node, to: &Node) -> (f64, f64) {
        let a = self.kappa(to) / self.kappa(from);
        // b = kappa' (s' - s) with s = sigma / kappa, without forming s.
        (a, to.sigma - a * from.sigma)
    }
}
