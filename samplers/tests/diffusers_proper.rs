//! Where the plans of `compat::diffusers` meet the proper solvers, and how far apart they are elsewhere.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod common;

use common::{close, run_ode};
use fewstep_samplers::compat::diffusers;
use fewstep_samplers::exact::Mixture;
use fewstep_samplers::{End, Grid, GridRule, Path, Plan, solver};

fn compat(spec: &str, path: &Path, steps: usize) -> Plan {
    diffusers::plan(spec, path, steps).unwrap()
}

/// Output for a start of 1, in units of the noise that the plan is started with.
fn output(plan: &Plan, start: f64) -> f64 {
    run_ode(plan, &Mixture::gaussian(0.5).unwrap(), vec![start])[0]
}

#[test]
fn on_whole_rows_some_are_the_proper_solver() {
    let trailing = ":timestep_spacing=trailing";
    for path in [Path::ddpm(), Path::sd()] {
        let rule: GridRule = "trailing".parse().unwrap();
        for (scheduler, ours, steps) in [
            // DDIM's steps of rows/N are those of the grid where N divides the rows.
            (format!("ddim{trailing}"), "ddim", &[1, 2, 4, 5, 8, 10, 20, 50][..]),
            (format!("euler{trailing}"), "euler", &[1, 3, 6, 7, 13, 20]),
            (format!("heun{trailing}"), "heun", &[1, 3, 6, 7, 13, 20]),
            (format!("dpmsolver-multistep{trailing}:solver_order=1"), "ddim", &[1, 3, 7, 20]),
            (format!("dpmsolver-multistep{trailing}"), "dpmpp-2m:lower_order_final=true", &[1, 3, 7, 14]),
            (format!("dpmsolver-multistep{trailing}:lower_order_final=false"), "dpmpp-2m", &[1, 10, 20]),
            (format!("dpmsolver-multistep{trailing}:solver_type=heun"), "dpmpp-2m:type=heun", &[2, 7, 20]),
        ] {
            for &n in steps {
                let grid = rule.grid(&path, n, None, None, None).unwrap();
                let proper = solver(ours).unwrap().plan(&grid).unwrap();
                let plan = compat(&scheduler, &path, n);
                assert_eq!((plan.nfe(), plan.steps), (proper.nfe(), n));
                // Euler and Heun scale the first state as we do; the others leave it, so that it is a little larger.
                let exploding = scheduler.starts_with("euler") || scheduler.starts_with("heun");
                let want = output(&proper, if exploding { 1.0 } else { 1.0 / grid.nodes()[0].sigma });
                close(output(&plan, 1.0), want, 1e-9, &format!("{scheduler} on {path}, {n} steps"));
            }
        }
    }
}

#[test]
fn deis_of_order_one_is_the_paper_s_of_degree_zero() {
    for path in [Path::ddpm(), Path::sd()] {
        for n in [1, 5, 9] {
            let mut times: Vec<f64> =
                (1..=n).rev().map(|i| (f64::from(i) * 999.0 / f64::from(n)).round_ties_even()).collect();
            times.push(0.0);
            let grid = Grid::new(&path, &times, "rows").unwrap();
            let proper = solver("deis-tab0").unwrap().plan(&grid).unwrap();
            let plan = compat("deis:solver_order=1", &path, n as usize);
            close(output(&plan, grid.nodes()[0].sigma), output(&proper, 1.0), 1e-11, &format!("{path}, {n}"));
        }
    }
}

/// The deviation of the samples, in per cent of that of the data.
fn off(plan: &Plan) -> f64 {
    100.0 * (output(plan, plan.init_scale()) / 0.5 - 1.0)
}

#[test]
fn figures_of_the_document() {
    let document = include_str!("../../docs/diffusers.md");
    let mut rows = 0;
    for line in document.lines() {
        let cells: Vec<&str> = line.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let [_, path, theirs, n, figure, ours, rule, m, our_figure, _] = cells[..] else { continue };
        let Ok(path) = path.parse::<Path>() else { continue };
        rows += 1;
        let check = |plan: &Plan, figure: &str, what: &str| {
            let (got, want) = (off(plan), figure.parse::<f64>().unwrap_or(f64::NAN));
            assert!((got - want).abs() < 0.0501, "{path} {what}: the document has {figure}, it is {got:.2}");
        };
        check(&compat(theirs, &path, n.parse().unwrap()), figure, theirs);
        let grid = rule.parse::<GridRule>().unwrap();
        let end = Some(grid.default_end()).filter(|_| rule != "power-t").or(Some(End::Zero));
        let grid = grid.grid(&path, m.parse().unwrap(), None, None, end).unwrap();
        check(&solver(ours).unwrap().plan(&grid).unwrap(), our_figure, &format!("{ours} {rule}"));
    }
    assert!(rows == 16, "the table has {rows} rows");
}
