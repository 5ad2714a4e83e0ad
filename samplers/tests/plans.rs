//! Plans as data: JSON, validation, liveness, text.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod common;

use common::{golden_grid, grid, plan};
use fewstep_samplers::exact::Mixture;
use fewstep_samplers::{Error, Node, Op, Path, Plan, PlanBuilder, Pred, Slot, interpreter};
use proptest::prelude::*;
use serde_json::{Value, json};

const SCHEMA: &str = include_str!("../../docs/plan-schema.md");

#[test]
fn the_documented_example_is_what_the_solver_makes() {
    let (_, rest) = SCHEMA.split_once("```json\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let want = plan("heun", &grid("flow", "uniform-t", 2));
    assert_eq!(Plan::from_json(example).unwrap(), want);
    assert_eq!(example, want.to_json(), "the document shows the exact text");
}

#[test]
fn json_keeps_every_bit() {
    for spec in ["deis-tab3", "ddim:eta=0.3", "heun:s_churn=7"] {
        for g in [golden_grid(), grid("sd", "karras", 9), grid("flow", "uniform-t", 7)] {
            let p = plan(spec, &g);
            assert_eq!(Plan::from_json(&p.to_json()).unwrap(), p);
            // Reordering and reformatting by other tools change nothing.
            let value: Value = serde_json::from_str(&p.to_json()).unwrap();
            assert_eq!(Plan::from_json(&value.to_string()).unwrap(), p);
        }
    }
}

/// The message for a plan after one change to its JSON.
fn refused(change: impl FnOnce(&mut Value)) -> String {
    let mut value: Value =
        serde_json::from_str(&plan("heun", &grid("flow", "uniform-t", 2)).to_json()).unwrap();
    change(&mut value);
    Plan::from_json(&value.to_string()).unwrap_err().to_string()
}

#[test]
fn broken_plans_say_where_and_what() {
    let has = |text: String, part: &str| assert!(text.contains(part), "`{text}` lacks `{part}`");
    has(refused(|v| v["version"] = json!(2)), "plan version 2 is not supported; this build reads version 1");
    has(refused(|v| v["version"] = json!(-1)), "not a plan");
    has(refused(|v| v["extra"] = json!(0)), "unknown field `extra`");
    has(refused(|v| v["\u{1b}[31m"] = json!(0)), "unknown field `\\u{1b}[31m`");
    has(refused(|v| v["ops"][0]["extra"] = json!(0)), "unknown field `extra`");
    has(refused(|v| v["ops"][0]["op"] = json!("exec")), "unknown variant `exec`");
    has(refused(|v| v["steps"] = json!(0)), "steps is 0");
    has(refused(|v| v["steps"] = json!(3)), "3 steps need 4 nodes, found 3");
    has(refused(|v| v["steps"] = json!(1)), "2 of 1 steps are ended");
    has(refused(|v| v["output"] = json!(99)), "the output is slot 99");
    has(refused(|v| v["nodes"][1]["sigma"] = json!(0.25)), "node 1 is not on path `flow`: at t = 0.5");
    has(refused(|v| v["nodes"][1] = v["nodes"][0].clone()), "grid node 1 is not below node 0");
    has(refused(|v| v["nodes"][1]["sigma"] = json!(-0.5)), "node 1 needs finite t");
    has(refused(|v| v["nodes"][1]["t"] = json!(null)), "not a plan");
    has(refused(|v| v["path"] = json!({"name": "edm", "sigma_min": 5.0, "sigma_max": 1.0})), "sigma_max");
    has(refused(|v| v["ops"][0]["x"] = json!(3)), "op 0 reads slot 3, which nothing before it writes");
    has(refused(|v| v["ops"][0]["x"] = json!(4_000_000_000u32)), "op 0 reads slot 4000000000");
    has(refused(|v| v["ops"][1]["out"] = json!(1)), "op 1 writes slot 1 a second time");
    has(refused(|v| v["ops"][1]["out"] = json!(0)), "op 1 writes slot 0 a second time");
    has(refused(|v| v["ops"][1]["out"] = json!(4_000_000_000u32)), "number the slots without gaps");
    has(refused(|v| v["ops"][0]["node"] = json!(3)), "op 0 names node 3, but there are 3");
    has(refused(|v| v["ops"][0]["node"] = json!(2)), "op 0 evaluates the network at sigma = 0");
    has(refused(|v| v["ops"][1]["terms"] = json!([])), "op 1 is a linear combination without terms");
    has(refused(|v| v["ops"][1]["terms"] = json!([[1.0, 0], [2.0, 0]])), "op 1 names a slot twice");
    has(refused(|v| v["ops"][4]["step"] = json!(1)), "op 4 ends step 1, but the next to end is 0");
    has(refused(|v| v["ops"] = json!([])), "0 of 2 steps are ended");
    has(refused(|v| v["ops"][1] = json!({"op": "noise", "out": 2, "draw": 0})), "stream 0");
    let twice = refused(|v| {
        v["ops"][0] = json!({"op": "noise", "out": 1, "draw": 1});
        v["ops"][1] = json!({"op": "noise", "out": 2, "draw": 1});
    });
    has(twice, "stream 1 a second time");
    has(refused(|v| v["ops"][1] = json!({"op": "noise", "out": 2, "draw": 1u32 << 31})), "streams are below");
    has(refused(|v| v["ops"][4]["node"] = json!(2)), "op 4 ends step 0 at node 2; it must be 1");
    has(refused(|v| v["solver"] = json!("heun\u{1b}[31m")), "control character");
    // 70 noises that the last combination reads.
    let many = refused(|v| {
        let output = v["output"].clone();
        let ops = v["ops"].as_array_mut().unwrap();
        let first = ops.iter().filter(|op| op["out"].is_number()).count() as u32 + 1;
        let mut terms = vec![json!([1.0, output])];
        for i in 0..70 {
            ops.push(json!({"op": "noise", "out": first + i, "draw": i + 1}));
            terms.push(json!([1.0, first + i]));
        }
        ops.push(json!({"op": "lin", "out": first + 70, "terms": terms}));
        v["output"] = json!(first + 70);
    });
    has(many, "slots are in use; at most 64 may be");
}

#[test]
fn text_that_is_no_plan() {
    for text in ["", "{", "null", "[]", "{\"version\":1}", "\u{0}", "{\"version\":1e400}", "not json"] {
        assert!(matches!(Plan::from_json(text), Err(Error::PlanSyntax { .. })), "{text}");
    }
    let deep = "[".repeat(1_000_000);
    assert!(matches!(Plan::from_json(&deep), Err(Error::PlanSyntax { .. })));
    let infinite = plan("heun", &grid("flow", "uniform-t", 2)).to_json().replacen("0.5", "1e999", 1);
    assert!(Plan::from_json(&infinite).is_err());
}

proptest! {
    #[test]
    fn damaged_text_never_panics(at in 0usize..2000, byte in 0x20u8..0x7f, cut in any::<bool>()) {
        let mut text = plan("deis-tab1", &grid("edm", "karras", 3)).to_json().into_bytes();
        let at = at % text.len();
        if cut { text.truncate(at) } else { text[at] = byte }
        // Whatever is still accepted keeps all rules.
        if let Ok(p) = Plan::from_json(&String::from_utf8(text).unwrap()) {
            prop_assert!(p.validate().is_ok());
        }
    }
}

#[test]
fn slots_die_exactly_after_their_last_use() {
    for spec in ["heun:s_churn=3", "deis-tab3", "dpmpp-2m", "ddim:eta=1"] {
        let p = plan(spec, &golden_grid());
        let dying = p.last_uses();
        assert_eq!(dying.len(), p.ops.len());
        let mut dead: Vec<Slot> = Vec::new();
        for (op, gone) in p.ops.iter().zip(&dying) {
            assert!(op.reads().all(|slot| !dead.contains(&slot)), "{spec} reads a dead slot");
            dead.extend(gone);
        }
        // Everything dies once, except the output.
        dead.sort_unstable();
        let all: Vec<Slot> = (0..).map(Slot).take(p.slots()).filter(|s| *s != p.output).collect();
        assert_eq!(dead, all, "{spec}");
    }
    // A two-step method holds at most the state, the new state and two predictions.
    let p = plan("dpmpp-2m", &golden_grid());
    let (mut live, mut most) = (1, 1);
    for (op, gone) in p.ops.iter().zip(p.last_uses()) {
        live += usize::from(op.writes().is_some());
        most = most.max(live);
        live -= gone.len();
    }
    assert_eq!((live, most), (1, 4));
}

#[test]
fn table_shows_the_steps() {
    let text = plan("heun", &grid("flow", "uniform-t", 2)).to_string();
    let want = "\
heun on flow, grid uniform-t: 2 steps, 3 evaluations, 0 noise draws
 step            t        sigma       lambda   nfe
start      1.00000      1.00000         -inf     0
    1     0.500000     0.500000            0     2
        s1 = flow(s0, t=1.00000)
        s2 = 1.00000 s0 - 0.500000 s1
        s3 = flow(s2, t=0.500000)
        s4 = 1.00000 s0 - 0.250000 s1 - 0.250000 s3
    2            0            0          inf     3
        s5 = flow(s4, t=0.500000)
        s6 = 1.00000 s4 - 0.500000 s5
";
    assert_eq!(text, want);
}

#[test]
fn builder_joins_drops_and_refuses() {
    let g = grid("edm", "karras", 1);
    let mut b = PlanBuilder::new("test", &g);
    let e = b.eval(b.state(), 0, Pred::X0);
    let x = b.lin(&[(0.0, b.state()), (0.25, e), (0.75, e)]);
    b.end_step(x);
    let p = b.finish().unwrap();
    assert!(matches!(&p.ops[1], Op::Lin { terms, .. } if *terms == [(1.0, e)]), "{p}");

    let mut b = PlanBuilder::new("test", &g);
    let x = b.lin(&[(f64::NAN, b.state())]);
    b.end_step(x);
    let message = b.finish().unwrap_err().to_string();
    assert!(message.starts_with("solver `test` has the coefficient NaN in step 0; "), "{message}");

    let unfinished = PlanBuilder::new("test", &g).finish().unwrap_err().to_string();
    assert!(unfinished.contains("0 of 1 steps are ended"), "{unfinished}");

    let mut b = PlanBuilder::new("test", &g);
    let off = b.node(Node { t: 3.0, alpha: 1.0, sigma: 3.0 });
    assert_eq!(off, 2);
    let e = b.eval(b.state(), off, Pred::X0);
    b.end_step(e);
    assert_eq!(b.finish().unwrap().nodes[2], Path::edm().node(3.0));
}

#[test]
fn interpreter_checks_lengths_and_calls_the_hook() {
    let p = plan("ddim:eta=1", &grid("edm", "karras", 3));
    let data = Mixture::gaussian(0.5).unwrap();
    let mut seen = Vec::new();
    let noise = |_| vec![0.0, 0.0];
    let out = interpreter::run(&p, &data, vec![80.0, -80.0], noise, |step, node, x| {
        seen.push((step, node.t));
        if step == 2 {
            *x = vec![5.0, 6.0];
        }
    });
    assert_eq!(out.unwrap(), [5.0, 6.0]);
    let ends: Vec<_> = p.nodes[1..].iter().map(|n| n.t).enumerate().collect();
    assert_eq!(seen, ends);
    let short = interpreter::run(&p, &data, vec![80.0, -80.0], |_| vec![0.0], |_, _, _| {});
    assert_eq!(short, Err(Error::Length { what: "the noise", found: 1, expected: 2 }));
    let shrunk = interpreter::run(&p, &data, vec![80.0], |_| vec![0.0], |_, _, x| x.clear());
    assert_eq!(
        shrunk.unwrap_err().to_string(),
        "the state after the step hook has length 0, the state has 1; make them equal"
    );
}
