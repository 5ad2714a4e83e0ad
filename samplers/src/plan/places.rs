//! Which step each evaluation of a plan serves.

use std::collections::BTreeMap;

use super::{Op, Plan};

impl Plan {
    /// For each evaluation, in the order of the program, the step that it serves, from 0, and how many of that step's
    /// evaluations come before it.
    ///
    /// A corrector's look at the next node stands before the end of its step, and is the first prediction of the next one:
    /// it belongs there, where nothing else is evaluated at the step's start.
    #[must_use]
    pub fn eval_places(&self) -> Vec<(usize, usize)> {
        let mut nodes = Vec::new();
        // Of each step the node where it starts and its evaluations.
        let mut steps = vec![(0, Vec::new())];
        for op in &self.ops {
            match (op, steps.last_mut()) {
                (Op::Eval { node, .. }, Some((_, evals))) => {
                    evals.push(nodes.len());
                    nodes.push(*node);
                }
                (Op::EndStep { node, .. }, _) => steps.push((*node, Vec::new())),
                _ => {}
            }
        }
        // Nothing begins where the last step ends: what it evaluates there is its own.
        steps.pop_if(|(_, evals)| evals.is_empty());
        for step in 1..steps.len() {
            let (start, evals) = &steps[step];
            let is_start = |eval: &usize| nodes[*eval] == *start;
            let before = &steps[step - 1].1;
            if let (false, Some(at)) = (evals.iter().any(is_start), before.iter().rposition(is_start)) {
                let moved = steps[step - 1].1.remove(at);
                steps[step].1.insert(0, moved);
            }
        }
        let mut places = vec![(0, 0); nodes.len()];
        for (step, (_, evals)) in steps.iter().enumerate() {
            for (stage, eval) in evals.iter().enumerate() {
                places[*eval] = (step, stage);
            }
        }
        places
    }

    /// Whether a step reads what an earlier one was told.
    #[must_use]
    pub fn looks_back(&self) -> bool {
        let mut places = self.eval_places().into_iter();
        let mut told = BTreeMap::new();
        let mut step = 0;
        for op in &self.ops {
            match op {
                Op::Eval { out, .. } => {
                    let (serves, _) = places.next().unwrap_or_default();
                    if serves > step {
                        return true;
                    }
                    told.insert(*out, step);
                }
                Op::Renoise { out, .. } => {
                    told.insert(*out, step);
                }
                Op::EndStep { .. } => step += 1,
                _ if op.reads().any(|slot| told.get(&slot).is_some_and(|of| *of < step)) => return true,
                _ => {}
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use crate::{Grid, Path, Plan, solver};

    fn plan(spec: &str) -> Plan {
        let grid = Grid::new(&Path::vp_linear(), &[1.0, 0.7, 0.4, 0.2, 0.01], "list").unwrap();
        solver(spec).unwrap().plan(&grid).unwrap()
    }

    #[test]
    fn a_correctors_look_ahead_belongs_to_the_next_step() {
        let one_each = [(0, 0), (1, 0), (2, 0), (3, 0)];
        for spec in ["ddim", "dpmpp-2m", "unipc", "sa-solver"] {
            assert_eq!(plan(spec).eval_places(), one_each, "{spec}");
        }
        let heun = plan("heun").eval_places();
        let two_each: Vec<_> = (0..4).flat_map(|step| [(step, 0), (step, 1)]).collect();
        assert_eq!(heun, two_each, "the last one too, where the grid does not end at zero");
    }

    #[test]
    fn looking_back_is_reading_an_older_answer() {
        for (spec, looks_back) in [
            ("ddim", false),
            ("euler", false),
            ("euler-a", false),
            ("deis-tab0", false),
            ("heun", false),
            ("dpmpp-2m", true),
            ("unipc", true),
            ("ipndm", true),
        ] {
            assert_eq!(plan(spec).looks_back(), looks_back, "{spec}");
        }
        assert!(!plan("ddim").renoised().unwrap().looks_back());
        assert!(plan("dpmpp-2m").renoised().unwrap().looks_back());
    }
}
