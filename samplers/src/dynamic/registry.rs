//! The list of dynamic solvers, beside that of the static ones.

use super::{Dynamic, adaptive, paradigms};
use crate::Result;
use crate::spec::{Params, unknown};

/// What is known about a dynamic solver before it is built.
#[derive(Clone, Copy, Debug)]
pub struct DynamicEntry {
    /// The name in specifications.
    pub name: &'static str,
    /// One line for help texts.
    pub summary: &'static str,
    /// Parameters with defaults and ranges, one line for help texts.
    pub params: &'static str,
    /// Paper and place in it.
    pub reference: &'static str,
    /// Builds the solver from its parameters.
    pub build: fn(&mut Params) -> Result<Dynamic>,
}

/// All dynamic solvers. No name is also one of [`registry`](crate::registry).
#[must_use]
pub fn dynamic_registry() -> &'static [DynamicEntry] {
    const ENTRIES: &[DynamicEntry] = &[adaptive::ENTRY_12, adaptive::ENTRY_23, paradigms::ENTRY];
    ENTRIES
}

/// Builds a dynamic solver from its specification, for example `dpm-23:rtol=0.01` or `paradigms:window=16`.
///
/// # Errors
/// As [`solver`](crate::solver): unknown names and parameters with the nearest known one, values out of range.
pub fn dynamic_solver(spec: &str) -> Result<Dynamic> {
    let (name, mut params) = Params::parse("dynamic solver", spec)?;
    let Some(entry) = dynamic_registry().iter().find(|entry| entry.name == name) else {
        return Err(unknown("dynamic solver", name, dynamic_registry().iter().map(|entry| entry.name)));
    };
    let solver = (entry.build)(&mut params)?;
    params.finish()?;
    Ok(solver)
}
