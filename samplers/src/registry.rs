//! The list of solvers: one entry each. Help texts, order tests and benchmarks read it.

use crate::Result;
use crate::solvers::{Solver, ddim, deis, dpmpp, euler, heun};
use crate::spec::{Params, unknown};

/// Builds a solver from its parameters; what it does not ask for is an error of the caller.
pub type Build = fn(&mut Params) -> Result<Box<dyn Solver>>;

/// What is known about a solver before it is built.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The name in specifications.
    pub name: &'static str,
    /// One line for help texts.
    pub summary: &'static str,
    /// Parameters with defaults and ranges, one line for help texts; empty when it takes none.
    pub params: &'static str,
    /// Order of convergence of the deterministic form with default parameters.
    pub order: u32,
    /// Network evaluations per full step.
    pub evals_per_step: u32,
    /// Whether the default parameters draw no noise after the initial one.
    pub deterministic: bool,
    /// Paper and equation.
    pub reference: &'static str,
    /// Builds the solver from its parameters.
    pub build: Build,
}

/// All solvers, simplest first.
#[must_use]
pub fn registry() -> &'static [Entry] {
    const ENTRIES: &[Entry] = &[
        ddim::ENTRY,
        euler::ENTRY,
        heun::ENTRY,
        dpmpp::ENTRY_2M,
        deis::ENTRY_TAB0,
        deis::ENTRY_TAB1,
        deis::ENTRY_TAB2,
        deis::ENTRY_TAB3,
    ];
    ENTRIES
}

/// Builds a solver from its specification, for example `heun` or `heun:s_churn=40:s_noise=1.003`.
///
/// # Errors
/// [`UnknownName`](crate::Error::UnknownName) and [`UnknownParam`](crate::Error::UnknownParam) with the nearest known name, [`BadParam`](crate::Error::BadParam) for a value
/// out of range, [`BadSpec`](crate::Error::BadSpec) and [`RepeatedParam`](crate::Error::RepeatedParam) for malformed text.
pub fn solver(spec: &str) -> Result<Box<dyn Solver>> {
    let (name, mut params) = Params::parse("solver", spec)?;
    let Some(entry) = registry().iter().find(|entry| entry.name == name) else {
        return Err(unknown("solver", name, registry().iter().map(|entry| entry.name)));
    };
    let solver = (entry.build)(&mut params)?;
    params.finish()?;
    Ok(solver)
}
