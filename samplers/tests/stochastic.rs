//! Stochastic methods: the distribution of their output.
#![allow(clippy::unreadable_literal, reason = "golden values stay as they were computed")]
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod common;

use common::{close, grid, grid_to, plan, slope, spread};
use fewstep_samplers::exact::Mixture;
use fewstep_samplers::{End, Grid, Node, Op, Path, Plan, solver};

const IMAGENET: &str =
    "restart:segments=4x1@19.35-40.79+4x1@1.09-1.92+4x5@0.59-1.09+4x5@0.3-0.59+6x6@0.06-0.3:s_noise=1.003";

fn normal() -> Mixture {
    Mixture::gaussian(0.5).unwrap()
}

#[test]
fn deviations_on_the_karras_grid() {
    // From scripts/parity/golden_gains.py: 50-digit evaluations in EDM's notation, with every noise as an axis.
    let g = grid("edm", "karras:rho=7", 8);
    for (spec, draws, want) in [
        ("euler-a", 7, 0.267841504221502),
        ("euler-a:eta=0.5", 7, 0.323572426830935),
        ("ddpm", 7, 0.267841504221502),
        ("dpmpp-sde", 14, 0.37016757472625844),
        ("dpmpp-sde:eta=0.5", 14, 0.4282844060682999),
        ("dpmpp-sde:s_noise=1.003", 14, 0.3712779984300665),
        ("dpmpp-2s-a", 7, 0.3646096991677524),
        ("dpmpp-2s-a:eta=0.5", 7, 0.43656102975009453),
        ("dpmpp-2s-a:s_noise=1.003", 7, 0.36570314331116777),
        ("consistency", 7, 0.24726154860425523),
        ("consistency:gamma=0.5", 7, 0.3231069624411603),
    ] {
        let p = plan(spec, &g);
        assert_eq!(p.draws(), draws, "{spec}: no noise in the step into zero");
        close(spread(&p, &normal(), 0.0, 80.0).1, want, 1e-12, spec);
    }
}

/// From scripts/parity/golden_gains.py, EDM's algorithm 2 with every noise as an axis; the last is EDM's setting for ImageNet.
#[test]
fn churn_leaves_the_deviation_that_it_should() {
    let g = grid("edm", "karras", 8);
    for (spec, want) in [
        ("heun:s_churn=1.2", 0.7428901178163168),
        ("heun:s_churn=40", 0.818461738937244),
        ("heun:s_churn=40:s_min=0.05:s_max=50:s_noise=1.003", 0.8220057623886874),
    ] {
        close(spread(&plan(spec, &g), &normal(), 0.0, 80.0).1, want, 1e-12, spec);
    }
}

#[test]
fn restart_spends_what_was_published_and_keeps_the_distribution() {
    // The deviations are from scripts/parity/golden_gains.py.
    for (spec, steps, nfe, draws, want) in
        [("restart", 18, 43, 2, 0.5185736668239791), (IMAGENET, 36, 203, 18, 0.5033631699059952)]
    {
        let s = solver(spec).unwrap();
        let p = s.plan(&grid("edm", "karras", steps)).unwrap();
        assert_eq!((p.nfe(), s.evals(steps, true), s.steps_for_nfe(nfe, true)), (nfe, nfe, Some(steps)));
        assert_eq!(p.draws(), draws);
        close(spread(&p, &normal(), 0.0, 80.0).1, want, 1e-12, spec);
    }
    // The exact flow keeps the distribution, and so does noise that raises it from one level to another.
    let fine = plan("restart:segments=60x3@0.14-0.3", &grid("edm", "karras", 400));
    close(spread(&fine, &normal(), 0.0, 80.0).1, 0.499990234661093, 1e-4, "many steps");
    // The same on the other paths, up to the error of 200 steps of Heun's method.
    for path in ["vp-linear", "sd", "flow", "ve"] {
        let p = plan("restart:segments=40x2@0.2-0.6", &grid_to(path, "uniform-t", 200, End::TMin));
        let (first, last) = (p.nodes[0], p.nodes[p.steps]);
        let width = |n: &Node| (0.5 * n.alpha).hypot(n.sigma);
        close(spread(&p, &normal(), 0.0, width(&first)).1, width(&last), 2e-4, path);
    }
}

#[test]
fn restart_says_which_levels_a_grid_lacks() {
    let message = |spec: &str, g: &Grid| solver(spec).unwrap().plan(g).unwrap_err().to_string();
    let g = Grid::new(&Path::edm(), &[10.0, 1.0, 0.0], "list").unwrap();
    assert_eq!(
        message("restart", &g),
        "solver `restart` cannot run on this grid: segment `3x2@0.14-0.3` lies below the nearest node, of level 1; \
         use more steps or other levels"
    );
    let above = message("restart:segments=3x1@0.5-20", &g);
    assert!(above.contains("reaches above the first node, of level 10; "), "{above}");
    let g = Grid::new(&Path::edm(), &[10.0, 0.0], "list").unwrap();
    assert!(message("restart", &g).contains("finds no node above sigma = 0; "));
}

/// Coefficients of the step that ends with step `i`, with the node that it ends at; first-order methods only.
fn coefficients(p: &Plan, i: usize) -> (Vec<f64>, Node) {
    let lins = p.ops.iter().filter_map(|op| match op {
        Op::Lin { terms, .. } => Some(terms.iter().map(|(c, _)| *c).collect::<Vec<f64>>()),
        _ => None,
    });
    (lins.clone().nth(i).unwrap(), p.nodes[i + 1])
}

#[test]
fn ddpm_on_a_table_is_the_chain_of_the_paper() {
    // beta and the cumulative product from the table's definition, not from the path.
    let beta = |row: usize| 1e-4 + (0.02 - 1e-4) * row as f64 / 999.0;
    let product = |row: usize| (0..=row).map(|i| 1.0 - beta(i)).product::<f64>();
    let rows = [999usize, 998, 997, 500, 499, 2, 1, 0];
    let g = Grid::new(&Path::ddpm(), &rows.map(|row| row as f64), "rows").unwrap();
    let [small, large, between] = ["ddpm", "ddpm:variance=large", "ddpm:variance=0.25"].map(|s| plan(s, &g));
    for (i, pair) in rows.windows(2).enumerate().filter(|(_, pair)| pair[0] == pair[1] + 1) {
        let (now, before, b) = (product(pair[0]), product(pair[1]), beta(pair[0]));
        // Arxiv 2006.11239, eq. 7; coefficients of x, of x0 and of the noise.
        let mean = [(1.0 - b).sqrt() * (1.0 - before) / (1.0 - now), before.sqrt() * b / (1.0 - now)];
        let variance = (1.0 - before) / (1.0 - now) * b;
        let quarter = variance.powf(0.75) * b.powf(0.25);
        for (p, variance) in [(&small, variance), (&large, b), (&between, quarter)] {
            let (c, _) = coefficients(p, i);
            for (got, want) in c.iter().zip([mean[0], mean[1], variance.sqrt()]) {
                close(*got, want, 1e-9, &format!("row {}", pair[0]));
            }
        }
    }
}

#[test]
fn the_large_variance_is_right_for_standard_normal_data_and_the_small_one_for_a_point() {
    // The point is in `every_solver_is_exact_for_constant_data`.
    let data = Mixture::gaussian(1.0).unwrap();
    for (path, rule) in [
        ("vp-linear", "power-t:k=2"),
        ("ddpm", "trailing"),
        ("vp-cosine", "uniform-t"),
        ("edm", "karras"),
        // The step into clean data, its usual end, adds no noise.
        ("flow", "1,0.9,0.75,0.6,0.4,0.2,0.1,0.05"),
    ] {
        let g = grid_to(path, rule, 7, End::TMin);
        let width = |node: &Node| node.alpha.hypot(node.sigma);
        let (start, end) = (width(&g.nodes()[0]), width(&g.nodes()[7]));
        let after = |spec: &str| spread(&plan(spec, &g), &data, 0.0, start).1 / end;
        close(after("ddpm:variance=large"), 1.0, 1e-12, path);
        let small = after("ddpm");
        assert!(small < 0.999, "{path}: {small}");
    }
}

#[test]
fn ddpm_is_ddim_and_euler_a_with_all_noise() {
    for (path, rule) in
        [("vp-linear", "power-t:k=2"), ("sd", "karras"), ("edm", "karras"), ("flow", "uniform-t")]
    {
        for end in [End::TMin, End::Zero] {
            let g = grid_to(path, rule, 9, end);
            let want = plan("ddpm", &g).ops;
            for spec in ["ddim:eta=1", "euler-a"] {
                assert_eq!(plan(spec, &g).ops, want, "{spec} on {path}");
            }
        }
    }
    let g = grid("edm", "karras", 9);
    assert_eq!(plan("ddim:eta=0.3", &g).ops, plan("euler-a:eta=0.3", &g).ops);
}

#[test]
fn a_long_ancestral_step_keeps_its_digits() {
    // e^-h = 1e-9: the remaining state would drown in sigma'^2 - up^2.
    let g = Grid::new(&Path::edm(), &[1e5, 1e-4], "long").unwrap();
    let (c, _) = coefficients(&plan("ddim:eta=1", &g), 0);
    close(c[0], 1e-18, 1e-12, "keep");
}

#[test]
fn consistency_on_the_flow_path_is_the_stochastic_flow_sampler() {
    let p = plan("consistency", &grid("flow", "uniform-t", 6));
    for i in 0..6 {
        let (c, to) = coefficients(&p, i);
        let want: &[f64] = if to.t > 0.0 { &[1.0 - to.t, to.t] } else { &[1.0] };
        assert_eq!(c, want, "step {i}");
    }
    // Fresh noise, not the Brownian path's: the state is forgotten.
    assert!(p.ops.iter().all(|op| !matches!(op, Op::Brownian { .. })));
}

#[test]
fn without_noise_nothing_is_drawn() {
    let g = grid("edm", "karras", 18);
    for spec in ["ddim", "euler-a", "dpmpp-sde", "dpmpp-2s-a"] {
        assert_eq!(plan(&format!("{spec}:eta=0"), &g).draws(), 0, "{spec}");
    }
    for spec in ["euler-a", "dpmpp-sde", "dpmpp-2s-a"] {
        assert_eq!(plan(&format!("{spec}:s_noise=0"), &g).draws(), 0, "{spec}");
    }
    let rest =
        ["consistency:gamma=0", "restart:segments=none", "restart:s_noise=0", "heun:s_churn=40:s_noise=0"];
    for spec in rest {
        assert_eq!(plan(spec, &g).draws(), 0, "{spec}");
    }
}

#[test]
fn order_in_distribution() {
    // Deviation of the output for normal data against its exact value.
    let width = |n: &Node| (0.5 * n.alpha).hypot(n.sigma);
    let mut measured = Vec::new();
    // A segment has as many nodes as it is given, so that the order shows only if they grow with the grid.
    // Its lower end is a node of each grid here, three quarters of the way.
    let spec_for = |spec: &str, n: usize| match spec {
        "restart" => format!("restart:segments={}x2@0.188-1+{}x1@0.188-4", n / 4 + 1, n / 2 + 1),
        other => other.to_owned(),
    };
    for (spec, order) in [
        ("ddpm", 1.0),
        ("ddpm:variance=large", 1.0),
        ("euler-a", 1.0),
        ("euler-a:eta=0.5", 1.0),
        ("dpmpp-2s-a", 2.0),
        ("dpmpp-2s-a:eta=0.5", 2.0),
        ("dpmpp-sde", 2.0),
        ("dpmpp-sde:eta=0.5", 2.0),
        // Churn raises the level of each step by the share s_churn / N: as N grows it is a fixed share of the
        // step down that follows. Its noise is exact in law whatever it adds, so that what is left is the
        // error of Heun's longer steps, of the order that the entry declares without churn.
        ("heun:s_churn=2", 2.0),
        ("heun:s_churn=8", 2.0),
        ("heun:s_churn=8:s_min=0.2:s_max=3", 2.0),
        ("restart", 2.0),
    ] {
        let points: Vec<(usize, f64)> = [40, 80, 160, 320]
            .into_iter()
            .map(|n| {
                let g = common::smooth(n);
                let p = plan(&spec_for(spec, n), &g);
                let got = spread(&p, &normal(), 0.0, width(&g.nodes()[0])).1;
                (n, (got - width(&g.nodes()[n])).abs())
            })
            .collect();
        measured.push((spec, order, slope(&points), points[0].1));
    }
    let text = format!("{measured:.3?}");
    #[expect(clippy::print_stderr, reason = "the measured orders are worth seeing")]
    {
        eprintln!("{text}");
    }
    for (spec, order, got, _) in measured {
        assert!((got - order).abs() < 0.15, "{spec}: order {got:.3}, expected {order}; all: {text}");
    }
}
