//! Which step comes next: everything that does not depend on the states.

use super::{Adaptive, Order};
use crate::solvers::embedded::{Pair, dpm_12, dpm_23, from_noise, into_data};
use crate::{Error, Grid, Node, Path};

/// A step that would leave less than this part of the way over goes all the way.
const LEFT_OVER: f64 = 1e-9;

/// A step on trial.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// Its length: in `lambda`, or from `alpha` = 0 in `sigma / (alpha + sigma)`.
    pub(super) h: f64,
    pub(super) pair: Pair,
}

/// Everything about the steps that does not depend on the states.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way<'a> {
    pub(super) solver: Adaptive,
    path: &'a Path,
    pub(super) end: Node,
    /// Where the steps in `lambda` end: `end` itself unless that is clean data.
    floor: Node,
}

impl<'a> Way<'a> {
    pub(super) fn new(grid: &'a Grid, solver: Adaptive) -> Self {
        let (path, nodes) = (grid.path(), grid.nodes());
        let end = nodes[grid.steps()];
        let mut way = Self { solver, path, end, floor: end };
        if end.sigma == 0.0 {
            let known = path.node(path.range().0).rho().min(nodes[grid.steps() - 1].rho());
            way.floor = way.at_rho(known.max(solver.tolerance.atol));
        }
        way
    }

    /// The node at noise-to-signal ratio `rho`.
    fn at_rho(&self, rho: f64) -> Node {
        self.path.node(self.path.t_of_rho(rho))
    }

    /// The step of length `h` from `at`; none when its nodes cannot be told apart.
    pub(super) fn step(&self, at: &Node, h: f64) -> Option<Step> {
        if at.alpha == 0.0 {
            self.step_from_noise(at, h)
        } else if at.rho() <= self.floor.rho() {
            Some(Step { h: f64::INFINITY, pair: into_data(self.solver.quantity, at, &self.end) })
        } else {
            self.step_inside(at, h)
        }
    }

    fn step_inside(&self, at: &Node, h: f64) -> Option<Step> {
        let from = at.lambda();
        let last = h >= (self.floor.lambda() - from) * (1.0 - LEFT_OVER);
        let to = if last { self.floor } else { self.path.node(self.path.t_of_lambda(from + h)) };
        let h = to.lambda() - from;
        let pair = match self.solver.order {
            Order::Two => dpm_12,
            Order::Three => dpm_23,
        };
        distinct(Step { h, pair: pair(self.solver.quantity, self.path, at, &to) })
    }

    fn step_from_noise(&self, at: &Node, h: f64) -> Option<Step> {
        let s = |node: &Node| node.sigma / (node.alpha + node.sigma);
        let at_s = |s: f64| self.at_rho(s / (1.0 - s));
        let whole = 1.0 - s(&self.floor);
        let to = if h >= whole { self.floor } else { at_s(1.0 - h) };
        let h = h.min(whole);
        distinct(Step { h, pair: from_noise(self.path, at, &to) })
    }

    pub(super) fn too_short(&self, image: usize, at: &Node) -> Error {
        Error::StepTooShort { solver: self.solver.name(), image, t: at.t }
    }
}

/// The step, unless rounding has merged some of its nodes.
fn distinct(step: Step) -> Option<Step> {
    let pair = &step.pair;
    let nodes: Vec<&Node> = pair.stages.iter().map(|(node, _)| node).chain([&pair.to]).collect();
    let falls = |two: &[&Node]| two[1].t < two[0].t && two[1].lambda() > two[0].lambda();
    nodes.windows(2).all(falls).then_some(step)
}
