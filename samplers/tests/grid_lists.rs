//! Lists of levels, flow shifts, and rules that do not suit.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod common;

use common::{close, grid, levels, times};
use fewstep_samplers::{End, Error, GridRule, Path, Shift, ShiftCurve};

#[test]
fn lists_of_levels() {
    let make = |text: &str, path: &str, steps| {
        text.parse::<GridRule>().and_then(|rule| rule.grid(&path.parse().unwrap(), steps, None, None, None))
    };
    // One and the same grid as sigma, as lambda and as t, up to rounding.
    for path in ["sd", "edm:sigma_max=20", "ve", "vp-linear", "vp-cosine"] {
        let sigmas = make("sigmas=14.6,6.5,0.7,0", path, 3).unwrap();
        for (got, want) in levels(&sigmas).into_iter().zip([14.6, 6.5, 0.7, 0.0]) {
            close(got, want, 1e-12, path);
        }
        let lambdas = [14.6f64, 6.5, 0.7, 0.0].map(|sigma| (-sigma.ln()).to_string()).join(",");
        let lambdas = make(&format!("lambdas={lambdas}"), path, 3).unwrap();
        let list = sigmas.times().map(|t| t.to_string()).collect::<Vec<_>>().join(",");
        for (a, b) in sigmas.times().zip(lambdas.times()) {
            assert!((a - b).abs() < 1e-9, "{path}: {a} against {b}");
        }
        assert_eq!(times(&make(&format!("times={list}"), path, 3).unwrap()), times(&sigmas));
    }
    // On the flow path sigma is t.
    assert_eq!(times(&make("sigmas=1,0.75,0", "flow", 2).unwrap()), [1.0, 0.75, 0.0]);
    assert_eq!(times(&make("lambdas=-inf,0,inf", "flow", 2).unwrap()), [1.0, 0.5, 0.0]);
    // Values printed with ten digits meet the end of the path; anything larger is an error.
    assert_eq!(make("sigmas=14.6146413,1", "sd", 1).unwrap().times().next(), Some(999.0));
    let refused = |text: &str, path: &str, steps| make(text, path, steps).unwrap_err().to_string();
    assert!(refused("sigmas=14.7,1", "sd", 1).starts_with(
        "sigma 0 of the grid is 14.7, which path `sd` does not reach; use values from 0 to 14.61464"
    ));
    assert!(refused("sigmas=1,NaN", "sd", 1).starts_with("sigma 1 of the grid is NaN"));
    assert!(refused("sigmas=1,-1", "sd", 1).starts_with("sigma 1 of the grid is -1"));
    assert!(refused("lambdas=-9,1", "sd", 1).contains("use values from -2.68"));
    assert!(refused("sigmas=1,2", "sd", 1).contains("list the times from noise to data"));
    assert!(refused("sigmas=3,2,1", "sd", 5).contains("its list makes 2"));
    assert!(refused("sigmas=3,two", "sd", 1).contains("`sigmas=two` is not allowed"));
    assert!(refused("sigma=3,2", "sd", 1).contains("did you mean `sigmas`?"));
    let zero = "sigmas=3,2".parse::<GridRule>().unwrap();
    assert_eq!(zero.fixed_steps(&Path::sd(), Some(End::Zero)), Some(2));
    assert!(zero.grid(&Path::sd(), 2, None, None, Some(End::Zero)).unwrap().to_zero());
    assert_eq!("sigmas=3,0".parse::<GridRule>().unwrap().fixed_steps(&Path::sd(), Some(End::Zero)), Some(1));
}
#[test]
fn shift_is_applied_once() {
    let shifted = |t: f64, s: f64| s * t / (1.0 + (s - 1.0) * t);
    let g = grid("flow", "uniform-t:shift=3", 4);
    for (got, t) in g.times().zip([1.0, 0.75, 0.5, 0.25, 0.0]) {
        assert!((got - shifted(t, 3.0)).abs() < 1e-15);
    }
    assert_eq!((times(&g)[0], times(&g)[4], g.rule()), (1.0, 0.0, "uniform-t:shift=3"));
    // The smallest sigma of Stable Diffusion 3, once; the number that a second application would give is another.
    let rule: GridRule = "uniform-t:shift=3".parse().unwrap();
    let once = times(&rule.grid(&Path::Flow, 9, None, Some(1e-3), Some(End::TMin)).unwrap())[9];
    close(once, 0.002_994_011_976_047_904, 1e-14, "once");
    close(shifted(once, 3.0), 0.008_928_571_428_571_4, 1e-10, "twice");
    let twice = rule.clone().shifted(Shift::factor(3.0).unwrap()).unwrap_err();
    assert_eq!(
        twice.to_string(),
        "grid rule `uniform-t:shift=3` cannot be shifted; it has a shift already: give one only"
    );
    assert!(matches!("uniform-t:shift=3:shift=3".parse::<GridRule>(), Err(Error::RepeatedParam { .. })));
    // A shift multiplies sigma / alpha.
    for (plain, moved) in
        grid("flow", "beta", 6).nodes().iter().zip(grid("flow", "beta:shift=0.4", 6).nodes()).skip(1)
    {
        assert!((moved.rho() - 0.4 * plain.rho()).abs() <= 1e-14 * plain.rho());
    }
    let clipped = rule.grid(&Path::Flow, 3, Some(0.9), Some(0.0), None).unwrap();
    close(times(&clipped)[0], shifted(0.9, 3.0), 1e-15, "limits are those before the shift");
}

#[test]
fn shift_from_the_size_of_the_picture() {
    let strength = |tokens, curve| Shift::tokens(tokens, curve).unwrap().strength();
    close(strength(256, ShiftCurve::Exponential), 0.5f64.exp(), 1e-15, "256");
    close(strength(4096, ShiftCurve::Exponential), 1.15f64.exp(), 1e-15, "4096");
    close(strength(2176, ShiftCurve::Linear), 0.825, 1e-15, "half way");
    let g = grid("flow", "uniform-t:tokens=4096", 5);
    let e = 1.15f64.exp();
    close(times(&g)[1], e / (e + 0.25), 1e-15, "e^mu / (e^mu + 1/t - 1)");
    let linear = grid("flow", "uniform-t:tokens=4096:curve=linear", 5);
    close(times(&linear)[1], 1.15 / (1.15 + 0.25), 1e-14, "mu / (mu + 1/t - 1)");
    // The stretch keeps pure noise and brings the last sigma above 0 to its mark.
    let plain = times(&grid("flow", "uniform-t:shift=3", 5));
    let stretched = times(&grid("flow", "uniform-t:shift=3:shift_terminal=0.1", 5));
    assert_eq!((stretched[0], stretched[4], stretched[5]), (1.0, 0.1, 0.0));
    for i in 1..4 {
        close(stretched[i], 1.0 - (1.0 - plain[i]) * 0.9 / (1.0 - plain[4]), 1e-14, "stretched");
    }
}

#[test]
fn rules_that_do_not_suit_say_so() {
    let made = |rule: &str, path: &str, steps| {
        rule.parse::<GridRule>().and_then(|rule| rule.grid(&path.parse().unwrap(), steps, None, None, None))
    };
    let refused = |rule: &str, path: &str| made(rule, path, 5).unwrap_err().to_string();
    assert_eq!(
        refused("uniform-t:shift=3", "sd"),
        "grid rule `uniform-t:shift=3` does not suit path `sd`: a shift is for `flow`; drop it"
    );
    assert!(
        refused("ays", "flow").contains("starts at the level 14.6146412293, the path at pure noise; use")
    );
    assert!(
        refused("ays:table=svd", "sd").contains("from the level 700 to 0.002, the path only from 14.6146")
    );
    assert!(refused("ays", "edm:sigma_min=0.03").contains("the path only from 80 to 0.03; use"));
    assert!(refused("ays:shift=3", "flow").contains("taken as they are: drop the shift"));
    assert!(refused("sigmas=1,0.5:shift=3", "flow").contains("taken as they are: drop the shift"));
    assert!(refused("1,0.5:shift=3", "flow").contains("taken as they are: drop the shift"));
    assert!(refused("1,0.5:k=3", "flow").contains("no parameter `k`"));
    assert!(refused("exponential", "flow").contains("pass t_max explicitly"));
    assert!(refused("beta:on=rho", "flow").contains("pass t_max explicitly"));
    assert!(refused("beta:alpha=0", "sd").contains("a number from 0.1 to 10"));
    assert!(refused("beta:on=sigma", "sd").contains("give t or rho"));
    assert!(refused("ays:table=sd3", "sd").contains("give sd15 or sdxl or svd"));
    assert!(refused("uniform-t:shift=0", "flow").contains("a number from 0.01 to 100"));
    assert!(refused("uniform-t:shift=2:tokens=99", "flow").contains("either `shift` or `tokens`"));
    assert!(refused("uniform-t:curve=linear", "flow").contains("`tokens` beside it"));
    assert!(
        made("uniform-t:shift_terminal=0.1", "flow", 1)
            .unwrap_err()
            .to_string()
            .contains("ask for more steps")
    );
    assert!(Shift::factor(f64::NAN).is_err() && Shift::factor(1.0).unwrap().with_terminal(1.0).is_err());
    let limits = GridRule::Gits.grid(&Path::sd(), 5, Some(900.0), None, None).unwrap_err();
    assert!(matches!(limits, Error::NoLimits { .. }));
}
