//! What all rules are given: a path between two limits.

use crate::{Error, Path, Result};

/// The part of a path on which a rule places its nodes, and the rule's name for errors.
#[derive(Debug)]
pub(super) struct Span<'a> {
    pub(super) rule: String,
    pub(super) path: &'a Path,
    pub(super) t_max: f64,
    pub(super) t_min: f64,
}

impl Span<'_> {
    /// Checks that the limits are times of the path and the right way round.
    pub(super) fn check_limits(&self) -> Result<()> {
        let (lo, hi) = self.path.domain();
        for t in [self.t_max, self.t_min] {
            // Written so that NaN fails.
            if !(t >= lo && t <= hi) {
                return Err(Error::TimeOutside { t, path: self.path.to_string(), lo, hi });
            }
        }
        if self.t_min < self.t_max {
            return Ok(());
        }
        Err(Error::EmptyRange { t_max: self.t_max, t_min: self.t_min })
    }

    /// Rows of the path's table.
    pub(super) fn rows(&self) -> Result<usize> {
        let none = || Error::NeedsTable { rule: self.rule.clone(), path: self.path.to_string() };
        self.path.rows().ok_or_else(none)
    }

    /// An error that the path is not one for this rule. `reason` holds a semicolon and a remedy.
    pub(super) fn unsuitable(&self, reason: impl Into<String>) -> Error {
        Error::Unsuitable { rule: self.rule.clone(), path: self.path.to_string(), reason: reason.into() }
    }

    /// An error that the rule cannot make so many steps.
    pub(super) fn steps(&self, steps: usize, hint: impl Into<String>) -> Error {
        Error::Steps { rule: self.rule.clone(), steps, hint: hint.into() }
    }
}
