//! Where the time goes.

use std::time::{Duration, Instant};

/// A kind of work in the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// Statistics of the norms.
    Statistics,
    /// Norm, activation and padding in one pass.
    Activation,
    /// Winograd's transforms, there and back.
    Transform,
    /// The products of the 3x3 convolutions.
    Product,
    /// Attention.
    Attention,
    /// First, strided and 1x1 convolutions, time embedding, output.
    Rest,
}

impl Section {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Statistics, Self::Activation, Self::Transform, Self::Product, Self::Attention, Self::Rest];
}

/// Time spent in each section.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// Off, it does not even look at the time, which would cost about a hundredth of a forward pass.
    on: bool,
    spent: [Duration; Section::ALL.len()],
    last: Instant,
}

impl Default for Clock {
    #[expect(clippy::disallowed_methods, reason = "where time goes is told, and decides nothing")]
    fn default() -> Self {
        Self { on: false, spent: [Duration::ZERO; Section::ALL.len()], last: Instant::now() }
    }
}

impl Clock {
    pub(super) fn switch(&mut self, on: bool) {
        self.on = on;
    }

    /// Forgets the time since the last call.
    #[expect(clippy::disallowed_methods, reason = "as above")]
    pub(super) fn start(&mut self) {
        self.last = Instant::now();
    }

    /// Books the time since the last call under `section`.
    #[expect(clippy::disallowed_methods, reason = "as above")]
    #[inline]
    pub(super) fn book(&mut self, section: Section) {
        if !self.on {
            return;
        }
        let now = Instant::now();
        self.spent[section as usize] += now - self.last;
        self.last = now;
    }

    pub(super) fn take(&mut self) -> [Duration; Section::ALL.len()] {
        std::mem::take(&mut self.spent)
    }
}
