//! `UniPCMultistepScheduler`.

use super::flow_sigmas::Top;
use super::multistep::{Point, functional};
use super::schedule::{Family, Final, Schedule, Spacing, Timing};
use super::writer::{Start, Writer};
use super::{Recipe, Scheduler, error};
use crate::phi::phi;
use crate::spec::Params;
use crate::{Node, Path, Plan, Pred, Result, Slot};

pub(super) const SCHEDULER: Scheduler = Scheduler {
    name: "unipc",
    class: "UniPCMultistepScheduler",
    summary: "UniPC; the corrector of a step runs at the start of the next, so that the last step has none",
    params: "solver_order=2 (1 to 3), solver_type=bh2 (bh1), predict_x0=true, lower_order_final=true, \
        disable_corrector=(step numbers, as in 0+1+2), final_sigmas_type=zero (sigma_min), \
        timestep_spacing=linspace (leading, trailing), steps_offset=0, use_karras_sigmas=false (or use_exponential_sigmas, use_beta_sigmas), \
        use_flow_sigmas=false, flow_shift=1",
    read: |p| Ok(Box::new(UniPc::read(p)?)),
};

struct UniPc {
    timing: Timing,
    solver_order: usize,
    bh1: bool,
    predict_x0: bool,
    lower_order_final: bool,
    disable_corrector: Vec<usize>,
}

/// A step that the predictor has begun and the corrector may finish.
struct Begun {
    from: Node,
    to: Node,
    x: Slot,
    order: usize,
}

impl UniPc {
    fn read(p: &mut Params) -> Result<Self> {
        let solver_order = p.count("solver_order", 2, 1..=3)?;
        let bh1 = p.choice("solver_type", false, &[("bh1", true), ("bh2", false)])?;
        let predict_x0 = p.flag("predict_x0", true)?;
        let lower_order_final = p.flag("lower_order_final", true)?;
        let disable_corrector = p.counts("disable_corrector")?;
        let last = p.choice("final_sigmas_type", Final::Zero, &Final::WORDS)?;
        let timing = Timing::read(p, Family::Intervals, Spacing::Linspace)?
            .read_flow(p, Top::One)?
            .ending_or_repeating(last);
        Ok(Self { timing, solver_order, bh1, predict_x0, lower_order_final, disable_corrector })
    }

    /// `-h` for the data, `h` for the noise.
    fn z(&self, step: &Begun) -> f64 {
        let h = step.to.lambda() - step.from.lambda();
        if self.predict_x0 { -h } else { h }
    }

    /// The step of `begun` from the model values of `history` (newest first) and, in the corrector, from the value `new`
    /// at its end (arXiv 2302.04867, eq. 3 and 9).
    fn step(&self, w: &mut Writer, begun: &Begun, history: &[Point], new: Option<Slot>) -> Slot {
        let z = self.z(begun);
        let h = begun.to.lambda() - begun.from.lambda();
        let (keep, scale) = if self.predict_x0 {
            (begun.to.sigma / begun.from.sigma, begun.to.alpha)
        } else {
            (begun.to.alpha / begun.from.alpha, begun.to.sigma)
        };
        // Older values and the new one with their distances from the newest, in steps.
        let older = history.iter().take(begun.order).skip(1);
        let mut others: Vec<(f64, Slot)> =
            older.map(|point| ((point.lambda - begun.from.lambda()) / h, point.m)).collect();
        others.extend(new.map(|m| (1.0, m)));
        let simple = if self.bh1 { 0.5 * z } else { 0.5 * z.exp_m1() };
        let weights = match others[..] {
            [] => Vec::new(),
            // One unknown is taken as 1/2 instead of solved for; only here does B matter, which cancels otherwise.
            [_] => vec![simple],
            _ => solve(&others.iter().map(|(r, _)| *r).collect::<Vec<_>>(), z),
        };
        let m0 = history[0].m;
        let mut terms = vec![(keep, begun.x), (-scale * z.exp_m1(), m0)];
        for ((r, m), weight) in others.iter().zip(weights) {
            terms.push((-scale * weight / r, *m));
            terms.push((scale * weight / r, m0));
        }
        w.b.lin(&terms)
    }

    /// Refuses a last step whose formula divides 0 by 0 or infinity by infinity.
    fn check_last(&self, begun: &Begun) -> Result<()> {
        let nan = |reason: &str, remedy: &str| Err(error(SCHEDULER.name, reason, remedy));
        if begun.to.sigma == 0.0 {
            let remedy = "add `final_sigmas_type=sigma_min`";
            if self.bh1 {
                return nan(
                    "multiplies infinity by 0 in a last step to zero with `bh1` and returns NaN",
                    remedy,
                );
            }
            if !self.predict_x0 {
                return nan("multiplies infinity by 0 in a last step to zero on eps and returns NaN", remedy);
            }
            if begun.order > 1 {
                return nan("returns infinity or fails in a last step to zero above order 1", remedy);
            }
        }
        if self.z(begun) == 0.0 && begun.order > 2 {
            let remedy = "use `lower_order_final=true`";
            return nan("divides 0 by 0 in a last step of zero length and returns NaN", remedy);
        }
        Ok(())
    }
}

/// Weights `a_m` with `sum a_m r_m^(k-1) = z k! phi_{k+1}(z)` for `k` from 1 to the number of points `r`.
fn solve(points: &[f64], z: f64) -> Vec<f64> {
    let mut factorial = 1.0;
    let moments: Vec<f64> = (1..=points.len() as u32)
        .map(|k| {
            factorial *= f64::from(k);
            z * factorial * phi(k + 1, z)
        })
        .collect();
    functional(points, &moments)
}

impl Recipe for UniPc {
    fn plan(&self, spec: &str, path: &Path, steps: usize) -> Result<Plan> {
        if !self.predict_x0 && self.timing.flow.is_some() {
            let reason = "takes no flow prediction with `predict_x0=false` and fails";
            return Err(error(SCHEDULER.name, reason, "use `predict_x0=true`"));
        }
        let schedule = Schedule::new(self.timing, SCHEDULER.name, path, steps)?;
        let (mut w, mut x) = Writer::new(spec, SCHEDULER.name, path, &schedule, Start::Unit)?;
        let mut history: Vec<Point> = Vec::new();
        let mut begun: Option<Begun> = None;
        for (i, pair) in schedule.levels.windows(2).enumerate() {
            let (from, to) = (pair[0], pair[1]);
            let m = w.model(i, &from, x, if self.predict_x0 { Pred::X0 } else { Pred::Eps });
            if let Some(begun) = begun.filter(|_| !self.disable_corrector.contains(&(i - 1))) {
                x = self.step(&mut w, &begun, &history, Some(m));
            }
            history.insert(0, Point { m, lambda: from.lambda() });
            let room = if self.lower_order_final { steps - i } else { steps };
            let order = self.solver_order.min(room).min(i + 1);
            let next = Begun { from, to, x, order };
            self.check_last(&next)?;
            x = self.step(&mut w, &next, &history, None);
            w.end_step(i, x);
            begun = Some(next);
        }
        w.finish()
    }
}
