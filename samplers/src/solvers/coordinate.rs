//! The coordinate in which a Runge-Kutta step is taken.

use super::stages::Frame;
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

    /// The point of the path at the share `c` of the way from `from` to `to`.
    pub(super) fn between(self, path: &Path, from: &Node, to: &Node, c: f64) -> Node {
        let s = |node: &Node| node.sigma / self.kappa(node);
        let s = s(from) + c * (s(to) - s(from));
        match self {
            Self::Rho => path.node(path.t_of_rho(s)),
            Self::Flow if matches!(path, Path::Flow) => path.node(s),
            Self::Flow => path.node(path.t_of_rho(s / (1.0 - s))),
        }
    }
}

/// A step from `from` to `to` in a coordinate; the stages of Runge-Kutta methods stand between the two.
#[derive(Clone, Copy, Debug)]
pub(super) struct CoordinateStep<'a> {
    pub path: &'a Path,
    pub coordinate: Coordinate,
    pub from: Node,
    pub to: Node,
}

impl Frame for CoordinateStep<'_> {
    /// Share of the slope in the way to the stage.
    type Weight = f64;

    fn pred(&self) -> Pred {
        self.coordinate.pred()
    }

    fn stage(&self, c: f64) -> Node {
        self.coordinate.between(self.path, &self.from, &self.to, c)
    }

    fn keep(&self, to: &Node) -> f64 {
        self.coordinate.step(&self.from, to).0
    }

    fn weigh(&self, to: &Node, c: f64, weight: f64) -> f64 {
        // The way to the stage is `c` times the step, and the weights of a row sum to `c`.
        self.coordinate.step(&self.from, to).1 * weight / c
    }
}
