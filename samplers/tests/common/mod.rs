//! Helpers shared by the integration tests.
#![allow(dead_code, reason = "each test file uses its own part")]

pub(crate) mod images;

use fewstep_samplers::exact::Mixture;
use fewstep_samplers::interpreter::{self, Model};
use fewstep_samplers::{End, Grid, GridRule, Path, Plan, solver};

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

/// Output over input for normal data with deviation one half, which makes every solver linear.
pub(crate) fn gain(spec: &str, grid: &Grid) -> f64 {
    run_ode(&plan(spec, grid), &Mixture::gaussian(0.5).unwrap(), vec![1.0])[0]
}
