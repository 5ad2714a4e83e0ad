//! How a step weighs the model outputs that it knows.

use super::kernel::{POINTS, Step, Variable, Weights};
use crate::Node;
use crate::phi::phi_2;

/// A rule that turns known outputs into weights. All but [`Rule::Constant`] are a polynomial through the outputs,
/// integrated against the weight of the step; published methods differ in single moments of that integral.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// Interpolation, integrated exactly.
    Exact(Variable),
    /// Interpolation in `lambda` with moments as published.
    Published {
        /// Weight of the slope when there are two outputs.
        slope: Slope,
        /// Weight of the curvature when there are three.
        curvature: Curvature,
    },
    /// The weights of Adams and Bashforth for equal steps, times the step of DDIM (pseudo linear multistep, arXiv 2202.09778).
    Constant,
}

/// The first moment of the integral over the step, as a fraction `u` of it; used with two outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slope {
    /// As it is, `phi_2`.
    Exact,
    /// Half of the whole weight, as if the slope acted at the middle of the step: DPM-Solver 2M; UniPC with
    /// `B(h) = e^h - 1`.
    Midpoint,
    /// Half of the step's length in `lambda`: UniPC with `B(h) = h`; SA-Solver's two-point case.
    Length,
}

/// The second moment, used with three outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Curvature {
    /// As it is.
    Exact,
    /// Half of it: the 3M formula of DPM-Solver, whose second difference lacks the factor 2.
    Halved,
}

/// Adams-Bashforth weights of equal steps by the number of outputs, newest first.
const ADAMS_BASHFORTH: [Weights; POINTS] = [
    [1.0, 0.0, 0.0, 0.0],
    [3.0 / 2.0, -1.0 / 2.0, 0.0, 0.0],
    [23.0 / 12.0, -16.0 / 12.0, 5.0 / 12.0, 0.0],
    [55.0 / 24.0, -59.0 / 24.0, 37.0 / 24.0, -9.0 / 24.0],
];

impl Rule {
    /// Whether an output at `node` can take part: interpolation needs it at a finite place. The one at the start of the
    /// step always can, if only as a constant.
    pub(super) fn can_use(self, step: &Step, node: &Node) -> bool {
        node == step.from
            || match self {
                Self::Exact(variable) => variable.at(node).is_finite(),
                Self::Published { .. } => node.lambda().is_finite(),
                Self::Constant => true,
            }
    }

    /// Most outputs that can take part in a step.
    pub(super) fn most(self, step: &Step) -> usize {
        match self {
            Self::Exact(variable) if step.only_constant(variable) => 1,
            // From alpha = 0 the midpoint weight of a corrector has a limit; history there is none.
            Self::Published { slope: Slope::Midpoint, .. }
                if step.from.alpha == 0.0 && step.to.sigma > 0.0 =>
            {
                2
            }
            Self::Published { .. } if step.only_constant(Variable::Lambda) => 1,
            _ => POINTS,
        }
    }

    /// The weights of the outputs at `nodes` (1 to 4).
    pub(super) fn weights(self, step: &Step, nodes: &[Node]) -> Weights {
        match self {
            Self::Exact(variable) => step.weights(variable, nodes),
            Self::Constant => {
                let total = step.total();
                ADAMS_BASHFORTH[nodes.len().clamp(1, POINTS) - 1].map(|w| w * total)
            }
            Self::Published { slope, curvature } => published(step, nodes, slope, curvature),
        }
    }
}

fn published(step: &Step, nodes: &[Node], slope: Slope, curvature: Curvature) -> Weights {
    let h = step.h();
    // Both ends exactly, even where h is infinite.
    let at = |node: &Node| match node {
        _ if node == step.from => 0.0,
        _ if node == step.to => 1.0,
        _ => (node.lambda() - step.from.lambda()) / h,
    };
    match (nodes, curvature) {
        ([a, b], _) => {
            let total = step.total();
            let moment = match slope {
                Slope::Midpoint => 0.5 * total,
                Slope::Exact => step.length() * phi_2(step.exponent()),
                Slope::Length => step.length() * 0.5,
            };
            // One of the two is the start of the step, where u = 0.
            let (first, second) = (at(a), at(b));
            if first == 0.0 {
                [total - moment / second, moment / second, 0.0, 0.0]
            } else {
                [moment / first, total - moment / first, 0.0, 0.0]
            }
        }
        ([a, b, c], Curvature::Halved) => {
            let u = [at(a), at(b), at(c)];
            let start = step.from.lambda();
            let [moment, ..] =
                step.integral(Variable::Lambda, |lambda| [((lambda - start) / h).powi(2), 0.0, 0.0, 0.0]);
            let mut weights = step.weights(Variable::Lambda, nodes);
            for (j, w) in weights.iter_mut().enumerate().take(3) {
                let (k, l) = ((j + 1) % 3, (j + 2) % 3);
                *w -= 0.5 * moment / ((u[j] - u[k]) * (u[j] - u[l]));
            }
            weights
        }
        _ => step.weights(Variable::Lambda, nodes),
    }
}
