//! Plans: a refusal, or a plan that survives writing and reading, and that runs.

#![no_main]

use fewstep_samplers::interpreter::{self, Model};
use fewstep_samplers::{Node, Plan, Pred};
use libfuzzer_sys::fuzz_target;

struct Echo;

impl Model for Echo {
    fn predict(&self, x: &[f64], _: &Node, _: Pred) -> Vec<f64> {
        x.to_vec()
    }
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(plan) = Plan::from_json(text) else { return };
    assert_eq!(Plan::from_json(&plan.to_json()).as_ref(), Ok(&plan));
    assert_eq!(plan.eval_places().len(), plan.nfe());
    let _ = (plan.table(), plan.looks_back());
    for plan in [plan.renoised().ok(), Some(plan)].into_iter().flatten() {
        let end = interpreter::run(&plan, &Echo, vec![plan.init_scale()], |_| vec![0.5], |_, _, _| {});
        assert!(end.is_ok_and(|x| x.len() == 1));
    }
});
