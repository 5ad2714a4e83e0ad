//! Solvers: identities, budgets, edge cases.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeSet;

use common::specs::everything;
use common::{Point, close, gain, grid, plan, same, spread};
use fewstep_samplers::exact::Mixture;
use fewstep_samplers::{End, Error, Grid, GridRule, Node, Op, Path, Plan, interpreter, registry, solver};

/// Grids of every kind: all paths, their usual rules, both ends.
fn grids(steps: usize) -> Vec<Grid> {
    let mut all = Vec::new();
    for (name, _) in Path::NAMES {
        let path: Path = name.parse().unwrap();
        for end in [End::TMin, End::Zero] {
            all.push(GridRule::default_for(&path).grid(&path, steps, None, None, Some(end)).unwrap());
            all.push(GridRule::UniformT.grid(&path, steps, None, None, Some(end)).unwrap());
        }
    }
    // A variance-preserving start at alpha = 0.
    all.push(GridRule::UniformT.grid(&Path::vp_cosine(), steps, Some(1.0), None, None).unwrap());
    all
}

/// The largest ratio of the noise levels of a step's ends, over the steps that have one: by as much a step
/// amplifies the rounding of a prediction, and one with several evaluations that of its stages once more.
/// From pure noise and into clean data all solvers step in coordinates that stay finite. It is at most 4 on
/// the flow path, up to 40,000 on others.
fn longest(grid: &Grid) -> f64 {
    let ratios = grid.nodes().windows(2).map(|pair| pair[0].rho() / pair[1].rho());
    ratios.filter(|ratio| ratio.is_finite()).fold(1.0, f64::max)
}

#[test]
fn every_solver_is_exact_for_constant_data() {
    let data = Point(0.7);
    for steps in [1, 2, 3, 9] {
        for g in grids(steps) {
            let (first, last) = (g.nodes()[0], g.nodes()[steps]);
            for entry in registry() {
                let plan = match solver(entry.name).unwrap().plan(&g) {
                    // Restart needs a grid with nodes at its levels.
                    Err(Error::Unsuited { .. }) if entry.name == "restart" => continue,
                    other => other.unwrap(),
                };
                // The data has no width, so that a stochastic sampler must reproduce the path's own noise.
                let (mean, deviation) = spread(&plan, &data, first.alpha * data.0, first.sigma);
                let nested = if plan.nfe() > steps { 2 } else { 1 };
                let tolerance = (1e-13 + 1e-14 * longest(&g).powi(nested)).min(1e-6);
                assert!(
                    (mean - last.alpha * data.0).abs() < tolerance
                        && (deviation - last.sigma).abs() < tolerance,
                    "{} on {} {}, {steps} steps: {mean} and {deviation} instead of {last:?}",
                    entry.name,
                    g.path(),
                    g.rule()
                );
            }
        }
    }
}

#[test]
fn euler_ddim_and_tab0_are_the_same_method() {
    for steps in [1, 2, 5, 13] {
        for g in grids(steps) {
            let ddim = gain("ddim", &g);
            for spec in ["euler", "deis-tab0"] {
                same(gain(spec, &g), ddim, &g, &format!("{spec} on {} {}", g.path(), g.rule()));
            }
        }
    }
}

/// The state after the first step from 1, if that step evaluates once.
fn after_one_evaluation(spec: &str, g: &Grid) -> Option<f64> {
    let p = plan(spec, g);
    let first = p.ops.iter().take_while(|op| !matches!(op, Op::EndStep { .. }));
    if first.filter(|op| matches!(op, Op::Eval { .. })).count() != 1 {
        return None;
    }
    let mut state = None;
    let hook = |_, _: &Node, x: &mut Vec<f64>| state = state.or(Some(x[0]));
    let data = Mixture::gaussian(0.5).unwrap();
    interpreter::run(&p, &data, vec![1.0], |_| panic!("{spec} drew noise"), hook).unwrap();
    state
}

#[test]
fn the_first_step_of_every_method_is_ddim_if_it_evaluates_once() {
    // With one prediction there is nothing but a constant to interpolate. A grid of one step has no corrector
    // and, into clean data, no warm-up.
    let mut found = BTreeSet::new();
    for g in [1, 6].into_iter().flat_map(grids) {
        let ddim = after_one_evaluation("ddim", &g).unwrap();
        for (spec, _) in everything() {
            if let Some(x) = after_one_evaluation(&spec, &g) {
                same(x, ddim, &g, &format!("{spec} on {} {}", g.path(), g.rule()));
                found.insert(spec);
            }
        }
    }
    for (spec, _) in everything() {
        let name = spec.split(':').next().unwrap();
        let entry = registry().iter().find(|e| e.name == name).unwrap();
        assert!(entry.evals_per_step > 1 || found.contains(&spec), "{spec} was never looked at");
    }
}

#[test]
fn solvers_see_the_path_only_through_its_noise_levels() {
    // A variance-preserving state divided by alpha is an EDM state: methods whose interpolation does not involve t
    // give the same result on both.
    let vp = grid("vp-linear", "karras", 8);
    let levels: Vec<f64> = vp.nodes().iter().map(Node::rho).collect();
    let edm = Grid::new(&Path::edm(), &levels, "same levels").unwrap();
    let alpha = vp.nodes()[0].alpha;
    for spec in ["ddim", "euler", "heun", "dpmpp-2m", "dpmpp-2m:type=heun"] {
        close(gain(spec, &edm), gain(spec, &vp) * alpha, 1e-11, spec);
    }
}

#[test]
fn lower_order_final_changes_the_last_step_only_where_it_should() {
    let differs = |steps: usize, end: End, spec: &str| {
        let g = common::grid_to("vp-linear", "logsnr", steps, end);
        (gain(spec, &g) - gain("dpmpp-2m:lower_order_final=false", &g)).abs() > 1e-9
    };
    assert!(differs(9, End::TMin, "dpmpp-2m"), "auto lowers the order below 10 steps");
    assert!(!differs(10, End::TMin, "dpmpp-2m"), "auto leaves 10 steps alone");
    assert!(differs(10, End::TMin, "dpmpp-2m:lower_order_final=true"));
    assert!(!differs(9, End::Zero, "dpmpp-2m:lower_order_final=true"), "into zero the order is 1 anyway");
}

#[test]
fn heun_costs_one_less_into_zero() {
    for (end, nfe) in [(End::Zero, 9), (End::TMin, 10)] {
        let g = common::grid_to("edm", "karras", 5, end);
        assert_eq!(plan("heun", &g).nfe(), nfe);
    }
}

#[test]
fn budgets() {
    let heun = solver("heun").unwrap();
    assert_eq!(heun.steps_for_nfe(35, true), Some(18));
    assert_eq!(heun.steps_for_nfe(36, true), Some(18));
    assert_eq!(heun.steps_for_nfe(1, true), Some(1));
    assert_eq!(heun.steps_for_nfe(1, false), None);
    assert_eq!(heun.steps_for_nfe(0, true), None);
    assert_eq!(solver("deis-tab3").unwrap().steps_for_nfe(10, false), Some(10));
}

/// The churn ops of a plan: coefficient of the state, of the noise, and the raised node.
fn churns(plan: &Plan) -> Vec<(f64, f64, Node)> {
    let mut found = Vec::new();
    for pair in plan.ops.windows(3) {
        if let [Op::Noise { .. }, Op::Lin { terms, .. }, Op::Eval { node, .. }] = pair {
            found.push((terms[0].0, terms[1].0, plan.nodes[*node]));
        }
    }
    found
}

#[test]
fn churn_raises_the_level_by_exactly_the_noise_it_adds() {
    for path in ["edm", "vp-linear", "flow"] {
        let path: Path = path.parse().unwrap();
        let top = if path == Path::Flow { Some(0.99) } else { None };
        let g = GridRule::UniformT.grid(&path, 6, top, None, None).unwrap();
        let found = churns(&plan("heun:s_churn=1.2", &g));
        assert_eq!(found.len(), 6);
        for ((keep, added, raised), node) in found.into_iter().zip(g.nodes()) {
            close(raised.rho(), 1.2 * node.rho(), 1e-12, "gamma = 1.2 / 6");
            close(keep * node.alpha, raised.alpha, 1e-12, "signal");
            close((keep * node.sigma).hypot(added), raised.sigma, 1e-12, "noise");
        }
    }
}

#[test]
fn churn_is_capped_and_windowed() {
    let g = grid("edm", "karras", 18);
    let capped = churns(&plan("heun:s_churn=1000", &g));
    close(capped[3].2.rho(), g.nodes()[3].rho() * std::f64::consts::SQRT_2, 1e-12, "cap");
    let p = plan("heun:s_churn=40:s_min=0.05:s_max=50:s_noise=1.003", &g);
    let inside = g.nodes().iter().filter(|n| (0.05..=50.0).contains(&n.sigma)).count();
    assert!(inside > 0 && inside < 18);
    assert_eq!((p.draws(), p.nfe()), (inside, 35));
    let plain = plan("heun:s_churn=40:s_min=0.05:s_max=50", &g);
    close(churns(&p)[0].1, 1.003 * churns(&plain)[0].1, 1e-14, "s_noise");
    // Pure noise stays as it is.
    assert_eq!(plan("heun:s_churn=5", &grid("flow", "uniform-t", 4)).draws(), 3);
}

#[test]
fn names_rebuild_their_solver() {
    for spec in [
        "ddim",
        "ddim:eta=0.5",
        "euler",
        "heun",
        "heun:s_churn=40:s_min=0.05:s_max=50:s_noise=1.003",
        "dpmpp-2m",
        "dpmpp-2m:type=heun:lower_order_final=true",
        "dpmpp-2m:lower_order_final=false",
        "deis-tab0",
        "deis-tab1",
        "deis-tab2",
        "deis-tab3",
        "dpm-fast:tail=21",
        "dpmpp-fast:tail=221:afs=true",
        "euler-a:eta=0.5:s_noise=1.003",
        "ddpm:variance=large",
        "dpmpp-2s-a:s_noise=1.01",
        "dpmpp-sde:eta=0.25:afs=true",
        "consistency:gamma=0.5",
        "restart:segments=none",
        "restart:segments=4x1@19.35-40.79+6x6@0.06-0.3:s_noise=1.003",
    ] {
        assert_eq!(solver(spec).unwrap().name(), spec);
    }
    for entry in registry() {
        assert_eq!(solver(entry.name).unwrap().name(), entry.name);
        assert_eq!(registry().iter().filter(|e| e.name == entry.name).count(), 1);
        let p = plan(entry.name, &common::grid_to("vp-linear", "power-t", 20, End::TMin));
        assert_eq!(p.draws() == 0, entry.deterministic, "{}", entry.name);
        let evals = |steps| solver(entry.name).unwrap().evals(steps, false);
        assert_eq!(p.nfe(), evals(20), "{}", entry.name);
        assert_eq!(evals(21) - evals(20), entry.evals_per_step as usize, "{}", entry.name);
    }
}

#[test]
fn bad_solvers_say_what_would_do() {
    let message = |spec: &str| solver(spec).unwrap_err().to_string();
    assert!(message("huen").starts_with("unknown solver `huen`; did you mean `heun`? (known: `ddim`, "));
    assert!(message("dpm++2m").contains("did you mean `dpmpp-2m`?"));
    assert!(message("deis").contains("did you mean `deis-tab0` or `deis-tab1` or `deis-tab2`? (known: "));
    assert!(message("").starts_with("unknown solver ``; known: `ddim`"));
    assert!(
        message("heun:churn=4").contains("solver `heun` has no parameter `churn`; did you mean `s_churn`?")
    );
    assert_eq!(message("euler:eta=1"), "solver `euler` has no parameter `eta`; known: `afs`");
    assert_eq!(message("ddim:eta=2"), "solver `ddim`: `eta=2` is not allowed; give a number from 0 to 1");
    assert_eq!(
        message("dpmpp-2m:type=x"),
        "solver `dpmpp-2m`: `type=x` is not allowed; give midpoint or heun"
    );
    assert!(message("ddim:eta").contains("`eta` is not a parameter"));
    assert_eq!(message("heun:afs=1"), "solver `heun`: `afs=1` is not allowed; give true or false");
    for tail in ["", "4", "0", "2a", "11111111111111111"] {
        assert!(message(&format!("dpm-fast:tail={tail}")).ends_with("digits from 1 to 3, for example 21"));
    }
    for segments in
        ["", "1x2@0.1-0.3", "3x0@0.1-0.3", "3x2@0.3-0.1", "3x2@0-0.1", "3x2@0.1-inf", "3@0.1-0.3", "3x2"]
    {
        let text = message(&format!("restart:segments={segments}"));
        assert!(text.contains("give none, or ranges like 3x2@0.14-0.3 joined by +"), "{text}");
    }
    assert!(solver("restart:segments=3x2@1e-3-2e-1").is_ok());
}
