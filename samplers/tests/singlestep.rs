//! Single-step methods: golden gains, identities, budgets and packings.
#![allow(clippy::unreadable_literal, reason = "golden values stay as they were computed")]
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod common;

use common::{close, gain, golden_grid, grid, grid_to, plan, same};
use fewstep_samplers::{End, Grid, Node, Op, Path, Plan, registry, solver};

#[test]
fn gains_on_the_golden_grid() {
    let g = golden_grid();
    // From scripts/parity/golden_gains.py, as the tables below.
    for (spec, want) in [
        ("rhork2-heun", 0.646376921868153),
        ("rhork3-kutta", 0.506144264321878),
        ("rhork4", 0.515050311283024),
        ("dpm-2", 0.568043924864034),
        ("dpm-2s", 0.568043924864034),
        ("dpm-3s", 0.497709787805735),
        ("dpm-fast", 0.497709787805735),
        ("dpmpp-2s", 0.454708004406686),
        ("dpmpp-3s", 0.497465590078727),
        ("dpmpp-fast", 0.497465590078727),
    ] {
        close(gain(spec, &g), want, 1e-12, spec);
    }
}

#[test]
fn gains_on_the_karras_grid() {
    let g = grid("edm", "karras:rho=7", 8);
    // From scripts/parity/golden_gains.py: 50-digit evaluations of the papers' formulas.
    for (spec, want) in [
        ("rhork2-heun", 0.696993799310057),
        ("dpm-2", 0.606219289354748),
        ("dpm-2s", 0.606219289354748),
        ("dpmpp-2s", 0.4433945321416832),
        ("res-2s", 0.4744766145323375),
        ("dpmpp-3s", 0.4999965895349471),
        ("dpm-3s", 0.5040324797345863),
    ] {
        close(80.0 * gain(spec, &g), want, 1e-12, spec);
    }
}

#[test]
fn gains_on_the_flow_path() {
    let uniform = grid("flow", "uniform-t", 5);
    // From scripts/parity/golden_gains.py; methods with a stage at the end of the step take an Euler step into t = 0.
    for (spec, want) in [
        ("midpoint", 0.499106746720693),
        ("rhork2-heun", 0.4585207100591716),
        ("rhork3-kutta", 0.4480374132491617),
        ("rhork3-heun", 0.5003301384410767),
        ("rhork3-ralston", 0.5003705440226003),
        ("rhork3-ssp", 0.44510331065177844),
        ("rhork3-houwen", 0.49986684717958846),
        ("rhork4", 0.4471294236730986),
    ] {
        close(gain(spec, &uniform), want, 1e-12, spec);
    }
    let shifted = grid("flow", "uniform-t:shift=3", 5);
    close(gain("midpoint", &shifted), 0.499281151189132, 1e-12, "midpoint, shift 3");
}

/// Grids without a point at `alpha` = 0, of every path and both ends.
fn finite_grids(steps: usize) -> Vec<Grid> {
    let mut all = Vec::new();
    for (path, rule) in [
        ("vp-linear", "power-t:k=2"),
        ("ddpm", "trailing"),
        ("sd", "karras"),
        ("ve", "logsnr"),
        ("edm", "karras"),
    ] {
        all.extend([End::TMin, End::Zero].map(|end| grid_to(path, rule, steps, end)));
    }
    all
}

fn flow_grids(steps: usize) -> Vec<Grid> {
    let inside = Grid::new(&Path::Flow, &[0.95, 0.7, 0.3, 0.1], "inside").unwrap();
    vec![grid("flow", "uniform-t", steps), grid_to("flow", "uniform-t", steps, End::TMin), inside]
}

#[test]
fn the_same_method_by_two_names() {
    for steps in [1, 2, 7] {
        for g in finite_grids(steps).into_iter().chain(flow_grids(steps)) {
            for (one, other) in [
                ("dpm-2", "dpm-2s"),
                ("dpmpp-2s-a:eta=0", "dpmpp-2s"),
                ("dpm-fast:tail=1111111", "ddim"),
                ("dpmpp-fast:tail=1111111", "ddim"),
                ("dpm-fast:tail=2222222", "dpm-2s"),
                ("dpmpp-fast:tail=2222222", "dpmpp-2s"),
                ("dpm-fast", "dpm-3s"),
                ("dpmpp-fast", "dpmpp-3s"),
                ("euler-a:eta=0", "ddim"),
                ("consistency:gamma=0", "ddim"),
                ("restart:segments=none", "heun"),
                ("rhork2-heun", "heun"),
            ] {
                let what = format!("{one} and {other} on {} {}", g.path(), g.rule());
                same(gain(one, &g), gain(other, &g), &g, &what);
            }
        }
        // From alpha = 0 the middle differs, so that this holds only where lambda is finite.
        for g in finite_grids(steps) {
            close(gain("dpmpp-sde:eta=0", &g), gain("dpmpp-2s", &g), 1e-11, "dpmpp-sde without noise");
        }
    }
    // Op for op, not only in the result.
    let g = golden_grid();
    assert_eq!(plan("rhork2-heun", &g).ops, plan("heun", &g).ops);
}

#[test]
fn from_pure_noise_the_step_is_a_runge_kutta_step() {
    let g = Grid::new(&Path::Flow, &[1.0, 0.6], "one step").unwrap();
    for (spec, same) in [
        ("dpm-2", "midpoint"),
        ("dpm-2s", "midpoint"),
        ("dpmpp-2s", "midpoint"),
        ("res-2s", "midpoint"),
        ("dpm-3s", "rhork3-heun"),
        ("dpmpp-3s", "rhork3-heun"),
        ("dpm-fast:tail=1", "euler"),
    ] {
        assert_eq!(plan(spec, &g).ops, plan(same, &g).ops, "{spec}");
    }
}

#[test]
fn solvers_see_the_path_only_through_its_noise_levels() {
    let vp = grid("vp-linear", "karras", 8);
    let levels: Vec<f64> = vp.nodes().iter().map(Node::rho).collect();
    let edm = Grid::new(&Path::edm(), &levels, "same levels").unwrap();
    let alpha = vp.nodes()[0].alpha;
    for entry in registry() {
        let single = ["Runge-Kutta", "DPM-Solver", "RES"].contains(&entry.family) || entry.evals_per_step > 1;
        if single && entry.deterministic {
            for spec in [entry.name.to_owned(), format!("{}:afs=true", entry.name)] {
                close(gain(&spec, &edm), gain(&spec, &vp) * alpha, 1e-10, &spec);
            }
        }
    }
}

/// Orders of the steps of a plan: in these methods as many as evaluations.
fn evals_per_step(plan: &Plan) -> Vec<usize> {
    let mut counts = vec![0];
    for op in &plan.ops {
        match op {
            Op::Eval { .. } => *counts.last_mut().unwrap() += 1,
            Op::EndStep { .. } => counts.push(0),
            _ => {}
        }
    }
    counts.pop();
    counts
}

#[test]
fn fast_spends_every_budget_exactly() {
    for (name, afs) in [("dpm-fast", ""), ("dpmpp-fast", ""), ("dpm-fast", ":afs=true")] {
        let base = solver(&format!("{name}{afs}")).unwrap();
        for end in [End::TMin, End::Zero] {
            let to_zero = end == End::Zero;
            for nfe in 1..=40 {
                let packed = base.packed(nfe, to_zero).unwrap();
                let steps = packed.steps_for_nfe(nfe, to_zero).unwrap();
                let p = packed.plan(&grid_to("edm", "logsnr", steps, end)).unwrap();
                assert_eq!(p.nfe(), nfe, "{} in {steps} steps", packed.name());
                assert_eq!(p.solver, packed.name());
                assert_eq!(
                    solver(&packed.name()).unwrap().plan(&grid_to("edm", "logsnr", steps, end)).unwrap(),
                    p
                );
                let orders = evals_per_step(&p);
                let orders = if afs.is_empty() { &orders[..] } else { &orders[1..] };
                assert!(orders.is_sorted_by(|a, b| a >= b), "{nfe}: {orders:?}");
            }
            assert!(base.packed(0, to_zero).is_none());
            assert_eq!(base.steps_for_nfe(0, to_zero), None);
        }
    }
    // The packing of the paper for 9, 10 and 11 evaluations, and into sigma = 0.
    for (nfe, end, want) in [
        (9, End::TMin, vec![3, 3, 2, 1]),
        (10, End::TMin, vec![3, 3, 3, 1]),
        (11, End::TMin, vec![3, 3, 3, 2]),
        (9, End::Zero, vec![3, 3, 2, 1]),
        (11, End::Zero, vec![3, 3, 2, 2, 1]),
        (2, End::Zero, vec![1, 1]),
    ] {
        let packed = solver("dpm-fast").unwrap().packed(nfe, end == End::Zero).unwrap();
        let p = packed.plan(&grid_to("vp-linear", "logsnr", want.len(), end)).unwrap();
        assert_eq!(evals_per_step(&p), want);
    }
    // Nobody else has packings.
    assert!(solver("dpm-3s").unwrap().packed(10, false).is_none());
}

#[test]
fn budgets() {
    for (spec, to_zero, steps, nfe) in [
        ("rhork4", true, 3, 9),
        ("rhork4", false, 3, 12),
        ("rhork3-heun", true, 3, 9),
        ("rhork3-kutta", true, 3, 7),
        ("midpoint", true, 5, 10),
        ("dpm-2", true, 18, 35),
        ("dpmpp-3s", true, 4, 10),
        ("res-2s", false, 4, 8),
        ("dpmpp-sde", true, 8, 15),
    ] {
        let s = solver(spec).unwrap();
        let end = if to_zero { End::Zero } else { End::TMin };
        assert_eq!((s.evals(steps, to_zero), s.steps_for_nfe(nfe, to_zero)), (nfe, Some(steps)), "{spec}");
        assert_eq!(plan(spec, &grid_to("edm", "karras", steps, end)).nfe(), nfe, "{spec}");
    }
}
