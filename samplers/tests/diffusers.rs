//! The plans of `compat::diffusers` against trajectories of diffusers itself.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]
#![allow(clippy::print_stdout, reason = "the figures of docs/diffusers.md, seen with --nocapture")]

use std::cell::RefCell;
use std::collections::BTreeMap;

use fewstep_samplers::compat::diffusers;
use fewstep_samplers::exact::Mixture;
use fewstep_samplers::interpreter::{self, Model};
use fewstep_samplers::{Error, Node, Path, Plan, Pred};
use serde::Deserialize;

/// What `scripts/parity/make_diffusers_trajectories.py` writes; its head explains the fields.
#[derive(Deserialize)]
struct Fixture {
    times: Vec<Vec<Vec<f64>>>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    spec: String,
    path: String,
    t: usize,
    x: Vec<Option<Vec<f64>>>,
    shipped: Vec<Option<f64>>,
    /// Step counts at which `f32` moves a timestep by a row.
    #[serde(default)]
    moved: Vec<usize>,
    /// Of each step count where it fails, the exception or `not finite`.
    #[serde(default)]
    error: Vec<Option<String>>,
}

/// One case with one number of steps.
struct Run<'a> {
    steps: usize,
    /// diffusers' states in float64.
    want: Option<&'a Vec<f64>>,
    /// diffusers' last state as it is.
    shipped: Option<f64>,
    plan: Result<Plan, Error>,
}

impl Case {
    fn runs(&self) -> impl Iterator<Item = Run<'_>> {
        let path: Path = self.path.parse().unwrap();
        self.x.iter().zip(&self.shipped).zip(1..).map(move |((want, shipped), steps)| Run {
            steps,
            want: want.as_ref(),
            shipped: *shipped,
            plan: diffusers::plan(&self.spec, &path, steps),
        })
    }

    fn scheduler(&self) -> &str {
        self.spec.split(':').next().unwrap()
    }
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("fixtures/diffusers_trajectories.json")).unwrap()
}

/// The linear network, which remembers when it was asked.
struct Network {
    data: Mixture,
    asked: RefCell<Vec<f64>>,
}

impl Model for Network {
    fn predict(&self, x: &[f64], node: &Node, pred: Pred) -> Vec<f64> {
        self.asked.borrow_mut().push(node.t);
        self.data.predict(x, node, pred)
    }
}

/// States at the ends of steps and the times of evaluations, from noise 1 and with `cos(k)` as later noise.
fn run(plan: &Plan) -> (Vec<f64>, Vec<f64>) {
    let network = Network { data: Mixture::gaussian(0.5).unwrap(), asked: RefCell::default() };
    let (mut states, mut k) = (Vec::new(), 0.0);
    let noise = |_| {
        k += 1.0;
        vec![f64::cos(k - 1.0)]
    };
    let hook = |_, _: &Node, x: &mut Vec<f64>| states.push(x[0]);
    interpreter::run(plan, &network, vec![plan.init_scale()], noise, hook).unwrap();
    (states, network.asked.into_inner())
}

/// Relative, but not to a number that is 0 by chance.
fn gap(got: f64, want: f64) -> f64 {
    (got - want).abs() / want.abs().max(1e-3)
}

#[test]
fn states_and_times_are_those_of_diffusers() {
    let fixture = fixture();
    let mut worst: BTreeMap<&str, f64> = BTreeMap::new();
    let mut compared = 0;
    for case in &fixture.cases {
        for Run { steps, want, plan, .. } in case.runs() {
            let what = format!("{} on {}, {steps} steps", case.spec, case.path);
            let (mut want, plan) = match (want, plan) {
                (Some(want), Ok(plan)) => (want.clone(), plan),
                // diffusers crashed or returned NaN, and we say which.
                (None, Err(Error::Compat { reason, .. })) => {
                    let kind = case.error[steps - 1].as_deref().unwrap();
                    let words: &[&str] = match kind {
                        "not finite" => &["NaN", "infinity"],
                        _ => &["crashes", "fails", "refuses", "divides 0 by 0"],
                    };
                    assert!(words.iter().any(|word| reason.contains(word)), "{what}: {kind}, `{reason}`");
                    continue;
                }
                // The one step has no length: diffusers hands back the noise.
                (Some(want), Err(Error::Compat { .. })) if want.len() == 1 => {
                    let path: Path = case.path.parse().unwrap();
                    let start = if case.scheduler().starts_with("euler") { path.rho(0.0) } else { 1.0 };
                    assert!(gap(want[0], start) < 6e-9, "{what}: {want:?}");
                    continue;
                }
                (want, plan) => panic!("{what}: diffusers has {want:?}, we have {plan:?}"),
            };
            let (states, times) = run(&plan);
            if plan.steps + 1 == want.len() {
                // The last step had no length; the state before it is not the end of a step here.
                want.remove(plan.steps - 1);
            }
            assert_eq!(states.len(), want.len(), "{what}");
            for (i, (got, want)) in states.iter().zip(&want).enumerate() {
                let off = gap(*got, *want);
                // The fixture has 9 digits.
                assert!(off < 6e-9, "{what}, step {i}: got {got}, diffusers {want}");
                let w = worst.entry(case.scheduler()).or_default();
                *w = w.max(off);
                compared += 1;
            }
            let scale = if case.path == "flow" { 1000.0 } else { 1.0 };
            let expected = &fixture.times[case.t][steps - 1];
            assert_eq!(times.len(), expected.len(), "{what}");
            for (got, want) in times.iter().zip(expected) {
                assert!((got * scale - want).abs() < 1e-8, "{what}: asked at {got}, diffusers at {want}");
            }
        }
    }
    println!("{compared} states, largest relative difference {worst:?}");
}

/// How far `f32` takes diffusers from its own formulas, where that is more than 1e-5: settings (what the
/// specification begins with and contains), path, step counts, largest relative difference of the last state.
///
/// With one step the clean image is `(x - sigma eps)/alpha` at `alpha` = 0.006 (0.07 on `sd`), which leaves three (four)
/// digits of seven; with two, `f32` still carries some of that. Later, the cumulative product of the table in `f32`
/// misses the lowest `rho` of `ddpm` by 8e-5 and moves all Karras levels; the polynomials of DEIS and UniPC are
/// differences of large numbers; the samples under noise are smaller than their parts; and on the flow path
/// `alpha = 1 - sigma` starts at 0.001 or 1e-6. Beta levels end with one step from far up (28 on `ddpm` with five steps)
/// to the lowest level, in which polynomials magnify all of this; the quadratic of DEIS until nothing is left.
const ROUNDING: &[(&str, &str, &str, std::ops::RangeInclusive<usize>, f64)] = &[
    ("", "", "ddpm", 1..=1, 4e-3),
    ("", "", "sd", 1..=1, 5e-5),
    ("", "", "ddpm", 2..=2, 8e-4),
    ("", "karras", "sd", 2..=2, 3e-5),
    ("flow", "", "flow", 2..=2, 4e-5),
    ("dpmsolver-multistep", "flow", "flow", 1..=1, 1e-4),
    ("dpmsolver-multistep", "sigma_min", "flow", 2..=18, 2e-5),
    ("deis", "flow", "flow", 2..=20, 2e-4),
    ("ddim:eta", "", "ddpm", 3..=20, 2e-4),
    ("ddim:eta", "", "sd", 3..=20, 3e-4),
    ("euler-ancestral", "", "ddpm", 3..=20, 4e-5),
    ("euler-ancestral", "", "sd", 2..=20, 3e-5),
    ("lms", "", "ddpm", 3..=3, 2e-5),
    ("pndm", "", "ddpm", 3..=3, 2e-5),
    ("unipc", "flow", "flow", 1..=5, 2e-4),
    ("", "karras", "ddpm", 3..=20, 9e-5),
    ("heun", "", "ddpm", 3..=3, 4e-5),
    ("deis:solver_order=3", "", "ddpm", 18..=19, 2e-5),
    ("deis:solver_order=3", "", "sd", 8..=20, 3e-5),
    ("dpmsolver-multistep:algorithm_type=sde-dpmsolver++", "karras", "sd", 5..=19, 6e-5),
    ("dpmsolver-multistep:algorithm_type=sde-dpmsolver:", "", "sd", 17..=20, 5e-5),
    ("unipc:predict_x0=false", "", "ddpm", 3..=7, 8e-4),
    ("unipc:solver_order=3", "lower_order_final=false", "ddpm", 3..=20, 6e-5),
    ("dpmsolver-multistep:algorithm_type=sde-dpmsolver++:solver_order=3", "", "sd", 18..=18, 2e-5),
    ("euler:s_churn", "", "ddpm", 3..=20, 2e-5),
    ("euler:s_churn", "", "sd", 3..=20, 2e-4),
    ("", "use_exponential", "ddpm", 3..=5, 8e-5),
    ("dpmsolver-multistep:use_lu", "", "ddpm", 3..=5, 8e-5),
    ("dpmsolver-multistep", "use_lu", "sd", 2..=19, 2e-4),
    ("", "use_beta", "ddpm", 3..=20, 1e-3),
    ("deis:solver_order=3", "use_beta", "ddpm", 3..=20, 3.0),
];

#[test]
fn diffusers_as_shipped_differs_by_rounding_only() {
    let (mut cells, mut rounded, mut moved) = (0, 0, 0);
    let mut worst: BTreeMap<(String, &str), f64> = BTreeMap::new();
    for case in &fixture().cases {
        for Run { steps, shipped, plan, .. } in case.runs() {
            let (Some(shipped), Ok(plan)) = (shipped, plan) else { continue };
            let off = gap(*run(&plan).0.last().unwrap(), shipped);
            cells += 1;
            if case.moved.contains(&steps) {
                // Another row was asked: not rounding of a coefficient, but of a timestep.
                // Where the first row is another one, a few steps feel it.
                let cut = case.spec.contains("use_exponential") || case.spec.contains("use_beta");
                let allowed = if cut { 2e-2 } else { 6e-4 };
                assert!(off < allowed, "{} on {}, {steps} steps: {off:e}", case.spec, case.path);
                moved += 1;
                continue;
            }
            let allowed = ROUNDING
                .iter()
                .filter(|(begin, part, path, n, _)| {
                    case.spec.starts_with(begin)
                        && case.spec.contains(part)
                        && case.path == *path
                        && n.contains(&steps)
                })
                .map(|(.., most)| *most)
                .fold(1e-5, f64::max);
            assert!(off < allowed, "{} on {}, {steps} steps: {off:e}", case.spec, case.path);
            rounded += usize::from(off >= 1e-5);
            let few = if steps < 3 { "1 or 2 steps" } else { "3 or more" };
            let w = worst.entry((case.scheduler().to_owned(), few)).or_default();
            *w = w.max(off);
        }
    }
    println!(
        "{cells} runs, {rounded} off by more than 1e-5, {moved} with a moved timestep; largest {worst:?}"
    );
    assert!(rounded * 7 < cells && moved * 30 < cells, "{rounded} and {moved} of {cells}");
}
