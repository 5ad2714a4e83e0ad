//! Adaptive DPM-Solver: published values, accuracy under tolerance, both ends.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod common;

use std::ops::ControlFlow;

use common::images::{ends, largest_difference, mixture, run, starts};
use common::{Point, close, grid_to, run_ode};
use fewstep_samplers::dynamic::{Round, Tally, Vectors, dynamic_solver};
use fewstep_samplers::exact::{Mixture, gaussian_gain};
use fewstep_samplers::interpreter::Model;
use fewstep_samplers::{End, Grid, GridRule, Node, Path, Pred, solver};

const ADAPTIVE: [&str; 4] = ["dpm-12", "dpm-12:pred=x0", "dpm-23", "dpm-23:pred=x0"];

#[test]
fn golden_values_of_the_published_step_control() {
    // From scripts/parity/golden_gains.py: 50-digit evaluations of DPM-Solver's algorithms 1 and 2 in both forms, with the
    // controller of arXiv 2105.14080 and the lower solution as its `before`. VP-linear from 1 to 1e-3, data N(0, 1/4), start 1.
    let g = grid_to("vp-linear", "uniform-t", 1, End::TMin);
    let data = Mixture::gaussian(0.5).unwrap();
    for (spec, want, accepted, rejected) in [
        ("dpm-12", 0.514_327_812_655_300, 17, 11),
        ("dpm-12:rtol=0.001:atol=0.0001", 0.500_624_883_333_341, 58, 24),
        ("dpm-12:h_init=6", 0.514_781_998_934_098, 13, 8),
        ("dpm-12:pred=x0", 0.462_563_512_096_225, 7, 5),
        ("dpm-12:pred=x0:rtol=0.001:atol=0.0001", 0.499_499_939_073_412, 44, 12),
        ("dpm-12:pred=x0:h_init=6", 0.322_028_111_911_127, 5, 6),
        ("dpm-23", 0.513_717_097_231_637, 7, 3),
        ("dpm-23:rtol=0.001:atol=0.0001", 0.504_557_629_921_832, 18, 8),
        ("dpm-23:h_init=6", 0.507_233_851_318_918, 6, 4),
        ("dpm-23:pred=x0", 0.483_230_583_439_592, 5, 5),
        ("dpm-23:pred=x0:rtol=0.001:atol=0.0001", 0.500_040_734_640_553, 16, 7),
        ("dpm-23:pred=x0:h_init=6", 0.490_259_223_378_486, 4, 5),
    ] {
        let (states, report) = run(spec, &g, &data, vec![vec![1.0]]);
        close(states[0][0], want, 1e-10, spec);
        let order = if spec.starts_with("dpm-12") { 2 } else { 3 };
        // The prediction at the start of a rejected step is not asked for twice.
        let nfe = order * accepted + (order - 1) * rejected;
        assert_eq!(report.images, [Tally { nfe, rounds: nfe, accepted, rejected }], "{spec}");
        assert_eq!((report.rounds, report.nfe()), (nfe, nfe), "{spec}");
    }
}

/// Errors of the final states as both tolerances fall from 1e-2 to 1e-6.
fn errors(spec: &str, grid: &Grid, data: &impl Model, exact: &[Vec<f64>]) -> [f64; 5] {
    [1e-2, 1e-3, 1e-4, 1e-5, 1e-6].map(|tol| {
        let spec = format!("{spec}:max_nfe=1000000:rtol={tol:e}:atol={tol:e}");
        largest_difference(&run(&spec, grid, data, starts(grid)).0, exact)
    })
}

/// The exact flow of normal data with deviation one half.
fn gaussian_flow(grid: &Grid, to: &Node) -> Vec<Vec<f64>> {
    let gain = gaussian_gain(0.5, &grid.nodes()[0], to);
    starts(grid).iter().map(|x| x.iter().map(|v| v * gain).collect()).collect()
}

fn check_proportion(what: &str, errors: [f64; 5]) {
    for (i, error) in errors.into_iter().enumerate() {
        let tol = 10f64.powi(-2 - i as i32);
        // Errors of single steps add up, those of 9 numbers are not all like their mean.
        assert!(error < 8.0 * tol, "{what}: {error:e} at tolerance {tol:e}");
    }
    let slope = (errors[0] / errors[4]).log10() / 4.0;
    assert!((0.7..1.15).contains(&slope), "{what}: {errors:?}, slope {slope}");
}

#[test]
fn errors_fall_in_proportion_to_the_tolerance() {
    // The ends that are not cut short by the network's range.
    for g in [
        grid_to("vp-linear", "uniform-t", 1, End::TMin),
        grid_to("edm", "karras", 1, End::TMin),
        Grid::new(&Path::Flow, &[1.0, 0.0], "noise to data").unwrap(),
        Grid::new(&Path::Flow, &[1.0, 0.02], "noise to t_min").unwrap(),
        Grid::new(&Path::Flow, &[0.9, 0.1], "inside").unwrap(),
    ] {
        let gaussian = gaussian_flow(&g, &g.nodes()[1]);
        let fine = run("dpm-23:rtol=1e-9:atol=1e-9:max_nfe=1000000", &g, &mixture(), starts(&g)).0;
        for spec in ADAPTIVE {
            let what = |data: &str| format!("{spec}, {data}, {} {}", g.path(), g.rule());
            check_proportion(
                &what("normal data"),
                errors(spec, &g, &Mixture::gaussian(0.5).unwrap(), &gaussian),
            );
            check_proportion(&what("mixture"), errors(spec, &g, &mixture(), &fine));
        }
    }
}

#[test]
fn tight_tolerances_agree_with_a_fine_plan() {
    let ends = Grid::new(&Path::Flow, &[0.9, 0.1], "inside").unwrap();
    let fine = GridRule::LogSnr.grid(&Path::Flow, 4000, Some(0.9), Some(0.1), Some(End::TMin)).unwrap();
    let plan = solver("heun").unwrap().plan(&fine).unwrap();
    let want: Vec<_> = starts(&ends).into_iter().map(|x| run_ode(&plan, &mixture(), x)).collect();
    for spec in ADAPTIVE {
        let spec = format!("{spec}:rtol=1e-8:atol=1e-8:max_nfe=1000000");
        let off = largest_difference(&run(&spec, &ends, &mixture(), starts(&ends)).0, &want);
        assert!(off < 2e-7, "{spec}: {off:e}");
    }
}

#[test]
fn clean_data_is_reached_from_where_the_network_was_trained() {
    // Tolerances far below the level of the last node: what remains is the x0 predicted there.
    for g in ends().into_iter().filter(|g| g.to_zero() && *g.path() != Path::Flow) {
        let path = g.path();
        let floor = path.node(path.range().0);
        let x0 = floor.alpha * 0.25 / ((0.5 * floor.alpha).powi(2) + floor.sigma.powi(2));
        let want: Vec<Vec<f64>> =
            gaussian_flow(&g, &floor).iter().map(|x| x.iter().map(|v| v * x0).collect()).collect();
        for spec in ADAPTIVE {
            let spec = format!("{spec}:rtol=1e-7:atol=1e-7:max_nfe=1000000");
            let states = run(&spec, &g, &Mixture::gaussian(0.5).unwrap(), starts(&g)).0;
            let off = largest_difference(&states, &want);
            assert!(off < 1e-6, "{spec} on {path} {}: {off:e}", g.rule());
        }
    }
}

/// Normal data that refuses to be asked at noise levels below `lowest`.
struct Trained {
    data: Mixture,
    lowest: f64,
}

impl Model for Trained {
    fn predict(&self, x: &[f64], node: &Node, pred: Pred) -> Vec<f64> {
        assert!(node.rho() >= self.lowest * (1.0 - 1e-12), "asked at {node:?}, below {}", self.lowest);
        self.data.predict(x, node, pred)
    }
}

#[test]
fn the_network_is_not_asked_below_its_range_or_below_atol() {
    for g in ends() {
        let path = g.path();
        for atol in [1e-6, 0.0078] {
            let last = g.nodes()[g.steps()].rho();
            let lowest = if last > 0.0 { last } else { path.node(path.range().0).rho().max(atol) };
            let model = Trained { data: Mixture::gaussian(0.5).unwrap(), lowest };
            for spec in ADAPTIVE {
                let (states, _) = run(&format!("{spec}:atol={atol}"), &g, &model, starts(&g));
                assert!(states.iter().flatten().all(|v| v.is_finite()), "{spec} on {path}");
            }
        }
    }
    // A grid that goes lower of its own accord is followed.
    let g = Grid::new(&Path::edm(), &[80.0, 1e-4, 0.0], "low").unwrap();
    let reached = run("dpm-23:rtol=1e-6:atol=1e-6", &g, &mixture(), starts(&g)).0;
    let g = Grid::new(&Path::edm(), &[80.0, 0.0], "usual").unwrap();
    assert!(
        largest_difference(&reached, &run("dpm-23:rtol=1e-6:atol=1e-6", &g, &mixture(), starts(&g)).0) > 1e-9
    );
}

#[test]
fn steps_depend_on_noise_levels_alone() {
    // The same levels on a variance-preserving, an exploding and a flow path: the same steps, states in proportion.
    let (vp, flow) = (Path::vp_linear(), Path::Flow);
    let levels = [vp.node(0.95).rho(), vp.node(0.01).rho()];
    let z = [-2.1, -0.6, 0.35];
    let on = |path: &Path, spec: &str| {
        let g = Grid::new(path, &levels.map(|rho| path.t_of_rho(rho)), "levels").unwrap();
        let [first, last] = [g.nodes()[0], g.nodes()[1]];
        let start = z.map(|z| z * first.alpha).to_vec();
        let (states, report) = run(spec, &g, &mixture(), vec![start]);
        (states[0].iter().map(|v| v / last.alpha).collect::<Vec<f64>>(), report)
    };
    for spec in ADAPTIVE {
        let (want, report) = on(&vp, spec);
        for path in [Path::edm(), flow.clone()] {
            let (got, same) = on(&path, spec);
            assert_eq!(report, same, "{spec} on {path}");
            let off = largest_difference(&[got], std::slice::from_ref(&want));
            assert!(off < 1e-9, "{spec} on {path}: {off:e}");
        }
    }
}

#[test]
fn constant_data_needs_two_steps_and_is_exact() {
    let data = Point(0.7);
    for g in ends() {
        let (first, last) = (g.nodes()[0], g.nodes()[g.steps()]);
        let z = -1.3;
        let start = first.alpha * data.0 + first.sigma * z;
        let want = last.alpha * data.0 + last.sigma * z;
        for spec in ADAPTIVE {
            let (states, report) = run(spec, &g, &data, vec![vec![start]]);
            let off = (states[0][0] - want).abs();
            assert!(
                off < 1e-11 * first.rho().clamp(1.0, 1e4),
                "{spec} on {} {}: {off:e}",
                g.path(),
                g.rule()
            );
            // The first step of length h_init, one for the rest; from alpha = 0 and to sigma = 0 one more each.
            let steps = 2 + usize::from(first.alpha == 0.0) + usize::from(last.sigma == 0.0);
            assert_eq!(
                (report.images[0].accepted, report.images[0].rejected),
                (steps, 0),
                "{spec} on {}",
                g.path()
            );
        }
    }
}

#[test]
fn a_first_step_that_is_too_long_is_rejected_and_shortened() {
    for (path, rule) in [("flow", "uniform-t"), ("vp-linear", "uniform-t")] {
        let g = common::grid(path, rule, 1);
        for spec in ADAPTIVE {
            let (states, report) = run(&format!("{spec}:h_init=10"), &g, &mixture(), starts(&g));
            let (usual, _) = run(spec, &g, &mixture(), starts(&g));
            assert!(report.images.iter().all(|image| image.rejected > 0), "{spec} on {path}: {report:?}");
            assert!(largest_difference(&states, &usual) < 0.3, "{spec} on {path}");
        }
    }
}

#[test]
fn the_step_from_pure_noise_is_the_same_for_all_orders_and_forms() {
    let g = Grid::new(&Path::Flow, &[1.0, 0.0], "noise to data").unwrap();
    let first = |spec: &str| {
        let (model, mut reached) = (mixture(), None);
        let mut machine = Vectors::new(&model, |_, _| Vec::new());
        let watch = &mut |round: &Round<'_, Vec<f64>>| {
            let image = &round.images[0];
            if image.tally.accepted == 0 {
                return ControlFlow::Continue(());
            }
            reached = Some((image.node.t, image.x.clone(), image.tally));
            ControlFlow::Break(())
        };
        let solver = dynamic_solver(&format!("{spec}:h_init=0.9")).unwrap();
        solver.run(&g, &mut machine, starts(&g), watch).unwrap();
        reached.unwrap()
    };
    let want = first("dpm-12");
    // 0.9 is too long: Euler and midpoint disagree. Each rejected trial costs its midpoint.
    assert!(want.2.rejected > 0 && want.2.nfe == 2 + want.2.rejected, "{want:?}");
    for spec in ADAPTIVE {
        assert_eq!(first(spec), want, "{spec}");
    }
}
