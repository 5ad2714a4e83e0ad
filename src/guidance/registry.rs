//! The list of guidance rules: one entry each. Help, messages and docs read it.

use fewstep_samplers::{Params, Result};

use super::Guidance;
use super::rules::{self, Shape};

/// What a rule is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Makes one prediction of two. One to a specification.
    Combiner,
    /// Changes what the combiner made.
    Correction,
    /// Leaves out calls of the second branch.
    Saving,
    /// Changes the scale.
    Schedule,
}

impl Kind {
    /// All of them, in the order of tables.
    pub const ALL: [Self; 4] = [Self::Combiner, Self::Correction, Self::Saving, Self::Schedule];

    /// As a heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Combiner => "Combiners",
            Self::Correction => "Corrections",
            Self::Saving => "Savings",
            Self::Schedule => "Schedules",
        }
    }
}

/// Puts a rule around another.
type Wrap = fn(&mut Params, Box<dyn Guidance>) -> Result<Box<dyn Guidance>>;

/// How a rule is built.
#[derive(Clone, Copy, Debug)]
pub(super) enum Build {
    Combiner(fn(&mut Params) -> Result<Box<dyn Guidance>>),
    /// Around another rule; of two, that of the lower rank is inside.
    Around(u8, Wrap),
    Schedule(fn(&mut Params) -> Result<Shape>),
}

/// What is known of a rule before it is built.
#[derive(Clone, Copy, Debug)]
pub struct GuidanceEntry {
    /// The name in specifications.
    pub name: &'static str,
    /// What it is for.
    pub kind: Kind,
    /// One line for help texts.
    pub summary: &'static str,
    /// Parameters with defaults and ranges; empty when it has none.
    pub params: &'static str,
    /// Paper and equation.
    pub reference: &'static str,
    pub(super) build: Build,
}

/// All rules.
#[must_use]
pub fn registry() -> &'static [GuidanceEntry] {
    const ENTRIES: &[GuidanceEntry] = &[
        rules::NONE,
        rules::CFG,
        rules::APG,
        rules::CFGPP,
        rules::CFG_ZERO,
        rules::AUTO,
        rules::CLASSIFIER,
        rules::RESCALE,
        rules::THRESHOLD,
        rules::INTERVAL,
        rules::ADAPTIVE,
        rules::SPARSE,
        rules::CACHED,
        rules::SCHEDULE,
    ];
    ENTRIES
}
