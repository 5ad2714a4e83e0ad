//! `DEISMultistepScheduler`.

use super::flow_sigmas::Top;
use super::multistep::{Frame, Point, order, step};
use super::schedule::{Family, Final, Schedule, Spacing, Timing};
use super::writer::{Start, Writer};
use super::{Recipe, Scheduler};
use crate::phi::{phi, phi_2};
use crate::spec::Params;
use crate::{Path, Plan, Pred, Result};

pub(super) const SCHEDULER: Scheduler = Scheduler {
    name: "deis",
    class: "DEISMultistepScheduler",
    summary: "eps polynomial in log rho, not in t; stops at row 0; with levels of another rule the last evaluation is \
        wasted",
    params: "solver_order=2 (1 to 3), lower_order_final=true, timestep_spacing=linspace (leading, trailing), \
        steps_offset=0, use_karras_sigmas=false (or use_exponential_sigmas, use_beta_sigmas), \
        use_flow_sigmas=false, flow_shift=1",
    read: |p| Ok(Box::new(Deis::read(p)?)),
};

struct Deis {
    timing: Timing,
    solver_order: usize,
    lower_order_final: bool,
}

impl Deis {
    fn read(p: &mut Params) -> Result<Self> {
        let solver_order = p.count("solver_order", 2, 1..=3)?;
        let lower_order_final = p.flag("lower_order_final", true)?;
        let timing = Timing::read(p, Family::Intervals, Spacing::Linspace)?
            .read_flow(p, Top::BelowOne)?
            .ending_or_repeating(Final::SigmaMin);
        Ok(Self { timing, solver_order, lower_order_final })
    }
}

impl Recipe for Deis {
    fn plan(&self, spec: &str, path: &Path, steps: usize) -> Result<Plan> {
        let schedule = Schedule::new(self.timing, SCHEDULER.name, path, steps)?;
        let (mut w, mut x) = Writer::new(spec, SCHEDULER.name, path, &schedule, Start::Unit)?;
        let lower = self.lower_order_final && steps < 15;
        let mut history: Vec<Point> = Vec::new();
        for (i, pair) in schedule.levels.windows(2).enumerate() {
            let (from, to) = (&pair[0], &pair[1]);
            history.insert(0, Point { m: w.model(i, from, x, Pred::Eps), lambda: from.lambda() });
            let h = to.lambda() - from.lambda();
            let frame = Frame { keep: to.alpha / from.alpha, scale: to.sigma, noise: 0.0 };
            let weights = [h.exp_m1(), h * phi_2(h), 2.0 * h * phi(3, h)];
            let order = order(i, steps, self.solver_order, lower, lower);
            x = step(&mut w.b, (from, to), x, &history, frame, &weights[..order]);
            w.end_step(i, x);
        }
        w.finish()
    }
}
