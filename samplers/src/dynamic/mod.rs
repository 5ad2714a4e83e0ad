//! Dynamic solvers: their steps depend on what the network said, so that no plan can be written in advance.
//!
//! Whoever owns the states is a [`Machine`]; [`Vectors`] is the reference, on `f64`. A solver takes every image on a
//! course of its own, with its own times, lengths and acceptance, and asks the machine round by round: the questions of
//! all unfinished images form one batch. Hence an image's result and cost do not depend on its company.
//!
//! ```
//! use std::ops::ControlFlow;
//!
//! use fewstep_samplers::dynamic::{Outcome, Round, Vectors, dynamic_solver};
//! use fewstep_samplers::{GridRule, Path, exact::Mixture};
//!
//! // Only the ends of the grid matter to an adaptive solver.
//! let grid = "uniform-t".parse::<GridRule>()?.grid(&Path::vp_linear(), 1, None, None, None)?;
//! let data = Mixture::gaussian(0.5)?;
//! let mut machine = Vectors::new(&data, |_, _| Vec::new());
//! let start = vec![vec![1.0], vec![-0.3]];
//! let observer = &mut |_: &Round<'_, _>| ControlFlow::Continue(());
//! let outcome = dynamic_solver("dpm-23:rtol=0.01")?.run(&grid, &mut machine, start, observer)?;
//! let Outcome::Done { states, report } = outcome else { unreachable!() };
//! assert!((states[0][0] - 0.5).abs() < 0.01);
//! assert!(report.images[0].nfe <= 3 * (report.images[0].accepted + report.images[0].rejected));
//! # Ok::<(), fewstep_samplers::Error>(())
//! ```

pub mod adaptive;
mod course;
mod entry;
mod machine;
pub mod paradigms;
mod registry;
mod vectors;

pub use adaptive::Adaptive;
pub use course::{Observer, Outcome, Report, Round, Standing, Tally};
pub use entry::DynamicEntry;
pub use machine::{Machine, Query, Tolerance};
pub use paradigms::Paradigms;
pub use registry::{dynamic_registry, dynamic_solver};
pub use vectors::Vectors;

use crate::Grid;

/// A dynamic solver.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Dynamic {
    /// Steps chosen by an error estimate.
    Adaptive(Adaptive),
    /// Steps iterated in parallel.
    Paradigms(Paradigms),
}

impl Dynamic {
    /// The specification that builds this very solver, with the parameters that differ from their defaults.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Adaptive(solver) => solver.name(),
            Self::Paradigms(solver) => solver.name(),
        }
    }

    /// Takes images from the first node of `grid` to its last; `states` are normal noise of stream 0 times the first
    /// node's `sigma`. `observer` (a closure that takes `&Round<'_, _>`) sees every round and may end the run.
    ///
    /// # Errors
    /// What the machine reports; [`Error::Answers`](crate::Error::Answers) when it leaves questions open,
    /// [`Error::ErrorNorm`](crate::Error::ErrorNorm) when an error is not finite, and from the adaptive solvers
    /// [`Error::Budget`](crate::Error::Budget) and [`Error::StepTooShort`](crate::Error::StepTooShort).
    pub fn run<M: Machine>(
        &self,
        grid: &Grid,
        machine: &mut M,
        states: Vec<M::State>,
        observer: &mut Observer<'_, M::State>,
    ) -> Result<Outcome<M::State>, M::Error> {
        let mut start = |(image, x)| match self {
            Self::Adaptive(solver) => solver.course(grid, image, x),
            Self::Paradigms(solver) => solver.course(grid, machine, image, x),
        };
        let courses = states.into_iter().enumerate().map(&mut start).collect::<Result<Vec<_>, M::Error>>()?;
        course::run(courses, machine, observer)
    }
}
