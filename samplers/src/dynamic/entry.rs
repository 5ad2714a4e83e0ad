//! What the list of dynamic solvers says of each.

use super::Dynamic;
use crate::Result;
use crate::spec::Params;

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
