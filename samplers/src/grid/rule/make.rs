//! From a rule to a grid: limits, ends, and the rule's own places between them.

use std::fmt::Write as _;

use super::span::Span;
use super::{End, GridRule, listed, rows, spaced};
use crate::grid::{Grid, MAX_STEPS};
use crate::{Error, Path, Result};

impl GridRule {
    /// Makes the grid of `steps` steps on `path`.
    ///
    /// `t_max` and `t_min` default to [`Path::range`], `end` to [`GridRule::default_end`]. `trailing`, `leading` and
    /// lists fix their own limits.
    ///
    /// # Errors
    /// On 0 steps, on limits that are reversed, outside the path or not finite, on a rule that does not suit the path
    /// (an integer rule without a table, log-SNR or Karras spacing where the log-SNR is infinite, a published list
    /// that exceeds the path, a shift away from the flow path), and when two nodes would coincide.
    pub fn grid(
        &self,
        path: &Path,
        steps: usize,
        t_max: Option<f64>,
        t_min: Option<f64>,
        end: Option<End>,
    ) -> Result<Grid> {
        path.validate()?;
        let range = path.range();
        let (lo, hi) = (t_min.unwrap_or(range.0), t_max.unwrap_or(range.1));
        let span = Span { rule: self.to_string(), path, t_max: hi, t_min: lo };
        if steps == 0 {
            return Err(span.steps(steps, "ask for at least 1"));
        }
        if steps > MAX_STEPS {
            return Err(span.steps(steps, format!("ask for at most {MAX_STEPS}")));
        }
        if self.fixes_limits() && (t_max.is_some() || t_min.is_some()) {
            return Err(Error::NoLimits { rule: span.rule });
        }
        if let Some(fixed) = self.fixed_steps(path, end).filter(|n| *n != steps) {
            return Err(
                span.steps(steps, format!("its list makes {fixed}: ask for that, or change the list"))
            );
        }
        if !self.fixes_limits() {
            span.check_limits()?;
        }
        let times = self.times(&span, steps, end.unwrap_or(self.default_end()))?;
        let made = Grid::new(path, &times, self.label(path, (t_max, t_min), end));
        let coincide = matches!(
            made,
            Err(Error::DuplicateTime { .. } | Error::NotDecreasing { .. } | Error::TooClose { .. })
        );
        if !coincide || self.is_own_list() {
            return made;
        }
        // Nobody wrote these times; what can be changed is the request.
        let hint = if self.counts_rows(path) {
            "two of its nodes would stand on one row of the table: ask for fewer"
        } else {
            "two of its nodes would coincide: ask for fewer, or for a milder exponent"
        };
        Err(span.steps(steps, hint))
    }

    /// The rule, with what was asked for beside it: two grids of one name are the same.
    fn label(&self, path: &Path, (t_max, t_min): (Option<f64>, Option<f64>), end: Option<End>) -> String {
        let mut label = self.to_string();
        let range = path.range();
        let (hi, lo) = (t_max.unwrap_or(range.1), t_min.unwrap_or(range.0));
        if (hi, lo) != (range.1, range.0) {
            // Writing into a string cannot fail.
            let _ = write!(label, ", t from {hi} to {lo}");
        }
        match end.filter(|end| *end != self.default_end()) {
            Some(End::Zero) => label += ", ends at zero",
            Some(End::TMin) => label += ", ends at t-min",
            None => {}
        }
        label
    }

    /// All times of the grid, the one of clean data among them where it ends there.
    fn times(&self, span: &Span<'_>, steps: usize, end: End) -> Result<Vec<f64>> {
        if let Self::Shifted(shifted) = self {
            if *span.path != Path::Flow {
                return Err(span.unsuitable("a shift is for `flow`; drop it"));
            }
            let mut times = shifted.rule().times(span, steps, end)?;
            shifted.shift().apply(&mut times).map_err(|hint| span.steps(steps, hint))?;
            return Ok(times);
        }
        if self.counts_rows(span.path) && span.rows()? < steps {
            return Err(span.steps(steps, format!("the table has {} rows: ask for fewer", span.rows()?)));
        }
        let goes_on = |t: f64| end == End::Zero && span.path.node(t).sigma > 0.0;
        let (listed, replaces) = (self.is_own_list(), self.replaces_last());
        let mut appends = !listed && !replaces && goes_on(span.t_min);
        let mut times = self.places(span, if appends { steps } else { steps + 1 })?;
        if let Some(last) = times.last_mut().filter(|last| goes_on(**last)) {
            if replaces {
                *last = span.path.zero().t;
            }
            appends |= listed;
        }
        if appends {
            times.push(span.path.zero().t);
        }
        Ok(times)
    }

    /// `count` times before anything is done for the end.
    fn places(&self, span: &Span<'_>, count: usize) -> Result<Vec<f64>> {
        match self {
            _ if self.is_own_list() => listed::own(self, span.path),
            Self::Ays { .. } | Self::Gits => listed::published(self, span, count),
            _ if self.counts_rows(span.path) => rows::times(self, span, count),
            _ => spaced::times(self, span, count),
        }
    }
}
