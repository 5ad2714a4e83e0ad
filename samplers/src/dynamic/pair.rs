//! Embedded pairs: two solutions of one step, whose difference measures its error.

use crate::phi::phi_2;
use crate::{Node, Pred};

/// Coefficients of the state and of the predictions so far, in that order.
pub(super) type Row = Vec<f64>;

/// One step, as data: a state and a prediction at each stage, then two linear combinations.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pair {
    pub(super) pred: Pred,
    /// Where the step leads.
    pub(super) to: Node,
    /// Each stage's node, and its state out of the predictions before it. The first is the step's start.
    pub(super) stages: Vec<(Node, Row)>,
    /// The solution of the lower order.
    pub(super) lo: Row,
    /// The solution of the higher order; none where the step must be taken as it is.
    pub(super) hi: Option<Row>,
}

/// What the exponential integrators interpolate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The noise `eps`: DPM-Solver.
    Eps,
    /// The data `x0`: DPM-Solver++.
    X0,
}

impl Form {
    fn pred(self) -> Pred {
        match self {
            Self::Eps => Pred::Eps,
            Self::X0 => Pred::X0,
        }
    }

    /// The exact step for a constant prediction `m`, `x' = a x + b m`, and `z` with `b = -scale(to) expm1(z)`.
    fn base(self, from: &Node, to: &Node) -> (f64, f64, f64) {
        let h = to.lambda() - from.lambda();
        let (a, z) = match self {
            Self::Eps => (to.alpha / from.alpha, h),
            Self::X0 => (to.sigma / from.sigma, -h),
        };
        (a, -self.scale(to) * z.exp_m1(), z)
    }

    /// The scale of the prediction in a state.
    fn scale(self, node: &Node) -> f64 {
        match self {
            Self::Eps => node.sigma,
            Self::X0 => node.alpha,
        }
    }

    /// DPM-Solver-1 inside DPM-Solver-2 from `from` over `mid` to `to` (arXiv 2206.00927, algorithm 1; in `x0`
    /// arXiv 2211.01095, algorithm 1).
    pub(super) fn pair_12(self, from: &Node, mid: &Node, to: &Node) -> Pair {
        let (a, b, _) = self.base(from, mid);
        let (a_to, b_to, _) = self.base(from, to);
        Pair {
            pred: self.pred(),
            to: *to,
            stages: vec![(*from, vec![1.0]), (*mid, vec![a, b])],
            lo: vec![a_to, b_to],
            hi: Some(self.second_order(from, mid, to)),
        }
    }

    /// DPM-Solver-2 over `one` inside DPM-Solver-3 over `one` and `two` (arXiv 2206.00927, algorithm 2).
    pub(super) fn pair_23(self, from: &Node, one: &Node, two: &Node, to: &Node) -> Pair {
        let h = to.lambda() - from.lambda();
        let [r1, r2] = [one, two].map(|node| (node.lambda() - from.lambda()) / h);
        let (a_1, b_1, _) = self.base(from, one);
        let (a_2, b_2, z_2) = self.base(from, two);
        let (a, b, z) = self.base(from, to);
        let slope_2 = -(r2 / r1) * self.scale(two) * z_2 * phi_2(z_2);
        let slope = -self.scale(to) * z * phi_2(z) / r2;
        Pair {
            pred: self.pred(),
            to: *to,
            stages: vec![
                (*from, vec![1.0]),
                (*one, vec![a_1, b_1]),
                (*two, vec![a_2, b_2 - slope_2, slope_2]),
            ],
            lo: self.second_order(from, one, to),
            hi: Some(vec![a, b - slope, 0.0, slope]),
        }
    }

    fn second_order(self, from: &Node, mid: &Node, to: &Node) -> Row {
        let (a, b, _) = self.base(from, to);
        let r = (mid.lambda() - from.lambda()) / (to.lambda() - from.lambda());
        vec![a, b * (1.0 - 0.5 / r), b * 0.5 / r]
    }

    /// The step into clean data: the result is the predicted `x0`.
    pub(super) fn last(self, from: &Node, to: &Node) -> Pair {
        let lo = match self {
            Self::Eps => vec![to.alpha / from.alpha, -to.alpha / from.alpha * from.sigma],
            Self::X0 => vec![0.0, to.alpha],
        };
        Pair { pred: self.pred(), to: *to, stages: vec![(*from, vec![1.0])], lo, hi: None }
    }
}

/// Euler inside the explicit midpoint rule for `x / (alpha + sigma)` against `sigma / (alpha + sigma)`, where the
/// equation is finite at `alpha` = 0; `mid` stands halfway in that coordinate. Euler is the DDIM step.
pub(super) fn pair_from_noise(from: &Node, mid: &Node, to: &Node) -> Pair {
    let euler = |node: &Node| {
        let a = (node.alpha + node.sigma) / (from.alpha + from.sigma);
        (a, node.sigma - a * from.sigma)
    };
    let ((a_mid, b_mid), (a, b)) = (euler(mid), euler(to));
    Pair {
        pred: Pred::Flow,
        to: *to,
        stages: vec![(*from, vec![1.0]), (*mid, vec![a_mid, b_mid])],
        lo: vec![a, b],
        hi: Some(vec![a, 0.0, b]),
    }
}
