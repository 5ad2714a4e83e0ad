//! The observer of every long run: a progress bar, and Ctrl-C.

use std::ops::ControlFlow;

use indicatif::ProgressBar;

use crate::interrupt;
use crate::pipeline::{Observer, StepInfo};

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

fn flow() -> ControlFlow<()> {
    if interrupt::asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}
