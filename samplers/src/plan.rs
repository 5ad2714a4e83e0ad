//! Plans: a sampler as data.
//!
//! A plan is a straight-line program in single-assignment form. Slot 0 holds the state at the first node when the
//! program starts; every other slot is written by exactly one op, before it is read. `docs/plan-schema.md` describes
//! the JSON form.

mod builder;
mod json;
mod places;
mod questions;
mod renoise;
mod table;
mod validate;

pub use builder::PlanBuilder;
pub use questions::Questions;

use serde::{Deserialize, Serialize};

use crate::{Node, Path};

/// The name of a tensor of the state's shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Slot(pub u32);

impl Slot {
    /// The slot that holds the state when a plan starts.
    pub const STATE: Self = Self(0);

    /// The slot's number as an index.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a network evaluation is asked to return; the caller converts from whatever its network predicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pred {
    /// The noise `eps`.
    Eps,
    /// The clean data `x0`.
    X0,
    /// The flow velocity `eps - x0`.
    Flow,
}

/// Which standard normal noise an op asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NoiseKey {
    /// The stream of this number, independent of everything else.
    Draw(u32),
    /// The normalised increment of the image's Brownian path between two clock values; see [`Op::Brownian`].
    Brownian {
        /// Clock at the noisier end.
        from: f64,
        /// Clock at the cleaner end.
        to: f64,
    },
}

impl NoiseKey {
    /// The increment of the Brownian path between two nodes, the noise of a stochastic step.
    #[must_use]
    pub fn between(from: &Node, to: &Node) -> Self {
        Self::Brownian { from: from.clock(), to: to.clock() }
    }
}

/// One operation of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Op {
    /// One network evaluation: `out = model(x, nodes[node])`.
    Eval {
        /// Where the prediction goes.
        out: Slot,
        /// The state that the network sees.
        x: Slot,
        /// Index into [`Plan::nodes`].
        node: usize,
        /// Which prediction.
        pred: Pred,
    },
    /// What a state is noised again with, where that is not the prediction that the evaluation before this op gave:
    /// the unguided one under CFG++, otherwise that prediction itself. See [`Plan::renoised`].
    Renoise {
        /// Where it goes.
        out: Slot,
        /// The output of the evaluation that stands directly before.
        of: Slot,
    },
    /// A linear combination: `out = sum of coefficient * slot`.
    Lin {
        /// Where the sum goes.
        out: Slot,
        /// Coefficients with the slots that they scale; no slot occurs twice.
        terms: Vec<(f64, Slot)>,
    },
    /// Fresh standard normal noise.
    Noise {
        /// Where the noise goes.
        out: Slot,
        /// Number of the random stream, from 1; stream 0 made the initial state.
        draw: u32,
    },
    /// A normalised increment of the image's own Brownian path `W`: `out = (W(to) - W(from)) / sqrt(to - from)`.
    ///
    /// The clock of `W` is the signal-to-noise ratio `(alpha / sigma)^2`, so that a finer grid sees the same path in
    /// more detail.
    Brownian {
        /// Where the noise goes.
        out: Slot,
        /// Clock at the noisier end, 0 or more.
        from: f64,
        /// Clock at the cleaner end, above `from` and finite.
        to: f64,
    },
    /// A step of the grid is complete: `x` is the state at `nodes[node]`. An observer may look at it or replace it.
    EndStep {
        /// Number of the step, from 0.
        step: usize,
        /// The state.
        x: Slot,
        /// Index into [`Plan::nodes`].
        node: usize,
    },
}

impl Op {
    /// The slot that the op writes.
    #[must_use]
    pub fn writes(&self) -> Option<Slot> {
        match self {
            Self::Eval { out, .. }
            | Self::Renoise { out, .. }
            | Self::Lin { out, .. }
            | Self::Noise { out, .. }
            | Self::Brownian { out, .. } => Some(*out),
            Self::EndStep { .. } => None,
        }
    }

    /// The slots that the op reads.
    pub fn reads(&self) -> impl Iterator<Item = Slot> + '_ {
        let (one, terms) = match self {
            Self::Eval { x, .. } | Self::EndStep { x, .. } | Self::Renoise { of: x, .. } => {
                (Some(*x), &[][..])
            }
            Self::Lin { terms, .. } => (None, &terms[..]),
            Self::Noise { .. } | Self::Brownian { .. } => (None, &[][..]),
        };
        one.into_iter().chain(terms.iter().map(|(_, slot)| *slot))
    }
}

/// A sampler, compiled: everything that an executor needs besides the network and the noise.
///
/// Fields are public because a plan is data that can be read, compared and edited; [`Plan::validate`] says whether an
/// edited one still keeps the rules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Schema version, [`Plan::VERSION`].
    pub version: u32,
    /// The solver's specification.
    pub solver: String,
    /// The path on which the nodes stand.
    pub path: Path,
    /// Where the grid comes from; for the reader only.
    pub grid: String,
    /// Grid nodes 0 to `steps`, then nodes off the grid.
    pub nodes: Vec<Node>,
    /// Number of steps, at least 1.
    pub steps: usize,
    /// The program.
    pub ops: Vec<Op>,
    /// The slot that holds the result.
    pub output: Slot,
}

impl Plan {
    /// The schema version that this crate writes and reads.
    pub const VERSION: u32 = 1;

    /// Number of network evaluations per sample.
    #[must_use]
    pub fn nfe(&self) -> usize {
        self.ops.iter().filter(|op| matches!(op, Op::Eval { .. })).count()
    }

    /// Number of slots: an executor's table needs this many places.
    #[must_use]
    pub fn slots(&self) -> usize {
        1 + self.ops.iter().filter(|op| op.writes().is_some()).count()
    }

    /// Number of noise tensors after the initial one; 0 for a deterministic plan.
    #[must_use]
    pub fn draws(&self) -> usize {
        self.ops.iter().filter(|op| matches!(op, Op::Noise { .. } | Op::Brownian { .. })).count()
    }

    /// The standard deviation of the initial state: slot 0 starts as this times standard normal noise.
    #[must_use]
    pub fn init_scale(&self) -> f64 {
        self.nodes.first().map_or(0.0, |node| node.sigma)
    }

    /// For each op, the slots that nothing after it reads, so that their memory can be freed or reused once the op is
    /// done. The output never dies; a slot that is never read dies where it is written, slot 0 at the first op.
    #[must_use]
    pub fn last_uses(&self) -> Vec<Vec<Slot>> {
        let mut last = vec![0; self.slots()];
        for (i, op) in self.ops.iter().enumerate() {
            for slot in op.reads().chain(op.writes()) {
                if let Some(at) = last.get_mut(slot.index()) {
                    *at = i;
                }
            }
        }
        let mut dying = vec![Vec::new(); self.ops.len()];
        for (slot, at) in (0..).map(Slot).zip(last) {
            if slot != self.output
                && let Some(list) = dying.get_mut(at)
            {
                list.push(slot);
            }
        }
        dying
    }
}
