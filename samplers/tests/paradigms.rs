//! ParaDiGMS against the DDIM steps that it iterates.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod common;

use std::ops::ControlFlow;

use common::images::{ends, largest_difference, mixture, noise, run, run_plan, starts};
use common::{grid, grid_to};
use fewstep_samplers::dynamic::{Outcome, Round, Tally, Vectors, dynamic_solver};
use fewstep_samplers::{End, Grid, Node, NoiseKey, Path};

/// Longer grids with every kind of ends, on which windows move.
fn long() -> Vec<Grid> {
    vec![
        grid_to("vp-linear", "uniform-t", 40, End::TMin),
        grid_to("edm", "karras", 40, End::Zero),
        grid("flow", "uniform-t", 40),
        grid_to("ddpm", "linspace", 40, End::Zero),
    ]
}

#[test]
fn without_tolerance_the_result_is_that_of_ddim() {
    for g in ends().into_iter().chain(long()) {
        for eta in [0.0, 0.4, 1.0] {
            let want = run_plan(&format!("ddim:eta={eta}"), &g, &mixture(), starts(&g));
            for (window, tol) in [(2, 0.0), (8, 0.0), (8, 1e-12), (1000, 0.0), (1000, 1e-12)] {
                let spec = format!("paradigms:window={window}:tol={tol}:eta={eta}");
                let (states, report) = run(&spec, &g, &mixture(), starts(&g));
                let off = largest_difference(&states, &want);
                assert!(off < 1e-10, "{spec} on {} {}: {off:e}", g.path(), g.rule());
                for image in report.images {
                    assert!(image.nfe >= g.steps() && image.rounds <= g.steps(), "{spec}: {image:?}");
                    assert_eq!(image.accepted, g.steps(), "{spec}");
                    assert_eq!(image.accepted + image.rejected, image.nfe, "{spec}");
                }
            }
        }
    }
}

#[test]
fn a_window_of_one_is_ddim_to_the_bit() {
    for g in ends() {
        for eta in [0.0, 1.0] {
            let spec = format!("paradigms:window=1:eta={eta}");
            let (states, report) = run(&spec, &g, &mixture(), starts(&g));
            assert_eq!(
                states,
                run_plan(&format!("ddim:eta={eta}"), &g, &mixture(), starts(&g)),
                "{}",
                g.path()
            );
            let n = g.steps();
            assert_eq!(report.images, vec![Tally { nfe: n, rounds: n, accepted: n, rejected: 0 }; 3]);
        }
    }
}

#[test]
fn fewer_rounds_than_steps_for_more_evaluations() {
    for g in long() {
        for eta in [0, 1] {
            let want = run_plan(&format!("ddim:eta={eta}"), &g, &mixture(), starts(&g));
            for (tol, most) in [(1e-10, 1e-9), (1e-4, 1e-3), (0.1, 1.0)] {
                let spec = format!("paradigms:window=16:tol={tol}:eta={eta}");
                let (states, report) = run(&spec, &g, &mixture(), starts(&g));
                let off = largest_difference(&states, &want);
                assert!(off < most, "{spec} on {}: {off:e}", g.path());
                let cost = &report.images;
                assert!(cost.iter().all(|c| c.rounds < g.steps() && c.nfe > g.steps()), "{spec}: {cost:?}");
            }
        }
    }
}

#[test]
fn rounds_depend_on_noise_levels_alone() {
    let vp = grid_to("vp-linear", "uniform-t", 40, End::TMin);
    let levels: Vec<f64> = vp.nodes().iter().map(Node::rho).collect();
    let edm = Grid::new(&Path::edm(), &levels, "the same levels").unwrap();
    let start = starts(&vp);
    let scaled = |factor: f64, states: &[Vec<f64>]| -> Vec<Vec<f64>> {
        states.iter().map(|x| x.iter().map(|v| v * factor).collect()).collect()
    };
    for spec in ["paradigms", "paradigms:window=16:tol=0.01:eta=1"] {
        let (want, report) = run(spec, &vp, &mixture(), start.clone());
        let (got, same) = run(spec, &edm, &mixture(), scaled(1.0 / vp.nodes()[0].alpha, &start));
        assert_eq!(report, same, "{spec}");
        let off = largest_difference(&want, &scaled(vp.nodes()[40].alpha, &got));
        // The tests' noise magnifies the last digits of its key.
        assert!(off < 1e-8, "{spec}: {off:e}");
    }
}

#[test]
fn a_tolerance_that_nothing_exceeds_takes_whole_windows() {
    let g = grid("flow", "uniform-t", 40);
    let (states, report) = run("paradigms:window=16:tol=1e6", &g, &mixture(), starts(&g));
    assert_eq!(report.images, vec![Tally { nfe: 40, rounds: 3, accepted: 40, rejected: 0 }; 3]);
    // Which is not the solution.
    let off = largest_difference(&states, &run_plan("ddim", &g, &mixture(), starts(&g)));
    assert!(off > 0.02, "{off}");
}

#[test]
fn fewer_rounds_with_larger_windows_and_tolerances() {
    for g in long() {
        let cost = |window: usize, tol: f64| {
            let (_, report) =
                run(&format!("paradigms:window={window}:tol={tol}"), &g, &mixture(), starts(&g));
            (report.rounds, report.nfe())
        };
        let by_window = [1, 4, 16, 40].map(|window| cost(window, 1e-3));
        assert!(by_window.is_sorted_by(|a, b| a.0 > b.0 && a.1 < b.1), "{}: {by_window:?}", g.path());
        let by_tol = [1e-9, 1e-5, 1e-2, 1.0].map(|tol| cost(16, tol));
        assert!(by_tol.is_sorted_by(|a, b| a.0 > b.0 && a.1 > b.1), "{}: {by_tol:?}", g.path());
    }
}

/// The formulas of [`Paradigms`](fewstep_samplers::dynamic::Paradigms), written out for one number on a
/// variance-preserving path: all states at once, whole sums. Returns the last state, rounds and evaluations.
fn written_out(grid: &Grid, start: f64, window: usize, tol: f64, eta: f64) -> (f64, usize, usize) {
    let (nodes, n) = (grid.nodes(), grid.steps());
    let ancestral = |k: usize| {
        let (a, b) = (nodes[k], nodes[k + 1]);
        let ratio = b.sigma * a.alpha / (a.sigma * b.alpha);
        b.sigma * (1.0 - ratio * ratio).sqrt()
    };
    let step = |k: usize, x: f64| {
        let (x0, eps) = mixture().predict_one(x, &nodes[k]);
        let s = eta * ancestral(k);
        nodes[k + 1].alpha * x0 + (nodes[k + 1].sigma.powi(2) - s * s).sqrt() * eps
    };
    let added = |k: usize| eta * ancestral(k) * noise(0, NoiseKey::between(&nodes[k], &nodes[k + 1]))[0];
    let (mut x, mut begin, mut end) = (vec![start; n + 1], 0, window.min(n));
    let (mut rounds, mut nfe) = (0, 0);
    while begin < n {
        let moves: Vec<f64> = (begin..end).map(|k| step(k, x[k]) - x[k] + added(k)).collect();
        let new: Vec<f64> = (0..moves.len()).map(|j| x[begin] + moves[..=j].iter().sum::<f64>()).collect();
        let far = |j: &usize| (new[*j] - x[begin + 1 + j]).powi(2) > (tol * ancestral(begin + j)).powi(2);
        let accepted = (0..new.len()).find(far).map_or(new.len(), |j| j + 1);
        x[begin + 1..=end].copy_from_slice(&new);
        (rounds, nfe) = (rounds + 1, nfe + end - begin);
        begin += accepted;
        let next_end = (begin + window).min(n);
        let last = x[end];
        x[end + 1..=next_end.max(end)].fill(last);
        end = next_end;
    }
    (x[n], rounds, nfe)
}

#[test]
fn rounds_and_states_are_those_of_the_written_out_formulas() {
    let g = grid_to("vp-linear", "uniform-t", 30, End::TMin);
    for (window, tol, eta) in [(4, 0.1, 0.0), (8, 0.01, 0.0), (8, 0.3, 1.0), (16, 0.05, 0.5), (50, 1e-3, 0.0)]
    {
        let spec = format!("paradigms:window={window}:tol={tol}:eta={eta}");
        for start in [-1.7, 0.2, 1.1] {
            let (want, rounds, nfe) = written_out(&g, start, window, tol, eta);
            let solver = dynamic_solver(&spec).unwrap();
            let model = mixture();
            let mut machine = Vectors::new(&model, |image, key| vec![noise(image, key)[0]]);
            let go = &mut |_: &Round<'_, _>| ControlFlow::Continue(());
            let outcome = solver.run(&g, &mut machine, vec![vec![start]], go).unwrap();
            let Outcome::Done { states, report } = outcome else { panic!("cancelled by nobody") };
            assert!((states[0][0] - want).abs() < 1e-12, "{spec}: {} instead of {want}", states[0][0]);
            assert_eq!((report.rounds, report.nfe()), (rounds, nfe), "{spec} from {start}");
        }
    }
}
