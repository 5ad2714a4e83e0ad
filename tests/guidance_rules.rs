//! Guidance rules against vectors, identities and edge cases, without a network.

#![expect(clippy::unwrap_used, reason = "a test")]

mod common;

use common::guidance::{Place, cpu, fixture, images, rule, worst};
use fewstep::guidance::{Branches, EvalCtx, Guidance, Images, Preds, Rule, registry};
use fewstep_models::Prediction;
use fewstep_samplers::{Node, Path};
use tch::{Kind, Tensor};

/// `scripts/parity/make_guidance_vectors.py`.
const EXACT: f64 = 1e-12;

#[test]
fn apg_equals_its_vectors() {
    let data = fixture();
    let x = images(&data["x"]);
    let cases = data["apg"].as_array().unwrap();
    assert_eq!(cases.len(), 6);
    for case in cases {
        let [eta, r, beta, native] = ["eta", "r", "beta", "native"].map(|key| &case[key]);
        let text = format!("apg:eta={eta}:r={r}:beta={beta}:native={native}");
        let mut rule = rule(&text);
        let place = Place::new(&x, case["w"].as_f64().unwrap());
        for k in 0..3 {
            let out = place.call(&mut *rule, k, &images(&data["c"][k]), &images(&data["u"][k]));
            let off = worst(&out, &images(&case["out"][k]));
            assert!(off < EXACT, "{text}, evaluation {k}: {off:e}");
        }
    }
}

#[test]
fn the_cap_is_the_same_by_mean_square() {
    let data = fixture();
    let (x, c, u) = (images(&data["x"]), images(&data["c"][0]), images(&data["u"][0]));
    let place = Place::new(&x, 4.0);
    let full = place.full(&mut *rule("apg:r=0.6"), 0, &c, &u);
    // Four elements: a root mean square of 0.3 is a length of 0.6.
    assert!(worst(&full.x0, &place.call(&mut *rule("apg:r_rms=0.3"), 0, &c, &u)) < EXACT);
    // |d| is 0.73 and 0.23.
    assert_eq!(Vec::<i64>::try_from(full.capped.unwrap().to_kind(Kind::Int64)).unwrap(), [1, 0]);
}

#[test]
fn apg_projects_in_the_space_that_it_is_told() {
    let data = fixture();
    let x = images(&data["x"]).narrow(0, 0, 1);
    let (c, u) = (images(&data["c"][0]).narrow(0, 0, 1), images(&data["u"][0]).narrow(0, 0, 1));
    let vp = Node { t: 0.5, alpha: 0.6, sigma: 0.8 };
    let flow = Node { t: 0.8, alpha: 0.2, sigma: 0.8 };
    let cases = [
        ("eps", "vp-linear", Prediction::Eps, vp),
        ("v", "vp-linear", Prediction::V, vp),
        ("flow", "flow", Prediction::Flow, flow),
        ("x0", "edm", Prediction::X0, vp),
    ];
    for (name, path, prediction, node) in cases {
        let mut place = Place::new(&x, 4.0);
        place.node = node;
        place.spec.path = path.parse::<Path>().unwrap();
        place.spec.prediction = prediction;
        let off = worst(&place.call(&mut *rule("apg:space=raw"), 0, &c, &u), &images(&data["spaces"][name]));
        assert!(off < EXACT, "{name}: {off:e}");
        // Plain guidance is the same in all.
        let plain = place.call(&mut *rule("apg:space=raw:eta=1"), 0, &c, &u);
        assert!(worst(&plain, &images(&data["others"]["cfg"]).narrow(0, 0, 1)) < EXACT, "{name}");
    }
}

#[test]
fn other_rules_equal_their_vectors() {
    let data = fixture();
    let (x, c, u) = (images(&data["x"]), images(&data["c"][0]), images(&data["u"][0]));
    let place = Place::new(&x, 4.0);
    for (text, name) in [
        ("cfg", "cfg"),
        ("rescale:phi=0.7", "rescale"),
        ("cfg-zero:space=x0", "cfg-zero"),
        ("threshold+cfg", "threshold"),
    ] {
        let off = worst(&place.call(&mut *rule(text), 0, &c, &u), &images(&data["others"][name]));
        assert!(off < EXACT, "{text}: {off:e}");
    }
    let pp = Place::new(&x, 7.5).full(&mut *rule("cfgpp"), 0, &c, &u);
    let (to, level) = (1.25, 2.0);
    let next = &pp.x0 + (&x - pp.renoise.unwrap()) * (to / level);
    assert!(worst(&next, &images(&data["cfgpp"])) < EXACT);
}

#[test]
fn identities_of_apg() {
    let data = fixture();
    let x = images(&data["x"]);
    let at = |k: usize| (images(&data["c"][k]), images(&data["u"][k]));
    let w = 4.0;
    let place = Place::new(&x, w);
    let run = |text: &str, factor: f64, flip: bool| -> Vec<Tensor> {
        let mut rule = rule(text);
        (0..3)
            .map(|k| {
                let (c, u) = at(k);
                let turn = |t: Tensor| if flip { t.flip(0) } else { t };
                turn(place.call(&mut *rule, k, &turn(c * factor), &turn(u * factor)))
            })
            .collect()
    };
    for (k, out) in run("apg:eta=1", 1.0, false).iter().enumerate() {
        let (c, u) = at(k);
        assert!(worst(out, &(&u + (c - &u) * w)) < 1e-15);
    }
    for (k, out) in run("apg:eta=0:r=0.6:beta=-0.5", 1.0, false).iter().enumerate() {
        let (c, _) = at(k);
        let moved = out - &c;
        let inner = (&moved * &c).flatten(1, -1).sum_dim_intlist(&[1i64][..], false, Kind::Double);
        assert!(f64::try_from(inner.abs().max()).unwrap() < 1e-15, "no part along c");
        let length = moved.flatten(1, -1).square().sum_dim_intlist(&[1i64][..], false, Kind::Double).sqrt();
        assert!(f64::try_from(length.max()).unwrap() <= (w - 1.0) * 0.6 + 1e-15, "within the cap");
    }
    let base = run("apg:eta=0.5:r=0.6:beta=-0.5", 1.0, false);
    for (a, b) in base.iter().zip(run("apg:eta=0.5:r=0.6:beta=-0.5", 1.0, true)) {
        assert!(a.equal(&b), "a permuted batch gives permuted results");
    }
    for (a, b) in base.iter().zip(run("apg:eta=0.5:r=6:beta=-0.5", 10.0, false)) {
        assert!(worst(a, &(b / 10.0)) < 1e-15, "homogeneous");
    }
    // f32 agrees with f64 to rounding.
    let mut single = rule("apg:eta=0.5:r=0.6:beta=-0.5");
    let (x, f) = (x.to_kind(Kind::Float), |t: Tensor| t.to_kind(Kind::Float));
    for (k, want) in base.iter().enumerate() {
        let (c, u) = at(k);
        let out = Place::new(&x, w).call(&mut *single, k, &f(c), &f(u));
        assert_eq!(out.kind(), Kind::Float);
        assert!(worst(&out.to_kind(Kind::Double), want) < 1e-6);
    }
}

#[test]
fn edge_cases() {
    let one = Tensor::ones([1, 1, 2, 2], cpu(Kind::Double));
    let zero = one.zeros_like();
    let place = Place::new(&one, 4.0);
    // Nothing to add: every rule leaves c alone.
    for text in
        ["cfg", "apg:r=0.6:beta=-0.5", "cfg+rescale", "cfg-zero", "cfgpp", "auto", "cached", "adaptive"]
    {
        let out = place.call(&mut *rule(text), 0, &one, &one);
        assert!(worst(&out, &one) < 1e-7, "{text}"); // cfg-zero adds 1e-8 to |u|^2
    }
    // No direction to project on: all of d counts.
    let out = place.call(&mut *rule("apg"), 0, &zero, &-&one);
    assert!(worst(&out, &(&one * 3.0)) < EXACT);
    // A constant image has no deviation to bring back.
    let out = place.call(&mut *rule("rescale:phi=1"), 0, &one, &(&one * 0.5));
    assert!(worst(&out, &(&one * 2.5)) < EXACT);
    for text in ["apg:beta=1", "apg:beta=-1.5", "apg:beta=nan"] {
        let error = Rule::parse(text).unwrap_err().to_string();
        assert!(error.contains("between -1 and 1"), "{error}");
    }
}

#[test]
fn a_scale_of_one_asks_for_nothing_and_remembers_nothing() {
    let data = fixture();
    let (x, c, u) = (images(&data["x"]), images(&data["c"][0]), images(&data["u"][0]));
    let place = Place::new(&x, 1.0);
    for entry in registry() {
        let mut rule = rule(entry.name);
        assert_eq!(rule.plan(&place.ctx(0)), Branches::cond(), "{}", entry.name);
        assert!(place.call(&mut *rule, 0, &c, &u).equal(&c), "{}", entry.name);
        assert!(rule.state().iter().all(|kept| kept.is_none()), "{}", entry.name);
    }
}

#[test]
fn what_is_remembered_can_be_cleared_saved_and_cut() {
    let data = fixture();
    let x = images(&data["x"]);
    let at = |k: usize| (images(&data["c"][k]), images(&data["u"][k]));
    let place = Place::new(&x, 4.0);
    let text = "apg:beta=-0.5+adaptive:gamma=1+cached:every=1";
    let mut rule = rule(text);
    let run = |rule: &mut dyn Guidance, from: usize| -> Vec<Tensor> {
        (from..3).map(|k| place.call(rule, k, &at(k).0, &at(k).1)).collect()
    };
    let all = run(&mut *rule, 0);
    rule.begin();
    let again = run(&mut *rule, 0);
    assert!(all.iter().zip(&again).all(|(a, b)| a.equal(b)), "begun anew, the same run");
    rule.begin();
    let first = place.call(&mut *rule, 0, &at(0).0, &at(0).1);
    assert!(first.equal(&all[0]));
    let saved = rule.snapshot();
    let _ = run(&mut *rule, 1);
    rule.restore(&saved);
    assert!(run(&mut *rule, 1).iter().zip(&all[1..]).all(|(a, b)| a.equal(b)), "gone back");
    rule.restore(&saved);
    rule.retain(&[1]);
    let second = x.narrow(0, 1, 1);
    let small = Place::new(&second, 4.0);
    let out = small.call(&mut *rule, 1, &at(1).0.narrow(0, 1, 1), &at(1).1.narrow(0, 1, 1));
    assert!(out.equal(&all[1].narrow(0, 1, 1)), "one image goes on alone");
}

#[test]
fn stages_of_a_step_share_the_momentum() {
    let data = fixture();
    let (x, c, u) = (images(&data["x"]), images(&data["c"][0]), images(&data["u"][0]));
    let place = Place::new(&x, 4.0);
    let mut rule = rule("apg:eta=1:beta=-0.5");
    let stage = |rule: &mut dyn Guidance, step: usize, stage: usize| {
        let ctx = EvalCtx { stage, ..place.ctx(step) };
        rule.combine(&ctx, Preds::pair(c.shallow_clone(), u.shallow_clone())).x0
    };
    let d = &c - &u;
    // m is d, then d / 2; the second stage of a step sees what the first one saw.
    for (step, factor) in [(0, 1.0), (1, 0.5), (2, 0.75)] {
        for s in 0..2 {
            let out = stage(&mut *rule, step, s);
            assert!(worst(&out, &(&c + &d * (3.0 * factor))) < EXACT, "step {step}, stage {s}");
        }
    }
}

#[test]
fn saving_rules_ask_image_by_image() {
    let x = Tensor::zeros([3, 1, 2, 2], cpu(Kind::Double));
    let node = |rho: f64| Node { t: rho, alpha: 1.0, sigma: rho };
    let mut place = Place::new(&x, 3.0);
    let mut interval = rule("interval:lo=0.19:hi=1.61");
    for (rho, asked) in [(2.17, false), (1.61, true), (0.283, true), (0.19, false)] {
        place.node = node(rho);
        let want = if asked { Images::All } else { Images::None };
        assert_eq!(interval.plan(&place.ctx(0)).uncond, want, "{rho}");
    }
    // Nodes of their own: each image is in or out for itself.
    let nodes = [node(3.0), node(1.0), node(0.5)];
    let ctx = EvalCtx { nodes: &nodes, start: &nodes, ..place.ctx(0) };
    assert_eq!(interval.plan(&ctx).uncond, Images::Some(vec![1, 2]));

    // cos(c, u) is 1, 0 and -1.
    let c = Tensor::from_slice(&[1.0, 1.0, 0.0, 0.0]).view([1, 1, 2, 2]).repeat([3, 1, 1, 1]);
    let u = Tensor::from_slice(&[1.0, 1.0, 0.0, 0.0, 1.0, -1.0, 0.0, 0.0, -1.0, -1.0, 0.0, 0.0]);
    let u = u.view([3, 1, 2, 2]);
    let mut adaptive = rule("adaptive:gamma=0.9");
    assert_eq!(adaptive.plan(&place.ctx(0)).uncond, Images::All);
    let _ = place.call(&mut *adaptive, 0, &c, &u);
    assert_eq!(adaptive.plan(&place.ctx(1)).uncond, Images::Some(vec![1, 2]));
    let some = Images::Some(vec![1, 2]);
    let preds = Preds { cond: c.shallow_clone(), other: Some(some.take(&u)), images: some, fresh: true };
    let out = adaptive.combine(&place.ctx(1), preds).x0;
    assert!(out.get(0).equal(&c.get(0)), "the one that stopped is untouched");
    assert!(worst(&out.get(1), &(c.get(1) + (c.get(1) - u.get(1)) * 2.0)) < EXACT);

    let mut sparse = rule("sparse:every=2:until=0.5");
    let asked: Vec<bool> = (0..8)
        .map(|step| sparse.plan(&EvalCtx { steps: 8, ..place.ctx(step) }).uncond == Images::All)
        .collect();
    assert_eq!(asked, [true, false, true, false, false, false, false, false]);

    let mut cached = rule("cached:every=2");
    let _ = place.call(&mut *cached, 0, &c, &u);
    let plan = cached.plan(&place.ctx(1));
    assert_eq!((plan.uncond.clone(), plan.carried), (Images::None, true));
    let later = &c * 2.0;
    let preds = Preds { cond: later.shallow_clone(), other: None, images: Images::None, fresh: true };
    let out = cached.combine(&place.ctx(1), preds).x0;
    assert!(worst(&out, &(&later + (&c - &u) * 2.0)) < EXACT, "the old difference on the new prediction");
}

#[test]
fn schedules_set_the_scale() {
    let data = fixture();
    let (x, c, u) = (images(&data["x"]), images(&data["c"][0]), images(&data["u"][0]));
    let place = Place::new(&x, 4.0);
    let mut rule = rule("schedule:shape=linear");
    assert_eq!(rule.plan(&place.ctx(0)), Branches::cond(), "w = 1 at the first step");
    let last = place.call(&mut *rule, 2, &c, &u);
    assert!(worst(&last, &(&c + (&c - &u) * 6.0)) < EXACT);
}

#[test]
fn specifications_are_checked() {
    for entry in registry() {
        assert!(Rule::parse(entry.name).is_ok(), "{}", entry.name);
    }
    for (text, says) in [
        ("apq", "unknown guidance rule `apq`; did you mean `apg`?"),
        ("apg:ets=0", "guidance rule `apg` has no parameter `ets`; did you mean `eta`?"),
        ("apg:eta=2", "guidance rule `apg`: `eta=2` is not allowed; give a number from -1 to 1"),
        ("apg:r=1:r_rms=1", "not `r` too"),
        ("cfg+apg", "two combiners, `cfg` and `apg`; keep one"),
        ("rescale+rescale", "has `rescale` twice; keep one"),
        ("interval:lo=2:hi=1", "give a number above lo=2"),
        ("cfg:w=3", "it takes none"),
        ("", "unknown guidance rule ``"),
    ] {
        let error = Rule::parse(text).unwrap_err().to_string();
        assert!(error.contains(says), "{text}: {error}");
    }
    // The order of the pieces does not matter.
    let data = fixture();
    let (x, c, u) = (images(&data["x"]), images(&data["c"][0]), images(&data["u"][0]));
    let of = |text: &str| Place::new(&x, 4.0).call(&mut *rule(text), 0, &c, &u);
    assert!(of("threshold+rescale+apg").equal(&of("apg+rescale+threshold")));
}
