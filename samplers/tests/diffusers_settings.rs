//! Every scheduler of `compat::diffusers` at every step count, and the settings in which diffusers itself fails.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use fewstep_samplers::compat::diffusers;
use fewstep_samplers::{Error, Path, Plan};

fn message(spec: &str, path: &str, steps: usize) -> String {
    diffusers::plan(spec, &path.parse().unwrap(), steps).unwrap_err().to_string()
}

#[test]
fn settings_in_which_diffusers_fails_are_named() {
    for (spec, path, steps, want) in [
        (
            "unipc:solver_type=bh1",
            "sd",
            10,
            "diffusers' scheduler `unipc` multiplies infinity by 0 in a last step to zero with `bh1` and returns NaN; add `final_sigmas_type=sigma_min`",
        ),
        (
            "dpmsolver-multistep:algorithm_type=sde-dpmsolver:solver_order=3:final_sigmas_type=sigma_min",
            "sd",
            5,
            "diffusers' scheduler `dpmsolver-multistep` has no third order for `sde-dpmsolver` and crashes; use `solver_order=2` or `algorithm_type=sde-dpmsolver++`",
        ),
        (
            "deis:use_karras_sigmas=true",
            "sd",
            1,
            "diffusers' scheduler `deis` makes a single step of zero length here and returns the noise as it was; ask for at least 2 steps",
        ),
        (
            "ddim:timestep_spacing=trailing",
            "sd",
            61,
            "diffusers' scheduler `ddim` makes 62 timesteps instead of 61, the last of them -1; ask for another number of steps or another `timestep_spacing`",
        ),
        (
            "deis",
            "edm",
            5,
            "diffusers' scheduler `deis` needs a table, and path `edm` has none; use path `ddpm` or `sd`",
        ),
        (
            "ddim",
            "sd",
            1001,
            "grid rule `diffusers ddim` cannot make 1001 steps; the table has 1000 rows: ask for fewer",
        ),
        ("ddim:steps_offset=200", "sd", 10, "t = 1100 lies outside path `sd`; use times from 0 to 999"),
        (
            "euler:use_karras_sigmas=true:use_beta_sigmas=true",
            "sd",
            10,
            "scheduler `euler`: `use_beta_sigmas=true` is not allowed; give false, since another rule is asked for",
        ),
        (
            "dpmsolver-multistep:use_exponential_sigmas=true:use_lu_lambdas=true",
            "sd",
            10,
            "scheduler `dpmsolver-multistep`: `use_lu_lambdas=true` is not allowed; give false, since another rule is asked for",
        ),
        (
            "unipc:disable_corrector=0,1",
            "sd",
            10,
            "scheduler `unipc`: `disable_corrector=0,1` is not allowed; give whole numbers with `+` between them",
        ),
        (
            "eular",
            "sd",
            10,
            "unknown scheduler `eular`; did you mean `euler`? (known: `ddim`, `euler`, `euler-ancestral`, `heun`, `lms`, `pndm`, `deis`, `dpmsolver-multistep`, `unipc`, `flow-match-euler`)",
        ),
    ] {
        assert_eq!(message(spec, path, steps), want);
    }
}

#[test]
fn the_same_on_the_flow_path() {
    for (spec, path, steps, want) in [
        (
            "flow-match-euler",
            "sd",
            5,
            "diffusers' scheduler `flow-match-euler` does not run on path `sd`; use path `flow`",
        ),
        (
            "unipc:use_flow_sigmas=true:use_karras_sigmas=true",
            "flow",
            10,
            "diffusers' scheduler `unipc` makes times of the flow path of karras levels, which is not repeated here; drop `use_flow_sigmas` or the other rule",
        ),
        (
            "deis:use_flow_sigmas=true:use_karras_sigmas=true",
            "flow",
            10,
            "diffusers' scheduler `deis` takes karras levels of a noise table for times of the flow path; drop `use_flow_sigmas` or the other rule",
        ),
        (
            "dpmsolver-multistep:use_flow_sigmas=true:final_sigmas_type=sigma_min",
            "flow",
            100,
            "diffusers' scheduler `dpmsolver-multistep` goes back up to 0.01 in the last step; ask for fewer steps, or use `final_sigmas_type=zero`",
        ),
        (
            "unipc:use_flow_sigmas=true:flow_shift=12",
            "flow",
            85,
            "diffusers' scheduler `unipc` skips the first of two evaluations at one time and fails at the end; ask for fewer steps",
        ),
        (
            "deis",
            "flow",
            10,
            "diffusers' scheduler `deis` needs a table, and path `flow` has none; add `use_flow_sigmas=true`, or use path `ddpm` or `sd`",
        ),
        (
            "ddim",
            "flow",
            10,
            "diffusers' scheduler `ddim` needs a table, and path `flow` has none; use path `ddpm` or `sd`",
        ),
        (
            "flow-match-euler:use_dynamic_shifting=true",
            "flow",
            10,
            "diffusers' scheduler `flow-match-euler` has no `mu` for its dynamic shift; add `mu=1.15`, or what the pipeline computes",
        ),
        (
            "flow-match-euler:mu=1.15",
            "flow",
            10,
            "diffusers' scheduler `flow-match-euler` uses `mu` for a dynamic shift only; add `use_dynamic_shifting=true`",
        ),
        (
            "flow-match-euler:shift_terminal=0.1",
            "flow",
            1,
            "diffusers' scheduler `flow-match-euler` divides 0 by 0 when it stretches a single step; ask for at least 2 steps, or drop `shift_terminal`",
        ),
        (
            "deis:use_flow_sigmas=true:flow_shift=0.1",
            "flow",
            200,
            "diffusers' scheduler `deis` asks the network at time 0, where it says nothing; ask for fewer steps or a larger `flow_shift`",
        ),
    ] {
        assert_eq!(message(spec, path, steps), want);
    }
}

/// One step fewer than in the settings above, and spaced timesteps that would fail if anything read them.
#[test]
fn next_to_the_settings_that_fail_there_are_plans() {
    for (spec, path, steps) in [
        ("dpmsolver-multistep:use_flow_sigmas=true:final_sigmas_type=sigma_min", "flow", 99),
        ("unipc:use_flow_sigmas=true:flow_shift=12", "flow", 84),
        ("dpmsolver-multistep:timestep_spacing=trailing:use_karras_sigmas=true", "sd", 61),
        ("unipc:timestep_spacing=leading:steps_offset=200:use_karras_sigmas=true", "sd", 10),
    ] {
        let plan = diffusers::plan(spec, &path.parse().unwrap(), steps).unwrap();
        assert_eq!((plan.nfe(), plan.validate()), (steps, Ok(())), "{spec}");
    }
}

#[test]
fn every_scheduler_makes_valid_plans_at_any_step_count() {
    for scheduler in diffusers::schedulers() {
        let flow = scheduler.name == "flow-match-euler";
        let path: Path = if flow { Path::Flow } else { Path::sd() };
        // By default its last evaluation, at row 0, moves nothing.
        let pndm = scheduler.name == "pndm";
        let spec = if pndm { "pndm:skip_prk_steps=true:set_alpha_to_one=true" } else { scheduler.name };
        for steps in (1..=60).chain([100, 250, 500, 999, 1000]) {
            let plan = match diffusers::plan(spec, &path, steps) {
                // Of 1001 points in 1000 rows two fall together.
                Err(Error::DuplicateTime { .. } | Error::Compat { .. }) if steps > 998 => continue,
                plan => plan.unwrap_or_else(|e| panic!("{spec} with {steps} steps: {e}")),
            };
            let evals = match scheduler.name {
                "heun" => 2 * steps - 1,
                "pndm" if steps > 1 => steps + 1,
                _ => steps,
            };
            assert_eq!((plan.steps, plan.nfe()), (steps, evals), "{spec}");
            let draws = if scheduler.name == "euler-ancestral" { steps - 1 } else { 0 };
            assert_eq!(plan.draws(), draws, "{spec}");
            assert_eq!(Plan::from_json(&plan.to_json()).unwrap(), plan);
        }
    }
}

#[test]
fn a_wasted_evaluation_belongs_to_the_last_step() {
    for (spec, evals) in [
        ("deis:use_karras_sigmas=true", 10),
        ("euler:use_karras_sigmas=true:final_sigmas_type=sigma_min", 10),
        ("unipc:use_karras_sigmas=true:final_sigmas_type=sigma_min", 10),
        ("deis:use_beta_sigmas=true", 10),
        ("dpmsolver-multistep:use_exponential_sigmas=true:final_sigmas_type=sigma_min", 10),
        ("ddim:set_alpha_to_one=false", 10),
        ("pndm:skip_prk_steps=true", 11),
        ("pndm", 19),
    ] {
        let plan = diffusers::plan(spec, &Path::sd(), 10).unwrap();
        assert_eq!((plan.steps, plan.nfe()), (9, evals), "{spec}");
    }
}
