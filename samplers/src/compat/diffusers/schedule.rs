//! Where diffusers puts its steps: the noise levels that enter the coefficients and the times that the network hears.

use super::flow_sigmas::{FlowSigmas, Top};
use super::levels::LevelRule;
use super::{bad_steps, error};
use crate::spec::Params;
use crate::{Error, Node, Path, Result};

/// `timestep_spacing`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spacing {
    Linspace,
    Leading,
    Trailing,
}

impl Spacing {
    pub(super) const WORDS: [(&'static str, Self); 3] =
        [("linspace", Self::Linspace), ("leading", Self::Leading), ("trailing", Self::Trailing)];
}

/// `final_sigmas_type`: the level after the last evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Final {
    Zero,
    SigmaMin,
    /// The level of the last evaluation once more, so that the last step has no length. This is what some schedulers
    /// make of `sigma_min` under Karras levels.
    Repeat,
}

impl Final {
    pub(super) const WORDS: [(&'static str, Self); 2] = [("zero", Self::Zero), ("sigma_min", Self::SigmaMin)];
}

/// The two readings of one flag: the same `timestep_spacing` means other rows in either family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// N rows, the last of them evaluated; real numbers under `linspace` (Euler, Heun, LMS).
    Points,
    /// The same without Karras levels (ancestral Euler).
    PlainPoints,
    /// Rounded, and without Karras levels (DDIM, PNDM).
    Rows,
    /// N + 1 rows of which the last, row 0, is only where the steps end (DPM-Solver, DEIS, UniPC).
    Intervals,
}

/// The parameters that say where steps stand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    pub(super) family: Family,
    pub(super) spacing: Spacing,
    pub(super) steps_offset: usize,
    /// A rule for the levels in place of those of the timesteps.
    pub(super) levels: Option<LevelRule>,
    pub(super) flow: Option<FlowSigmas>,
    pub(super) last: Final,
}

impl Timing {
    /// With this end; `sigma_min` repeats the last level wherever levels are not those of the table's rows.
    pub(super) fn ending_or_repeating(self, last: Final) -> Self {
        let repeats = (self.levels.is_some() || self.flow.is_some()) && last == Final::SigmaMin;
        Self { last: if repeats { Final::Repeat } else { last }, ..self }
    }

    /// Reads in addition whether the scheduler runs on the flow path.
    pub(super) fn read_flow(self, p: &mut Params, top: Top) -> Result<Self> {
        Ok(Self { flow: FlowSigmas::read(p, top)?, ..self })
    }

    /// Reads what all table schedulers have in common, except the end.
    pub(super) fn read(p: &mut Params, family: Family, spacing: Spacing) -> Result<Self> {
        let spacing = p.choice("timestep_spacing", spacing, &Spacing::WORDS)?;
        let steps_offset = p.count("steps_offset", 0, 0..=10_000)?;
        let knows_others = matches!(family, Family::Points | Family::Intervals);
        let levels = if knows_others { LevelRule::read(p, None, &LevelRule::WORDS)? } else { None };
        // Whoever knows better where it ends overwrites `last`.
        Ok(Self { family, spacing, steps_offset, levels, flow: None, last: Final::Zero })
    }
}

/// The steps of one run.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    /// The levels of the states, one more than there are evaluations; `t` is where the path has that level.
    pub(super) levels: Vec<Node>,
    /// The time of each evaluation.
    pub(super) times: Vec<f64>,
    /// Where it comes from, for the plan's reader.
    pub(super) rule: String,
}

impl Schedule {
    /// Whether the last step starts at the level where it ends, so that its evaluation is wasted.
    #[expect(clippy::float_cmp, reason = "the two levels are one number, repeated")]
    pub(super) fn repeats_last(&self) -> bool {
        let n = self.times.len();
        self.levels[n].rho() == self.levels[n - 1].rho()
    }

    /// The schedule of `steps` evaluations.
    pub(super) fn new(timing: Timing, name: &str, path: &Path, steps: usize) -> Result<Self> {
        let schedule = match timing.flow {
            Some(flow) => flow.schedule(timing, name, path, steps)?,
            None => Self::of_table(timing, name, path, steps)?,
        };
        // A loop that tells `step` the time and no pipeline's index finds the second of two.
        if let [a, b, ..] = schedule.times[..]
            && a <= b
        {
            return Err(error(
                name,
                "skips the first of two evaluations at one time and fails at the end",
                "ask for fewer steps",
            ));
        }
        Ok(schedule)
    }

    fn of_table(timing: Timing, name: &str, path: &Path, steps: usize) -> Result<Self> {
        let rows = rows(timing, name, path, steps)?;
        // Where levels have a rule of their own over the whole table, nobody reads the spaced timesteps.
        let unread = timing.family == Family::Intervals && timing.levels.is_some();
        let times = if unread { vec![0.0; steps] } else { timing.times(name, rows, steps)? };
        if let Some(&t) = times.first().filter(|t| **t > rows as f64 - 1.0) {
            return Err(Error::TimeOutside { t, path: path.to_string(), lo: 0.0, hi: rows as f64 - 1.0 });
        }
        let word = Spacing::WORDS.iter().find(|(_, s)| *s == timing.spacing).map_or("", |(word, _)| word);
        let mut schedule = if let Some(rule) = timing.levels {
            timing.spread(path, rows, &times, rule)
        } else {
            let levels = times.iter().map(|&t| level(path, table_rho(path, t), t)).collect();
            Self { levels, times, rule: format!("diffusers {word}") }
        };
        let row_0 = level(path, path.rho(0.0), 0.0);
        schedule.levels.push(match timing.last {
            Final::Zero => path.zero(),
            Final::SigmaMin => row_0,
            Final::Repeat => schedule.levels.last().copied().unwrap_or(row_0),
        });
        Ok(schedule)
    }
}

impl Timing {
    /// Timesteps before any change of the levels, as numpy computes them.
    fn times(&self, name: &str, rows: usize, steps: usize) -> Result<Vec<f64>> {
        let fence = usize::from(self.family == Family::Intervals);
        let count = steps + fence;
        let table = rows as f64;
        Ok(match self.spacing {
            Spacing::Linspace => {
                let stride = if count > 1 { (table - 1.0) / (count - 1) as f64 } else { 0.0 };
                let row = |i: usize| if i > 0 && i + 1 == count { table - 1.0 } else { i as f64 * stride };
                let real = matches!(self.family, Family::Points | Family::PlainPoints);
                let round = |t: f64| if real { t } else { t.round_ties_even() };
                (fence..count).rev().map(|i| round(row(i))).collect()
            }
            Spacing::Leading => {
                let stride = rows / count;
                (fence..count).rev().map(|i| (i * stride + self.steps_offset) as f64).collect()
            }
            Spacing::Trailing => {
                // The rounding errors of numpy's `arange` are part of the result: they decide ties, and at 61 steps of
                // 1000 rows they add an element.
                let stride = table / steps as f64;
                let made = (table / stride).ceil() as usize;
                if made != steps {
                    return Err(error(
                        name,
                        &format!("makes {made} timesteps instead of {steps}, the last of them -1"),
                        "ask for another number of steps or another `timestep_spacing`",
                    ));
                }
                let delta = (table - stride) - table;
                (0..steps).map(|i| (table + i as f64 * delta).round_ties_even() - 1.0).collect()
            }
        })
    }

    /// Levels by a rule of their own. Euler, Heun and LMS put them between the levels of their own first and last timestep
    /// and tell the network the exact time; the others use the whole table and make the time a row.
    fn spread(&self, path: &Path, rows: usize, times: &[f64], rule: LevelRule) -> Schedule {
        let own = self.family == Family::Points;
        let last_row = rows as f64 - 1.0;
        let (t_max, t_min) = match times {
            [first, .., last] if own => (*first, *last),
            [only] if own => (*only, *only),
            _ => (last_row, 0.0),
        };
        let (hi, lo) = (table_rho(path, t_max), table_rho(path, t_min));
        let count = times.len();
        let (mut levels, mut told) = (Vec::with_capacity(count + 1), Vec::with_capacity(count));
        for i in 0..count {
            // Both ends are taken as they are: the rules would miss them by an ulp.
            let (rho, t) = match i {
                0 => (hi, t_max),
                i if i + 1 == count => (lo, t_min),
                i => {
                    let rho = rule.between(hi, lo, i as f64 / (count - 1) as f64);
                    (rho, path.t_of_rho(rho).clamp(0.0, last_row))
                }
            };
            levels.push(level(path, rho, t));
            told.push(if own { t } else { rule.row(t) });
        }
        Schedule { levels, times: told, rule: format!("diffusers {}", rule.word()) }
    }
}

/// The point with noise-to-signal ratio `rho`, which diffusers computes with, at time `t` where that is a row, and
/// else where the path has this ratio.
fn level(path: &Path, rho: f64, t: f64) -> Node {
    let norm = rho.hypot(1.0);
    let t = if t.fract() == 0.0 { t } else { path.t_of_rho(rho) };
    Node { t, alpha: 1.0 / norm, sigma: rho / norm }
}

/// diffusers interpolates `rho` itself between rows, where the path interpolates its logarithm.
fn table_rho(path: &Path, t: f64) -> f64 {
    let (below, u) = (t.floor(), t.fract());
    if u == 0.0 { path.rho(t) } else { path.rho(below) * (1.0 - u) + path.rho(below + 1.0) * u }
}

/// The number of rows of the table on which a scheduler runs.
pub(super) fn rows(timing: Timing, name: &str, path: &Path, steps: usize) -> Result<usize> {
    let Some(rows) = path.rows() else {
        let reason = format!("needs a table, and path `{path}` has none");
        let remedy = if timing.family == Family::Intervals && *path == Path::Flow {
            "add `use_flow_sigmas=true`, or use path `ddpm` or `sd`"
        } else {
            "use path `ddpm` or `sd`"
        };
        return Err(error(name, &reason, remedy));
    };
    if steps == 0 {
        return Err(bad_steps(name, steps, "ask for at least 1".to_owned()));
    }
    if steps > rows {
        return Err(bad_steps(name, steps, format!("the table has {rows} rows: ask for fewer")));
    }
    Ok(rows)
}
