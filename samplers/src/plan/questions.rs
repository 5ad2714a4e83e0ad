//! What several plans ask a network in common.

use std::collections::HashMap;

use super::{Op, Plan, Pred};

/// Numbers the evaluations of several plans: two have the same number where the same state, by the same arithmetic from the
/// same noise, is shown to the network at the same node, for the same prediction.
///
/// Coefficients count as `f32`, in which pictures are combined. So the first call on a grid is one question for all solvers
/// that ask for the same prediction, and the second one for all among them that begin with a step of DDIM.
///
/// ```
/// use fewstep_samplers::{GridRule, Path, Questions, solver};
///
/// let path: Path = "vp-linear".parse()?;
/// let grid = "uniform-t".parse::<GridRule>()?.grid(&path, 5, None, None, None)?;
/// let mut questions = Questions::default();
/// let two = questions.of(&solver("deis-tab2")?.plan(&grid)?);
/// let three = questions.of(&solver("deis-tab3")?.plan(&grid)?);
/// assert_eq!(two[..4], three[..4]); // three steps ramp up alike, the fourth is of third order
/// assert!(!two.contains(&three[4]));
/// # Ok::<(), fewstep_samplers::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Questions {
    numbers: HashMap<Value, usize>,
}

/// How a tensor of a plan comes about, other tensors by their numbers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Value {
    Start { scale: u64 },
    Answer { x: usize, node: [u64; 3], pred: Pred },
    Renoise { of: usize },
    Sum(Vec<(u32, usize)>),
    Draw(u32),
    Increment { from: u64, to: u64 },
}

impl Questions {
    /// The number of each evaluation of a [valid](Plan::validate) plan, in the order of the program.
    pub fn of(&mut self, plan: &Plan) -> Vec<usize> {
        let mut numbers = vec![0; plan.slots()];
        numbers[0] = self.number(Value::Start { scale: plan.init_scale().to_bits() });
        let mut asked = Vec::new();
        for op in &plan.ops {
            let value = match op {
                Op::Eval { x, node, pred, .. } => {
                    let node = &plan.nodes[*node];
                    let node = [node.t, node.alpha, node.sigma].map(f64::to_bits);
                    Value::Answer { x: numbers[x.index()], node, pred: *pred }
                }
                Op::Renoise { of, .. } => Value::Renoise { of: numbers[of.index()] },
                Op::Lin { terms, .. } => Value::Sum(
                    terms.iter().map(|(c, slot)| ((*c as f32).to_bits(), numbers[slot.index()])).collect(),
                ),
                Op::Noise { draw, .. } => Value::Draw(*draw),
                Op::Brownian { from, to, .. } => Value::Increment { from: from.to_bits(), to: to.to_bits() },
                Op::EndStep { .. } => continue,
            };
            let number = self.number(value);
            if let Some(out) = op.writes() {
                numbers[out.index()] = number;
            }
            if matches!(op, Op::Eval { .. }) {
                asked.push(number);
            }
        }
        asked
    }

    fn number(&mut self, value: Value) -> usize {
        let next = self.numbers.len();
        *self.numbers.entry(value).or_insert(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Grid, Path, solver};

    fn plan(spec: &str, times: &[f64]) -> Plan {
        let grid = Grid::new(&Path::vp_linear(), times, "list").unwrap();
        solver(spec).unwrap().plan(&grid).unwrap()
    }

    const TIMES: [f64; 5] = [1.0, 0.7, 0.4, 0.2, 0.01];

    /// How many evaluations of `b` are questions of `a` too.
    fn common(a: &Plan, b: &Plan) -> usize {
        let mut questions = Questions::default();
        let first = questions.of(a);
        questions.of(b).iter().filter(|number| first.contains(number)).count()
    }

    #[test]
    fn plans_share_questions_as_far_as_their_states_are_the_same() {
        let ddim = plan("ddim", &TIMES);
        for (spec, shared) in [
            ("ddim", 4),
            ("dpmpp-2m", 2), // the first step is DDIM's
            ("unipc", 2),
            ("ddim:eta=1", 1),
            ("deis-tab1", 0), // asks for eps
        ] {
            assert_eq!(common(&ddim, &plan(spec, &TIMES)), shared, "{spec}");
        }
        assert_eq!(
            common(&plan("deis-tab2", &TIMES), &plan("deis-tab3", &TIMES)),
            4,
            "only the last step differs"
        );
        assert_eq!(common(&plan("deis-tab2", &TIMES), &plan("heun", &TIMES)), 2, "Heun's first stage");
    }

    #[test]
    fn another_node_noise_or_start_is_another_question() {
        let ddim = plan("ddim", &TIMES);
        assert_eq!(common(&ddim, &plan("ddim", &[1.0, 0.6, 0.4, 0.2, 0.01])), 1);
        assert_eq!(common(&ddim, &plan("ddim", &[0.9, 0.7, 0.4, 0.2, 0.01])), 0);
        let noisy = plan("ddim:eta=1", &TIMES);
        let mut other = noisy.clone();
        for op in &mut other.ops {
            match op {
                Op::Noise { draw, .. } => *draw += 10,
                Op::Brownian { from, .. } => *from *= 0.999,
                _ => {}
            }
        }
        assert_eq!(common(&noisy, &noisy), 4);
        assert_eq!(common(&noisy, &other), 1);
    }
}
