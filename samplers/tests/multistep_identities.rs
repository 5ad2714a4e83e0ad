//! Linear multistep methods: identities between families, and what their parameters do.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod common;

use common::{close, combinations, gain, golden_grid, grid, grid_to, plan};
use fewstep_samplers::{End, Grid, Node, Path, solver};

/// Grids on which identities must hold: every path, uneven steps, both ends, a start at `alpha` = 0.
fn grids() -> Vec<Grid> {
    let mut all = vec![
        golden_grid(),
        grid("vp-cosine", "uniform-t", 7),
        grid("sd", "logsnr", 11),
        grid("ve", "karras", 8),
        grid("flow", "uniform-t", 6),
    ];
    for end in [End::TMin, End::Zero] {
        all.push(grid_to("edm", "karras:rho=7", 12, end));
    }
    all
}

/// Fails unless two specifications give the same combinations, from the one numbered `skip` on.
#[track_caller]
fn same(a: &str, b: &str, skip: usize) {
    same_on(&grids(), a, b, skip);
}

#[track_caller]
fn same_on(grids: &[Grid], a: &str, b: &str, skip: usize) {
    for g in grids {
        let (p, q) = (combinations(&plan(a, g)), combinations(&plan(b, g)));
        assert_eq!(p.len(), q.len(), "{a} and {b} on {}", g.path());
        for (step, (p, q)) in p.iter().zip(&q).enumerate().skip(skip) {
            assert_eq!(p.len(), q.len(), "{a} and {b} on {}, step {step}", g.path());
            for (p, q) in p.iter().zip(q) {
                assert!((p / q - 1.0).abs() < 1e-12, "{a} and {b} on {}, step {step}: {p}, {q}", g.path());
            }
        }
    }
}

/// `t` is `rho` on `edm` and `sigma / (alpha + sigma)` on `flow`: a polynomial in it keeps its degree up to the ends.
#[test]
fn time_by_another_name_is_integrated_up_to_the_ends() {
    let edm = [End::TMin, End::Zero].map(|end| grid_to("edm", "karras:rho=7", 12, end));
    let flow = [grid("flow", "uniform-t", 6), grid("flow", "uniform-t:shift=3", 9)];
    for k in 1..=3 {
        same_on(&edm, &format!("deis-tab{k}"), &format!("lms:order={}", k + 1), 0);
        let velocity = format!("exp-ab:order={}:pred=flow", k + 1);
        same_on(&flow, &velocity, &format!("{velocity}:in=share"), 0);
    }
    same_on(&flow, "exp-ab:order=2:pred=flow", "flow-ab2", 0);
}

#[test]
fn methods_under_several_names_are_one() {
    let plain = ":lower_order_final=false";
    for k in 1..=3 {
        same(&format!("lms:order={}", k + 1), &format!("deis-rhoab{k}"), 0);
        same(&format!("ipndm-v:order={}", k + 1), &format!("deis-rhoab{k}"), 0);
    }
    for k in 0..=3 {
        same(&format!("exp-ab:order={}", k + 1), &format!("deis-tab{k}"), 0);
    }
    same("exp-ab:order=3:in=lambda", "deis-logrho2", 0);
    same("exp-ab:order=2:pred=x0:in=lambda", "res-2m", 0);
    same("exp-ab:order=2:pred=flow:in=share", "flow-ab2", 0);
    same("lms:order=1", "deis-tab0", 0);
    same("ipndm:order=1", "deis-tab0", 0);
    same("res-2m", &format!("dpmpp-2m:type=heun{plain}"), 0);
    same(&format!("unipc:corrector=false{plain}"), &format!("dpmpp-2m{plain}"), 0);
    same("unipc:corrector=false:lower_order_final=auto", "dpmpp-2m", 0);
    same(&format!("unipc:pred=eps:corrector=false{plain}"), &format!("dpm-2m{plain}"), 0);
    same(&format!("unipc:order=3:corrector=false{plain}"), &format!("dpmpp-3m:type=exact{plain}"), 0);
    same("deis-logrho1", &format!("dpm-2m:type=taylor{plain}"), 0);
    // Until three outputs are known 3M weighs the slope as at the middle of the step.
    same("deis-logrho2", &format!("dpm-3m:type=exact{plain}"), 3);
    let sa = "sa-solver:tau=0:slope=exact:lower_order_final=false:corrector=0:predictor";
    same(&format!("{sa}=2"), "res-2m", 0);
    same(&format!("{sa}=3"), &format!("dpmpp-3m:type=exact{plain}"), 3);
    for (sde, ode) in [("sde-dpmpp-2m", "dpmpp-2m"), ("sde-dpmpp-3m", "dpmpp-3m")] {
        same(&format!("{sde}:tau=0"), ode, 0);
    }
    // The slope weight of SA-Solver's authors is the one of UniPC's bh1.
    let bh1 = "unipc:corrector=false:variant=bh1:lower_order_final=true";
    same("sa-solver:tau=0:corrector=0", bh1, 0);
}

#[test]
fn weights_of_the_outputs_sum_to_that_of_a_constant() {
    let mut all = grids();
    // Steps of 20 in lambda.
    all.push(Grid::new(&Path::Flow, &[1.0 - 1e-9, 0.5, 1e-9], "huge steps").unwrap());
    for (first, specs) in [
        ("deis-tab0", &["deis-rhoab3", "deis-logrho3", "ipndm", "dpm-2m", "dpm-3m"][..]),
        ("sde-dpmpp-1:tau=0", &["dpmpp-2m", "dpmpp-3m", "dpmpp-3m:type=exact", "res-2m"][..]),
        ("euler", &["flow-ab2"][..]),
    ] {
        // Euler itself is in rho except on the flow path.
        for g in all.iter().filter(|g| first != "euler" || *g.path() == Path::Flow) {
            for spec in specs {
                let (one, many) = (combinations(&plan(first, g)), combinations(&plan(spec, g)));
                for (step, (one, many)) in one.iter().zip(&many).enumerate() {
                    let sum: f64 = many.iter().skip(one.len() - 1).sum();
                    close(sum, one[one.len() - 1], 1e-12, &format!("{spec} on {}, step {step}", g.path()));
                }
            }
        }
    }
}

#[test]
fn equal_steps_of_rho_need_no_other_weights() {
    // There the weights of equal steps are those of the steps.
    let times: Vec<f64> = (0..=9).map(|i| 10.0 - f64::from(i)).collect();
    let g = Grid::new(&Path::edm(), &times, "equal").unwrap();
    for k in 1..=4 {
        let (p, q) = (plan(&format!("ipndm:order={k}"), &g), plan(&format!("lms:order={k}"), &g));
        for (p, q) in combinations(&p).into_iter().flatten().zip(combinations(&q).into_iter().flatten()) {
            assert!((p - q).abs() < 1e-12, "order {k}: {p}, {q}");
        }
    }
}

type Value = fn(&Node) -> f64;

#[test]
fn a_polynomial_in_the_variable_is_integrated_exactly() {
    // The weights applied to v^d, d below the number of outputs, against a fine Riemann sum of that power.
    let g = golden_grid();
    let n = g.nodes();
    let value: [(&str, Value); 3] =
        [("deis-tab", |n| n.t), ("deis-rhoab", Node::rho), ("deis-logrho", |n| -n.lambda())];
    for (family, value) in value {
        let weights = &combinations(&plan(&format!("{family}3"), &g))[4];
        for degree in 0..=3 {
            let got: f64 = (0..4).map(|j| weights[1 + j] * value(&n[4 - j]).powi(degree)).sum();
            let (a, b) = (n[4].lambda(), n[5].lambda());
            let cells = 20_000;
            let want: f64 = (0..cells)
                .map(|i| a + (b - a) * (f64::from(i) + 0.5) / f64::from(cells))
                .map(|lambda| {
                    let v = value(&g.path().node(g.path().t_of_lambda(lambda)));
                    -n[5].alpha * (-lambda).exp() * v.powi(degree) * (b - a) / f64::from(cells)
                })
                .sum();
            assert!(
                (got - want).abs() < 1e-8 * want.abs().max(1e-3),
                "{family}, degree {degree}: {got}, {want}"
            );
        }
    }
}

#[test]
fn the_corrector_costs_nothing_and_can_be_left_out() {
    let g = grid_to("vp-linear", "logsnr", 12, End::TMin);
    let count = |spec: &str| (plan(spec, &g).nfe(), combinations(&plan(spec, &g)).len());
    // A corrected step has two combinations, and the last is not corrected.
    assert_eq!(count("unipc"), (12, 12 + 11));
    assert_eq!(count("unipc:corrector=false"), (12, 12));
    assert_eq!(count("unipc:corrector_from=4"), (12, 12 + 7));
    assert_eq!(count("unipc:corrector_off=0+2+20"), (12, 12 + 9));
    let first = |spec: &str, n: usize| combinations(&plan(spec, &g))[..n].to_vec();
    assert_eq!(first("unipc:corrector_from=4", 5), first("unipc:corrector=false", 5));
    assert_eq!(gain("unipc:corrector_from=12", &g).to_bits(), gain("unipc:corrector=false", &g).to_bits());
    assert!((gain("unipc", &g) - gain("unipc:corrector_from=4", &g)).abs() > 1e-9);
}

/// As the code of its authors and diffusers do, at any number of steps; DPM-Solver does so below 10 only.
#[test]
fn unipc_lowers_the_order_of_its_last_steps() {
    for steps in [5, 12, 30] {
        let g = grid_to("vp-linear", "power-t:k=2", steps, End::TMin);
        let outputs = |spec: &str| combinations(&plan(spec, &g)).last().unwrap().len() - 1;
        assert_eq!(outputs("unipc:order=3"), 1, "{steps} steps");
        assert_eq!(outputs("unipc:order=3:lower_order_final=false"), 3, "{steps} steps");
        assert_eq!(outputs("dpmpp-3m"), if steps < 10 { 1 } else { 3 }, "{steps} steps");
    }
}

#[test]
fn every_variant_ends_in_clean_data() {
    // bh1 divides by h elsewhere, which is infinite in the last step.
    for variant in ["bh1", "bh2"] {
        for order in 1..=3 {
            for steps in 1..=20 {
                let g = grid_to("flow", "uniform-t", steps, End::Zero);
                let spec = format!("unipc:order={order}:variant={variant}:lower_order_final=false");
                assert!(gain(&spec, &g).is_finite(), "{spec}, {steps} steps");
            }
        }
    }
}

#[test]
fn from_pure_noise_the_corrector_has_its_limit() {
    // A start ever closer to alpha = 0 tends to the start there.
    let gain_from = |spec: &str, t: f64| {
        let g = Grid::new(&Path::Flow, &[t, 0.8, 0.6, 0.4, 0.2, 0.1], "list").unwrap();
        gain(spec, &g)
    };
    // Half of the weight on each output, as for any step with this rule.
    let g = Grid::new(&Path::Flow, &[1.0, 0.8, 0.4], "list").unwrap();
    let corrected = &combinations(&plan("unipc:order=1", &g))[1];
    for (got, want) in corrected.iter().zip([0.8, 0.1, 0.1]) {
        close(*got, want, 1e-12, "corrected step from pure noise");
    }
    let distance = |spec: &str, gap: f64| {
        let limit = gain_from(spec, 1.0);
        (gain_from(spec, 1.0 - gap) - limit).abs() / limit.abs()
    };
    for spec in ["ddim", "unipc:order=1", "flow-ab2"] {
        assert!(distance(spec, 1e-9) < 1e-8, "{spec}");
    }
    // Where the next step sees the first output, the distance falls as 1 / lambda: by half from 1e-5 to 1e-10.
    let (far, near) = (distance("res-2m", 1e-5), distance("res-2m", 1e-10));
    assert!(near < 0.02 && near < 0.6 * far, "{far}, {near}");
    // With three outputs these weigh the slope exactly, with two as at the middle of the step, and at alpha = 0 two are left.
    for spec in ["unipc:order=2", "unipc:order=2:pred=eps:corrector_from=1", "dpmpp-3m"] {
        assert!(distance(spec, 1e-10) < 0.02, "{spec}");
    }
}

#[test]
fn pndm_starts_with_runge_kutta() {
    let g = grid_to("sd", "linspace", 10, End::TMin);
    let (rk4, plms) = (plan("pndm", &g), plan("pndm:warm_up=plms", &g));
    assert_eq!((rk4.nfe(), plms.nfe()), (19, 11));
    // Three steps with a node in the middle of each.
    assert_eq!(rk4.nodes.len(), 11 + 3);
    assert_eq!(plms.nodes.len(), 11);
    // Nothing is evaluated at sigma = 0: the only step is then one of DDIM.
    let one = grid_to("sd", "linspace", 1, End::Zero);
    assert_eq!(plan("pndm", &one).nfe(), 1);
    assert_eq!(gain("pndm", &one).to_bits(), gain("ipndm", &one).to_bits());
    // On equal steps of rho it is the classical method, far better than a start by rising order.
    let fine = Grid::new(&Path::edm(), &[1.1, 0.8, 0.5, 0.2], "list").unwrap();
    let exact = fewstep_samplers::exact::gaussian_gain(0.5, &fine.nodes()[0], &fine.nodes()[3]);
    let error = |spec: &str| (gain(spec, &fine) / exact - 1.0).abs();
    assert!(error("pndm") < 0.05 * error("ipndm"), "{} against {}", error("pndm"), error("ipndm"));
}

#[test]
fn names_rebuild_their_solver() {
    for spec in [
        "lms:order=3",
        "exp-ab:order=3:pred=x0:in=rho",
        "ipndm:order=2",
        "ipndm-v:order=1",
        "pndm:warm_up=plms",
        "dpm-2m:type=taylor:lower_order_final=true",
        "dpm-3m:type=exact",
        "dpmpp-3m:type=exact:lower_order_final=false",
        "sde-dpmpp-1:tau=0.5",
        "sde-dpmpp-2m:tau=0:type=heun:lower_order_final=true",
        "sde-dpmpp-3m:type=exact",
        "unipc:order=3:variant=bh1:pred=eps:corrector=false:lower_order_final=false",
        "unipc:corrector_from=3",
        "sa-solver:predictor=3:corrector=4:tau=0.5:s_min=0.05:s_max=50:mode=pece:slope=exact:lower_order_final=auto",
    ] {
        assert_eq!(solver(spec).unwrap().name(), spec);
    }
}
