//! Rules that place the nodes of a grid.

use serde::{Deserialize, Serialize};

use super::{Grid, MAX_STEPS};
use crate::{Error, Path, Result};

/// Where a grid ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// The last node stands at `t_min`: N steps are N + 1 nodes from `t_max` to `t_min`.
    TMin,
    /// The last node is clean data: N nodes from `t_max` to `t_min`, and `sigma` = 0 after them. The same as
    /// [`End::TMin`] where `t_min` already has `sigma` = 0.
    Zero,
}

/// A rule that turns a step count into a [`Grid`].
///
/// The text form is `uniform-t`, `power-t:k=2`, `karras:rho=7`, `logsnr`, `trailing`, `leading`, `linspace`, or the
/// times themselves with commas between them.
#[derive(Clone, Debug, PartialEq)]
pub enum GridRule {
    /// Equal steps of `t`.
    UniformT,
    /// Equal steps of `t^(1/k)`; `k` = 2 is the quadratic rule of DEIS (arXiv 2204.13902, section 4).
    PowerT {
        /// Exponent, from 0.1 to 20.
        k: f64,
    },
    /// Equal steps of the noise level `sigma / alpha` to the power `1/rho` (arXiv 2206.00364, eq. 5).
    Karras {
        /// Exponent, from 0.1 to 100; the paper's choice is 7.
        rho: f64,
    },
    /// Equal steps of the log signal-to-noise ratio (DPM-Solver, arXiv 2206.00927, section 3.2).
    LogSnr,
    /// Rows counted from the noisy end of a table: `round(T - i T/N) - 1` (arXiv 2305.08891, table 2).
    Trailing,
    /// Multiples of `T/N`, counted from row 0 of a table. The noisy end is not reached: one step alone stands at
    /// row 0. With [`End::TMin`] the stride is `T/(N + 1)`, so that row 0 is the end of the last step.
    Leading,
    /// Rows of a table spread evenly from the first to the last and rounded.
    Linspace,
    /// Exactly these times.
    Times(Vec<f64>),
}

impl GridRule {
    /// The rule that suits a path: `power-t:k=2` for variance-preserving ones, `karras` for `edm` and `ve`,
    /// `uniform-t` for `flow`.
    #[must_use]
    pub fn default_for(path: &Path) -> Self {
        match path {
            Path::VpLinear { .. } | Path::Discrete(_) | Path::VpCosine { .. } => Self::PowerT { k: 2.0 },
            Path::Ve { .. } | Path::Edm { .. } => Self::Karras { rho: 7.0 },
            Path::Flow => Self::UniformT,
        }
    }

    /// Where this rule ends unless told otherwise.
    #[must_use]
    pub fn default_end(&self) -> End {
        match self {
            Self::Karras { .. } | Self::Trailing | Self::Leading | Self::Linspace => End::Zero,
            Self::UniformT | Self::PowerT { .. } | Self::LogSnr | Self::Times(_) => End::TMin,
        }
    }

    /// The only step count that a list of times can make with this end (default: its own); `None` for all rules
    /// that take any.
    #[must_use]
    pub fn fixed_steps(&self, path: &Path, end: Option<End>) -> Option<usize> {
        let Self::Times(times) = self else { return None };
        let last = path.node(*times.last()?);
        let appended = end == Some(End::Zero) && last.sigma > 0.0;
        Some((times.len() + usize::from(appended)).saturating_sub(1))
    }

    /// Makes the grid of `steps` steps on `path`.
    ///
    /// `t_max` and `t_min` default to [`Path::range`], `end` to [`GridRule::default_end`]. `trailing`, `leading` and
    /// lists of times fix their own limits.
    ///
    /// # Errors
    /// On 0 steps, on limits that are reversed, outside the path or not finite, on a rule that does not suit the path
    /// (an integer rule without a table, log-SNR or Karras spacing where the log-SNR is infinite), and when two nodes
    /// would coincide.
    pub fn grid(
        &self,
        path: &Path,
        steps: usize,
        t_max: Option<f64>,
        t_min: Option<f64>,
        end: Option<End>,
    ) -> Result<Grid> {
        path.validate()?;
        let refuse = |hint: String| Err(Error::Steps { rule: self.to_string(), steps, hint });
        if steps == 0 {
            return refuse("ask for at least 1".to_owned());
        }
        if steps > MAX_STEPS {
            return refuse(format!("ask for at most {MAX_STEPS}"));
        }
        let fixed = matches!(self, Self::Trailing | Self::Leading | Self::Times(_));
        if fixed && (t_max.is_some() || t_min.is_some()) {
            return Err(Error::NoLimits { rule: self.to_string() });
        }
        if let Some(fixed) = self.fixed_steps(path, end).filter(|n| *n != steps) {
            return refuse(format!("its list makes {fixed}: ask for that, or change the list"));
        }
        let range = path.range();
        let (t_min, t_max) = (t_min.unwrap_or(range.0), t_max.unwrap_or(range.1));
        if !matches!(self, Self::Times(_)) {
            check_limits(path, t_min, t_max)?;
        }
        let end = end.unwrap_or(self.default_end());
        let last = match self {
            Self::Times(times) => times.last().copied().unwrap_or(t_min),
            _ => t_min,
        };
        if let Some(rows) = path.rows().filter(|rows| self.counts_rows() && steps > *rows) {
            return refuse(format!("the table has {rows} rows: ask for fewer"));
        }
        let append = end == End::Zero && path.node(last).sigma > 0.0;
        let mut times = self.times(path, t_max, t_min, if append { steps } else { steps + 1 }, append)?;
        if append {
            times.push(path.zero().t);
        }
        Grid::new(path, &times, self.to_string())
    }

    /// `count` times from `t_max` to `t_min`; just `t_max` when `count` is 1.
    fn times(&self, path: &Path, t_max: f64, t_min: f64, count: usize, to_zero: bool) -> Result<Vec<f64>> {
        let power = |a: f64, b: f64, k: f64, u: f64| {
            let root = a.powf(1.0 / k);
            (root + u * (b.powf(1.0 / k) - root)).powf(k)
        };
        Ok(match self {
            Self::UniformT => spread(t_max, t_min, count, |u| t_max + u * (t_min - t_max)),
            Self::PowerT { k } => {
                if t_min < 0.0 {
                    return Err(Error::TimeOutside { t: t_min, path: path.to_string(), lo: 0.0, hi: t_max });
                }
                spread(t_max, t_min, count, |u| power(t_max, t_min, *k, u))
            }
            Self::Karras { rho } => {
                let (a, b) = (path.rho(t_max), path.rho(t_min));
                self.need_finite(path, t_max, a, "t_max")?;
                spread(t_max, t_min, count, |u| path.t_of_rho(power(a, b, *rho, u)))
            }
            Self::LogSnr => {
                let (a, b) = (path.lambda(t_max), path.lambda(t_min));
                self.need_finite(path, t_max, a, "t_max")?;
                // One node alone never looks at the other end.
                if count > 1 {
                    self.need_finite(path, t_min, b, "t_min")?;
                }
                spread(t_max, t_min, count, |u| path.t_of_lambda(a + u * (b - a)))
            }
            Self::Linspace => {
                self.need_rows(path)?;
                let rounded = |t: f64| t.round_ties_even();
                spread(rounded(t_max), rounded(t_min), count, |u| rounded(t_max + u * (t_min - t_max)))
            }
            Self::Trailing => {
                let rows = self.need_rows(path)? as f64;
                let n = if to_zero { count } else { count - 1 };
                let mut times: Vec<f64> =
                    (0..n).map(|i| (rows - i as f64 * rows / n as f64).round_ties_even() - 1.0).collect();
                if !to_zero {
                    times.push(t_min);
                }
                times
            }
            Self::Leading => {
                let rows = self.need_rows(path)?;
                let stride = rows / count;
                (0..count).rev().map(|i| (i * stride) as f64).collect()
            }
            Self::Times(times) => times.clone(),
        })
    }

    /// Whether the times are whole rows of a table.
    fn counts_rows(&self) -> bool {
        matches!(self, Self::Trailing | Self::Leading | Self::Linspace)
    }

    fn need_finite(&self, path: &Path, t: f64, value: f64, limit: &'static str) -> Result<()> {
        if value.is_finite() {
            return Ok(());
        }
        Err(Error::InfiniteLogSnr { rule: self.to_string(), path: path.to_string(), t, limit })
    }

    fn need_rows(&self, path: &Path) -> Result<usize> {
        path.rows().ok_or_else(|| Error::NeedsTable { rule: self.to_string(), path: path.to_string() })
    }
}

fn check_limits(path: &Path, t_min: f64, t_max: f64) -> Result<()> {
    let (lo, hi) = path.domain();
    for t in [t_max, t_min] {
        // Written so that NaN fails.
        if !(t >= lo && t <= hi) {
            return Err(Error::TimeOutside { t, path: path.to_string(), lo, hi });
        }
    }
    if t_min < t_max { Ok(()) } else { Err(Error::EmptyRange { t_max, t_min }) }
}

/// `at(u)` for `u` from 0 to 1, with the two ends taken exactly.
fn spread(first: f64, last: f64, count: usize, at: impl Fn(f64) -> f64) -> Vec<f64> {
    (0..count)
        .map(|i| match i {
            0 => first,
            i if i + 1 == count => last,
            i => at(i as f64 / (count - 1) as f64),
        })
        .collect()
}
