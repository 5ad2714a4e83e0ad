//! Stochastic multistep methods: their law and their paths on normal data, where every method is linear.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod common;

use common::{close, grid, grid_to, plan, slope};
use fewstep_samplers::interpreter::{self, Model};
use fewstep_samplers::{End, Grid, GridRule, Node, NoiseKey, Op, Path, Plan, Pred};

/// Normal data with mean 0 and this variance: every prediction is a multiple of the state. (`exact::Mixture` would
/// find the same factor anew for every element.)
struct Normal(f64);

impl Model for Normal {
    fn predict(&self, x: &[f64], node: &Node, pred: Pred) -> Vec<f64> {
        let noisy = node.alpha * node.alpha * self.0 + node.sigma * node.sigma;
        let (x0, eps) = (node.alpha * self.0 / noisy, node.sigma / noisy);
        let factor = match pred {
            Pred::X0 => x0,
            Pred::Eps => eps,
            Pred::Flow => eps - x0,
        };
        x.iter().map(|x| factor * x).collect()
    }
}

const ZERO: Normal = Normal(0.0);
const DATA: Normal = Normal(0.25);

fn norm(v: &[f64]) -> f64 {
    v.iter().map(|c| c * c).sum::<f64>().sqrt()
}

/// The output as a vector of its coefficients on the initial noise and on each draw: a linear method keeps them apart.
fn response(plan: &Plan, model: &impl Model, start: f64) -> Vec<f64> {
    let axis = |k: usize, size: f64| {
        let mut v = vec![0.0; plan.draws() + 1];
        v[k] = size;
        v
    };
    let mut k = 0;
    let noise = |_| {
        k += 1;
        axis(k, 1.0)
    };
    interpreter::run(plan, model, axis(0, start), noise, |_, _, _| {}).unwrap()
}

/// The same on the increments of the Brownian path between the nodes of `fine`, of which every grid here has a part.
fn path_response(spec: &str, grid: &Grid, fine: &Grid, start: f64) -> Vec<f64> {
    let clocks: Vec<f64> = fine.nodes().iter().map(|n| (n.alpha / n.sigma).powi(2)).collect();
    let mut first = vec![0.0; clocks.len()];
    first[0] = start;
    let noise = |key| {
        let NoiseKey::Brownian { from, to } = key else { panic!("{spec} drew plain noise") };
        let mut v = vec![0.0; clocks.len()];
        for (i, pair) in clocks.windows(2).enumerate() {
            if pair[0] >= from && pair[1] <= to {
                v[i + 1] = ((pair[1] - pair[0]) / (to - from)).sqrt();
            }
        }
        close(norm(&v), 1.0, 1e-9, "a draw is a whole number of increments");
        v
    };
    interpreter::run(&plan(spec, grid), &DATA, first, noise, |_, _, _| {}).unwrap()
}

fn deviation(node: &Node) -> f64 {
    (node.alpha * DATA.0.sqrt()).hypot(node.sigma)
}

/// Even steps of `lambda` inside a variance-preserving path.
fn even(n: usize) -> Grid {
    GridRule::LogSnr.grid(&Path::vp_linear(), n, None, Some(0.05), Some(End::TMin)).unwrap()
}

const SPECS: [&str; 10] = [
    "sde-dpmpp-1",
    "sde-dpmpp-1:tau=0.5",
    "sde-dpmpp-2m",
    "sde-dpmpp-2m:type=heun:tau=2",
    "sde-dpmpp-3m",
    "sde-dpmpp-3m:type=exact:tau=0.3",
    "sa-solver",
    "sa-solver:mode=pece:slope=exact",
    "sa-solver:predictor=3:corrector=4:tau=0.7",
    "sa-solver:corrector=0:s_min=0.05:s_max=50",
];

#[test]
fn constant_data_has_the_exact_law() {
    // x0 is constant, so that the noise of the result has exactly the deviation of the last node, whatever the steps.
    for end in [End::TMin, End::Zero] {
        for (path, rule) in [
            ("vp-linear", "power-t:k=2"),
            ("vp-cosine", "uniform-t"),
            ("sd", "logsnr"),
            ("edm", "karras"),
            ("flow", "uniform-t"),
        ] {
            for steps in [1, 2, 3, 12] {
                let g = grid_to(path, rule, steps, end);
                for spec in SPECS {
                    let p = plan(spec, &g);
                    let got = norm(&response(&p, &ZERO, g.nodes()[0].sigma));
                    let want = g.nodes()[steps].sigma;
                    assert!((got - want).abs() < 1e-13, "{spec} on {path}, {steps} steps: {got}, not {want}");
                }
            }
        }
    }
}

#[test]
fn deviations_on_the_karras_grid() {
    let g = grid("edm", "karras:rho=7", 8);
    // From scripts/parity/golden_gains.py, with every noise as an axis.
    for (spec, want) in [
        ("sde-dpmpp-1", 0.267_841_504_221_502),
        ("sde-dpmpp-1:tau=0.7071067811865476", 0.290_185_371_307_479),
        ("sde-dpmpp-1:tau=0", 0.332_789_083_370_276),
    ] {
        close(norm(&response(&plan(spec, &g), &DATA, 80.0)), want, 1e-12, spec);
    }
}

#[test]
fn the_first_order_method_is_ancestral_ddim() {
    for g in [grid("vp-linear", "power-t", 6), grid("edm", "karras", 6), grid("flow", "uniform-t", 6)] {
        let (a, b) = (plan("sde-dpmpp-1", &g), plan("ddim:eta=1", &g));
        let start = g.nodes()[0].sigma;
        let (a, b) = (response(&a, &DATA, start), response(&b, &DATA, start));
        assert_eq!(a.len(), b.len());
        for (a, b) in a.iter().zip(&b) {
            assert!((a - b).abs() < 1e-12, "{}: {a} against {b}", g.path());
        }
    }
}

#[test]
fn third_order_weights_with_noise_have_the_right_sign() {
    // Even steps of h = 1/2 in lambda with tau = 1: H = 1, and the moments of the integral are short expressions.
    let times: Vec<f64> = (0..5).map(|i| (1.0 - 0.5 * f64::from(i)).exp()).collect();
    let g = Grid::new(&Path::edm(), &times, "even in lambda").unwrap();
    let e = (-1f64).exp();
    let (whole, slope, curvature) = (1.0 - e, e, 1.0 - 2.0 * e);
    for (spec, curvature) in [("exact", curvature), ("published", 0.5 * curvature)] {
        let p = plan(&format!("sde-dpmpp-3m:type={spec}:lower_order_final=false"), &g);
        let last = p.ops.iter().rev().find_map(|op| match op {
            Op::Lin { terms, .. } => Some(terms.iter().map(|(c, _)| *c).collect::<Vec<_>>()),
            _ => None,
        });
        let want = [
            (-1f64).exp(),
            whole + 1.5 * slope + 0.5 * curvature,
            -2.0 * slope - curvature,
            0.5 * slope + 0.5 * curvature,
            times[4] * (1.0 - e).sqrt(),
        ];
        for (got, want) in last.unwrap().into_iter().zip(want) {
            close(got, want, 1e-12, spec);
        }
    }
}

#[test]
fn noise_is_drawn_where_it_should_be() {
    let g = grid_to("edm", "karras", 8, End::TMin);
    let draws = |spec: &str| plan(spec, &g).draws();
    assert_eq!(draws("sde-dpmpp-2m"), 8);
    assert_eq!(draws("sde-dpmpp-2m:tau=0"), 0);
    assert_eq!(draws("sa-solver"), 7, "one draw for predictor and corrector, none in the last step");
    // Levels are those of sigma / alpha, not of sigma, which never reaches 5 here.
    let vp = grid_to("vp-linear", "power-t:k=2", 12, End::TMin);
    let inside = vp.nodes()[..11].iter().filter(|n| (0.2..=5.0).contains(&n.rho())).count();
    assert!(inside > 0 && vp.nodes()[0].rho() > 5.0 && vp.nodes()[10].rho() < 0.2);
    assert_eq!(plan("sa-solver:s_min=0.2:s_max=5", &vp).draws(), inside);
    assert_eq!(plan("sde-dpmpp-3m", &grid("edm", "karras", 8)).draws(), 7, "none into zero");
    assert_eq!(plan("sa-solver:mode=pece", &g).nfe(), 15);
    assert_eq!(plan("sa-solver:mode=pece:corrector=0", &g).nfe(), 8);
}

#[test]
fn order_in_law() {
    // The error of the variance; the closed form is that of the noisy data.
    for (spec, want) in [
        ("sde-dpmpp-1", 1.0),
        ("sde-dpmpp-1:tau=0.5", 1.0),
        ("sde-dpmpp-2m", 2.0),
        ("sde-dpmpp-2m:tau=0.5", 2.0),
        ("sde-dpmpp-2m:type=heun", 2.0),
        // With noise the third order cannot show: the slope is known only up to the noise of a step.
        ("sde-dpmpp-3m", 2.0),
        ("sde-dpmpp-3m:type=exact", 2.0),
        ("sa-solver:lower_order_final=false", 2.0),
        ("sa-solver:lower_order_final=false:corrector=0", 2.0),
        ("sa-solver:lower_order_final=false:mode=pece", 2.0),
        ("sa-solver:lower_order_final=false:predictor=3:corrector=4", 2.0),
        ("sa-solver:predictor=1:corrector=0", 1.0),
    ] {
        let errors = [160, 320, 640, 1280].map(|n| {
            let g = even(n);
            let (first, last) = (deviation(&g.nodes()[0]), deviation(&g.nodes()[n]));
            let got = norm(&response(&plan(spec, &g), &DATA, first));
            (n, (got * got - last * last).abs())
        });
        let got = slope(&errors);
        assert!((got - want).abs() < 0.15, "{spec}: order {got:.3}, expected {want}: {errors:?}");
    }
}

#[test]
fn order_along_the_path() {
    // With the same Brownian path: the distance of a coarse from a fine solution, root mean square.
    let fine = even(1280);
    let times: Vec<f64> = fine.times().collect();
    let start = deviation(&fine.nodes()[0]);
    for (spec, want) in [
        ("sde-dpmpp-1", 1.0),
        ("sde-dpmpp-2m", 1.0),
        ("sde-dpmpp-2m:type=heun", 1.0),
        ("sde-dpmpp-3m:type=exact", 1.0),
        // Between tau = 0 and 1 a step weighs its whole increment alike and not along the step as the
        // equation does. What that leaves out has mean 0 and the size h^(3/2), which N steps sum to h.
        ("sde-dpmpp-1:tau=0.5", 1.0),
        ("sde-dpmpp-2m:tau=0.5", 1.0),
        ("sde-dpmpp-2m:type=heun:tau=0.5", 1.0),
        ("sde-dpmpp-3m:type=exact:tau=0.5", 1.0),
        // The last step without noise leaves out an increment.
        ("sa-solver", 0.5),
        ("sa-solver:tau=0.5", 0.5),
    ] {
        let exact = path_response(spec, &fine, &fine, start);
        let errors = [40, 80, 160].map(|n| {
            let part: Vec<f64> = times.iter().step_by(1280 / n).copied().collect();
            let coarse = Grid::new(fine.path(), &part, "every so many").unwrap();
            let out = path_response(spec, &coarse, &fine, start);
            let distance: Vec<f64> = out.iter().zip(&exact).map(|(a, b)| a - b).collect();
            (n, norm(&distance))
        });
        let got = slope(&errors);
        assert!((got - want).abs() < 0.15, "{spec}: order {got:.3}, expected {want}: {errors:?}");
    }
}
