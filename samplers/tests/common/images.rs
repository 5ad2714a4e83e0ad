//! Runs of several images, for the tests of dynamic solvers.

use std::ops::ControlFlow;

use fewstep_samplers::dynamic::{Outcome, Report, Round, Vectors, dynamic_solver};
use fewstep_samplers::exact::{Component, Mixture};
use fewstep_samplers::interpreter::{self, Model};
use fewstep_samplers::{End, Error, Grid, NoiseKey, Path, solver};

use super::{grid, grid_to};

pub(crate) fn mixture() -> Mixture {
    let c = |weight, mean, std| Component { weight, mean, std };
    Mixture::new(vec![c(0.4, -1.2, 0.5), c(0.35, 0.3, 0.4), c(0.25, 1.4, 0.6)]).unwrap()
}

/// Starting states of three images: noise of the first node's level.
pub(crate) fn starts(grid: &Grid) -> Vec<Vec<f64>> {
    let scale = grid.nodes()[0].sigma;
    [[-2.1, -0.6, 0.35], [1.5, 0.8, -0.2], [0.1, -1.3, 2.4]].map(|x| x.map(|z| z * scale).to_vec()).to_vec()
}

/// Noise that is a function of image and key: some digits of a sine.
pub(crate) fn noise(image: usize, key: NoiseKey) -> Vec<f64> {
    let NoiseKey::Brownian { from, to } = key else { panic!("an unexpected draw: {key:?}") };
    (0..3).map(|i| (1e4 * (from + 1.7 * to).sin() + 3.0 * image as f64 + f64::from(i)).sin() * 1.4).collect()
}

pub(crate) fn try_run<D: Model>(
    spec: &str,
    grid: &Grid,
    data: &D,
    states: Vec<Vec<f64>>,
) -> Result<(Vec<Vec<f64>>, Report), Error> {
    let solver = dynamic_solver(spec).unwrap();
    match solver.run(grid, &mut Vectors::new(data, noise), states, &mut |_: &Round<'_, _>| {
        ControlFlow::Continue(())
    })? {
        Outcome::Done { states, report } => Ok((states, report)),
        Outcome::Cancelled(_) => panic!("{spec} was cancelled by nobody"),
    }
}

pub(crate) fn run<D: Model>(
    spec: &str,
    grid: &Grid,
    data: &D,
    states: Vec<Vec<f64>>,
) -> (Vec<Vec<f64>>, Report) {
    try_run(spec, grid, data, states).unwrap()
}

/// The same images through a plan, one after the other.
pub(crate) fn run_plan(spec: &str, grid: &Grid, data: &impl Model, states: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let plan = solver(spec).unwrap().plan(grid).unwrap();
    let one = |(image, x)| interpreter::run(&plan, data, x, |key| noise(image, key), |_, _, _| {}).unwrap();
    states.into_iter().enumerate().map(one).collect()
}

pub(crate) fn largest_difference(a: &[Vec<f64>], b: &[Vec<f64>]) -> f64 {
    a.iter().flatten().zip(b.iter().flatten()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// Grids with every kind of ends: finite, clean data, pure noise, both.
pub(crate) fn ends() -> Vec<Grid> {
    vec![
        grid_to("vp-linear", "uniform-t", 3, End::TMin),
        grid_to("vp-linear", "uniform-t", 3, End::Zero),
        grid_to("ddpm", "linspace", 4, End::Zero),
        grid_to("edm", "karras", 5, End::Zero),
        grid_to("edm", "karras", 5, End::TMin),
        grid_to("ve", "uniform-t", 3, End::Zero),
        grid("flow", "uniform-t", 4),
        grid("flow", "uniform-t", 1),
        Grid::new(&Path::Flow, &[1.0, 0.02], "to t_min").unwrap(),
        Grid::new(&Path::vp_cosine(), &[1.0, 0.5, 0.0], "whole cosine").unwrap(),
    ]
}
