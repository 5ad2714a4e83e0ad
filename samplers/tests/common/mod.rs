//! Helpers shared by the integration tests.
#![allow(dead_code, reason = "each test file uses its own part")]

pub(crate) mod images;
pub(crate) mod specs;

use fewstep_samplers::exact::Mixture;
use fewstep_samplers::interpreter::{self, Model};
use fewstep_samplers::{End, Grid, GridRule, Node, NoiseKey, Op, Path, Plan, Pred, solver};

/// Fails unless `got` is within `rel` of `want`, relative to `want`.
#[track_caller]
pub(crate) fn close(got: f64, want: f64, rel: f64, what: &str) {
    assert!((got - want).abs() <= rel * want.abs(), "{what}: got {got:.17}, want {want:.17} within {rel:e}");
}

/// The grid of the golden tables: VP-linear, quadratic in t from 1 to 1e-3, 5 steps.
pub(crate) fn golden_grid() -> Grid {
    grid("vp-linear", "power-t:k=2", 5)
}

/// A grid with every default.
pub(crate) fn grid(path: &str, rule: &str, steps: usize) -> Grid {
    let path: Path = path.parse().unwrap();
    rule.parse::<GridRule>().unwrap().grid(&path, steps, None, None, None).unwrap()
}

/// A grid with an explicit end.
pub(crate) fn grid_to(path: &str, rule: &str, steps: usize, end: End) -> Grid {
    let path: Path = path.parse().unwrap();
    rule.parse::<GridRule>().unwrap().grid(&path, steps, None, None, Some(end)).unwrap()
}

/// The plan of a solver specification.
pub(crate) fn plan(spec: &str, grid: &Grid) -> Plan {
    solver(spec).unwrap().plan(grid).unwrap()
}

/// Runs a plan that draws no noise.
pub(crate) fn run_ode(plan: &Plan, model: &impl Model, start: Vec<f64>) -> Vec<f64> {
    interpreter::run(plan, model, start, |draw| panic!("drew noise {draw:?}"), |_, _, _| {}).unwrap()
}

/// Two forms of one method: their gains on `grid` agree to 1e-12 of the final state for noise of the first node's level, or
/// of 1. Less cannot be asked: on a variance-preserving path the first steps pass by `1 / alpha` = 157.
#[track_caller]
pub(crate) fn same(got: f64, want: f64, grid: &Grid, what: &str) {
    let noise = grid.nodes()[0].sigma;
    let off = (got - want).abs() * noise;
    assert!(off < 1e-12 * (want * noise).abs().max(1.0), "{what}: got {got:e}, want {want:e}");
}

/// Output over input for normal data with deviation one half, which makes every solver linear.
pub(crate) fn gain(spec: &str, grid: &Grid) -> f64 {
    run_ode(&plan(spec, grid), &Mixture::gaussian(0.5).unwrap(), vec![1.0])[0]
}

/// Mean and standard deviation of the output of a plan whose model is affine in the state, for a normal start.
///
/// Every independent noise is a coordinate axis: element 0 of the state runs without any noise, element k with noise 1
/// on axis k alone, and what it ends with above element 0 is the output's share of that noise. The start is axis 1, the
/// fresh noises and the pieces into which all Brownian increments cut the clock are the others.
pub(crate) fn spread(plan: &Plan, model: &impl Model, mean: f64, deviation: f64) -> (f64, f64) {
    let mut clocks: Vec<f64> = Vec::new();
    let mut fresh = 0;
    for op in &plan.ops {
        match op {
            Op::Noise { .. } => fresh += 1,
            Op::Brownian { from, to, .. } => clocks.extend([*from, *to]),
            _ => {}
        }
    }
    clocks.sort_by(f64::total_cmp);
    clocks.dedup();
    let pieces: Vec<(f64, f64)> = clocks.windows(2).map(|pair| (pair[0], pair[1])).collect();
    let size = 2 + fresh + pieces.len();
    let noise = |key| {
        let mut z = vec![0.0; size];
        match key {
            NoiseKey::Draw(k) => z[1 + k as usize] = 1.0,
            NoiseKey::Brownian { from, to } => {
                for (axis, (a, b)) in pieces.iter().enumerate().filter(|(_, (a, b))| *a >= from && *b <= to) {
                    z[2 + fresh + axis] = ((b - a) / (to - from)).sqrt();
                }
            }
        }
        z
    };
    let start = (0..size).map(|k| mean + if k == 1 { deviation } else { 0.0 }).collect();
    let out = interpreter::run(plan, model, start, noise, |_, _, _| {}).unwrap();
    (out[0], out[1..].iter().map(|v| (v - out[0]).powi(2)).sum::<f64>().sqrt())
}

/// Least-squares slope of `ln error` against `ln N`, sign changed.
pub(crate) fn slope(points: &[(usize, f64)]) -> f64 {
    let logs: Vec<(f64, f64)> = points.iter().map(|(n, error)| ((*n as f64).ln(), error.ln())).collect();
    let mean = |f: &dyn Fn(&(f64, f64)) -> f64| logs.iter().map(f).sum::<f64>() / logs.len() as f64;
    let (mx, my) = (mean(&|p| p.0), mean(&|p| p.1));
    -mean(&|p| (p.0 - mx) * (p.1 - my)) / mean(&|p| (p.0 - mx).powi(2))
}

/// A smooth grid on which every method is in its asymptotic range.
pub(crate) fn smooth(n: usize) -> Grid {
    "logsnr"
        .parse::<GridRule>()
        .unwrap()
        .grid(&Path::edm(), n, Some(10.0), Some(0.05), Some(End::TMin))
        .unwrap()
}

/// Times of the nodes.
pub(crate) fn times(grid: &Grid) -> Vec<f64> {
    grid.times().collect()
}

/// Levels `sigma / alpha` of the nodes.
pub(crate) fn levels(grid: &Grid) -> Vec<f64> {
    grid.nodes().iter().map(Node::rho).collect()
}

/// The coefficients of every linear combination, in order of their slots from the newest; the state comes first.
pub(crate) fn combinations(plan: &Plan) -> Vec<Vec<f64>> {
    plan.ops
        .iter()
        .filter_map(|op| match op {
            Op::Lin { terms, .. } => Some(terms.iter().map(|(c, _)| *c).collect()),
            _ => None,
        })
        .collect()
}

/// Data that is always the same number: `x0` and `eps` are constant along a trajectory, and every solver is exact.
pub(crate) struct Point(pub(crate) f64);

impl Model for Point {
    fn predict(&self, x: &[f64], node: &Node, pred: Pred) -> Vec<f64> {
        let eps = |x: &f64| (x - node.alpha * self.0) / node.sigma;
        x.iter()
            .map(|x| match pred {
                Pred::X0 => self.0,
                Pred::Eps => eps(x),
                Pred::Flow => eps(x) - self.0,
            })
            .collect()
    }
}
