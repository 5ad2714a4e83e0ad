//! Plans that noise a state again with a prediction of its own (CFG++).
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod common;

use common::{grid, plan};
use fewstep_samplers::exact::Mixture;
use fewstep_samplers::{Grid, Op, Path, Plan, Slot, interpreter};

fn terms(plan: &Plan, step: usize) -> Vec<(f64, Slot)> {
    let mut lins =
        plan.ops.iter().filter_map(|op| if let Op::Lin { terms, .. } = op { Some(terms) } else { None });
    lins.nth(step).unwrap().clone()
}

#[test]
fn with_the_same_prediction_it_is_the_same_plan() {
    let data = Mixture::gaussian(0.5).unwrap();
    for spec in
        ["ddim", "ddim:eta=0.5", "dpmpp-2m", "dpmpp-3m", "sde-dpmpp-2m", "res-2m", "dpmpp-2m:afs=true"]
    {
        for g in [grid("edm", "karras", 7), grid("vp-linear", "logsnr", 7), grid("flow", "uniform-t", 5)] {
            let before = plan(spec, &g);
            let after = before.renoised().unwrap();
            assert_eq!(after.nfe(), before.nfe());
            assert_ne!(after, before);
            assert_eq!(after.renoised().unwrap(), after);
            assert_eq!(Plan::from_json(&after.to_json()).unwrap(), after);
            let run = |p: &Plan| {
                let noise = |_| vec![0.3, -0.7];
                interpreter::run(p, &data, vec![p.init_scale(), -0.4], noise, |_, _, _| {}).unwrap()
            };
            for (a, b) in run(&before).iter().zip(run(&after)) {
                assert!((a - b).abs() < 1e-12 * (1.0 + a.abs()), "{spec}: {a} {b}");
            }
        }
    }
}

/// arXiv 2406.08070, in the scaling of EDM: `x' = D + (sigma' / sigma) (x - U)`.
#[test]
fn ddim_lands_on_one_prediction_and_leaves_along_the_other() {
    let g = Grid::new(&Path::edm(), &[2.0, 1.25], "test").unwrap();
    let plan = plan("ddim", &g).renoised().unwrap();
    assert_eq!(plan.ops[1], Op::Renoise { out: Slot(3), of: Slot(1) });
    assert_eq!(terms(&plan, 0), [(0.625, Slot(0)), (1.0, Slot(1)), (-0.625, Slot(3))]);
}

/// `x' = D + e^-h (x - U) - expm1(-h) (D - U_before) / (2r)` with `r = h_before / h`, in the scaling of EDM.
#[test]
fn two_step_form() {
    let g = Grid::new(&Path::edm(), &[5.0, 2.0, 1.25, 0.5], "test").unwrap();
    let plan = plan("dpmpp-2m:lower_order_final=false", &g).renoised().unwrap();
    let (h, before) = ((2.0f64 / 1.25).ln(), (5.0f64 / 2.0).ln());
    let w = -(-h).exp_m1() / (2.0 * before / h);
    let mut want = [((-h).exp(), 'x'), (1.0 + w, 'd'), (-(-h).exp(), 'u'), (-w, 'b')];
    let mut got = terms(&plan, 1);
    want.sort_by(|a, b| a.0.total_cmp(&b.0));
    got.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (g, w) in got.iter().zip(want) {
        assert!((g.0 - w.0).abs() < 1e-14, "{got:?} {want:?}");
    }
}

#[test]
fn other_plans_are_refused() {
    for spec in ["heun", "euler", "deis-tab3", "dpmpp-2s", "dpmpp-3s", "unipc", "restart"] {
        let error = plan(spec, &grid("edm", "karras", 5)).renoised().unwrap_err().to_string();
        assert!(error.contains("one x0 a step"), "{spec}: {error}");
    }
}

#[test]
fn it_stands_behind_its_evaluation() {
    let mut bad = plan("ddim", &grid("edm", "karras", 3)).renoised().unwrap();
    bad.ops.swap(1, 2);
    assert!(bad.validate().is_err());
    let mut bad = plan("ddim", &grid("edm", "karras", 3)).renoised().unwrap();
    if let Op::Renoise { of, .. } = &mut bad.ops[1] {
        *of = Slot(0);
    }
    assert!(bad.validate().unwrap_err().to_string().contains("renoises slot 0"));
}
