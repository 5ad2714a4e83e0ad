//! One image on its way.

use super::way::{Step, Way};
use super::{Adaptive, Order};
use crate::dynamic::course::{Course, Tally};
use crate::dynamic::machine::{Machine, Tolerance, combine, mean_squares};
use crate::{Error, Grid, Node, Pred};

/// An image with the step that it is trying.
pub(super) struct AdaptiveCourse<'a, S> {
    way: Way<'a>,
    image: usize,
    at: Node,
    x: S,
    /// The lower solution of the last accepted step, with the scale of states there.
    before: Option<(S, f64)>,
    /// Length of the next step.
    h: f64,
    /// The step on trial; none once the image is complete.
    step: Option<Step>,
    /// The state of the stage whose prediction is awaited; none at the first, which is the state itself.
    stage: Option<S>,
    predictions: Vec<S>,
    tally: Tally,
}

impl<'a, S> AdaptiveCourse<'a, S> {
    pub(super) fn new(solver: Adaptive, grid: &'a Grid, image: usize, x: S) -> crate::Result<Self> {
        let at = grid.nodes()[0];
        let way = Way::new(grid, solver);
        let step = way.step(&at, solver.h_init).ok_or_else(|| way.too_short(image, &at))?;
        Ok(Self {
            way,
            image,
            at,
            x,
            before: None,
            h: solver.h_init,
            step: Some(step),
            stage: None,
            predictions: Vec::new(),
            tally: Tally::default(),
        })
    }

    fn combine<M: Machine<State = S>>(&self, machine: &mut M, row: &[f64]) -> Result<S, M::Error> {
        let parts = std::iter::once(&self.x).chain(&self.predictions);
        combine(machine, row.iter().copied().zip(parts))
    }

    /// Accepts or rejects the step, with all its predictions at hand.
    fn judge<M: Machine<State = S>>(&mut self, machine: &mut M, step: &Step) -> Result<(), M::Error> {
        let lo = self.combine(machine, &step.pair.lo)?;
        let Some(hi) = &step.pair.hi else {
            // Nothing to compare with, but lost numbers still show.
            let moved = mean_squares(machine, &[(&lo, &self.x)])?;
            self.finite(moved.into_iter().sum())?;
            self.accept(step, lo, None);
            return Ok(());
        };
        let hi = self.combine(machine, hi)?;
        let solver = self.way.solver;
        let unit = step.pair.to.scale();
        let (before, before_unit) =
            self.before.as_ref().map_or((&self.x, self.at.scale()), |(x, unit)| (x, *unit));
        let tolerance = Tolerance { atol: solver.tolerance.atol * unit, rtol: solver.tolerance.rtol };
        let value = machine.error_norm(&hi, &lo, (unit / before_unit, before), tolerance)?;
        self.finite(value)?;
        let from_noise = self.at.alpha == 0.0;
        let order = if solver.order == Order::Three && !from_noise { 3.0 } else { 2.0 };
        let accepted = value <= 1.0;
        // Infinite for an error of 0; the next step is bounded by what remains.
        let next = solver.theta * step.h * value.powf(-1.0 / order);
        // The length of a step from noise is measured differently and says nothing about the next one.
        self.h = if from_noise && accepted { solver.h_init } else { next };
        if accepted {
            self.accept(step, hi, Some(lo));
        } else {
            self.tally.rejected += 1;
        }
        Ok(())
    }

    fn finite(&self, value: f64) -> crate::Result<()> {
        if value.is_finite() {
            return Ok(());
        }
        Err(Error::ErrorNorm { solver: self.way.solver.name(), image: self.image, t: self.at.t, value })
    }

    fn accept(&mut self, step: &Step, x: S, lo: Option<S>) {
        self.tally.accepted += 1;
        self.at = step.pair.to;
        self.x = x;
        self.before = lo.map(|lo| (lo, self.at.scale()));
        self.predictions.clear();
    }

    /// Chooses the next step and brings it to where it needs an evaluation.
    fn next_step<M: Machine<State = S>>(&mut self, machine: &mut M) -> Result<(), M::Error> {
        self.stage = None;
        if self.at == self.way.end {
            self.step = None;
            return Ok(());
        }
        let step = self.way.step(&self.at, self.h);
        let step = step.ok_or_else(|| self.way.too_short(self.image, &self.at))?;
        // A rejected step leaves the prediction at its start, unless the next one asks for another.
        let reusable = self.step.as_ref().is_some_and(|last| last.pair.pred == step.pair.pred);
        self.predictions.truncate(usize::from(reusable));
        self.step = Some(step);
        self.form_stage(machine)
    }

    fn form_stage<M: Machine<State = S>>(&mut self, machine: &mut M) -> Result<(), M::Error> {
        let Some((step, done)) = self.step.as_ref().zip(self.predictions.len().checked_sub(1)) else {
            return Ok(());
        };
        let row = &step.pair.stages[done + 1].1;
        self.stage = Some(self.combine(machine, row)?);
        Ok(())
    }
}

impl<M: Machine> Course<M> for AdaptiveCourse<'_, M::State> {
    fn questions(&self) -> Vec<(&M::State, Node, Pred)> {
        let ask = |step: &Step| {
            let (node, _) = step.pair.stages[self.predictions.len()];
            (self.stage.as_ref().unwrap_or(&self.x), node, step.pair.pred)
        };
        self.step.as_ref().map(ask).into_iter().collect()
    }

    fn start(&self, _: Node) -> Node {
        self.at
    }

    fn proceed(&mut self, machine: &mut M, answers: Vec<M::State>) -> Result<(), M::Error> {
        self.tally.nfe += answers.len();
        self.tally.rounds += 1;
        self.predictions.extend(answers);
        let Some(step) = self.step.take() else { return Ok(()) };
        if self.predictions.len() < step.pair.stages.len() {
            self.step = Some(step);
            self.form_stage(machine)?;
        } else {
            self.judge(machine, &step)?;
            self.step = Some(step);
            self.next_step(machine)?;
        }
        if self.step.is_some() && self.tally.nfe >= self.way.solver.max_nfe {
            let (solver, image) = (self.way.solver.name(), self.image);
            return Err(Error::Budget { solver, image, nfe: self.tally.nfe, t: self.at.t }.into());
        }
        Ok(())
    }

    fn at(&self) -> (&M::State, Node) {
        (&self.x, self.at)
    }

    fn tally(&self) -> Tally {
        self.tally
    }

    fn into_state(self: Box<Self>) -> M::State {
        self.x
    }
}
