//! Runs images side by side, each on a course of its own.

use std::fmt;
use std::ops::ControlFlow;

use super::machine::{Machine, Query};
use crate::{Error, Node, Pred};

/// One image on its way from noise to data.
///
/// A course never learns of the other images, which is why a result depends on its own image alone.
pub(super) trait Course<M: Machine> {
    /// What the network must be asked before the course can go on; empty once it is complete.
    fn questions(&self) -> Vec<(&M::State, Node, Pred)>;

    /// Where the step began in which a question at `node` is asked.
    fn start(&self, node: Node) -> Node {
        node
    }

    /// Goes on with the answers, up to the next questions or to the end.
    fn proceed(&mut self, machine: &mut M, answers: Vec<M::State>) -> Result<(), M::Error>;

    /// The newest accepted state and where it stands.
    fn at(&self) -> (&M::State, Node);

    /// What it has cost so far.
    fn tally(&self) -> Tally;

    /// The newest accepted state, for good.
    fn into_state(self: Box<Self>) -> M::State;
}

/// What one image has cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Network evaluations.
    pub nfe: usize,
    /// Rounds in which the image took part; within a round its evaluations run side by side.
    pub rounds: usize,
    /// Steps that were kept.
    pub accepted: usize,
    /// Steps that were computed and thrown away.
    pub rejected: usize,
}

/// What a run has cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Rounds of the run: batches that had to wait for each other.
    pub rounds: usize,
    /// Each image, in the order of the starting states. All four figures depend on the image alone.
    pub images: Vec<Tally>,
}

impl Report {
    /// Network evaluations of all images together.
    #[must_use]
    pub fn nfe(&self) -> usize {
        self.images.iter().map(|image| image.nfe).sum()
    }
}

/// Where an image stands after a round.
#[derive(Debug)]
pub struct Standing<'a, S> {
    /// The newest accepted state.
    pub x: &'a S,
    /// Its point on the path.
    pub node: Node,
    /// Whether the image is complete.
    pub done: bool,
    /// What it has cost so far.
    pub tally: Tally,
}

/// What an observer is told after each round.
#[derive(Debug)]
pub struct Round<'a, S> {
    /// Rounds done, from 1.
    pub number: usize,
    /// Every image, in the order of the starting states.
    pub images: Vec<Standing<'a, S>>,
}

/// Watches a run; `Break` ends it.
pub type Observer<'a, S> = dyn FnMut(&Round<'_, S>) -> ControlFlow<()> + 'a;

/// How a run ended.
#[derive(Clone, PartialEq)]
pub enum Outcome<S> {
    /// All images are complete.
    Done {
        /// The final states, in the order of the starting states.
        states: Vec<S>,
        /// What it cost.
        report: Report,
    },
    /// The observer broke the run off.
    Cancelled(Report),
}

impl<S> fmt::Debug for Outcome<S> {
    // A state may be an image; its numbers help nobody.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done { report, .. } => f.debug_tuple("Done").field(report).finish(),
            Self::Cancelled(report) => f.debug_tuple("Cancelled").field(report).finish(),
        }
    }
}

/// Takes all courses to their ends. Each round collects the questions of the unfinished ones into one batch.
pub(super) fn run<'a, M: Machine>(
    mut courses: Vec<Box<dyn Course<M> + 'a>>,
    machine: &mut M,
    observer: &mut Observer<'_, M::State>,
) -> Result<Outcome<M::State>, M::Error> {
    let mut number = 0;
    loop {
        let mut batch = Vec::new();
        let mut shares = Vec::with_capacity(courses.len());
        for (image, course) in courses.iter().enumerate() {
            let questions = course.questions();
            shares.push(questions.len());
            batch.extend(questions.into_iter().map(|(x, node, pred)| {
                let start = course.start(node);
                Query { image, x, node, start, pred }
            }));
        }
        if batch.is_empty() {
            break;
        }
        let (expected, answers) = (batch.len(), machine.eval(&batch)?);
        if answers.len() != expected {
            return Err(Error::Answers { what: "predictions", found: answers.len(), expected }.into());
        }
        let mut answers = answers.into_iter();
        for (course, share) in courses.iter_mut().zip(shares).filter(|(_, share)| *share > 0) {
            course.proceed(machine, answers.by_ref().take(share).collect())?;
        }
        number += 1;
        if observer(&Round { number, images: standings(&courses) }).is_break() {
            return Ok(Outcome::Cancelled(report(number, &courses)));
        }
    }
    let report = report(number, &courses);
    Ok(Outcome::Done { states: courses.into_iter().map(Course::into_state).collect(), report })
}

fn standings<'c, M: Machine + 'c>(courses: &'c [Box<dyn Course<M> + '_>]) -> Vec<Standing<'c, M::State>> {
    courses
        .iter()
        .map(|course| {
            let (x, node) = course.at();
            Standing { x, node, done: course.questions().is_empty(), tally: course.tally() }
        })
        .collect()
}

fn report<M: Machine>(rounds: usize, courses: &[Box<dyn Course<M> + '_>]) -> Report {
    Report { rounds, images: courses.iter().map(|course| course.tally()).collect() }
}
