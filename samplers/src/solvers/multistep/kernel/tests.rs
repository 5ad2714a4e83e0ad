//! The integral against its definition.

use super::*;

/// The integral by its definition, with the midpoint rule in `lambda`: the weight of a constant output over a cell
/// times what is kept of it until the end of the step.
fn by_definition(step: &Step, output: impl Fn(&Node) -> f64) -> f64 {
    let cells = 4000;
    let (a, b) = (step.from.lambda(), step.to.lambda());
    let node = |u: f64| step.path.node(step.path.t_of_lambda(a + (b - a) * u));
    (0..cells)
        .map(|i| {
            let at = |half: f64| node((f64::from(i) + half) / f64::from(cells));
            let (from, middle, to) = (at(0.0), at(0.5), at(1.0));
            let cell = Step { from: &from, to: &to, ..*step };
            let rest = Step { from: &to, ..*step };
            cell.total() * rest.keep() * output(&middle)
        })
        .sum()
}

#[test]
fn weights_are_the_integrals_of_a_polynomial() {
    for path in ["vp-linear", "sd", "edm", "flow"] {
        let path: Path = path.parse().unwrap();
        let (lo, hi) = path.range();
        let nodes = [0.75, 0.6, 0.5, 0.35, 0.3].map(|u| path.node(lo + u * (hi - lo)));
        let (from, to) = (nodes[3], nodes[4]);
        // With the end of the step, as a corrector has it.
        let used = [to, from, nodes[1], nodes[0]];
        for pred in [Pred::Eps, Pred::X0, Pred::Flow] {
            for tau in [0.0, 1.0].into_iter().take(if pred == Pred::X0 { 2 } else { 1 }) {
                let step = Step { path: &path, from: &from, to: &to, pred, tau };
                for variable in [Variable::T, Variable::Rho, Variable::Lambda, Variable::Share] {
                    let weights = step.weights(variable, &used);
                    for degree in 0..4 {
                        let output = |n: &Node| (variable.at(n) / variable.at(&from)).powi(degree);
                        let got: f64 = weights.iter().zip(&used).map(|(w, n)| w * output(n)).sum();
                        let want = by_definition(&step, output);
                        assert!(
                            (got / want - 1.0).abs() < 1e-6,
                            "{path} {pred:?} {variable:?} tau {tau} degree {degree}: {got}, {want}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn limits_are_finite() {
    let path = Path::Flow;
    let nodes = [1.0, 0.7, 0.4, 0.0].map(|t| path.node(t));
    for (from, to) in [(nodes[0], nodes[1]), (nodes[2], nodes[3]), (nodes[0], nodes[3])] {
        for (pred, tau) in [(Pred::X0, 0.0), (Pred::X0, 1.0), (Pred::Flow, 0.0)] {
            let step = Step { path: &path, from: &from, to: &to, pred, tau };
            let numbers = [step.keep(), step.total(), step.noise()];
            assert!(numbers.iter().all(|v| v.is_finite()), "{pred:?} tau {tau}: {numbers:?}");
            assert!(step.only_constant(Variable::Lambda));
            assert_eq!(step.only_constant(Variable::Share), pred != Pred::Flow);
        }
    }
    // All of the noise is new after a step from pure noise.
    let step = Step { path: &path, from: &nodes[0], to: &nodes[1], pred: Pred::X0, tau: 1.0 };
    assert_eq!((step.keep(), step.noise()), (0.0, nodes[1].sigma));
}
