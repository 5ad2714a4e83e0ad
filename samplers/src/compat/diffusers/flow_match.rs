//! `FlowMatchEulerDiscreteScheduler`.

use super::levels::LevelRule;
use super::schedule::Schedule;
use super::writer::{Start, Writer};
use super::{Recipe, Scheduler, bad_steps, error, shifted};
use crate::spec::Params;
use crate::{Path, Plan, Pred, Result};

pub(super) const SCHEDULER: Scheduler = Scheduler {
    name: "flow-match-euler",
    class: "FlowMatchEulerDiscreteScheduler",
    summary: "Euler in t on the flow path; the smallest time is shifted twice, unless the shift is dynamic",
    params: "shift=1, num_train_timesteps=1000, sigmas=default (pipeline: from 1 to 1/N, as FLUX passes them), \
        use_dynamic_shifting=false, mu=(then needed), time_shift_type=exponential (linear), shift_terminal=0 (none), \
        use_karras_sigmas=false (or use_exponential_sigmas, use_beta_sigmas), stochastic_sampling=false",
    read: |p| Ok(Box::new(FlowMatch::read(p)?)),
};

/// How times are shifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shift {
    /// By `shift`, when the scheduler is made and when the steps are set.
    Static,
    /// By `exp(mu)`, once.
    Exponential,
    /// By `mu`, once.
    Linear,
}

struct FlowMatch {
    kind: Shift,
    /// The factor of the odds `t / (1 - t)`.
    shift: f64,
    num_train_timesteps: usize,
    /// Whether the caller's list replaces the scheduler's own.
    pipeline: bool,
    /// Where the last evaluation stands, by a stretch of `1 - t`; 0 for no stretch.
    shift_terminal: f64,
    levels: Option<LevelRule>,
    stochastic: bool,
}

impl FlowMatch {
    fn read(p: &mut Params) -> Result<Self> {
        let shift = p.number("shift", 1.0, 1e-3..=1e3)?;
        let dynamic = p.flag("use_dynamic_shifting", false)?;
        let mu = p.number("mu", f64::NAN, -10.0..=10.0)?;
        let kinds = [("exponential", Shift::Exponential), ("linear", Shift::Linear)];
        let kind = p.choice("time_shift_type", Shift::Exponential, &kinds)?;
        let needs = |reason: &str, remedy: &str| Err(error(SCHEDULER.name, reason, remedy));
        let (kind, shift) = match (dynamic, kind) {
            (false, _) if !mu.is_nan() => {
                return needs("uses `mu` for a dynamic shift only", "add `use_dynamic_shifting=true`");
            }
            (false, _) => (Shift::Static, shift),
            (true, _) if mu.is_nan() => {
                return needs(
                    "has no `mu` for its dynamic shift",
                    "add `mu=1.15`, or what the pipeline computes",
                );
            }
            (true, Shift::Linear) if mu <= 0.0 => {
                return needs("divides by zero in a linear shift by `mu` = 0 or less", "use a positive `mu`");
            }
            (true, Shift::Linear) => (kind, mu),
            (true, _) => (kind, mu.exp()),
        };
        Ok(Self {
            kind,
            shift,
            num_train_timesteps: p.count("num_train_timesteps", 1000, 2..=100_000)?,
            pipeline: p.choice("sigmas", false, &[("default", false), ("pipeline", true)])?,
            shift_terminal: p.number("shift_terminal", 0.0, 0.0..=0.99)?,
            levels: LevelRule::read(p, None, &LevelRule::WORDS)?,
            stochastic: p.flag("stochastic_sampling", false)?,
        })
    }

    fn times(&self, steps: usize) -> Result<Vec<f64>> {
        let shift = |t: f64| shifted(t, self.shift);
        // The range is shifted when the scheduler is made, and all times again when the steps are set.
        let lowest = 1.0 / self.num_train_timesteps as f64;
        let lowest = if self.kind == Shift::Static { shift(lowest) } else { lowest };
        let lowest = if self.pipeline { 1.0 / steps as f64 } else { lowest };
        let share = |i: usize| if steps > 1 { i as f64 / (steps - 1) as f64 } else { 0.0 };
        let mut times: Vec<f64> = (0..steps).map(|i| shift(1.0 + share(i) * (lowest - 1.0))).collect();
        let (hi, mut lo) = (times[0], times[steps - 1]);
        if self.shift_terminal > 0.0 {
            if steps == 1 {
                let reason = "divides 0 by 0 when it stretches a single step";
                return Err(error(
                    SCHEDULER.name,
                    reason,
                    "ask for at least 2 steps, or drop `shift_terminal`",
                ));
            }
            let scale = (1.0 - lo) / (1.0 - self.shift_terminal);
            for t in &mut times {
                *t = 1.0 - (1.0 - *t) / scale;
            }
            lo = times[steps - 1];
        }
        if let Some(rule) = self.levels {
            for (i, t) in times.iter_mut().enumerate().take(steps.saturating_sub(1)).skip(1) {
                *t = rule.between(hi, lo, share(i));
            }
        }
        Ok(times)
    }
}

impl Recipe for FlowMatch {
    fn plan(&self, spec: &str, path: &Path, steps: usize) -> Result<Plan> {
        if *path != Path::Flow {
            let reason = format!("does not run on path `{path}`");
            return Err(error(SCHEDULER.name, &reason, "use path `flow`"));
        }
        if steps == 0 || steps > self.num_train_timesteps {
            return Err(bad_steps(
                SCHEDULER.name,
                steps,
                format!("ask for 1 to {}", self.num_train_timesteps),
            ));
        }
        let times = self.times(steps)?;
        let levels = times.iter().chain(&[0.0]).map(|&t| path.node(t)).collect();
        let schedule = Schedule { levels, times, rule: "diffusers".to_owned() };
        let (mut w, mut x) = Writer::new(spec, SCHEDULER.name, path, &schedule, Start::Unit)?;
        for (i, pair) in schedule.levels.windows(2).enumerate() {
            let (from, to) = (pair[0].t, pair[1].t);
            let velocity = w.eval(i, x, Pred::Flow);
            x = if self.stochastic && to > 0.0 {
                // The clean image, and noise of the next level on it.
                let noise = w.b.noise();
                w.b.lin(&[(1.0 - to, x), (-(1.0 - to) * from, velocity), (to, noise)])
            } else {
                w.b.lin(&[(1.0, x), (to - from, velocity)])
            };
            w.end_step(i, x);
        }
        w.finish()
    }
}
