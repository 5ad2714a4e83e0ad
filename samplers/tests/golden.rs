//! Coefficients and end-to-end results against 50-digit evaluations of the papers' formulas.
//!
//! Every number of 12 or more digits is from scripts/parity/golden_gains.py, whose --check demands it.

#![allow(clippy::unreadable_literal, reason = "golden values stay as they were computed")]
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod common;

use common::{close, gain, golden_grid, grid, plan, spread};
use fewstep_samplers::exact::{Mixture, gaussian_gain};
use fewstep_samplers::{Grid, Op, Path, Plan, Slot, registry};

/// The coefficients of step `i`: of the state first, then of the evaluations from the newest back.
fn step_coefficients(plan: &Plan, step: usize) -> Vec<f64> {
    let mut lins = plan.ops.iter().filter_map(|op| match op {
        Op::Lin { terms, .. } => Some(terms),
        _ => None,
    });
    let terms: &Vec<(f64, Slot)> = lins.nth(step).unwrap();
    terms.iter().map(|(c, _)| *c).collect()
}

#[test]
fn grid_of_the_golden_tables() {
    let g = golden_grid();
    let rows = [
        (1.0, 152.16697028395, -5.0249784066592),
        (0.65015928851254, 8.4017692447312, -2.1284423080438),
        (0.37533893276881, 1.7937867673528, -0.58432889779462),
        (0.17553893276881, 0.61875519589641, 0.48004556772615),
        (0.050759288512539, 0.17660306063687, 1.7338506600629),
        (0.001, 0.010485992786703, 4.5577149327299),
    ];
    for (node, (t, rho, lambda)) in g.nodes().iter().zip(rows) {
        close(node.t, t, 1e-12, "t");
        close(node.rho(), rho, 1e-12, "rho");
        close(node.lambda(), lambda, 1e-12, "lambda");
    }
}

#[test]
fn tab_coefficients() {
    let psi = [17.984750617081, 4.1199220903484, 1.7464154146329, 1.1580297905236, 1.0154187648788];
    let ddim = [-16.991371074452, -3.2176035664322, -0.99921913828746, -0.43541427823309, -0.16610793581538];
    // (step, degree, coefficients newest first)
    let rows: &[(usize, usize, &[f64])] = &[
        (1, 1, &[-4.106789692249, 0.88918612581677]),
        (2, 1, &[-1.3138555840186, 0.31463644573117]),
        (3, 1, &[-0.56646448341589, 0.13105020518281]),
        (4, 1, &[-0.20020352954036, 0.03409559372498]),
        (2, 2, &[-1.5149368239724, 0.6736787693522, -0.15796108366726]),
        (3, 2, &[-0.64422726329024, 0.26534811098278, -0.056535125925621]),
        (4, 2, &[-0.21688426913295, 0.061193834580304, -0.010417501262736]),
        (3, 3, &[-0.69701060581136, 0.38566319120263, -0.1469715287463, 0.022904665121942]),
        (4, 3, &[-0.22688823599016, 0.081718137621908, -0.024044127524278, 0.0031062900771529]),
    ];
    let g = golden_grid();
    for degree in 0..=3 {
        let p = plan(&format!("deis-tab{degree}"), &g);
        for step in 0..5 {
            let c = step_coefficients(&p, step);
            let q = degree.min(step);
            assert_eq!(c.len(), q + 2, "degree {degree}, step {step}");
            close(c[0], psi[step], 1e-12, "psi");
            // Lagrange polynomials sum to 1, hence their integrals to the one of degree 0.
            close(c[1..].iter().sum(), ddim[step], 1e-12, "sum of coefficients");
            let want = match q {
                0 => &ddim[step..=step],
                _ => rows.iter().find(|(i, d, _)| (*i, *d) == (step, q)).unwrap().2,
            };
            for (j, (got, want)) in c[1..].iter().zip(want).enumerate() {
                close(*got, *want, 1e-10, &format!("degree {degree}, step {step}, C_{j}"));
            }
        }
    }
}

#[test]
fn tab_coefficients_sum_to_those_of_degree_zero_everywhere() {
    let mut grids: Vec<Grid> = ["vp-linear", "ddpm", "sd", "vp-cosine", "ve", "edm"]
        .iter()
        .flat_map(|path| [grid(path, "uniform-t", 6), grid(path, "logsnr", 6), grid(path, "karras", 6)])
        .collect();
    // Steps of 20 in lambda.
    grids.push(Grid::new(&Path::Flow, &[1.0 - 1e-9, 0.5, 1e-9], "huge steps").unwrap());
    for g in grids {
        let constant = plan("deis-tab0", &g);
        for spec in ["deis-tab1", "deis-tab2", "deis-tab3"] {
            let p = plan(spec, &g);
            for step in 0..g.steps() {
                let want = step_coefficients(&constant, step)[1];
                let sum: f64 = step_coefficients(&p, step)[1..].iter().sum();
                close(sum, want, 1e-12, &format!("{spec} on {} {}, step {step}", g.path(), g.rule()));
            }
        }
    }
}

#[test]
fn tab_on_a_table_integrates_between_the_rows() {
    // Between rows ln rho is linear in t, so that the integral of (t - t_i) drho has a closed form row by row.
    let g = Grid::new(&Path::sd(), &[850.25, 640.5, 444.75], "list").unwrap();
    let (first, from, to) = (g.nodes()[0], g.nodes()[1], g.nodes()[2]);
    let mut edges = vec![from.t];
    edges.extend((445..=640).rev().map(f64::from));
    edges.push(to.t);
    let moment: f64 = edges
        .windows(2)
        .map(|e| {
            let (a, b) = (g.path().rho(e[0]), g.path().rho(e[1]));
            let per_ln = (e[1] - e[0]) / (b / a).ln();
            // t = e0 + per_ln ln(rho/a); the integral of ln(rho/a) is b ln(b/a) - (b - a).
            (e[0] - from.t) * (b - a) + per_ln * (b * (b / a).ln() - (b - a))
        })
        .sum();
    let want = to.alpha * moment / (first.t - from.t);
    close(step_coefficients(&plan("deis-tab1", &g), 1)[2], want, 1e-11, "C_1");
}

#[test]
fn gains_on_the_golden_grid() {
    let g = golden_grid();
    let nodes = g.nodes();
    close(gaussian_gain(0.5, &nodes[0], &nodes[5]), 0.50009055002855, 1e-12, "exact");
    for (spec, want) in [
        ("ddim", 0.362399045936779),
        ("euler", 0.362399045936779),
        ("deis-tab0", 0.362399045936779),
        ("deis-tab1", 0.415368635622973),
        ("deis-tab2", 0.437467063470352),
        ("deis-tab3", 0.446488878182732),
        ("heun", 0.646376921868153),
        ("dpmpp-2m:lower_order_final=false", 0.584815812333308),
        ("dpmpp-2m:type=heun:lower_order_final=false", 0.682838591635664),
        // Both warm-ups: the order test starts from exact states and sees neither.
        ("pndm", 0.5880629941720751),
        ("pndm:warm_up=plms", 0.5198250705406159),
    ] {
        close(gain(spec, &g), want, 1e-12, spec);
    }
}

#[test]
fn gains_on_the_karras_grid() {
    let g = grid("edm", "karras:rho=7", 8);
    let exact = 80.0 * gaussian_gain(0.5, &g.nodes()[0], &g.nodes()[8]);
    close(exact, 0.499990234661093, 1e-12, "exact");
    for (spec, want) in [
        ("ddim", 0.332789083370276),
        ("euler", 0.332789083370276),
        ("heun", 0.696993799310057),
        ("dpmpp-2m", 0.575294574477212),
        // RES-2M, which is the same method.
        ("dpmpp-2m:type=heun", 0.708220303010092),
        ("pndm", 0.5393676411649038),
        ("pndm:warm_up=plms", 0.5371788119836295),
    ] {
        close(80.0 * gain(spec, &g), want, 1e-12, spec);
    }
}

#[test]
fn gains_on_the_flow_path() {
    let uniform = grid("flow", "uniform-t", 5);
    for spec in ["euler", "ddim", "deis-tab0"] {
        close(gain(spec, &uniform), 0.369230769230769, 1e-12, spec);
    }
    let shifted = grid("flow", "uniform-t:shift=3", 5);
    close(gain("euler", &shifted), 0.257999459469488, 1e-12, "euler, shift 3");
    // With the corrector in every step, which a grid that stops an ulp above t = 0 asks for (2 N evaluations) ...
    let stop_above_zero = |g: &Grid| {
        let mut times: Vec<f64> = g.times().collect();
        times[5] = 1e-16;
        Grid::new(&Path::Flow, &times, "above zero").unwrap()
    };
    close(gain("heun", &stop_above_zero(&uniform)), 0.504372781065089, 1e-12, "heun");
    close(gain("heun", &stop_above_zero(&shifted)), 0.464455198236668, 1e-12, "heun, shift 3");
    // ... and with an Euler step into t = 0 (2 N - 1).
    close(gain("heun", &uniform), 0.4585207100591716, 1e-12, "heun to zero");
    close(gain("heun", &shifted), 0.28271185979623287, 1e-12, "heun to zero, shift 3");
}

#[test]
fn deviation_of_stochastic_ddim() {
    let g = grid("edm", "karras:rho=7", 8);
    let data = Mixture::gaussian(0.5).unwrap();
    for (spec, draws, want) in [
        ("ddim:eta=0.5", 7, 0.323572426830935),
        ("ddim:eta=1", 7, 0.267841504221502),
        ("ddim", 0, 0.332789083370276),
    ] {
        let p = plan(spec, &g);
        assert_eq!(p.draws(), draws, "{spec}: no noise in the last step");
        close(spread(&p, &data, 0.0, 80.0).1, want, 1e-12, spec);
    }
}

/// The script has every noise as an axis of its own.
#[test]
fn deviations_of_stochastic_methods() {
    let data = Mixture::gaussian(0.5).unwrap();
    let check = |g: &Grid, start: f64, rows: &[(&str, f64)]| {
        for (spec, want) in rows {
            close(spread(&plan(spec, g), &data, 0.0, start).1, *want, 1e-11, spec);
        }
    };
    check(
        &golden_grid(),
        1.0,
        &[
            ("ddpm", 0.3038148057932349),
            ("ddpm:variance=large", 0.6358316901736302),
            ("ddpm:variance=0.25", 0.3544721524206142),
            ("sde-dpmpp-2m", 0.4017264359167866),
            ("sde-dpmpp-2m:tau=0.5", 0.4248027968839783),
            ("sde-dpmpp-3m:type=exact:lower_order_final=false", 1.334115974092884),
            // The authors' code; with the slope integrated as in the paper; as the paper recommends without
            // guidance.
            ("sa-solver", 0.6244819658905177),
            ("sa-solver:slope=exact", 0.4528158782801552),
            (SA_3_4, 1.0488417397610827),
        ],
    );
    check(
        &grid("edm", "karras:rho=7", 8),
        80.0,
        &[
            ("sde-dpmpp-2m", 0.5339479337795997),
            ("sde-dpmpp-2m:tau=0.5", 0.5663716712075304),
            ("sa-solver", 4.726346121977535),
            ("sa-solver:slope=exact", 0.8196656076609455),
            (SA_3_4, 1.3338336115075744),
        ],
    );
}

const SA_3_4: &str = "sa-solver:predictor=3:corrector=4:tau=0.7:slope=exact:lower_order_final=false";

/// Whether a line of a table gives `name` with or without parameters a number of at least 12 digits.
fn is_row(line: &str, name: &str) -> bool {
    let Some((_, row)) = line.split_once(&format!("(\"{name}")) else { return false };
    let Some((params, values)) = row.split_once('"') else { return false };
    let digits = |value: &str| value.chars().filter(char::is_ascii_digit).count();
    (params.is_empty() || params.starts_with(':')) && values.split(',').any(|value| digits(value) >= 12)
}

#[test]
fn every_entry_has_a_golden_value() {
    let tables = [
        include_str!("golden.rs"),
        include_str!("multistep.rs"),
        include_str!("singlestep.rs"),
        include_str!("stochastic.rs"),
        include_str!("sde.rs"),
    ];
    // Other names of a method that has one, coefficient for coefficient in
    // `multistep_identities.rs::methods_under_several_names_are_one`.
    let aliases = ["exp-ab", "ipndm-v"];
    for entry in registry() {
        let found = tables.iter().flat_map(|text| text.lines()).any(|line| is_row(line, entry.name));
        let alias = aliases.contains(&entry.name);
        assert!(
            found != alias,
            "{}: {}",
            entry.name,
            if found { "no exception any more" } else { "no golden value" }
        );
    }
    assert!(is_row("(\"lms:order=2\", 0.360401943791984),", "lms") && !is_row("(\"lms\", 0.36),", "lms"));
}

#[test]
fn published_tables() {
    for (name, rho_min, rho_max) in
        [("ddpm", 0.0100005000, 157.4072808104), ("sd", 0.0291671582, 14.6146412293)]
    {
        let path: Path = name.parse().unwrap();
        close(path.rho(0.0), rho_min, 1e-7, name);
        close(path.rho(999.0), rho_max, 1e-11, name);
    }
    close(Path::ddpm().lambda(0.0), 4.6051, 1e-4, "ddpm");
    close(Path::sd().lambda(999.0), -2.6820, 1e-4, "sd");
}
