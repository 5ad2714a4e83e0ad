//! What the list of dynamic solvers says of each.

use super::Dynamic;
use crate::spec::Params;
use crate::{Pred, Result};

/// What is known about a dynamic solver before it is built.
#[derive(Clone, Copy, Debug)]
pub struct DynamicEntry {
    /// The name in specifications.
    pub name: &'static str,
    /// One line for help texts.
    pub summary: &'static str,
    /// Parameters with defaults and ranges, one line for help texts.
    pub params: &'static str,
    /// Order of the solution that is kept.
    pub order: u32,
    /// Network evaluations per accepted step; `None` where a step is evaluated as often as it takes.
    pub evals_per_step: Option<u32>,
    /// Whether a run with default parameters draws no noise.
    pub deterministic: bool,
    /// What the network is asked for with default parameters.
    pub pred: Pred,
    /// Paper and place in it.
    pub reference: &'static str,
    /// Builds the solver from its parameters.
    pub build: fn(&mut Params) -> Result<Dynamic>,
}
