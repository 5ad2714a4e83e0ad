//! `DPMSolverMultistepScheduler`.

use super::flow_sigmas::Top;
use super::levels::LevelRule;
use super::multistep::{Frame, Point, order, step};
use super::schedule::{Family, Final, Schedule, Spacing, Timing};
use super::writer::{Start, Writer};
use super::{Recipe, Scheduler, error};
use crate::phi::{phi, phi_2};
use crate::spec::Params;
use crate::{Error, Node, Path, Plan, Pred, Result};

pub(super) const SCHEDULER: Scheduler = Scheduler {
    name: "dpmsolver-multistep",
    class: "DPMSolverMultistepScheduler",
    summary: "DPM-Solver(++) multistep; order 3 is of order 2, with the published half of the curvature term",
    params: "algorithm_type=dpmsolver++ (dpmsolver, sde-dpmsolver++, sde-dpmsolver), solver_order=2 (1 to \
        3), solver_type=midpoint (heun), lower_order_final=true, euler_at_final=false, \
        final_sigmas_type=zero (sigma_min), timestep_spacing=linspace (leading, trailing), \
        steps_offset=0, use_karras_sigmas=false (or use_lu_lambdas, use_exponential_sigmas, use_beta_sigmas), \
        use_flow_sigmas=false, flow_shift=1",
    read: |p| Ok(Box::new(DpmSolver::read(p)?)),
};

/// What the polynomial is fitted to, and whether the reverse equation is the stochastic one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    X0,
    Eps,
    X0Sde,
    EpsSde,
}

struct DpmSolver {
    timing: Timing,
    algorithm: Algorithm,
    solver_order: usize,
    heun: bool,
    lower_order_final: bool,
    euler_at_final: bool,
}

impl DpmSolver {
    fn read(p: &mut Params) -> Result<Self> {
        let algorithms = [
            ("dpmsolver++", Algorithm::X0),
            ("dpmsolver", Algorithm::Eps),
            ("sde-dpmsolver++", Algorithm::X0Sde),
            ("sde-dpmsolver", Algorithm::EpsSde),
        ];
        let algorithm = p.choice("algorithm_type", Algorithm::X0, &algorithms)?;
        let solver_order = p.count("solver_order", 2, 1..=3)?;
        let heun = p.choice("solver_type", false, &[("midpoint", false), ("heun", true)])?;
        let lower_order_final = p.flag("lower_order_final", true)?;
        let euler_at_final = p.flag("euler_at_final", false)?;
        let last = p.choice("final_sigmas_type", Final::Zero, &Final::WORDS)?;
        let timing = Timing::read(p, Family::Intervals, Spacing::Linspace)?.read_flow(p, Top::BelowOne)?;
        let levels = LevelRule::read(p, timing.levels, &[("use_lu_lambdas", LevelRule::Lu)])?;
        let timing = Timing { levels, last, ..timing };
        Ok(Self { timing, algorithm, solver_order, heun, lower_order_final, euler_at_final })
    }

    fn on_eps(&self) -> bool {
        matches!(self.algorithm, Algorithm::Eps | Algorithm::EpsSde)
    }

    fn frame(&self, from: &Node, to: &Node) -> Frame {
        let h = to.lambda() - from.lambda();
        match self.algorithm {
            Algorithm::X0 => Frame { keep: to.sigma / from.sigma, scale: to.alpha, noise: 0.0 },
            Algorithm::Eps => Frame { keep: to.alpha / from.alpha, scale: to.sigma, noise: 0.0 },
            Algorithm::X0Sde => Frame {
                keep: to.sigma / from.sigma * (-h).exp(),
                scale: to.alpha,
                noise: to.sigma * (-f64::exp_m1(-2.0 * h)).sqrt(),
            },
            Algorithm::EpsSde => Frame {
                keep: to.alpha / from.alpha,
                scale: 2.0 * to.sigma,
                noise: to.sigma * f64::exp_m1(2.0 * h).sqrt(),
            },
        }
    }

    /// The weights of the model value, its slope and its curvature in a step of length `h`, as many as the order.
    fn weights(&self, h: f64, order: usize) -> Result<Vec<f64>> {
        let z = match self.algorithm {
            Algorithm::Eps | Algorithm::EpsSde => h,
            Algorithm::X0 => -h,
            Algorithm::X0Sde => -2.0 * h,
        };
        let first = z.exp_m1();
        match order {
            1 => return Ok(vec![first]),
            2 if !self.heun => return Ok(vec![first, 0.5 * first]),
            _ if h == 0.0 => {
                let remedy = "add `euler_at_final=true`";
                return Err(refuse("divides 0 by 0 in the last step and returns NaN", remedy));
            }
            _ => {}
        }
        let second = z * phi_2(z);
        match (order, self.algorithm) {
            (2, _) => Ok(vec![first, second]),
            (_, Algorithm::EpsSde) => {
                let remedy = "use `solver_order=2` or `algorithm_type=sde-dpmsolver++`";
                Err(refuse("has no third order for `sde-dpmsolver` and crashes", remedy))
            }
            // A sign is lost here: the deterministic solvers have z phi_3(z) = phi_2(z) - 1/2.
            (_, Algorithm::X0Sde) => Ok(vec![first, second, phi_2(z) + 0.5]),
            _ => Ok(vec![first, second, z * phi(3, z)]),
        }
    }
}

fn refuse(reason: &str, remedy: &str) -> Error {
    error(SCHEDULER.name, reason, remedy)
}

impl Recipe for DpmSolver {
    fn plan(&self, spec: &str, path: &Path, steps: usize) -> Result<Plan> {
        let zero = self.timing.last == Final::Zero;
        let want = if self.on_eps() { Pred::Eps } else { Pred::X0 };
        if self.on_eps() && self.timing.flow.is_some() {
            let remedy = "use `algorithm_type=dpmsolver++`";
            return Err(refuse("takes no flow prediction for algorithms on eps and fails", remedy));
        }
        if self.on_eps() && zero {
            let remedy = "add `final_sigmas_type=sigma_min`";
            return Err(refuse("refuses `final_sigmas_type=zero` for algorithms on eps", remedy));
        }
        let schedule = Schedule::new(self.timing, SCHEDULER.name, path, steps)?;
        let (mut w, mut x) = Writer::new(spec, SCHEDULER.name, path, &schedule, Start::Unit)?;
        let lower = self.lower_order_final && steps < 15;
        let mut history: Vec<Point> = Vec::new();
        for (i, pair) in schedule.levels.windows(2).enumerate() {
            let (from, to) = (&pair[0], &pair[1]);
            let m = w.model(i, from, x, want);
            history.insert(0, Point { m, lambda: from.lambda() });
            let order = order(i, steps, self.solver_order, lower || zero || self.euler_at_final, lower);
            let weights = self.weights(to.lambda() - from.lambda(), order)?;
            x = step(&mut w.b, (from, to), x, &history, self.frame(from, to), &weights);
            w.end_step(i, x);
        }
        w.finish()
    }
}
