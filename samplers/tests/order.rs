//! Measured order of convergence of every registered solver, against a fine Runge-Kutta solution.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod common;

use common::images::mixture;
use common::specs::everything;
use fewstep_samplers::exact::Mixture;
use fewstep_samplers::interpreter::{self, Model};
use fewstep_samplers::{End, Grid, GridRule, Node, Path, Pred, solver};

const COARSE: [usize; 4] = [160, 320, 640, 1280];
const FINE: usize = 1280;

/// Classical Runge-Kutta for `dx/dt` in the coordinate where it stays finite: `y = x / (alpha + sigma)` against
/// `s = sigma / (alpha + sigma)`, with many substeps between two nodes.
fn reference_step(path: &Path, x: f64, from: &Node, to: &Node) -> f64 {
    const SUBSTEPS: usize = 2;
    let data = mixture();
    let s = |n: &Node| n.sigma / (n.alpha + n.sigma);
    let slope = |y: f64, s: f64| {
        // On this scale the path is the flow path itself, whatever it was before.
        let (x0, eps) = data.predict_one(y, &Node { t: s, alpha: 1.0 - s, sigma: s });
        eps - x0
    };
    let mut y = x / (from.alpha + from.sigma);
    for i in 0..SUBSTEPS {
        // Substeps even in the path's own time, in which the grids are smooth.
        let t = |i: usize| from.t + (to.t - from.t) * i as f64 / SUBSTEPS as f64;
        let (a, b) = (s(&path.node(t(i))), s(&path.node(t(i + 1))));
        let h = b - a;
        let k1 = slope(y, a);
        let k2 = slope(y + 0.5 * h * k1, a + 0.5 * h);
        let k3 = slope(y + 0.5 * h * k2, a + 0.5 * h);
        let k4 = slope(y + h * k3, b);
        y += h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4);
    }
    y * (to.alpha + to.sigma)
}

/// The exact states at all nodes of the finest grid; coarser grids use every second, fourth, ... of them.
fn reference(grid: &Grid) -> Vec<Vec<f64>> {
    let sigma = grid.nodes()[0].sigma;
    let start: Vec<f64> = [-2.1, -1.3, -0.6, -0.2, 0.35, 0.8, 1.5, 2.4].iter().map(|z| z * sigma).collect();
    let mut states = vec![start];
    for pair in grid.nodes().windows(2) {
        let last = states.last().unwrap();
        states.push(last.iter().map(|x| reference_step(grid.path(), *x, &pair[0], &pair[1])).collect());
    }
    states
}

/// The mixture, which at the first nodes of a grid answers for the exact state there: the accurate start of a method
/// that evaluates at predicted states.
struct Started<'a> {
    data: Mixture,
    start: Vec<(f64, &'a Vec<f64>)>,
}

impl Model for Started<'_> {
    fn predict(&self, x: &[f64], node: &Node, pred: Pred) -> Vec<f64> {
        #[expect(clippy::float_cmp, reason = "a grid node is recognised bit for bit")]
        let exact = self.start.iter().find(|(t, _)| *t == node.t);
        self.data.predict(exact.map_or(x, |(_, x)| *x), node, pred)
    }
}

/// The order with which a method converges to the exact states.
fn measured_order(spec: &str, order: u32, make: &dyn Fn(usize) -> Grid, exact: &[Vec<f64>]) -> f64 {
    let mut points = Vec::new();
    for n in COARSE {
        let grid = make(n);
        let plan = solver(spec).unwrap().plan(&grid).unwrap();
        // A method of order k needs k - 1 accurate states to start from.
        let hook = |step: usize, _: &Node, x: &mut Vec<f64>| {
            if step + 1 < order as usize {
                x.clone_from(&exact[(step + 1) * (FINE / n)]);
            }
        };
        let nodes = grid.times().enumerate().take(order as usize);
        let start = nodes.map(|(i, t)| (t, &exact[i * (FINE / n)])).collect();
        let model = Started { data: mixture(), start };
        let out =
            interpreter::run(&plan, &model, exact[0].clone(), |_| panic!("{spec} drew noise"), hook).unwrap();
        let square: f64 = out.iter().zip(&exact[FINE]).map(|(a, b)| (a - b).powi(2)).sum();
        points.push((n, square.sqrt()));
    }
    common::slope(&points)
}

fn check(specs: &[(String, u32)], make: &dyn Fn(usize) -> Grid) {
    let exact = reference(&make(FINE));
    let measured: Vec<_> = specs
        .iter()
        .map(|(spec, order)| (spec, *order, measured_order(spec, *order, make, &exact)))
        .collect();
    let text = format!("{measured:.3?}");
    for (spec, order, got) in measured {
        assert!(
            (got - f64::from(order)).abs() < 0.15,
            "{spec}: order {got:.3}, declared {order}; all: {text}"
        );
    }
    // Shown with `cargo test -- --nocapture`; the crate itself never prints.
    #[expect(clippy::print_stderr, reason = "the measured orders are worth seeing")]
    {
        eprintln!("{text}");
    }
}

#[test]
fn declared_order_on_vp_linear() {
    // The end is kept where the steps are small against t itself: there eps is smooth in sqrt(t), not in t, and
    // the fourth order of tAB3 shows only once they are.
    check(&everything(), &|n| {
        GridRule::PowerT { k: 2.0 }.grid(&Path::vp_linear(), n, None, Some(0.05), Some(End::TMin)).unwrap()
    });
}

#[test]
fn declared_order_inside_the_flow_path() {
    check(&everything(), &|n| {
        GridRule::UniformT.grid(&Path::Flow, n, Some(0.9), Some(0.1), Some(End::TMin)).unwrap()
    });
}

#[test]
fn declared_order_on_edm() {
    // Even steps of lambda: with those of `karras` the last step of unipc, the only one of order 1, still
    // weighs little at 160 steps, and its order comes out as 1.83.
    check(&everything(), &common::smooth);
}

#[test]
fn declared_order_on_vp_cosine() {
    // Even steps of t are too long near the ends for the fourth order to show: sigma grows as t, alpha as 1 -
    // t.
    check(&everything(), &|n| {
        GridRule::LogSnr.grid(&Path::vp_cosine(), n, Some(0.95), Some(0.05), Some(End::TMin)).unwrap()
    });
}

#[test]
fn declared_order_on_the_whole_flow_path() {
    // The methods that are regular at both ends: no pole of lambda or rho, no Euler step of full length at the end.
    let regular = ["ddim", "euler", "heun", "midpoint", "deis-tab0", "rhork2-heun", "flow-ab2"];
    let multistep = ["exp-ab:pred=flow:in=share", "exp-ab:order=3:pred=flow"];
    let third = ["rhork3-heun", "rhork3-ralston", "rhork3-houwen"];
    let specs: Vec<_> = everything()
        .into_iter()
        .filter(|(spec, _)| {
            [&regular[..], &multistep, &third].iter().any(|list| list.contains(&spec.as_str()))
        })
        .collect();
    assert_eq!(specs.len(), 12);
    check(&specs, &|n| common::grid("flow", "uniform-t", n));
}

#[test]
fn an_euler_step_into_the_data_leaves_order_two() {
    let specs: Vec<_> =
        ["rhork3-kutta", "rhork3-ssp", "rhork4"].iter().map(|name| ((*name).to_owned(), 2)).collect();
    check(&specs, &|n| common::grid("flow", "uniform-t", n));
}
