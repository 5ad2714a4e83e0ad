//! The one integral behind every linear multistep sampler.
//!
//! A step from `s` to `t` is exact for a model output `m` that is a known function of the noise level:
//!
//! ```text
//! eps    x_t = (alpha_t / alpha_s) x + alpha_t * integral of m drho
//! x0     x_t = (sigma_t / sigma_s) e^(-tau^2 h) x + alpha_t * integral of m e^(-H v) H dv + noise
//! flow   x_t = (kappa_t / kappa_s) x + kappa_t * integral of m dshare
//! ```
//!
//! with `h` the step in `lambda`, `H = (1 + tau^2) h`, `v` the rest of the step as a fraction, `kappa = alpha + sigma` and
//! `share = sigma / kappa` (arXiv 2204.13902, eq. 14; `tau` > 0: arXiv 2309.05019). A multistep method puts for
//! `m` a polynomial through known outputs; its weights are the integrals of the Lagrange polynomials.

use crate::quadrature::{integrate, narrow_panel, panel};
use crate::solvers::coordinate::Coordinate;
use crate::{Node, Path, Pred};

/// Most outputs that a step combines.
pub(super) const POINTS: usize = 4;

/// Below this length in `lambda` four nodes integrate an exponential times a cubic to the last digit. Rows of a table
/// stand that close, and there are a thousand of them.
const NARROW: f64 = 0.1;

/// Weights of the outputs, in their order; 0 beyond their number.
pub(super) type Weights = [f64; POINTS];

/// The quantity in which the model output is taken to be a polynomial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Variable {
    /// The path's own time; [`Variable::on`] says where that is another of these by name.
    T,
    /// `sigma / alpha`.
    Rho,
    /// `ln(alpha / sigma)`.
    Lambda,
    /// `sigma / (alpha + sigma)`, which is the time of the flow path.
    Share,
}

impl Variable {
    /// The same quantity by the name under which its integral is known to be exact.
    fn on(self, path: &Path) -> Self {
        match (self, path) {
            (Self::T, Path::Edm { .. }) => Self::Rho,
            (Self::T, Path::Flow) => Self::Share,
            _ => self,
        }
    }

    /// The value at a node; infinite where the node cannot support a polynomial.
    pub(super) fn at(self, node: &Node) -> f64 {
        match self {
            Self::T => node.t,
            Self::Rho => node.rho(),
            Self::Lambda => node.lambda(),
            Self::Share => node.sigma / (node.alpha + node.sigma),
        }
    }

    fn at_lambda(self, path: &Path, lambda: f64) -> f64 {
        match self {
            Self::T => path.t_of_lambda(lambda),
            Self::Rho => (-lambda).exp(),
            Self::Lambda => lambda,
            Self::Share => 1.0 / (1.0 + lambda.exp()),
        }
    }
}

/// One step of the grid with the form of the equation that it solves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step<'a> {
    pub(super) path: &'a Path,
    pub(super) from: &'a Node,
    pub(super) to: &'a Node,
    /// The model output.
    pub(super) pred: Pred,
    /// Strength of the noise, 0 (probability flow) or more (1: the reverse diffusion); only with [`Pred::X0`].
    pub(super) tau: f64,
}

impl Step<'_> {
    /// Length in `lambda`; infinite from `alpha` = 0 and into `sigma` = 0.
    pub(super) fn h(&self) -> f64 {
        self.to.lambda() - self.from.lambda()
    }

    /// `z` such that the `k`th moment of the integral is `k! phi_(k+1)(z)` times [`Step::length`]; for `eps` and `x0`.
    pub(super) fn exponent(&self) -> f64 {
        if self.pred == Pred::Eps { self.h() } else { -self.rate() * self.h() }
    }

    /// The length of the step in `lambda` with the factor of the model output.
    pub(super) fn length(&self) -> f64 {
        let factor = if self.pred == Pred::Eps { self.to.sigma } else { self.to.alpha };
        -factor * self.exponent()
    }

    /// `1 + tau^2`.
    fn rate(&self) -> f64 {
        1.0 + self.tau * self.tau
    }

    /// `tau^2 h`, 0 for the probability flow even where `h` is infinite.
    fn damping(&self) -> f64 {
        if self.tau == 0.0 { 0.0 } else { self.tau * self.tau * self.h() }
    }

    fn coordinate(&self) -> Option<Coordinate> {
        match self.pred {
            Pred::Eps => Some(Coordinate::Rho),
            Pred::Flow => Some(Coordinate::Flow),
            Pred::X0 => None,
        }
    }

    /// The factor of the weights: what stands before the integral.
    fn scale(&self) -> f64 {
        if self.pred == Pred::Flow { self.to.alpha + self.to.sigma } else { self.to.alpha }
    }

    /// The coefficient of `x`.
    pub(super) fn keep(&self) -> f64 {
        match self.coordinate() {
            Some(y) => y.step(self.from, self.to).0,
            None => self.to.sigma / self.from.sigma * (-self.damping()).exp(),
        }
    }

    /// The weight of a constant model output.
    pub(super) fn total(&self) -> f64 {
        match self.coordinate() {
            Some(y) => y.step(self.from, self.to).1,
            None => -self.to.alpha * (-self.rate() * self.h()).exp_m1(),
        }
    }

    /// Standard deviation of the noise that the step adds; 0 into clean data.
    pub(super) fn noise(&self) -> f64 {
        if self.to.sigma == 0.0 { 0.0 } else { self.to.sigma * (-(-2.0 * self.damping()).exp_m1()).sqrt() }
    }

    /// Whether `variable` is the one in which the weight of the integral is constant. Polynomials in it are
    /// integrated exactly, and up to the ends of the path.
    fn is_natural(&self, variable: Variable) -> bool {
        matches!((self.pred, variable), (Pred::Eps, Variable::Rho) | (Pred::Flow, Variable::Share))
    }

    /// Whether the step has no room for more than a constant: it is infinite in `lambda`.
    pub(super) fn only_constant(&self, variable: Variable) -> bool {
        let variable = variable.on(self.path);
        !(self.h().is_finite() || self.is_natural(variable) && variable.at(self.from).is_finite())
    }

    /// Weights of the outputs at `nodes`, of which the polynomial in `variable` goes through all.
    pub(super) fn weights(&self, variable: Variable, nodes: &[Node]) -> Weights {
        if nodes.len() < 2 {
            return [self.total(), 0.0, 0.0, 0.0];
        }
        let variable = variable.on(self.path);
        let mut at = [0.0; POINTS];
        for (value, node) in at.iter_mut().zip(nodes) {
            *value = variable.at(node);
        }
        let at = &at[..nodes.len().min(POINTS)];
        self.integral(variable, |v| lagrange(at, v))
    }

    /// The integral of `f(variable)` against the weight of the step.
    pub(super) fn integral(&self, variable: Variable, f: impl Fn(f64) -> Weights) -> Weights {
        if self.is_natural(variable) {
            // One panel is exact for any polynomial here.
            let scale = self.scale();
            let mut scaled = |v| f(v).map(|value| scale * value);
            return panel(variable.at(self.from), variable.at(self.to), &mut scaled);
        }
        // In lambda the integrand is smooth; in t it would be singular near the data.
        let rate = self.rate();
        let (start, end) = (self.from.lambda(), self.to.lambda());
        let density = |lambda: f64| match self.pred {
            Pred::Eps => -self.scale() * (-lambda).exp(),
            Pred::X0 => self.scale() * rate * (rate * (lambda - end)).exp(),
            Pred::Flow => {
                let share = 1.0 / (1.0 + lambda.exp());
                -self.scale() * share * (1.0 - share)
            }
        };
        let mut edges = vec![start];
        if variable == Variable::T {
            edges.extend(self.path.kinks(self.from.t, self.to.t).into_iter().map(|t| self.path.lambda(t)));
        }
        edges.push(end);
        let mut weighted = |lambda: f64| {
            let weight = density(lambda);
            f(variable.at_lambda(self.path, lambda)).map(|value| weight * value)
        };
        let mut sum = [0.0; POINTS];
        for pair in edges.windows(2) {
            let (a, b) = (pair[0], pair[1]);
            let part = if b - a < NARROW / rate {
                narrow_panel(a, b, &mut weighted)
            } else {
                integrate(a, b, 1.0 / rate, &mut weighted)
            };
            for (s, v) in sum.iter_mut().zip(part) {
                *s += v;
            }
        }
        sum
    }
}

/// Values at `v` of the Lagrange polynomials on the points `at`.
fn lagrange(at: &[f64], v: f64) -> Weights {
    let mut basis = [0.0; POINTS];
    for (j, value) in basis.iter_mut().enumerate().take(at.len()) {
        *value = at
            .iter()
            .enumerate()
            .filter(|(k, _)| *k != j)
            .map(|(_, other)| (v - other) / (at[j] - other))
            .product();
    }
    basis
}

#[cfg(test)]
mod tests;
