//! `EulerDiscreteScheduler`, `EulerAncestralDiscreteScheduler`, `HeunDiscreteScheduler` and
//! `LMSDiscreteScheduler`.
//!
//! diffusers keeps their states on the variance-exploding scale, `x/alpha`, and divides by `sqrt(rho^2 + 1)` before it
//! asks the network. Here the states are on the other scale, which changes no number that the network sees.

use std::f64::consts::SQRT_2;

use super::multistep::functional;
use super::schedule::{Family, Final, Schedule, Spacing, Timing};
use super::writer::{Start, Writer};
use super::{Recipe, Scheduler};
use crate::spec::Params;
use crate::{Path, Plan, Pred, Result, Slot};

pub(super) const EULER: Scheduler = Scheduler {
    name: "euler",
    class: "EulerDiscreteScheduler",
    summary: "Euler in rho; between rows the level is linear in rho, which does not fit the time",
    params: "timestep_spacing=linspace (leading, trailing), steps_offset=0, use_karras_sigmas=false (or use_exponential_sigmas, use_beta_sigmas), \
        final_sigmas_type=zero (sigma_min), s_churn=0, s_tmin=0, s_tmax=inf, s_noise=1",
    read: |p| {
        let churn = Churn::read(p)?;
        Ok(Box::new(SigmaSpace::read(p, Method::Euler(churn))?))
    },
};

pub(super) const HEUN: Scheduler = Scheduler {
    name: "heun",
    class: "HeunDiscreteScheduler",
    summary: "Heun in rho with an Euler step into zero, 2N - 1 evaluations; levels as for euler",
    params: "timestep_spacing=linspace (leading, trailing), steps_offset=0, use_karras_sigmas=false \
        (or use_exponential_sigmas, use_beta_sigmas)",
    read: |p| Ok(Box::new(SigmaSpace::read(p, Method::Heun)?)),
};

pub(super) const ANCESTRAL: Scheduler = Scheduler {
    name: "euler-ancestral",
    class: "EulerAncestralDiscreteScheduler",
    summary: "Euler in rho to below the next level, and noise back up to it; levels as for euler",
    params: "timestep_spacing=linspace (leading, trailing), steps_offset=0",
    read: |p| Ok(Box::new(SigmaSpace::read(p, Method::Ancestral)?)),
};

pub(super) const LMS: Scheduler = Scheduler {
    name: "lms",
    class: "LMSDiscreteScheduler",
    summary: "eps polynomial in rho, also in the step into zero; levels as for euler",
    params: "order=4 (1 to 4), timestep_spacing=linspace (leading, trailing), steps_offset=0, \
        use_karras_sigmas=false (or use_exponential_sigmas, use_beta_sigmas)",
    read: |p| {
        let order = p.count("order", 4, 1..=4)?;
        Ok(Box::new(SigmaSpace::read(p, Method::Lms { order })?))
    },
};

/// Noise that is added after the network was asked at the level below (in EDM the network is asked at the level above).
#[derive(Clone, Copy, Debug, PartialEq)]
struct Churn {
    total: f64,
    lowest: f64,
    highest: f64,
    noise: f64,
}

impl Churn {
    fn read(p: &mut Params) -> Result<Self> {
        Ok(Self {
            total: p.number("s_churn", 0.0, 0.0..=1e6)?,
            lowest: p.number("s_tmin", 0.0, 0.0..=f64::INFINITY)?,
            highest: p.number("s_tmax", f64::INFINITY, 0.0..=f64::INFINITY)?,
            noise: p.number("s_noise", 1.0, 0.0..=1e3)?,
        })
    }

    /// The level to which a step of `steps` raises level `rho`.
    fn raised(&self, rho: f64, steps: usize) -> f64 {
        let churned = (self.lowest..=self.highest).contains(&rho);
        let gamma = if churned { (self.total / steps as f64).min(SQRT_2 - 1.0) } else { 0.0 };
        rho * (1.0 + gamma)
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Method {
    Euler(Churn),
    Ancestral,
    Heun,
    Lms { order: usize },
}

struct SigmaSpace {
    timing: Timing,
    method: Method,
}

impl SigmaSpace {
    fn read(p: &mut Params, method: Method) -> Result<Self> {
        let family = if method == Method::Ancestral { Family::PlainPoints } else { Family::Points };
        let timing = Timing::read(p, family, Spacing::Linspace)?;
        let last = match method {
            Method::Euler(_) => p.choice("final_sigmas_type", Final::Zero, &Final::WORDS)?,
            _ => Final::Zero,
        };
        Ok(Self { timing: Timing { last, ..timing }, method })
    }

    fn name(&self) -> &'static str {
        match self.method {
            Method::Euler(_) => EULER.name,
            Method::Ancestral => ANCESTRAL.name,
            Method::Heun => HEUN.name,
            Method::Lms { .. } => LMS.name,
        }
    }
}

impl Recipe for SigmaSpace {
    fn plan(&self, spec: &str, path: &Path, steps: usize) -> Result<Plan> {
        let schedule = Schedule::new(self.timing, self.name(), path, steps)?;
        let start = if self.timing.spacing == Spacing::Leading { Start::Unit } else { Start::Level };
        let (mut w, mut x) = Writer::new(spec, self.name(), path, &schedule, start)?;
        // Newest first.
        let mut history: Vec<(f64, Slot)> = Vec::new();
        for (i, pair) in schedule.levels.windows(2).enumerate() {
            let (from, to) = (&pair[0], &pair[1]);
            let last = i + 1 == steps;
            // The last state is handed out on the variance-exploding scale, also where it is not yet clean and the
            // scales differ.
            let scale = if last { 1.0 } else { to.alpha };
            let (keep, move_) = (scale / from.alpha, scale * (to.rho() - from.rho()));
            let eps = w.eval(i, x, Pred::Eps);
            x = match self.method {
                Method::Heun if !last => {
                    let euler = w.b.lin(&[(keep, x), (move_, eps)]);
                    let there = w.eval(i + 1, euler, Pred::Eps);
                    w.b.lin(&[(keep, x), (0.5 * move_, eps), (0.5 * move_, there)])
                }
                Method::Ancestral if !last => {
                    let share = (1.0 - (to.rho() / from.rho()).powi(2)).sqrt();
                    let (up, down) = (to.rho() * share, to.rho() * to.rho() / from.rho());
                    let noise = w.b.brownian(from, to);
                    w.b.lin(&[(keep, x), (scale * (down - from.rho()), eps), (scale * up, noise)])
                }
                Method::Euler(churn) if churn.raised(from.rho(), steps) > from.rho() => {
                    let raised = churn.raised(from.rho(), steps);
                    let added = churn.noise * (raised * raised - from.rho() * from.rho()).sqrt();
                    let noise = w.b.noise();
                    w.b.lin(&[(keep, x), (scale * (to.rho() - raised), eps), (scale * added, noise)])
                }
                Method::Lms { order } => {
                    history.insert(0, (from.rho(), eps));
                    history.truncate(order);
                    let whole = to.rho() - from.rho();
                    let points: Vec<f64> =
                        history.iter().map(|(rho, _)| (rho - from.rho()) / whole).collect();
                    let weights = functional(&points, &[1.0, 1.0 / 2.0, 1.0 / 3.0, 1.0 / 4.0]);
                    let mut terms = vec![(keep, x)];
                    terms.extend(
                        weights.iter().zip(&history).map(|(weight, (_, eps))| (move_ * weight, *eps)),
                    );
                    w.b.lin(&terms)
                }
                _ => w.b.lin(&[(keep, x), (move_, eps)]),
            };
            w.end_step(i, x);
        }
        w.finish()
    }
}
