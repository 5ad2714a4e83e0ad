//! ParaDiGMS: many steps at once, repeated until they agree.

use std::collections::VecDeque;

use super::Dynamic;
use super::course::{Course, Tally};
use super::entry::DynamicEntry;
use super::machine::{Machine, combine, mean_squares};
use crate::solvers::ddim::Ddim;
use crate::spec::{Params, spec_text};
use crate::{Error, Grid, Node, NoiseKey, Pred};

/// Registry entry.
pub(super) const ENTRY: DynamicEntry = DynamicEntry {
    name: "paradigms",
    summary: "ParaDiGMS: a window of DDIM steps at once until they agree; fewer rounds, more evaluations",
    params: "window=8 (steps at once), tol=0.1 (against the noise of a step), eta=0 (share of ancestral noise, 0 to 1)",
    order: 1,
    evals_per_step: None,
    deterministic: true,
    pred: Pred::X0,
    reference: "Shih et al. 2023, arXiv 2305.16317, algorithm 1",
    build: |p| Ok(Dynamic::Paradigms(Paradigms::from_params(p)?)),
};

/// ParaDiGMS (Shih et al. 2023, arXiv 2305.16317): Picard iteration on the steps of [`Ddim`].
///
/// A round evaluates the network at all nodes `b .. b + window` of a window that begins at the newest accepted state
/// `x_b`, and replaces the states after it by `x_(j+1) = x_b + sum over k = b .. j of (F_k(x_k) - x_k + s_k z_k)`, where
/// `F_k` is the noise-free part of DDIM's step `k` and `z_k` its noise, drawn once. The states `x_(b+1) .. x_(b+n)` are
/// accepted and the window moves on by `n`, where `b + n` is the first state with
///
/// `mean((x new - x old)^2) > tol^2 v`,
///
/// or the end of the window when there is none. `v` is the variance of the noise that DDIM with `eta` = 1 adds in the
/// step into that state, whatever `eta` is; `tol` is thus squared, a ratio of deviations. (The authors' code takes the
/// step out of the state instead, whose variance is 0 before clean data.) A state enters the window as a copy of the
/// last one in it.
///
/// The paper works on variance-preserving paths. Elsewhere the sum and the copies are formed of states divided by
/// `sqrt(alpha^2 + sigma^2)`, so that rounds depend on noise levels alone; on the EDM path as it stands, the window would
/// have to undo the fall of the state from 80 to 1.
///
/// The first step of a window is plain DDIM, so that every round accepts at least one state, rounds never exceed the
/// steps, and the result approaches that of DDIM as `tol` falls to 0. Of each image's evaluations, [`Tally::accepted`]
/// counts those whose steps were accepted, [`Tally::rejected`] the others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paradigms {
    /// Steps at once, at least 1.
    pub window: usize,
    /// How far a state may move and still count as settled, in deviations of its step's noise; at least 0.
    pub tol: f64,
    /// The step that is iterated.
    pub ddim: Ddim,
}

impl Default for Paradigms {
    fn default() -> Self {
        Self { window: 8, tol: 0.1, ddim: Ddim { eta: 0.0 } }
    }
}

impl Paradigms {
    fn from_params(p: &mut Params) -> crate::Result<Self> {
        let d = Self::default();
        Ok(Self {
            window: p.count("window", d.window, 1..=100_000)?,
            tol: p.number("tol", d.tol, 0.0..=1e6)?,
            ddim: Ddim { eta: p.number("eta", d.ddim.eta, 0.0..=1.0)? },
        })
    }

    pub(super) fn name(&self) -> String {
        let d = Self::default();
        let params = [
            ("window", self.window as f64, d.window as f64),
            ("tol", self.tol, d.tol),
            ("eta", self.ddim.eta, d.ddim.eta),
        ];
        spec_text("paradigms", &params)
    }

    pub(super) fn course<'a, M: Machine>(
        &self,
        grid: &'a Grid,
        machine: &mut M,
        image: usize,
        x: M::State,
    ) -> Result<Box<dyn Course<M> + 'a>, M::Error>
    where
        M::State: 'a,
    {
        let mut window = Window {
            solver: *self,
            nodes: grid.nodes(),
            image,
            begin: 0,
            x,
            ahead: Vec::new(),
            noise: VecDeque::new(),
            tally: Tally::default(),
        };
        window.fill(machine)?;
        Ok(Box::new(window))
    }
}

struct Window<'a, S> {
    solver: Paradigms,
    nodes: &'a [Node],
    image: usize,
    /// The node of the newest accepted state.
    begin: usize,
    x: S,
    /// The newest state after each step of the window.
    ahead: Vec<S>,
    /// The noise of each step of the window, where it has any.
    noise: VecDeque<Option<S>>,
    tally: Tally,
}

impl<S> Window<'_, S> {
    /// Steps that the window holds.
    fn len(&self) -> usize {
        self.solver.window.min(self.nodes.len() - 1 - self.begin)
    }

    /// The state at the window's node `j`.
    fn state(&self, j: usize) -> &S {
        if j == 0 { &self.x } else { &self.ahead[j - 1] }
    }

    /// The ends of the window's step `j`.
    fn ends(&self, j: usize) -> (&Node, &Node) {
        (&self.nodes[self.begin + j], &self.nodes[self.begin + j + 1])
    }

    /// Brings copies and noise into the places that the window has gained.
    fn fill<M: Machine<State = S>>(&mut self, machine: &mut M) -> Result<(), M::Error> {
        let known = self.ahead.len();
        let last = self.nodes[self.begin + known].scale();
        for j in known..self.len() {
            let (from, to) = self.ends(j);
            let drawn = if self.solver.ddim.transfer(from, to).noise > 0.0 {
                Some(machine.noise(self.image, NoiseKey::between(from, to))?)
            } else {
                None
            };
            let copy = machine.lin(&[(to.scale() / last, self.state(known))])?;
            self.noise.push_back(drawn);
            self.ahead.push(copy);
        }
        Ok(())
    }

    /// The states after each step of the window.
    fn sweep<M: Machine<State = S>>(&self, machine: &mut M, x0: &[S]) -> Result<Vec<S>, M::Error> {
        let mut new: Vec<S> = Vec::with_capacity(x0.len());
        for (j, x0) in x0.iter().enumerate() {
            let (from, to) = self.ends(j);
            let step = self.solver.ddim.transfer(from, to);
            // The sum of the formula, term by term: at the window's start F(x) - x + x is F(x) itself.
            let mut terms = match new.last() {
                None => vec![(step.keep, &self.x)],
                Some(last) => {
                    let ratio = to.scale() / from.scale();
                    vec![(ratio, last), (step.keep - ratio, self.state(j))]
                }
            };
            terms.push((step.pull, x0));
            terms.extend(self.noise[j].as_ref().map(|z| (step.noise, z)));
            let sum = combine(machine, terms)?;
            new.push(sum);
        }
        Ok(new)
    }

    /// How many of the new states are accepted.
    fn settled<M: Machine<State = S>>(&self, machine: &mut M, new: &[S]) -> Result<usize, M::Error> {
        let pairs: Vec<_> = new.iter().enumerate().map(|(j, x)| (x, self.state(j + 1))).collect();
        let moved = mean_squares(machine, &pairs)?;
        for (j, value) in moved.into_iter().enumerate() {
            let (from, to) = self.ends(j);
            // This state is accepted, however far it has moved itself: those before it are settled.
            if !value.is_finite() {
                let (solver, image) = (self.solver.name(), self.image);
                return Err(Error::ErrorNorm { solver, image, t: from.t, value }.into());
            }
            if value > (self.solver.tol * Ddim { eta: 1.0 }.transfer(from, to).noise).powi(2) {
                return Ok(j + 1);
            }
        }
        Ok(new.len())
    }
}

impl<M: Machine> Course<M> for Window<'_, M::State> {
    fn questions(&self) -> Vec<(&M::State, Node, Pred)> {
        (0..self.len()).map(|j| (self.state(j), self.nodes[self.begin + j], Pred::X0)).collect()
    }

    fn proceed(&mut self, machine: &mut M, answers: Vec<M::State>) -> Result<(), M::Error> {
        let new = self.sweep(machine, &answers)?;
        let accepted = self.settled(machine, &new)?;
        self.tally.nfe += answers.len();
        self.tally.rounds += 1;
        self.tally.accepted += accepted;
        self.tally.rejected += answers.len() - accepted;
        self.begin += accepted;
        self.noise.drain(..accepted);
        let mut rest = new.into_iter().skip(accepted - 1);
        if let Some(x) = rest.next() {
            self.x = x;
        }
        self.ahead = rest.collect();
        self.fill(machine)
    }

    fn at(&self) -> (&M::State, Node) {
        (&self.x, self.nodes[self.begin])
    }

    fn tally(&self) -> Tally {
        self.tally
    }

    fn into_state(self: Box<Self>) -> M::State {
        self.x
    }
}
