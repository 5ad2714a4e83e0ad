//! Plans that repeat the schedulers of Hugging Face diffusers 0.42.1.
//!
//! A scheduler is written as its short name with the parameters of its diffusers configuration, for example
//! `deis:solver_order=3:use_karras_sigmas=true`; what is not given has diffusers' default. Noise tables are paths, so
//! that `beta_schedule`, `beta_start`, `beta_end` and `num_train_timesteps` are those of `ddpm` and `sd`. All
//! coefficients are `f64`, where diffusers has `f32`. `docs/diffusers.md` lists what differs from a proper solver.
//!
//! Networks are asked for `eps`, on the flow path for the velocity. diffusers turns a `v_prediction` into `eps` with the level of the state; here that is
//! done with the level of the time that the network is told. The two differ where the scheduler lets them differ.
//!
//! ```
//! use fewstep_samplers::{Path, compat::diffusers};
//!
//! let plan = diffusers::plan("deis:solver_order=3:use_karras_sigmas=true", &Path::sd(), 10)?;
//! // Ten evaluations, but the last of them moves nothing: nine steps.
//! assert_eq!((plan.nfe(), plan.steps), (10, 9));
//! # Ok::<(), fewstep_samplers::Error>(())
//! ```

mod ddim;
mod deis;
mod dpmsolver;
mod euler;
mod flow_match;
mod flow_sigmas;
mod levels;
mod multistep;
mod pndm;
mod rows;
mod schedule;
mod unipc;
mod writer;

use crate::spec::{Params, unknown};
use crate::{Error, Path, Plan, Result};

/// What is known about a scheduler.
#[derive(Clone, Copy, Debug)]
pub struct Scheduler {
    /// The name in specifications.
    pub name: &'static str,
    /// The name of the class in diffusers.
    pub class: &'static str,
    /// What it does, its peculiarities foremost; one line for help texts.
    pub summary: &'static str,
    /// Parameters with diffusers' defaults, one line for help texts.
    pub params: &'static str,
    read: fn(&mut Params) -> Result<Box<dyn Recipe>>,
}

/// A scheduler with its parameters.
trait Recipe {
    /// The plan of `steps` steps, which diffusers calls `num_inference_steps`.
    fn plan(&self, spec: &str, path: &Path, steps: usize) -> Result<Plan>;
}

/// All schedulers, simplest first.
#[must_use]
pub fn schedulers() -> &'static [Scheduler] {
    const SCHEDULERS: &[Scheduler] = &[
        ddim::SCHEDULER,
        euler::EULER,
        euler::ANCESTRAL,
        euler::HEUN,
        euler::LMS,
        pndm::SCHEDULER,
        deis::SCHEDULER,
        dpmsolver::SCHEDULER,
        unipc::SCHEDULER,
        flow_match::SCHEDULER,
    ];
    SCHEDULERS
}

/// The plan of scheduler `spec` for `steps` inference steps on `path`: a table, with as many steps as it has rows at most, or
/// the flow path for `flow-match-euler` and under `use_flow_sigmas`, with at most 1000 or `num_train_timesteps`.
///
/// # Errors
/// Those of specifications; [`Error::Steps`] for a step count that the path does not allow; [`Error::TimeOutside`] when
/// `steps_offset` leads out of the table; [`Error::Compat`] on a path of the wrong kind and in settings where diffusers
/// crashes, returns NaN or infinity, or makes no step at all.
pub fn plan(spec: &str, path: &Path, steps: usize) -> Result<Plan> {
    let (name, mut params) = Params::parse("scheduler", spec)?;
    let Some(entry) = schedulers().iter().find(|entry| entry.name == name) else {
        return Err(unknown("scheduler", name, schedulers().iter().map(|entry| entry.name)));
    };
    let recipe = (entry.read)(&mut params)?;
    params.finish()?;
    path.validate()?;
    recipe.plan(spec.trim(), path, steps)
}

/// The shift of flow times, in diffusers' order of operations.
fn shifted(t: f64, shift: f64) -> f64 {
    shift * t / (1.0 + (shift - 1.0) * t)
}

/// A step count that `name` cannot make.
fn bad_steps(name: &str, steps: usize, hint: String) -> Error {
    Error::Steps { rule: format!("diffusers {name}"), steps, hint }
}

fn error(name: &str, reason: &str, remedy: &str) -> Error {
    Error::Compat {
        owner: format!("scheduler `{name}`"),
        reason: reason.to_owned(),
        remedy: remedy.to_owned(),
    }
}
