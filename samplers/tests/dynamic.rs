//! Dynamic solvers as a whole: independence of images, cost, cancelling, errors, specifications.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod common;

use std::ops::ControlFlow;

use common::images::{largest_difference, mixture, noise, run, starts, try_run};
use common::{grid, grid_to, slope};
use fewstep_samplers::dynamic::{
    DynamicEntry, Machine, Outcome, Query, Report, Round, Tally, Tolerance, Vectors, dynamic_registry,
    dynamic_solver,
};
use fewstep_samplers::exact::Mixture;
use fewstep_samplers::interpreter::Model;
use fewstep_samplers::{End, Error, Grid, GridRule, Node, NoiseKey, Params, Path, Pred, registry, solver};

const SPECS: [&str; 6] = [
    "dpm-12",
    "dpm-12:pred=x0",
    "dpm-23",
    "dpm-23:pred=x0",
    "paradigms:window=4",
    "paradigms:window=5:eta=1",
];

fn grids() -> Vec<Grid> {
    vec![
        grid_to("vp-linear", "uniform-t", 12, End::TMin),
        grid_to("edm", "karras", 12, End::Zero),
        grid("flow", "uniform-t", 12),
    ]
}

/// What goes wrong outside of the crate.
#[derive(Debug, PartialEq)]
enum Trouble {
    Sampler(Error),
    Network(usize),
}

impl From<Error> for Trouble {
    fn from(e: Error) -> Self {
        Self::Sampler(e)
    }
}

type Noise = fn(usize, NoiseKey) -> Vec<f64>;

/// Vectors that keep a record of batches, fail in a given round and may swallow the last answer.
struct Recorder<'a> {
    inner: Vectors<'a, Mixture, Noise>,
    batches: Vec<Vec<usize>>,
    preds: Vec<Pred>,
    draws: usize,
    fail_in: usize,
    swallow: bool,
}

impl<'a> Recorder<'a> {
    fn new(data: &'a Mixture) -> Self {
        let inner = Vectors::new(data, noise as Noise);
        Self { inner, batches: Vec::new(), preds: Vec::new(), draws: 0, fail_in: usize::MAX, swallow: false }
    }
}

impl Machine for Recorder<'_> {
    type State = Vec<f64>;
    type Error = Trouble;

    fn eval(&mut self, batch: &[Query<'_, Vec<f64>>]) -> Result<Vec<Vec<f64>>, Trouble> {
        self.batches.push(batch.iter().map(|q| q.image).collect());
        self.preds.extend(batch.iter().map(|q| q.pred));
        if self.batches.len() == self.fail_in {
            return Err(Trouble::Network(self.fail_in));
        }
        let mut answers = self.inner.eval(batch)?;
        if self.swallow {
            answers.pop();
        }
        Ok(answers)
    }

    fn lin(&mut self, terms: &[(f64, &Vec<f64>)]) -> Result<Vec<f64>, Trouble> {
        Ok(self.inner.lin(terms)?)
    }

    fn noise(&mut self, image: usize, key: NoiseKey) -> Result<Vec<f64>, Trouble> {
        self.draws += 1;
        Ok(self.inner.noise(image, key)?)
    }

    fn error_norm(
        &mut self,
        hi: &Vec<f64>,
        lo: &Vec<f64>,
        before: (f64, &Vec<f64>),
        tolerance: Tolerance,
    ) -> Result<f64, Trouble> {
        Ok(self.inner.error_norm(hi, lo, before, tolerance)?)
    }

    fn mean_squares(&mut self, pairs: &[(&Vec<f64>, &Vec<f64>)]) -> Result<Vec<f64>, Trouble> {
        Ok(self.inner.mean_squares(pairs)?)
    }
}

#[test]
fn images_do_not_depend_on_their_company() {
    for g in grids() {
        for spec in SPECS.into_iter().filter(|spec| !spec.contains("eta")) {
            let (together, report) = run(spec, &g, &mixture(), starts(&g));
            for (image, start) in starts(&g).into_iter().enumerate() {
                let (alone, one) = run(spec, &g, &mixture(), vec![start]);
                assert_eq!(alone[0], together[image], "{spec} on {}", g.path());
                assert_eq!(one.images[0], report.images[image], "{spec} on {}", g.path());
            }
        }
    }
}

#[test]
fn noise_belongs_to_its_image() {
    // The same start with the noise of another image goes elsewhere.
    let g = &grids()[0];
    let start = starts(g).swap_remove(0);
    let (states, _) = run("paradigms:eta=1", g, &mixture(), vec![start.clone(), start]);
    assert!(states[0] != states[1]);
}

#[test]
fn a_round_asks_all_unfinished_images_at_once() {
    for g in grids() {
        for spec in SPECS {
            let data = mixture();
            let mut machine = Recorder::new(&data);
            let mut seen: Vec<Vec<Tally>> = Vec::new();
            let observer = &mut |round: &Round<'_, Vec<f64>>| {
                seen.push(round.images.iter().map(|image| image.tally).collect());
                assert_eq!(round.number, seen.len());
                let last = g.nodes()[g.steps()];
                assert!(round.images.iter().all(|image| image.done == (image.node == last)));
                ControlFlow::Continue(())
            };
            let outcome = dynamic_solver(spec).unwrap().run(&g, &mut machine, starts(&g), observer).unwrap();
            let Outcome::Done { report, .. } = outcome else { panic!("{spec} was cancelled by nobody") };
            assert_eq!(report.rounds, machine.batches.len());
            assert_eq!(report.rounds, report.images.iter().map(|image| image.rounds).max().unwrap());
            assert_eq!(seen.last(), Some(&report.images));
            assert_eq!(report.nfe(), machine.batches.iter().map(Vec::len).sum::<usize>());
            for (image, tally) in report.images.iter().enumerate() {
                // Asked in every round up to its last, never after.
                let asked: Vec<usize> =
                    machine.batches.iter().map(|b| b.iter().filter(|i| **i == image).count()).collect();
                assert_eq!(asked.iter().sum::<usize>(), tally.nfe, "{spec}");
                assert!(asked[..tally.rounds].iter().all(|n| *n > 0), "{spec}: {asked:?}");
                assert!(asked[tally.rounds..].iter().all(|n| *n == 0), "{spec}: {asked:?}");
            }
        }
    }
}

#[test]
fn the_list_says_what_a_run_shows() {
    let data = mixture();
    let go = &mut |_: &Round<'_, Vec<f64>>| ControlFlow::Continue(());
    for entry in dynamic_registry() {
        let solver = (entry.build)(&mut Params::parse("dynamic solver", entry.name).unwrap().1).unwrap();
        let mut machine = Recorder::new(&data);
        let outcome = solver.run(&grids()[0], &mut machine, starts(&grids()[0]), go).unwrap();
        let Outcome::Done { report, .. } = outcome else { panic!("{} was cancelled by nobody", entry.name) };
        assert!(machine.preds.iter().all(|pred| *pred == entry.pred), "{}", entry.name);
        assert_eq!(machine.draws == 0, entry.deterministic, "{}", entry.name);
        for tally in report.images.iter().filter(|_| entry.evals_per_step.is_some()) {
            // The prediction at the start of a rejected step is not asked for twice.
            let evals = entry.evals_per_step.unwrap() as usize;
            assert_eq!(tally.nfe, evals * tally.accepted + (evals - 1) * tally.rejected, "{}", entry.name);
        }
        for (path, t_max, t_min) in [(Path::Flow, 0.9, 0.1), (Path::vp_linear(), 0.9, 0.05)] {
            let order = measured_order(entry, &path, (t_max, t_min));
            let off = (order - f64::from(entry.order)).abs();
            assert!(off < 0.15, "{} on {path}: order {order}", entry.name);
        }
    }
}

/// The slope of errors against accepted steps, whether a tolerance or the grid makes these more.
fn measured_order(entry: &DynamicEntry, path: &Path, (t_max, t_min): (f64, f64)) -> f64 {
    let data = mixture();
    let grid = |n| GridRule::LogSnr.grid(path, n, Some(t_max), Some(t_min), Some(End::TMin)).unwrap();
    let exact = run("dpm-23:rtol=1e-12:atol=1e-12:max_nfe=1000000", &grid(1), &data, starts(&grid(1))).0;
    let point = |at: i32| {
        let (tol, n) = match entry.evals_per_step {
            Some(_) => {
                // Halves of decades: where the error estimate changes its step count, single points are noisy.
                let tol = 10f64.powf(-0.5 * f64::from(at));
                (format!("rtol={tol}:atol={tol}:max_nfe=1000000"), 1)
            }
            None => ("tol=1e-6".to_owned(), (2f64.powf(0.5 * f64::from(at))).round() as usize),
        };
        let g = grid(n);
        let (states, report) = run(&format!("{}:{tol}", entry.name), &g, &data, starts(&g));
        let accepted: usize = report.images.iter().map(|image| image.accepted).sum();
        (accepted, largest_difference(&states, &exact))
    };
    slope(&(11..=17).map(point).collect::<Vec<_>>())
}

#[test]
fn images_finish_at_different_times() {
    // Otherwise the tests above would say little.
    let g = &grids()[0];
    let (_, report) = run("dpm-12:rtol=0.001", g, &mixture(), starts(g));
    let rounds: Vec<usize> = report.images.iter().map(|image| image.rounds).collect();
    assert!(rounds.iter().any(|r| *r != rounds[0]), "{rounds:?}");
}

#[test]
fn observers_may_cancel() {
    let g = &grids()[0];
    for spec in SPECS {
        let data = mixture();
        let mut machine = Recorder::new(&data);
        let observer = &mut |round: &Round<'_, Vec<f64>>| {
            if round.number == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let outcome = dynamic_solver(spec).unwrap().run(g, &mut machine, starts(g), observer).unwrap();
        let Outcome::Cancelled(Report { rounds, images }) = outcome else { panic!("{spec} went on") };
        assert_eq!((rounds, machine.batches.len()), (3, 3), "{spec}");
        assert!(images.iter().all(|image| image.rounds == 3), "{spec}");
    }
}

#[test]
fn nothing_to_do_is_no_error() {
    for spec in SPECS {
        let (states, report) = run(spec, &grids()[0], &mixture(), Vec::new());
        assert!(states.is_empty() && report == Report::default());
    }
}

#[test]
fn errors_of_the_machine_pass_through() {
    let g = &grids()[0];
    let go = |_: &Round<'_, Vec<f64>>| ControlFlow::Continue(());
    for spec in SPECS {
        let (solver, data) = (dynamic_solver(spec).unwrap(), mixture());
        let mut machine = Recorder { fail_in: 2, ..Recorder::new(&data) };
        assert_eq!(solver.run(g, &mut machine, starts(g), &mut { go }).unwrap_err(), Trouble::Network(2));
        let mut machine = Recorder { swallow: true, ..Recorder::new(&data) };
        let trouble = solver.run(g, &mut machine, starts(g), &mut { go }).unwrap_err();
        assert!(matches!(trouble, Trouble::Sampler(Error::Answers { .. })), "{trouble:?}");
    }
}

/// A network whose output is lost at and below a noise level.
struct Broken(f64);

impl Model for Broken {
    fn predict(&self, x: &[f64], node: &Node, pred: Pred) -> Vec<f64> {
        let factor = if node.rho() <= self.0 { f64::NAN } else { 1.0 };
        mixture().predict(x, node, pred).iter().map(|v| v * factor).collect()
    }
}

#[test]
fn lost_numbers_are_an_error() {
    for g in grids() {
        for spec in SPECS {
            let error = try_run(spec, &g, &Broken(0.5), starts(&g)).unwrap_err();
            let Error::ErrorNorm { image, t, value, .. } = error else { panic!("{spec}: {error}") };
            assert!(value.is_nan() && image < 3 && t > 0.0);
        }
    }
    // Only in the very last evaluation, before clean data.
    let g = &grids()[1];
    for spec in ["dpm-12:atol=0.001", "dpm-23:atol=0.001:pred=x0", "paradigms", "paradigms:window=1"] {
        let error = try_run(spec, g, &Broken(0.002 * (1.0 + 1e-9)), starts(g)).unwrap_err();
        assert!(matches!(error, Error::ErrorNorm { .. }), "{spec}: {error}");
    }
    let error = Error::ErrorNorm { solver: "dpm-12".into(), image: 4, t: 0.25, value: f64::NAN };
    assert_eq!(
        error.to_string(),
        "solver `dpm-12` cannot judge its step: the error of image 4 after t = 0.25 is NaN; \
         the network's output is not finite there: check its weights, or start and end inside its range"
    );
}

#[test]
fn evaluations_are_capped() {
    for g in grids() {
        let spec = "dpm-23:rtol=1e-6:atol=1e-6:max_nfe=50";
        let error = try_run(spec, &g, &mixture(), starts(&g)).unwrap_err();
        let Error::Budget { nfe, t, ref solver, .. } = error else { panic!("{error}") };
        assert!(nfe == 50 && t > g.nodes()[g.steps()].t && solver.starts_with("dpm-23:atol"), "{error}");
        assert!(error.to_string().ends_with("; raise max_nfe, atol or rtol"), "{error}");
    }
    // A cap that is just enough is enough.
    let g = &grids()[0];
    let (states, report) = run("dpm-12", g, &mixture(), starts(g));
    let most = report.images.iter().map(|image| image.nfe).max().unwrap();
    assert_eq!(run(&format!("dpm-12:max_nfe={most}"), g, &mixture(), starts(g)).0, states);
    assert!(try_run(&format!("dpm-12:max_nfe={}", most - 1), g, &mixture(), starts(g)).is_err());
}

/// A network that jumps wherever it is asked, by an amount that no step size resolves.
struct Rough;

impl Model for Rough {
    fn predict(&self, x: &[f64], node: &Node, _: Pred) -> Vec<f64> {
        let hash = node.t.to_bits().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11;
        vec![hash as f64 * 1e5; x.len()]
    }
}

#[test]
fn steps_that_time_cannot_resolve_are_an_error() {
    let g = Grid::new(&Path::vp_linear(), &[0.9, 0.001], "rough").unwrap();
    for spec in ["dpm-12:rtol=0:max_nfe=1000000", "dpm-23:rtol=0:max_nfe=1000000"] {
        let error = try_run(spec, &g, &Rough, vec![vec![0.0; 8]]).unwrap_err();
        assert!(matches!(error, Error::StepTooShort { .. }), "{error}");
        assert!(error.to_string().ends_with("any further; raise atol or rtol"), "{error}");
    }
}

#[test]
fn specifications_are_read_checked_and_written() {
    for spec in [
        "dpm-12",
        "dpm-23",
        "dpm-12:pred=x0",
        "dpm-23:atol=0.001:rtol=0.01:h_init=0.1:theta=0.8:max_nfe=200",
        "paradigms",
        "paradigms:window=16:tol=0.5:eta=1",
    ] {
        let built = dynamic_solver(spec).unwrap();
        assert_eq!(built.name(), spec);
        assert_eq!(dynamic_solver(&built.name()).unwrap(), built);
    }
    for (spec, message) in [
        (
            "dpm-13",
            "unknown dynamic solver `dpm-13`; did you mean `dpm-12`? (known: `dpm-12`, `dpm-23`, `paradigms`)",
        ),
        (
            "dpm-12:window=3",
            "dynamic solver `dpm-12` has no parameter `window`; known: `atol`, `rtol`, `h_init`, `theta`, `pred`, `max_nfe`",
        ),
        (
            "paradigms:window=0",
            "dynamic solver `paradigms`: `window=0` is not allowed; give a whole number from 1 to 100000",
        ),
        (
            "dpm-12:atol=0",
            "dynamic solver `dpm-12`: `atol=0` is not allowed; give a number from 0.000000000001 to 1000",
        ),
        ("dpm-12:pred=flow", "dynamic solver `dpm-12`: `pred=flow` is not allowed; give eps or x0"),
    ] {
        assert_eq!(dynamic_solver(spec).unwrap_err().to_string(), message);
    }
}

#[test]
fn the_list_is_complete_and_apart_from_the_static_one() {
    for entry in dynamic_registry() {
        assert_eq!(dynamic_solver(entry.name).unwrap().name(), entry.name);
        assert!(solver(entry.name).is_err() && registry().iter().all(|other| other.name != entry.name));
        assert!(entry.reference.contains("arXiv") && !entry.summary.is_empty());
        for key in entry.params.split(", ").filter_map(|piece| piece.split_once('=')) {
            let default = key.1.split(' ').next().unwrap();
            assert_eq!(
                dynamic_solver(&format!("{}:{}={default}", entry.name, key.0)).unwrap().name(),
                entry.name
            );
        }
    }
}
