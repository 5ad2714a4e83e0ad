//! What varies along a grid: the order of the last steps and the strength of the noise.

use super::kernel::POINTS;
use crate::Node;

/// When the last steps use fewer outputs: as many as there are steps left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LowerOrderFinal {
    /// Below 10 steps, as the code of DPM-Solver's authors does.
    Auto,
    Always,
    /// Only where it must be, into `sigma` = 0.
    Never,
}

/// The words for [`LowerOrderFinal`], default first, as DPM-Solver has it.
pub(super) const FINALS: [(&str, LowerOrderFinal); 3] =
    [("auto", LowerOrderFinal::Auto), ("true", LowerOrderFinal::Always), ("false", LowerOrderFinal::Never)];

/// The same, default first, as UniPC and SA-Solver have it.
pub(super) const LOWERED: [(&str, LowerOrderFinal); 3] =
    [("true", LowerOrderFinal::Always), ("auto", LowerOrderFinal::Auto), ("false", LowerOrderFinal::Never)];

impl LowerOrderFinal {
    /// Most outputs in a step with `left` steps left, itself included.
    pub(super) fn most(self, left: usize, steps: usize) -> usize {
        let lowers = match self {
            Self::Auto => steps < 10,
            Self::Always => true,
            Self::Never => false,
        };
        if lowers { left } else { POINTS }
    }
}

/// The strength of the noise, `tau` of SA-Solver, as a function of the noise level at the start of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tau {
    pub(super) strength: f64,
    /// The noise levels `sigma / alpha` with noise.
    pub(super) s_min: f64,
    pub(super) s_max: f64,
    /// Whether the last step has any.
    pub(super) last: bool,
}

impl Tau {
    pub(super) const NONE: Self = Self::constant(0.0);

    pub(super) const fn constant(strength: f64) -> Self {
        Self { strength, s_min: 0.0, s_max: f64::INFINITY, last: true }
    }

    pub(super) fn at(self, from: &Node, is_last: bool) -> f64 {
        let inside = (self.s_min..=self.s_max).contains(&from.rho());
        if inside && (self.last || !is_last) { self.strength } else { 0.0 }
    }
}
