//! What turns noise into images.

use fewstep_samplers::dynamic::Dynamic;
use fewstep_samplers::{Grid, Node, Plan};

/// A plan, or a solver that finds its steps on the way.
#[derive(Clone, Debug)]
pub enum Program {
    /// Every number is known beforehand.
    Plan(Plan),
    /// The steps depend on what the network says.
    Dynamic {
        /// The solver.
        solver: Dynamic,
        /// Where it starts and ends, and for some solvers its steps.
        grid: Grid,
    },
}

impl From<&Plan> for Program {
    fn from(plan: &Plan) -> Self {
        Self::Plan(plan.clone())
    }
}

impl Program {
    /// The point at which an image starts.
    pub fn start(&self) -> Node {
        match self {
            Self::Plan(plan) => plan.nodes[0],
            Self::Dynamic { grid, .. } => grid.nodes()[0],
        }
    }

    /// The solver's specification.
    pub fn solver(&self) -> String {
        match self {
            Self::Plan(plan) => plan.solver.clone(),
            Self::Dynamic { solver, .. } => solver.name(),
        }
    }

    /// Steps that an observer will be told of in each batch; `None` if nobody knows.
    pub fn steps(&self) -> Option<usize> {
        match self {
            Self::Plan(plan) => Some(plan.steps),
            Self::Dynamic { .. } => None,
        }
    }
}
