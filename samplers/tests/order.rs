//! Measured order of convergence of every registered solver, against a fine Runge-Kutta solution.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod common;

use fewstep_samplers::exact::{Component, Mixture};
use fewstep_samplers::interpreter::{self, Model};
use fewstep_samplers::{End, Grid, GridRule, Node, Path, Pred, registry, solver};

const COARSE: [usize; 4] = [160, 320, 640, 1280];
const FINE: usize = 1280;

fn data() -> Mixture {
    let c = |weight, mean, std| Component { weight, mean, std };
    Mixture::new(vec![c(0.4, -1.2, 0.5), c(0.35, 0.3, 0.4), c(0.25, 1.4, 0.6)]).unwrap()
}

/// Classical Runge-Kutta for `dx/dt` in the coordinate where it stays finite: `y = x / (alpha + sigma)` against
/// `s = sigma / (alpha + sigma)`, with many substeps between two nodes.
fn reference_step(path: &Path, x: f64, from: &Node, to: &Node) -> f64 {
    const SUBSTEPS: usize = 2;
    let data = data();
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
        let model = Started { data: data(), start };
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

/// Variants with an order that is not that of the entry's defaults, or that a default of another family would hide.
const VARIANTS: &[(&str, u32)] = &[
    ("dpmpp-2m:type=heun", 2),
    ("dpm-2m:type=taylor", 2),
    ("dpmpp-3m:type=exact", 3),
    ("dpm-3m:type=exact", 3),
    ("lms:order=1", 1),
    ("lms:order=2", 2),
    ("lms:order=3", 3),
    ("ipndm:order=1", 1),
    ("ipndm:order=2", 2),
    ("ipndm:order=3", 2),
    ("pndm:warm_up=plms", 2),
    ("exp-ab:order=3:pred=x0", 3),
    ("exp-ab:pred=x0:in=share", 4),
    ("exp-ab:order=3:pred=x0:in=lambda", 3),
    ("exp-ab:pred=flow:in=share", 4),
    ("exp-ab:order=3:pred=flow", 3),
    ("exp-ab:order=2:in=share", 2),
    // The corrector adds one order, if the last steps keep theirs.
    ("unipc:lower_order_final=false", 3),
    ("unipc:order=1:lower_order_final=false", 2),
    ("unipc:order=1:corrector=false:lower_order_final=false", 1),
    ("unipc:order=1:variant=bh1:pred=eps:lower_order_final=false", 2),
    ("unipc:order=2:corrector=false:lower_order_final=false", 2),
    ("unipc:order=2:variant=bh1:lower_order_final=false", 3),
    ("unipc:order=2:pred=eps:lower_order_final=false", 3),
    ("unipc:order=3:lower_order_final=false", 4),
    ("unipc:order=3:corrector=false:lower_order_final=false", 3),
    ("unipc:order=3:variant=bh1:pred=eps:lower_order_final=false", 4),
    // Probability flow by the stochastic families.
    ("sde-dpmpp-1:tau=0", 1),
    ("sde-dpmpp-2m:tau=0", 2),
    ("sde-dpmpp-3m:tau=0", 2),
    ("sde-dpmpp-3m:tau=0:type=exact", 3),
    ("sa-solver:tau=0:lower_order_final=false", 2),
    ("sa-solver:tau=0:lower_order_final=false:corrector=0", 2),
    ("sa-solver:tau=0:lower_order_final=false:corrector=0:slope=exact", 2),
    ("sa-solver:tau=0:lower_order_final=false:mode=pece", 2),
    ("sa-solver:tau=0:lower_order_final=false:predictor=3:corrector=4", 4),
    ("sa-solver:tau=0:lower_order_final=false:predictor=3:corrector=4:mode=pece", 4),
    ("sa-solver:tau=0:lower_order_final=false:predictor=4:corrector=0", 4),
    // The last step alone, of order 1, errs in second order.
    ("sa-solver:tau=0:predictor=3:corrector=4", 2),
];

/// The specification of a stochastic method that switches its noise off.
fn without_noise(name: &str) -> Option<String> {
    let off = ["eta=0", "tau=0", "gamma=0", "segments=none"];
    off.iter().map(|p| format!("{name}:{p}")).find(|spec| solver(spec).is_ok())
}

/// Every entry with its defaults or its deterministic limit, and the variants.
fn everything() -> Vec<(String, u32)> {
    let mut specs: Vec<(String, u32)> =
        VARIANTS.iter().map(|(spec, order)| ((*spec).to_owned(), *order)).collect();
    for entry in registry() {
        let name = entry.name.to_owned();
        let spec = if entry.deterministic { Some(name) } else { without_noise(entry.name) };
        // DDPM alone cannot do without noise; `stochastic.rs` measures its order in distribution.
        assert!(spec.is_some() || entry.name == "ddpm", "{} has no deterministic limit", entry.name);
        specs.extend(spec.map(|spec| (spec, entry.order)));
    }
    specs
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
fn declared_order_on_the_whole_flow_path() {
    // The methods that are regular at both ends: no pole of lambda or rho, no Euler step of full length at the end.
    let regular = ["ddim", "euler", "heun", "midpoint", "deis-tab0", "rhork2-heun"];
    let third = ["rhork3-heun", "rhork3-ralston", "rhork3-houwen"];
    let specs: Vec<_> = everything()
        .into_iter()
        .filter(|(spec, _)| regular.contains(&spec.as_str()) || third.contains(&spec.as_str()))
        .collect();
    assert_eq!(specs.len(), 9);
    check(&specs, &|n| common::grid("flow", "uniform-t", n));
}

#[test]
fn an_euler_step_into_the_data_leaves_order_two() {
    let specs: Vec<_> =
        ["rhork3-kutta", "rhork3-ssp", "rhork4"].iter().map(|name| ((*name).to_owned(), 2)).collect();
    check(&specs, &|n| common::grid("flow", "uniform-t", n));
}
