//! 20,000 random combinations of everything: each gives a finite plan of the declared cost or one clear error.
//!
//! Solvers, their parameters and the ranges of these are found through the registry and its error messages, so that
//! a new solver is covered without a line here.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod random;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use fewstep_samplers::exact::Mixture;
use fewstep_samplers::{Error, Grid, GridRule, Op, Path, Plan, Slot, interpreter, solver};
use random::Random;
use random::case::{Case, Named, case, rules, solvers};

const CASES: u64 = 20_000;

/// Whether a grid starts at `alpha` = 0 and whether it ends at `sigma` = 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Ends {
    pure_noise: bool,
    zero: bool,
}

impl Case {
    fn grid(&self) -> Result<Grid, Error> {
        let path: Path = self.path.parse()?;
        let rule: GridRule = self.rule.parse()?;
        assert_eq!(rule.to_string().parse::<GridRule>().as_ref(), Ok(&rule), "the text names another rule");
        let (t_max, t_min) = self.limits;
        let grid = rule.grid(&path, self.steps, t_max, t_min, self.end)?;
        assert_eq!(grid.steps(), self.steps);
        match self.strength {
            Some(strength) => grid.for_strength(strength),
            None => Ok(grid),
        }
    }

    /// Makes the plan, checks it and runs it; says where it begins and ends.
    fn run(&self) -> Result<Ends, Error> {
        let grid = self.grid()?;
        let solver = solver(&self.solver)?;
        let again = fewstep_samplers::solver(&solver.name())?.name();
        assert_eq!(again, solver.name(), "the name builds another solver");
        let plan = solver.plan(&grid)?;
        plan.validate().unwrap();
        assert_eq!((plan.steps, &plan.nodes[..=plan.steps]), (grid.steps(), grid.nodes()));
        assert_eq!(plan.nfe(), solver.evals(grid.steps(), grid.to_zero()), "declared evaluations");
        let read: BTreeSet<Slot> = plan.ops.iter().flat_map(Op::reads).collect();
        // In a step of a few units in the last place a coefficient may round to 0, which leaves its slot unread.
        let apart = grid.nodes().windows(2).all(|pair| pair[1].rho() < (1.0 - 1e-9) * pair[0].rho());
        assert!(!apart || read.len() == plan.slots(), "a slot is written in vain");
        if self.number.is_multiple_of(8) {
            assert_eq!(Plan::from_json(&plan.to_json()).as_ref(), Ok(&plan), "JSON");
        }
        let data = Mixture::gaussian(0.5).unwrap();
        let start = vec![plan.init_scale()];
        let out = interpreter::run(&plan, &data, start, |_| vec![0.3], |_, _, _| {}).unwrap();
        assert!(out[0].is_finite(), "the result is {}", out[0]);
        Ok(Ends { pure_noise: grid.nodes()[0].alpha == 0.0, zero: grid.to_zero() })
    }

    /// Whether the request deserves the error.
    fn expects(&self, e: &Error) -> bool {
        let path: Path = self.path.parse().unwrap();
        let range = path.range();
        let (t_max, t_min) = (self.limits.0.unwrap_or(range.1), self.limits.1.unwrap_or(range.0));
        let (flow, listed) = (path == Path::Flow, self.rule.contains(','));
        let shifted =
            self.rule.contains("shift") || self.rule.contains("tokens") || self.rule.contains("curve");
        match e {
            Error::NeedsTable { .. } => path.rows().is_none(),
            Error::InfiniteLogSnr { .. } => {
                path.lambda(t_max).is_infinite() || path.lambda(t_min).is_infinite()
            }
            Error::Unsuitable { .. } => {
                let published = self.rule.starts_with("ays") || self.rule.starts_with("gits");
                let (low, high) = if self.rule.contains("svd") { (0.002, 700.0) } else { (0.0291, 14.6) };
                let beyond = path.rho(range.1) < high || path.rho(range.0) > low;
                shifted && !flow || published && (flow || beyond)
            }
            Error::NoLimits { .. } => self.limits != (None, None),
            Error::Steps { hint, .. } => {
                hint.contains("rows") && path.rows().is_some_and(|rows| rows < self.steps)
                    || hint.contains("one row") && path.rows().is_some()
                    || hint.contains("not in the table") && self.rule.contains("offset")
                    || hint.contains("coincide") && self.rule.contains('=')
                    || hint.contains("shift_terminal") && self.rule.contains("shift_terminal")
            }
            Error::CannotShift { .. } | Error::BadParam { .. } => shifted,
            Error::NotDecreasing { .. } | Error::DuplicateTime { .. } | Error::TooClose { .. } => listed,
            // Restart needs a node in its range; a plan of one evaluation has none to save.
            Error::Unsuited { reason, .. } => {
                self.solver.starts_with("restart") && reason.starts_with("segment `")
                    || self.solver.contains("afs=true") && reason.starts_with("its one evaluation ")
            }
            // All else is a bug, and so is `NotFinite`: each solver has a formula for each end of each path.
            _ => false,
        }
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "`--nocapture` shows the counts")]
fn any_combination_gives_a_finite_plan_or_one_clear_error() {
    let (solvers, rules) = (solvers(), rules());
    let mut errors: BTreeMap<String, u64> = BTreeMap::new();
    let mut plans: BTreeMap<(String, Ends), u64> = BTreeMap::new();
    for number in 0..CASES {
        let case = case(number, &solvers, &rules);
        let result = catch_unwind(AssertUnwindSafe(|| case.run()));
        let e = match result.unwrap_or_else(|_| panic!("the panic above came from {case:#?}")) {
            Ok(ends) => {
                let name = case.solver.split(':').next().unwrap_or_default();
                *plans.entry((name.to_owned(), ends)).or_default() += 1;
                continue;
            }
            Err(e) => e,
        };
        assert!(e.to_string().contains("; "), "`{e}` names no remedy: {case:#?}");
        assert!(case.expects(&e), "`{e}` is no answer to {case:#?}");
        let debug = format!("{e:?}");
        let kind = debug.split([' ', '(']).next().unwrap_or_default();
        *errors.entry(kind.to_owned()).or_default() += 1;
    }
    let refused: u64 = errors.values().sum();
    println!("{} plans, {refused} errors: {errors:?}", CASES - refused);
    assert!(refused < CASES / 8, "{refused} of {CASES} were refused: {errors:?}");
    for (name, _) in solvers {
        for (pure_noise, zero) in [(false, false), (false, true), (true, false), (true, true)] {
            let ends = Ends { pure_noise, zero };
            assert!(plans.contains_key(&(name.to_owned(), ends)), "no plan of {name} with {ends:?}");
        }
    }
    // The careless share reaches every way of being refused.
    for kind in
        ["NeedsTable", "InfiniteLogSnr", "Unsuitable", "NoLimits", "Steps", "CannotShift", "NotDecreasing"]
    {
        assert!(errors.contains_key(kind), "no case was refused as {kind}: {errors:?}");
    }
}

#[test]
fn parameters_are_found_through_the_messages() {
    let found = |named: Named, name: &str| -> Vec<String> {
        let (_, knobs) = named.into_iter().find(|(n, _)| *n == name).unwrap();
        knobs.into_iter().map(|knob| knob.key).collect()
    };
    assert_eq!(found(solvers(), "heun"), ["s_churn", "s_min", "s_max", "s_noise", "afs"]);
    assert_eq!(found(solvers(), "dpmpp-2m"), ["type", "lower_order_final", "afs"]);
    assert_eq!(found(rules(), "beta")[..3], ["alpha", "beta", "on"]);
    assert_eq!(found(solvers(), "euler"), ["afs"]);
}

/// That nothing stays at its default is asserted where the parameters are found, in `knobs`.
#[test]
fn every_parameter_takes_the_values_made_for_it_and_they_differ() {
    let rule = |spec: &str| spec.parse::<GridRule>().map(drop);
    let build = |spec: &str| solver(spec).map(drop);
    let mut r = Random::new(0);
    for (named, parse) in [(solvers(), &build as &dyn Fn(&str) -> Result<(), Error>), (rules(), &rule)] {
        for (name, knobs) in named {
            for knob in knobs {
                let values: BTreeSet<String> = (0..64).map(|_| r.value(&knob)).collect();
                assert!(values.len() > 1, "{name}:{} is always {values:?}", knob.key);
                for value in values {
                    // A curve of the shift is one over the number of tokens.
                    let beside = if knob.key == "curve" { ":tokens=256" } else { "" };
                    let spec = format!("{name}:{}={value}{beside}", knob.key);
                    let got = parse(&spec);
                    // A list of fixed times refuses any shift.
                    assert!(matches!(got, Ok(()) | Err(Error::CannotShift { .. })), "{spec}: {got:?}");
                }
            }
        }
    }
}
