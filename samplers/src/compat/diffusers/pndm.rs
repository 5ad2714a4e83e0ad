//! `PNDMScheduler`, with Runge-Kutta steps at the start or (`skip_prk_steps`, Stable Diffusion's setting) without.

use super::rows::{Rows, transfer};
use super::schedule::Timing;
use super::writer::{Start, Writer};
use super::{Recipe, Scheduler, error};
use crate::spec::Params;
use crate::{Node, Path, Plan, Pred, Result, Slot};

pub(super) const SCHEDULER: Scheduler = Scheduler {
    name: "pndm",
    class: "PNDMScheduler",
    summary: "Adams-Bashforth of order 4 on eps in equal steps of the row; starts with an improved Euler step (N + 1 \
        evaluations) or three Runge-Kutta steps (N + 9)",
    params: "skip_prk_steps=false, timestep_spacing=leading (linspace, trailing), steps_offset=0, \
        set_alpha_to_one=false",
    read: |p| Ok(Box::new(Pndm::read(p)?)),
};

/// Weights of the newest evaluations, newest first, by how many there are.
const ADAMS: [&[f64]; 4] = [
    &[1.0],
    &[3.0 / 2.0, -1.0 / 2.0],
    &[23.0 / 12.0, -16.0 / 12.0, 5.0 / 12.0],
    &[55.0 / 24.0, -59.0 / 24.0, 37.0 / 24.0, -9.0 / 24.0],
];

struct Pndm {
    skip_prk_steps: bool,
    timing: Timing,
}

impl Pndm {
    fn read(p: &mut Params) -> Result<Self> {
        Ok(Self { skip_prk_steps: p.flag("skip_prk_steps", false)?, timing: Rows::read(p, false)? })
    }
}

/// Adds the step from `from` to `to` along a weighted sum of evaluations.
fn step(w: &mut Writer, (from, to): (&Node, &Node), x: Slot, terms: &[(f64, Slot)]) -> Slot {
    let (keep, move_) = transfer(from, to);
    let mut all = vec![(keep, x)];
    all.extend(terms.iter().map(|(weight, eps)| (move_ * weight, *eps)));
    w.b.lin(&all)
}

/// The improved Euler step: the second evaluation stands at the next row, and the step is made again from there.
fn improved_euler(w: &mut Writer, rows: &Rows, path: &Path, x: Slot) -> (Slot, Slot) {
    let (from, next) = (rows.schedule.levels[0], rows.schedule.levels[1]);
    let first = w.eval(0, x, Pred::Eps);
    let there = step(w, (&from, &rows.target(path, from.t)), x, &[(1.0, first)]);
    let second = w.eval(1, there, Pred::Eps);
    // The start is taken to be one step above the next row, which `linspace` does not promise.
    let above = path.node(next.t + rows.stride as f64);
    (step(w, (&above, &next), x, &[(0.5, second), (0.5, first)]), first)
}

/// A classical Runge-Kutta step from evaluation `i` to the next row, with whole rows for its middle.
fn runge_kutta(w: &mut Writer, rows: &Rows, path: &Path, i: usize, x: Slot) -> (Slot, Slot) {
    let (from, next) = (rows.schedule.levels[i], rows.schedule.levels[i + 1]);
    let half = (rows.stride / 2) as f64;
    let middle = path.node(next.t + half);
    let first = w.eval(i, x, Pred::Eps);
    // The first half step ends half a step below the start, but is evaluated half a step above the end.
    let below = path.node(from.t - half);
    let x2 = step(w, (&from, &below), x, &[(1.0, first)]);
    let second = w.eval_at(middle.t, x2, Pred::Eps);
    let x3 = step(w, (&from, &middle), x, &[(1.0, second)]);
    let third = w.eval_at(middle.t, x3, Pred::Eps);
    let x4 = step(w, (&from, &next), x, &[(1.0, third)]);
    let fourth = w.eval(i + 1, x4, Pred::Eps);
    let sixth = 1.0 / 6.0;
    let terms = [(sixth, first), (2.0 * sixth, second), (2.0 * sixth, third), (sixth, fourth)];
    (step(w, (&from, &next), x, &terms), first)
}

impl Recipe for Pndm {
    fn plan(&self, spec: &str, path: &Path, steps: usize) -> Result<Plan> {
        let rows = Rows::new(self.timing, SCHEDULER.name, path, steps)?;
        if !self.skip_prk_steps && steps < 4 {
            let reason = "needs 4 rows for its Runge-Kutta steps and fails";
            return Err(error(
                SCHEDULER.name,
                reason,
                "ask for at least 4 steps or add `skip_prk_steps=true`",
            ));
        }
        let (mut w, mut x) = Writer::new(spec, SCHEDULER.name, path, &rows.schedule, Start::Unit)?;
        let mut history: Vec<Slot> = Vec::new();
        for i in 0..steps {
            let first;
            (x, first) = if self.skip_prk_steps && i == 0 && steps > 1 {
                improved_euler(&mut w, &rows, path, x)
            } else if !self.skip_prk_steps && i < 3 {
                runge_kutta(&mut w, &rows, path, i, x)
            } else {
                let eps = w.eval(i, x, Pred::Eps);
                let newest: Vec<Slot> = [eps].into_iter().chain(history.iter().copied()).take(4).collect();
                let weights = ADAMS[newest.len() - 1];
                let terms: Vec<(f64, Slot)> = weights.iter().copied().zip(newest).collect();
                let from = rows.schedule.levels[i];
                (step(&mut w, (&from, &rows.target(path, from.t)), x, &terms), eps)
            };
            history.insert(0, first);
            w.end_step(i, x);
        }
        w.finish()
    }
}
