//! What the list of solvers says of each.

use crate::Result;
use crate::solvers::Solver;
use crate::spec::Params;

/// Builds a solver from its parameters; what it does not ask for is an error of the caller.
pub type Build = fn(&mut Params) -> Result<Box<dyn Solver>>;

/// What is known about a solver before it is built.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The name in specifications.
    pub name: &'static str,
    /// The family it belongs to, as a heading in tables.
    pub family: &'static str,
    /// One line for help texts.
    pub summary: &'static str,
    /// Parameters with defaults and ranges, one line for help texts; empty when it has none of its own. Every solver
    /// takes `afs` besides.
    pub params: &'static str,
    /// Order of convergence with default parameters; of a stochastic method, that of its deterministic limit, or in
    /// distribution if it has none.
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
