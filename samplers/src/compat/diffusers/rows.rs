//! What `DDIMScheduler` and `PNDMScheduler` share: steps of N-th part of the rows, wherever the next evaluation stands.

use super::schedule::{Family, Final, Schedule, Spacing, Timing, rows};
use crate::spec::Params;
use crate::{Node, Path, Result};

/// The evaluations of a run, with the place where a step from any row ends.
pub(super) struct Rows {
    pub(super) schedule: Schedule,
    /// Rows in a step, `num_train_timesteps // num_inference_steps`.
    pub(super) stride: usize,
    end: Node,
}

impl Rows {
    pub(super) fn read(p: &mut Params, set_alpha_to_one: bool) -> Result<Timing> {
        let timing = Timing::read(p, Family::Rows, Spacing::Leading)?;
        let last = if p.flag("set_alpha_to_one", set_alpha_to_one)? { Final::Zero } else { Final::SigmaMin };
        Ok(Timing { last, ..timing })
    }

    pub(super) fn new(timing: Timing, name: &str, path: &Path, steps: usize) -> Result<Self> {
        let mut schedule = Schedule::new(timing, name, path, steps)?;
        let stride = rows(timing, name, path, steps)? / steps;
        let end = schedule.levels[steps];
        let mut rows = Self { schedule: schedule.clone(), stride, end };
        schedule.levels[steps] = rows.target(path, schedule.times[steps - 1]);
        rows.schedule = schedule;
        Ok(rows)
    }

    /// Where a step from row `t` ends.
    pub(super) fn target(&self, path: &Path, t: f64) -> Node {
        let t = t - self.stride as f64;
        if t >= 0.0 { path.node(t) } else { self.end }
    }
}

/// Coefficients of the state and of `eps` in a step without noise.
pub(super) fn transfer(from: &Node, to: &Node) -> (f64, f64) {
    let keep = to.alpha / from.alpha;
    (keep, to.sigma - keep * from.sigma)
}
