//! The list of dynamic solvers, beside that of the static ones.

use super::entry::DynamicEntry;
use super::{Dynamic, adaptive, paradigms};
use crate::Result;
use crate::spec::{Params, unknown};

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
