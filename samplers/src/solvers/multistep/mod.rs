//! Linear multistep methods: one loop, one integral, and for each method the data that tells it apart.
//!
//! A step takes the newest model outputs for values of a polynomial and integrates it. `kernel` has that integral, `rule`
//! the published departures from it, and the other files name the methods:
//!
//! | names | output | polynomial in | outputs |
//! |---|---|---|---|
//! | `deis-tab0` to `deis-tab3` | `eps` | `t` | degree + 1 |
//! | `deis-rhoab1` to `3`, `lms`, `ipndm-v` | `eps` | `rho` | degree + 1, `order` |
//! | `deis-logrho1` to `3`, `dpm-2m`, `dpm-3m` | `eps` | `lambda` | degree + 1, 2, 3 |
//! | `dpmpp-2m`, `dpmpp-3m`, `res-2m` | `x0` | `lambda` | 2, 3, 2 |
//! | `sde-dpmpp-1` to `3m`, `sa-solver` | `x0` with noise | `lambda` | 1 to 3; `predictor` |
//! | `unipc` | `x0` or `eps` | `lambda` | `order`, the corrector one more |
//! | `flow-ab2` | `eps - x0` | `sigma / (alpha + sigma)` | 2 |
//! | `exp-ab` | any | any | `order` |
//! | `ipndm`, `pndm` | `eps` | equal steps, whatever they are | `order`, 4 |

mod adams;
mod deis;
mod dpm;
mod flow;
mod kernel;
mod policy;
mod read;
mod rule;
mod sa;
mod sde;
mod unipc;
mod warm_up;

pub(crate) use adams::{ENTRY_EXP_AB, ENTRY_IPNDM, ENTRY_IPNDM_V, ENTRY_LMS, ENTRY_PNDM};
pub(crate) use deis::{
    ENTRY_LOGRHO1, ENTRY_LOGRHO2, ENTRY_LOGRHO3, ENTRY_RHOAB1, ENTRY_RHOAB2, ENTRY_RHOAB3, ENTRY_TAB0,
    ENTRY_TAB1, ENTRY_TAB2, ENTRY_TAB3,
};
pub(crate) use dpm::{ENTRY_2M, ENTRY_3M, ENTRY_PP_2M, ENTRY_PP_3M, ENTRY_RES_2M};
pub(crate) use flow::ENTRY_FLOW_AB2;
pub(crate) use sa::ENTRY_SA;
pub(crate) use sde::{ENTRY_SDE_1, ENTRY_SDE_2M, ENTRY_SDE_3M};
pub(crate) use unipc::ENTRY_UNIPC;

use kernel::{POINTS, Step};
use policy::{LowerOrderFinal, Tau};
use rule::Rule;
use warm_up::WarmUp;

use super::Solver;
use crate::entry::Build;
use crate::{Entry, Grid, Node, Plan, PlanBuilder, Pred, Result, Slot};

/// A linear multistep method as data.
///
/// Each step predicts the next state from the newest model outputs; a corrector repeats it with the output at the
/// predicted state among them. The number of outputs grows step by step from one until it reaches that of the rule. The
/// step into `sigma` = 0 and the one from `alpha` = 0 are infinite in `lambda` and use one output, but where the weight of
/// the integral is constant in the polynomial's variable: `eps` in `rho`, which is `t` on `edm`, and the velocity in
/// `sigma / (alpha + sigma)`, which is `t` on `flow`.
#[derive(Clone, Debug, PartialEq)]
pub struct Multistep {
    /// The specification.
    name: String,
    /// The model output that is interpolated.
    pred: Pred,
    predictor: Scheme,
    corrector: Option<Corrector>,
    lower_order_final: LowerOrderFinal,
    tau: Tau,
    warm_up: Option<WarmUp>,
}

/// An entry of a deterministic method with one evaluation per step.
const fn entry(
    name: &'static str,
    family: &'static str,
    summary: &'static str,
    params: &'static str,
    order: u32,
    reference: &'static str,
    build: Build,
) -> Entry {
    Entry { name, family, summary, params, order, evals_per_step: 1, deterministic: true, reference, build }
}

/// A rule with the number of outputs that it combines, 1 to 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Scheme {
    rule: Rule,
    points: usize,
}

/// A corrector; its outputs include the one at the predicted state. The last step has none.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Corrector {
    scheme: Scheme,
    /// The first step, from 0, that is corrected.
    from: usize,
    /// Steps that are not.
    off: Vec<usize>,
    /// Whether the corrected state is evaluated again (PECE); otherwise the output at the predicted state stays.
    evaluate: bool,
}

/// A known model output: a multiple of a slot.
#[derive(Clone, Copy, Debug)]
struct Output {
    node: Node,
    factor: f64,
    slot: Slot,
}

impl Corrector {
    /// Whether it corrects step `i`.
    fn at(&self, i: usize) -> bool {
        i >= self.from && !self.off.contains(&i)
    }
}

impl Multistep {
    /// A deterministic predictor that lowers its order only where it must.
    fn plain(name: String, pred: Pred, rule: Rule, points: usize) -> Self {
        Self {
            name,
            pred,
            predictor: Scheme { rule, points },
            corrector: None,
            lower_order_final: LowerOrderFinal::Never,
            tau: Tau::NONE,
            warm_up: None,
        }
    }
}

impl Scheme {
    /// Adds the sum of the state, at most `most` of the outputs and the noise.
    fn add(
        self,
        b: &mut PlanBuilder,
        step: &Step,
        x: Slot,
        outputs: &[Output],
        most: usize,
        z: Option<Slot>,
    ) -> Slot {
        let most = most.min(self.points).min(self.rule.most(step));
        let used: Vec<&Output> =
            outputs.iter().filter(|output| self.rule.can_use(step, &output.node)).take(most).collect();
        let nodes: Vec<Node> = used.iter().map(|output| output.node).collect();
        let weights = self.rule.weights(step, &nodes);
        let mut terms = vec![(step.keep(), x)];
        terms.extend(weights.iter().zip(&used).map(|(w, output)| (w * output.factor, output.slot)));
        terms.extend(z.map(|z| (step.noise(), z)));
        b.lin(&terms)
    }
}

impl Multistep {
    /// Adds a step whose newest output stands first in `history`. Returns the new state and, where a corrector has
    /// evaluated it, the output at the next node.
    fn step(
        &self,
        b: &mut PlanBuilder,
        step: &Step,
        x: Slot,
        history: &[Output],
        (i, steps): (usize, usize),
    ) -> (Slot, Option<Slot>) {
        let left = steps - i;
        let most = self.lower_order_final.most(left, steps);
        // Predictor and corrector share one noise (arXiv 2309.05019, algorithm 1).
        let z = (step.noise() > 0.0).then(|| b.brownian(step.from, step.to));
        let predicted = self.predictor.add(b, step, x, history, most, z);
        let corrects = |c: &&Corrector| c.at(i) && left > 1 && step.pred == self.pred;
        let corrector = self.corrector.as_ref().filter(corrects);
        let Some(corrector) = corrector else { return (predicted, None) };
        let m = b.eval(predicted, i + 1, step.pred);
        let mut outputs = vec![Output { node: *step.to, factor: 1.0, slot: m }];
        outputs.extend(history);
        let corrected = corrector.scheme.add(b, step, x, &outputs, most + 1, z);
        (corrected, (!corrector.evaluate).then_some(m))
    }
}

impl Solver for Multistep {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn plan(&self, grid: &Grid) -> Result<Plan> {
        let mut b = PlanBuilder::new(self.name(), grid);
        let mut x = b.state();
        // Newest first.
        let mut history: Vec<Output> = Vec::new();
        let mut known = None;
        for (i, pair) in grid.nodes().windows(2).enumerate() {
            let (from, to) = (&pair[0], &pair[1]);
            // From pure noise a step goes through x0: eps there is the state itself and says nothing new.
            let through_x0 = from.alpha == 0.0 && self.pred == Pred::Eps;
            let pred = if through_x0 { Pred::X0 } else { self.pred };
            let tau = self.tau.at(from, i + 1 == grid.steps());
            let step = Step { path: grid.path(), from, to, pred, tau };
            let m = known.take().unwrap_or_else(|| b.eval(x, i, pred));
            history.insert(0, Output { node: *from, factor: 1.0, slot: m });
            history.truncate(POINTS);
            let next;
            if let Some(warm_up) = self.warm_up.filter(|w| w.covers(i, to)) {
                next = warm_up.add(&mut b, &step, i, x, m);
            } else {
                (next, known) = self.step(&mut b, &step, x, &history, (i, grid.steps()));
            }
            if through_x0 {
                history = vec![Output { node: *from, factor: 1.0 / from.sigma, slot: x }];
            }
            x = next;
            b.end_step(x);
        }
        b.finish()
    }

    fn evals(&self, steps: usize, to_zero: bool) -> usize {
        let again = self.corrector.as_ref().filter(|c| c.evaluate);
        let again = again.map_or(0, |c| (0..steps - 1).filter(|i| c.at(*i)).count());
        let warm_up = self.warm_up.map_or(0, |w| w.extra_evals(steps, to_zero));
        steps + again + warm_up
    }
}
