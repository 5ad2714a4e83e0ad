//! Steps in `lambda`, with the linear part of the equation solved exactly.

use super::super::coordinate::Coordinate;
use super::super::stages::{Frame, Stage, Tableau};
use crate::phi::{phi_1, phi_2};
use crate::{Node, Path, Pred};

/// What is interpolated over a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// The noise: `x/sigma` obeys `du/dlambda = u - eps` (DPM-Solver, arXiv 2206.00927, eq. 3.4).
    Eps,
    /// The data: `x/alpha` obeys `du/dlambda = x0 - u` (DPM-Solver++, arXiv 2211.01095, eq. 8).
    X0,
}

impl Quantity {
    pub(in super::super) fn pred(self) -> Pred {
        match self {
            Self::Eps => Pred::Eps,
            Self::X0 => Pred::X0,
        }
    }
}

/// A weight `a phi_1(z) + b phi_2(z)`, where `z` is the length of the way in `lambda`, negative for `x0`.
pub(in super::super) type Phis = (f64, f64);

/// A tableau whose weights depend on the length of the step.
pub(in super::super) type Exponential = Tableau<'static, Phis>;

/// A step in `lambda` from `from` to `to`, both of finite `lambda`.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct LambdaStep<'a> {
    pub path: &'a Path,
    pub quantity: Quantity,
    pub from: Node,
    pub to: Node,
}

impl LambdaStep<'_> {
    fn h(&self) -> f64 {
        self.to.lambda() - self.from.lambda()
    }
}

impl Frame for LambdaStep<'_> {
    type Weight = Phis;

    fn pred(&self) -> Pred {
        self.quantity.pred()
    }

    fn stage(&self, c: f64) -> Node {
        self.path.node(self.path.t_of_lambda(self.from.lambda() + c * self.h()))
    }

    fn keep(&self, to: &Node) -> f64 {
        match self.quantity {
            Quantity::Eps => to.alpha / self.from.alpha,
            Quantity::X0 => to.sigma / self.from.sigma,
        }
    }

    fn weigh(&self, to: &Node, c: f64, (one, two): Phis) -> f64 {
        let h = self.h();
        let (scale, z) = match self.quantity {
            Quantity::Eps => (-to.sigma, c * h),
            Quantity::X0 => (to.alpha, -c * h),
        };
        scale * h * (one * phi_1(z) + two * phi_2(z))
    }
}

/// The middle of a step in `lambda`, or of `sigma / (alpha + sigma)` where the step starts at `alpha` = 0.
pub(in super::super) fn middle(path: &Path, from: &Node, to: &Node) -> Node {
    if from.alpha == 0.0 {
        return Coordinate::Flow.between(path, from, to, 0.5);
    }
    LambdaStep { path, quantity: Quantity::X0, from: *from, to: *to }.stage(0.5)
}

const THIRD: f64 = 1.0 / 3.0;

/// DDIM.
pub(in super::super) const ORDER_1: Exponential = Tableau { stages: &[], end: &[(1.0, 0.0)] };

/// DPM-Solver-2 and DPM-Solver++(2S) with `r` = 1/2: the slope at the middle counts for all.
pub(in super::super) const DPM_2S: Exponential =
    Tableau { stages: &[Stage { c: 0.5, weights: &[(0.5, 0.0)] }], end: &[(0.0, 0.0), (1.0, 0.0)] };

/// RES, second order with `c_2` = 1/2: the prediction is linear in `lambda` between start and middle, and integrated
/// exactly.
pub(in super::super) const RES_2S: Exponential =
    Tableau { stages: &[Stage { c: 0.5, weights: &[(0.5, 0.0)] }], end: &[(1.0, -2.0), (0.0, 2.0)] };

/// DPM-Solver-3 and DPM-Solver++(3S) with `r_1` = 1/3, `r_2` = 2/3; weights `r_2^2 / r_1` and `1 / r_2` of `phi_2`.
pub(in super::super) const DPM_3S: Exponential = Tableau {
    stages: &[
        Stage { c: THIRD, weights: &[(THIRD, 0.0)] },
        Stage { c: 2.0 * THIRD, weights: &[(2.0 * THIRD, -4.0 * THIRD), (0.0, 4.0 * THIRD)] },
    ],
    end: &[(1.0, -1.5), (0.0, 0.0), (0.0, 1.5)],
};

#[cfg(test)]
mod tests {
    use super::*;

    /// `b_i(z)` of a tableau and `a_ij(z)` of its stages.
    fn value((one, two): Phis, z: f64) -> f64 {
        one * phi_1(z) + two * phi_2(z)
    }

    #[test]
    fn stages_and_end_are_exact_for_constant_slopes() {
        for tableau in [ORDER_1, DPM_2S, RES_2S, DPM_3S] {
            for z in [-3.0, -0.1, 0.7, 2.0] {
                let sum: f64 = tableau.end.iter().map(|w| value(*w, z)).sum();
                assert!((sum - phi_1(z)).abs() < 1e-14, "{tableau:?}");
                for stage in tableau.stages {
                    let sum: f64 = stage.weights.iter().map(|w| value(*w, stage.c * z)).sum();
                    assert!((sum - stage.c * phi_1(stage.c * z)).abs() < 1e-14, "{tableau:?}");
                }
            }
        }
    }

    /// Largest violation over `z` of the second stiff order condition `sum b_j(z) c_j = phi_2(z)` (Hochbruck and
    /// Ostermann 2005, table 1).
    fn stiff_2(tableau: &Exponential) -> f64 {
        let c = |j: usize| if j == 0 { 0.0 } else { tableau.stages[j - 1].c };
        [-4.0, -1.0, -0.01, 0.5, 2.0]
            .iter()
            .map(|&z| {
                let sum: f64 = tableau.end.iter().enumerate().map(|(j, w)| c(j) * value(*w, z)).sum();
                (sum - phi_2(z)).abs()
            })
            .fold(0.0, f64::max)
    }

    #[test]
    fn res_and_third_order_are_stiffly_of_order_two_and_the_midpoint_is_not() {
        assert!(stiff_2(&RES_2S) < 1e-15);
        assert!(stiff_2(&DPM_3S) < 1e-15);
        // Only in the limit of short steps, where phi_1 = 1 and phi_2 = 1/2.
        assert!(stiff_2(&DPM_2S) > 0.01);
    }

    #[test]
    fn third_order_integrates_a_parabola_in_the_limit() {
        // sum b_j(0) c_j^2 = 2 phi_3(0) = 1/3; also the inner stage is exact for a line, at every z.
        let squares: f64 =
            [0.0, 1.0 / 9.0, 4.0 / 9.0].iter().zip(DPM_3S.end).map(|(c, w)| c * value(*w, 0.0)).sum();
        assert!((squares - 1.0 / 3.0).abs() < 1e-15);
        for z in [-2.0, 0.3] {
            let stage = DPM_3S.stages[1];
            let line = THIRD * value(stage.weights[1], stage.c * z);
            assert!((line - stage.c * stage.c * phi_2(stage.c * z)).abs() < 1e-15);
        }
    }
}
