//! The list of solvers: one entry each. Help texts, order tests and benchmarks read it.

use crate::Result;
use crate::entry::Entry;
use crate::solvers::{Solver, ddim, deis, dpmpp, euler, heun};
use crate::spec::{Params, unknown};

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
