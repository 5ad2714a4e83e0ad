//! Grids: published values, ends, validation, names.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod common;

use common::{close, grid, grid_to, times};
use fewstep_samplers::{End, Error, Grid, GridRule, Path};

#[test]
fn integer_grids_of_ten_steps() {
    let down = |first: i32, step: i32, count: i32| (0..count).map(move |i| f64::from(first - step * i));
    let zero = [-1.0];
    for (rule, end, want) in [
        ("trailing", End::Zero, down(999, 100, 10).chain(zero).collect::<Vec<f64>>()),
        ("trailing", End::TMin, down(999, 100, 10).chain([0.0]).collect()),
        ("linspace", End::Zero, down(999, 111, 10).chain(zero).collect()),
        ("leading", End::Zero, down(900, 100, 10).chain(zero).collect()),
        ("leading", End::TMin, down(900, 90, 11).collect()),
        ("leading:offset=1", End::Zero, down(901, 100, 10).chain(zero).collect()),
    ] {
        assert_eq!(times(&grid_to("ddpm", rule, 10, end)), want, "{rule} {end:?}");
    }
    let linspace = times(&grid_to("ddpm", "linspace", 10, End::TMin));
    assert_eq!((linspace[0], linspace[1], linspace[9], linspace[10]), (999.0, 899.0, 100.0, 0.0));
}

#[test]
fn karras_levels() {
    let g = grid("edm", "karras", 18);
    assert_eq!((g.steps(), g.to_zero()), (18, true));
    for (i, t) in g.times().take(18).enumerate() {
        let (hi, lo) = (80f64.powf(1.0 / 7.0), 0.002f64.powf(1.0 / 7.0));
        close(t, (hi + i as f64 / 17.0 * (lo - hi)).powi(7), 1e-13, "level");
    }
    // On another path the levels are sigma / alpha.
    let vp = grid("vp-linear", "karras", 18);
    let (hi, lo) = (vp.path().rho(1.0).powf(1.0 / 7.0), vp.path().rho(1e-3).powf(1.0 / 7.0));
    close(vp.nodes()[6].rho(), (hi + 6.0 / 17.0 * (lo - hi)).powi(7), 1e-12, "vp level");
}

#[test]
fn logsnr_has_equal_steps_of_lambda() {
    let g = grid("vp-linear", "logsnr", 7);
    let steps: Vec<f64> = g.nodes().windows(2).map(|p| p[1].lambda() - p[0].lambda()).collect();
    for h in &steps {
        close(*h, steps[0], 1e-12, "h");
    }
}

#[test]
fn ends_are_exact() {
    for name in ["vp-linear", "ddpm", "sd", "vp-cosine", "ve", "edm"] {
        let path: Path = name.parse().unwrap();
        for rule in ["uniform-t", "power-t:k=3", "karras", "logsnr"] {
            let to_t_min = times(&grid_to(name, rule, 6, End::TMin));
            assert_eq!((to_t_min.len(), to_t_min[6], to_t_min[0]), (7, path.range().0, path.range().1));
            let to_zero = times(&grid_to(name, rule, 6, End::Zero));
            assert_eq!((to_zero.len(), to_zero[6], to_zero[5]), (7, path.zero().t, path.range().0));
            assert!(grid_to(name, rule, 6, End::Zero).to_zero());
        }
    }
}

#[test]
fn flow_reaches_zero_without_a_second_zero() {
    let want = [1.0, 0.75, 0.5, 0.25, 0.0];
    for end in [End::TMin, End::Zero] {
        assert_eq!(times(&grid_to("flow", "uniform-t", 4, end)), want);
    }
}

#[test]
fn one_step_works_with_every_rule() {
    for end in [End::TMin, End::Zero] {
        for (name, _) in Path::NAMES {
            let path: Path = name.parse().unwrap();
            for (rule, _) in GridRule::NAMES {
                let rule: GridRule = rule.parse().unwrap();
                match rule.grid(&path, 1, None, None, Some(end)) {
                    Ok(g) => assert_eq!(g.steps(), 1),
                    Err(Error::NeedsTable { .. }) => assert!(path.rows().is_none()),
                    Err(Error::InfiniteLogSnr { .. } | Error::Unsuitable { .. }) => {
                        assert_eq!(path, Path::Flow);
                    }
                    Err(e) => panic!("{rule} on {path}: {e}"),
                }
            }
        }
    }
    let limits = GridRule::LogSnr.grid(&Path::Flow, 1, Some(0.9), Some(0.1), None).unwrap();
    assert_eq!(times(&limits), [0.9, 0.1]);
}

#[test]
fn limits_are_respected() {
    let g = GridRule::PowerT { k: 2.0 }.grid(&Path::vp_linear(), 3, Some(0.64), Some(0.01), None).unwrap();
    let want = [0.64, (0.8f64 - 0.7 / 3.0).powi(2), (0.8f64 - 1.4 / 3.0).powi(2), 0.01];
    for (got, want) in g.times().zip(want) {
        close(got, want, 1e-14, "t");
    }
    let g = GridRule::Linspace.grid(&Path::ddpm(), 2, Some(500.0), Some(100.0), Some(End::TMin)).unwrap();
    assert_eq!(times(&g), [500.0, 300.0, 100.0]);
}

#[test]
fn lists_of_times() {
    let rule: GridRule = " 80, 10,1.5,0.002".parse().unwrap();
    assert_eq!(rule.to_string(), "80,10,1.5,0.002");
    assert_eq!(rule.fixed_steps(&Path::edm(), None), Some(3));
    assert_eq!(rule.fixed_steps(&Path::edm(), Some(End::Zero)), Some(4));
    assert_eq!(times(&rule.grid(&Path::edm(), 3, None, None, None).unwrap()), [80.0, 10.0, 1.5, 0.002]);
    let zero = rule.grid(&Path::edm(), 4, None, None, Some(End::Zero)).unwrap();
    assert_eq!((zero.steps(), zero.to_zero(), zero.rule()), (4, true, "80,10,1.5,0.002, ends at zero"));
    let wrong = rule.grid(&Path::edm(), 9, None, None, None).unwrap_err().to_string();
    assert!(wrong.contains("cannot make 9 steps") && wrong.contains("its list makes 3"), "{wrong}");
    assert_eq!(GridRule::UniformT.fixed_steps(&Path::edm(), None), None);
}

#[test]
fn names_round_trip() {
    for text in [
        "uniform-t",
        "power-t:k=2.5",
        "karras:rho=5",
        "logsnr",
        "exponential",
        "poly-exponential:rho=1.5",
        "kl-optimal",
        "beta:alpha=0.6:beta=0.7",
        "beta:alpha=0.6:beta=0.6:on=rho",
        "ays:table=sdxl",
        "gits",
        "trailing",
        "leading",
        "leading:offset=1",
        "time-uniform:k=2",
        "linspace",
        "3,2,1",
        "sigmas=14.6,1,0",
        "lambdas=-2.5,0,inf",
        "uniform-t:shift=3",
        "karras:rho=7:shift=0.5:shift_terminal=0.1",
        "uniform-t:tokens=1024",
        "uniform-t:tokens=1024:curve=linear:shift_terminal=0.02",
        "kl-optimal:shift=1:shift_terminal=0.02",
    ] {
        assert_eq!(text.parse::<GridRule>().unwrap().to_string(), text);
    }
    for (name, _) in GridRule::NAMES {
        assert!(name.parse::<GridRule>().unwrap().to_string().starts_with(name));
    }
    for (path, rule) in
        [("vp-linear", "power-t:k=2"), ("sd", "power-t:k=2"), ("edm", "karras:rho=7"), ("flow", "uniform-t")]
    {
        assert_eq!(GridRule::default_for(&path.parse().unwrap()).to_string(), rule);
    }
}

#[test]
fn bad_times_are_named() {
    let edm = |times: &[f64]| Grid::new(&Path::edm(), times, "list").unwrap_err();
    assert_eq!(edm(&[9.0, 5.0, 5.0, 1.0]), Error::DuplicateTime { first: 1, second: 2, t: 5.0 });
    assert_eq!(edm(&[9.0, 5.0, 5.0, 1.0]).to_string(), "grid times 1 and 2 are both 5; remove one of them");
    assert_eq!(edm(&[9.0, 5.0, 3.0, 9.0]), Error::DuplicateTime { first: 0, second: 3, t: 9.0 });
    assert_eq!(edm(&[5.0, 9.0]), Error::NotDecreasing { index: 1, t: 9.0, before: 5.0 });
    assert!(matches!(edm(&[f64::NAN, 1.0]), Error::TimeNotFinite { index: 0, .. }));
    assert!(matches!(edm(&[f64::INFINITY, 1.0]), Error::TimeNotFinite { index: 0, .. }));
    assert_eq!(edm(&[1.0]), Error::TooFewNodes { found: 1 });
    assert_eq!(edm(&[]), Error::TooFewNodes { found: 0 });
    assert!(matches!(edm(&[1.0, -1.0]), Error::TimeOutside { .. }));
    // Times so close that the noise level is the same number.
    let close = [0.5, 0.5 - f64::EPSILON / 4.0];
    let e = Grid::new(&Path::VpLinear { beta_0: 1e-6, beta_1: 1e-6 }, &close, "list").unwrap_err();
    assert!(matches!(e, Error::TooClose { index: 1, .. }), "{e}");
}

#[test]
fn bad_requests_say_what_would_do() {
    let ask = |rule: &str, path: &str, steps, t_max, t_min| {
        rule.parse::<GridRule>()
            .unwrap()
            .grid(&path.parse().unwrap(), steps, t_max, t_min, None)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        ask("karras", "edm", 0, None, None),
        "grid rule `karras:rho=7` cannot make 0 steps; ask for at least 1"
    );
    assert!(ask("karras", "edm", 1_000_000_000, None, None).contains("ask for at most 100000"));
    assert!(ask("logsnr", "flow", 5, None, None).contains("pass t_max explicitly"));
    assert!(ask("logsnr", "flow", 5, Some(0.9), None).contains("pass t_min explicitly"));
    assert!(ask("karras", "flow", 5, None, None).contains("pass t_max explicitly"));
    assert!(ask("trailing", "edm", 5, None, None).contains("path `edm` has none"));
    assert!(ask("trailing", "ddpm", 5, Some(3.0), None).contains("drop t_max and t_min"));
    assert!(ask("leading", "ddpm", 1001, None, None).contains("the table has 1000 rows"));
    assert!(ask("uniform-t", "flow", 5, Some(0.1), Some(0.5)).contains("swap or widen them"));
    assert!(ask("uniform-t", "flow", 5, Some(1.5), None).contains("use times from 0 to 1"));
    assert!(ask("uniform-t", "flow", 5, Some(f64::NAN), None).contains("use times from 0 to 1"));
    assert!(ask("power-t", "ve", 5, None, Some(-0.5)).contains("outside"));
    let message = |spec: &str| spec.parse::<GridRule>().unwrap_err().to_string();
    assert!(message("karas").contains("did you mean `karras`?"));
    assert!(
        message("karras:k=3").contains("did you mean `rho`?")
            || message("karras:k=3").contains("known: `rho`")
    );
    assert!(message("karras:rho=0").contains("a number from 0.1 to 100"));
    assert!(message("1,two,3").contains("`times=two` is not allowed"));
}
