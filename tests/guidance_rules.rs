//! Guidance rules against vectors, identities and edge cases, without a network.

#![expect(clippy::unwrap_used, reason = "a test")]

mod common;

use common::guidance::{Place, cpu, fixture, images, numbers, rule, worst};
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
    assert_eq!(cases.len(), 8);
    for case in cases {
        let [eta, r, beta] = ["eta", "r", "beta"].map(|key| &case[key]);
        let (form, w) = (case["form"].as_str().unwrap(), case["w"].as_f64().unwrap());
        let text = |eta: &str| format!("apg:eta={eta}:r={r}:beta={beta}:native={}", form == "native");
        // c + w d' is c + (w' - 1) d' at a scale that is larger by one.
        let place = Place::new(&x, if form == "original" { w + 1.0 } else { w });
        let [mut rule, mut without, mut whole] =
            [&eta.to_string(), "0", "1"].map(|eta| self::rule(&text(eta)));
        for k in 0..3 {
            let (c, u, want) = (images(&data["c"][k]), images(&data["u"][k]), &case["evaluations"][k]);
            // What is added to c, or to u, without the scale.
            let part = |rule: &mut dyn Guidance| {
                let out = place.call(rule, k, &c, &u);
                if form == "native" { (out - &u) / w } else { (out - &c) / (place.scale - 1.0) }
            };
            let out = place.call(&mut *rule, k, &c, &u);
            let m = rule.state()[0].as_ref().map_or_else(|| &c - &u, Tensor::shallow_clone); // no buffer at beta = 0
            let (orth, capped) = (part(&mut *without), part(&mut *whole));
            let per_image = |value: &Tensor| {
                value.flatten(1, -1).square().sum_dim_intlist(&[1i64][..], true, Kind::Double).sqrt()
            };
            let norm = per_image(&m);
            let s = per_image(&capped) / &norm;
            let upd = if form == "native" { (&out - &u) / w } else { (&out - &c) / (place.scale - 1.0) };
            for (name, got) in
                [("m", m), ("par", &capped - &orth), ("orth", orth), ("upd", upd), ("out", out)]
            {
                let off = worst(&got, &images(&want[name]));
                assert!(off < EXACT, "{}, evaluation {k}, {name}: {off:e}", text("..."));
            }
            for (name, got) in [("norm", norm), ("s", s)] {
                let off = worst(&got.view(-1), &numbers(&want[name]));
                assert!(off < EXACT, "{}, evaluation {k}, {name}: {off:e}", text("..."));
            }
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
fn rules_work_in_the_space_that_they_are_told() {
    let data = fixture();
    let x = images(&data["x"]).narrow(0, 0, 1);
    let (c, u) = (images(&data["c"][0]).narrow(0, 0, 1), images(&data["u"][0]).narrow(0, 0, 1));
    let vp = Node { t: 0.5, alpha: 0.6, sigma: 0.8 };
    let flow = Node { t: 0.8, alpha: 0.2, sigma: 0.8 };
    let edm = Node { t: 0.8, alpha: 1.0, sigma: 0.8 };
    let inner = Prediction::Edm { sigma_data: 0.5 };
    let cases = [
        ("eps", "vp-linear", Prediction::Eps, vp),
        ("v", "vp-linear", Prediction::V, vp),
        ("flow", "flow", Prediction::Flow, flow),
        ("x0", "edm", Prediction::X0, vp),
        ("ve-eps", "edm", Prediction::Eps, edm),
        ("edm", "edm", inner, edm),
        ("edm-on-vp", "edm", inner, vp),
    ];
    assert_eq!(data["spaces"].as_object().unwrap().len(), cases.len());
    for (name, path, prediction, node) in cases {
        let mut place = Place::new(&x, 4.0);
        place.node = node;
        place.spec.path = path.parse::<Path>().unwrap();
        place.spec.prediction = prediction;
        let rules = data["spaces"][name].as_object().unwrap();
        assert_eq!(rules.len(), 4);
        for (text, want) in rules {
            let off = worst(&place.call(&mut *rule(text), 0, &c, &u), &images(want));
            assert!(off < EXACT, "{name}, {text}: {off:e}");
        }
        // Plain guidance is the same in all, and so is what diffusers does by default where its cap is out of reach.
        for text in ["apg:space=raw:eta=1", "apg:native=true:space=raw:eta=1:r=15"] {
            let plain = place.call(&mut *rule(text), 0, &c, &u);
            assert!(worst(&plain, &images(&data["others"]["cfg"]).narrow(0, 0, 1)) < EXACT, "{name}, {text}");
        }
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
        ("cfg-zero:zero_steps=0:space=x0", "cfg-zero"),
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
    for kind in [Kind::Float, Kind::Double] {
        // To the bit: a part that is taken off and put back would not be.
        for (k, (mut a, mut b)) in (0..3).map(|k| (k, (rule("apg:eta=1"), rule("cfg")))) {
            let (c, u) = (at(k).0.to_kind(kind), at(k).1.to_kind(kind));
            assert!(place.call(&mut *a, k, &c, &u).equal(&place.call(&mut *b, k, &c, &u)), "{kind:?}, {k}");
        }
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
    for text in [
        "cfg",
        "apg:r=0.6:beta=-0.5",
        "cfg+rescale",
        "cfg-zero:zero_steps=0",
        "cfgpp",
        "auto",
        "cached",
        "adaptive",
    ] {
        let out = place.call(&mut *rule(text), 0, &one, &one);
        assert!(worst(&out, &one) < 1e-7, "{text}"); // cfg-zero adds 1e-8 to |u|^2
    }
    // No direction to project on: all of d counts.
    let out = place.call(&mut *rule("apg"), 0, &zero, &-&one);
    assert!(worst(&out, &(&one * 3.0)) < EXACT);
    // A constant image has no deviation to bring back.
    let out = place.call(&mut *rule("rescale:phi=1"), 0, &one, &(&one * 0.5));
    assert!(worst(&out, &(&one * 2.5)) < EXACT);
    // |d| = 2 is capped all the same where c has no direction.
    let out = place.call(&mut *rule("apg:r=0.6"), 0, &zero, &-&one);
    assert!(worst(&out, &(&one * 0.9)) < EXACT);
    // Nothing of u fits c where there is no u.
    for text in ["cfg-zero:zero_steps=0", "cfg-zero:zero_steps=0:space=x0"] {
        let mut place = Place::new(&one, 4.0);
        place.spec.prediction = Prediction::X0;
        let out = place.call(&mut *rule(text), 0, &one, &zero);
        assert!(worst(&out, &(&one * 4.0)) < EXACT, "{text}");
    }
    // A run of one step does not rest in it.
    let mut zero_init = rule("cfg-zero");
    assert_eq!(zero_init.plan(&place.ctx(0)), Branches::default());
    assert_eq!(zero_init.plan(&EvalCtx { steps: 1, ..place.ctx(0) }).uncond, Images::All);
    // c = u leaves what the buffer holds: m = -d / 2.
    let half = &one * 0.5;
    for (text, factor) in [("apg:eta=1:beta=-0.5", 3.0), ("apg:eta=1:beta=-0.5:native=true", 4.0)] {
        let mut rule = rule(text);
        let _ = place.call(&mut *rule, 0, &one, &half);
        let out = place.call(&mut *rule, 1, &one, &one);
        assert!(worst(&out, &(&one - &half * (factor * 0.5))) < EXACT, "{text}");
    }
    // One zero prediction is not the other, two are the same.
    for (c, u, agrees) in [(&zero, &one, false), (&one, &zero, false), (&zero, &zero, true)] {
        let mut adaptive = rule("adaptive:gamma=0.5");
        let _ = place.call(&mut *adaptive, 0, c, u);
        let want = if agrees { Images::None } else { Images::All };
        assert_eq!(adaptive.plan(&place.ctx(1)).uncond, want);
    }
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

/// Image 0 stops after the first step (cosines 0.964 and 0.921), u is computed in steps 0 and 3, and the momentum of image 1
/// goes on: each part of the state acts on plans or values. Two stages a step, and a break after each.
#[test]
fn what_is_remembered_can_be_cleared_saved_and_cut() {
    const EVALS: usize = 12;
    let data = fixture();
    let x = images(&data["x"]);
    let at = |i: usize| (images(&data["c"][i % 3]), images(&data["u"][i % 3]));
    let place = Place::new(&x, 4.0);
    let mut rule = rule("apg:beta=-0.5+adaptive:gamma=0.955+cached:every=3");
    let run = |rule: &mut dyn Guidance, evals: std::ops::Range<usize>| -> Vec<(Branches, Tensor)> {
        evals.map(|i| place.ask(rule, (i / 2, i % 2), &at(i).0, &at(i).1)).collect()
    };
    let same = |a: &[(Branches, Tensor)], b: &[(Branches, Tensor)]| {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.0 == b.0 && a.1.equal(&b.1))
    };
    let all = run(&mut *rule, 0..EVALS);
    for (i, (branches, _)) in all.iter().enumerate() {
        let want = match i / 2 {
            0 => (Images::All, false),
            3 => (Images::Some(vec![1]), false),
            _ => (Images::None, true),
        };
        assert_eq!((branches.uncond.clone(), branches.carried), want, "{i}");
    }
    for stop in 1..EVALS {
        rule.begin();
        assert!(same(&run(&mut *rule, 0..stop), &all[..stop]), "begun anew, the same run");
        let saved = rule.snapshot();
        let _ = run(&mut *rule, stop..EVALS);
        rule.restore(&saved);
        assert!(same(&run(&mut *rule, stop..EVALS), &all[stop..]), "gone back to {stop}");
        rule.restore(&saved);
        rule.retain(&[1]);
        let cut = |t: &Tensor| t.narrow(0, 1, 1);
        let x = cut(&x);
        let small = Place::new(&x, 4.0);
        for (i, (whole, want)) in all.iter().enumerate().skip(stop) {
            let (branches, out) = small.ask(&mut *rule, (i / 2, i % 2), &cut(&at(i).0), &cut(&at(i).1));
            assert_eq!(branches.carried, whole.carried, "{i}");
            assert!(out.equal(&cut(want)), "from {stop} one image goes on alone, {i}");
        }
    }
}

#[test]
fn later_stages_take_the_difference_of_the_first() {
    let data = fixture();
    let x = images(&data["x"]);
    let at = |k: usize| (images(&data["c"][k]), images(&data["u"][k]));
    let d = |k: usize| at(k).0 - at(k).1;
    let place = Place::new(&x, 4.0);
    // The pair of each stage of three steps.
    let pairs = [[0, 1], [2, 0], [1, 2]];
    let m = [d(0), d(2) - d(0) * 0.5, d(1) - d(2) * 0.5 + d(0) * 0.25];
    let (mut with, mut without) = (rule("apg:eta=1:beta=-0.5"), rule("apg:eta=1"));
    for (step, stages) in pairs.iter().enumerate() {
        for (stage, &k) in stages.iter().enumerate() {
            let (c, u) = at(k);
            let (_, out) = place.ask(&mut *with, (step, stage), &c, &u);
            assert!(worst(&out, &(&c + &m[step] * 3.0)) < EXACT, "step {step}, stage {stage}");
            let (_, out) = place.ask(&mut *without, (step, stage), &c, &u);
            assert!(worst(&out, &(&c + d(k) * 3.0)) < EXACT, "without momentum: step {step}, stage {stage}");
        }
    }
}

/// What is carried over is guided with the momentum, but is no news for the buffer.
#[test]
fn a_carried_difference_is_not_taken_twice() {
    let data = fixture();
    let x = images(&data["x"]);
    let at = |k: usize| (images(&data["c"][k]), images(&data["u"][k]));
    let d = |k: usize| at(k).0 - at(k).1;
    let place = Place::new(&x, 4.0);
    let mut rule = rule("apg:eta=1:beta=-0.5+cached:every=2");
    for (k, want) in [d(0), d(0) * 0.5, d(2) - d(0) * 0.5].into_iter().enumerate() {
        for stage in 0..2 {
            let (c, u) = at(k);
            let (branches, out) = place.ask(&mut *rule, (k, stage), &c, &u);
            assert_eq!(branches.carried, k == 1);
            assert!(worst(&out, &(c + &want * 3.0)) < EXACT, "step {k}, stage {stage}");
        }
    }
    // Nor does it tell `adaptive` anything: c and c - d agree here, c and u of that step do not.
    let mut rule = self::rule("adaptive:gamma=0.99+cached:every=2");
    let (c, u) = at(0);
    for (step, c) in [c.shallow_clone(), &c * 100.0, c].iter().enumerate() {
        let (branches, _) = place.ask(&mut *rule, (step, 0), c, &u);
        assert_eq!((branches.uncond == Images::All, branches.carried), (step != 1, step == 1), "{step}");
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
        ("threshold:min=0.5", "`min=0.5` is not allowed; give a number from 1 to"),
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
