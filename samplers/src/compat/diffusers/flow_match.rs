//! `FlowMatchEulerDiscreteScheduler` with a static shift.

use super::schedule::Schedule;
use super::writer::{Start, Writer};
use super::{Recipe, Scheduler, error};
use crate::spec::Params;
use crate::{Error, Path, Plan, Pred, Result};

pub(super) const SCHEDULER: Scheduler = Scheduler {
    name: "flow-match-euler",
    class: "FlowMatchEulerDiscreteScheduler",
    summary: "Euler in t on the flow path; the smallest time is shifted twice",
    params: "shift=1, num_train_timesteps=1000",
    read: |p| Ok(Box::new(FlowMatch::read(p)?)),
};

struct FlowMatch {
    shift: f64,
    num_train_timesteps: usize,
}

impl FlowMatch {
    fn read(p: &mut Params) -> Result<Self> {
        Ok(Self {
            shift: p.number("shift", 1.0, 1e-3..=1e3)?,
            num_train_timesteps: p.count("num_train_timesteps", 1000, 2..=100_000)?,
        })
    }
}

impl Recipe for FlowMatch {
    fn plan(&self, spec: &str, path: &Path, steps: usize) -> Result<Plan> {
        if *path != Path::Flow {
            let reason = format!("does not run on path `{path}`");
            return Err(error(SCHEDULER.name, &reason, "use path `flow`"));
        }
        if steps == 0 || steps > self.num_train_timesteps {
            let hint = format!("ask for 1 to {}", self.num_train_timesteps);
            return Err(Error::Steps { rule: format!("diffusers {}", SCHEDULER.name), steps, hint });
        }
        let shift = |t: f64| self.shift * t / (1.0 + (self.shift - 1.0) * t);
        // The range is shifted when the scheduler is made, and all times again when the steps are set.
        let t_min = shift(1.0 / self.num_train_timesteps as f64);
        let time = |i: usize| {
            let u = if steps > 1 { i as f64 / (steps - 1) as f64 } else { 0.0 };
            shift(1.0 + u * (t_min - 1.0))
        };
        let times: Vec<f64> = (0..steps).map(time).collect();
        let levels = times.iter().chain(&[0.0]).map(|&t| path.node(t)).collect();
        let schedule = Schedule { levels, times, rule: "diffusers".to_owned() };
        let (mut w, mut x) = Writer::new(spec, SCHEDULER.name, path, &schedule, Start::Unit)?;
        for (i, pair) in schedule.levels.windows(2).enumerate() {
            let velocity = w.eval(i, x, Pred::Flow);
            x = w.b.lin(&[(1.0, x), (pair[1].t - pair[0].t, velocity)]);
            w.end_step(i, x);
        }
        w.finish()
    }
}
