//! `DDIMScheduler` without clipping.

use super::rows::{Rows, transfer};
use super::schedule::Timing;
use super::writer::{Start, Writer};
use super::{Recipe, Scheduler};
use crate::{Path, Plan, Pred, Result};

pub(super) const SCHEDULER: Scheduler = Scheduler {
    name: "ddim",
    class: "DDIMScheduler",
    summary: "steps of rows/N whatever the spacing: off under linspace, and under trailing unless N divides the rows",
    params: "eta=0 (to 1), timestep_spacing=leading (linspace, trailing), steps_offset=0, set_alpha_to_one=true; \
        clip_sample is off",
    read: |p| Ok(Box::new(Ddim { eta: p.number("eta", 0.0, 0.0..=1.0)?, timing: Rows::read(p, true)? })),
};

struct Ddim {
    eta: f64,
    timing: Timing,
}

impl Recipe for Ddim {
    fn plan(&self, spec: &str, path: &Path, steps: usize) -> Result<Plan> {
        let rows = Rows::new(self.timing, SCHEDULER.name, path, steps)?;
        let (mut w, mut x) = Writer::new(spec, SCHEDULER.name, path, &rows.schedule, Start::Unit)?;
        for (i, from) in rows.schedule.levels[..steps].iter().enumerate() {
            let to = rows.target(path, from.t);
            let eps = w.eval(i, x, Pred::Eps);
            let (keep, move_) = transfer(from, &to);
            // Of the variance of the noise, e^-2h = (rho'/rho)^2 stays even at eta = 1.
            let fresh = self.eta * (1.0 - (to.rho() / from.rho()).powi(2)).sqrt();
            x = if to.sigma * fresh > 0.0 {
                let noise = w.b.brownian(from, &to);
                let lost = to.sigma * (1.0 - (1.0 - fresh * fresh).sqrt());
                w.b.lin(&[(keep, x), (move_ - lost, eps), (to.sigma * fresh, noise)])
            } else {
                w.b.lin(&[(keep, x), (move_, eps)])
            };
            w.end_step(i, x);
        }
        w.finish()
    }
}
