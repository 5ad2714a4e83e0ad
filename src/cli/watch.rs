//! The observer of every long run: a progress bar, and Ctrl-C.

use std::ops::ControlFlow;

use indicatif::ProgressBar;

use crate::bench::Levels;
use crate::interrupt;
use crate::pipeline::{Look, Observer, StepInfo};

/// Moves the bar a step on; breaks the run off when the user asked for it.
pub(super) struct Watch(pub(super) ProgressBar);

impl Observer for Watch {
    fn step(&self, _: &StepInfo<'_>) -> ControlFlow<()> {
        self.0.inc(1);
        flow()
    }

    fn round(&self, _: usize) -> ControlFlow<()> {
        self.0.tick();
        flow()
    }
}

/// A [`Watch`] that keeps what guidance did.
pub(super) struct Watching {
    pub(super) watch: Watch,
    pub(super) levels: Levels,
}

impl Observer for Watching {
    fn step(&self, info: &StepInfo<'_>) -> ControlFlow<()> {
        self.watch.step(info)
    }

    fn guidance(&self, look: &Look) {
        self.levels.push(look);
    }

    fn looks(&self) -> bool {
        true
    }
}

fn flow() -> ControlFlow<()> {
    if interrupt::asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}
