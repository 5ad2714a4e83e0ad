//! The analytical first step, on every solver.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod common;

use common::{close, gain, golden_grid, grid, plan};
use fewstep_samplers::{Grid, Node, Op, Path, Pred, registry, solver};

#[test]
fn the_analytical_first_step_replaces_one_evaluation_of_every_solver() {
    for entry in registry() {
        let spec = format!("{}:afs=true", entry.name);
        let afs = solver(&spec).unwrap();
        assert_eq!(afs.name(), spec);
        for (path, rule) in [("vp-linear", "power-t:k=2"), ("edm", "karras"), ("flow", "uniform-t")] {
            let g = grid(path, rule, 18);
            let (full, short) = (plan(entry.name, &g), afs.plan(&g).unwrap());
            assert_eq!((short.nfe(), afs.evals(18, g.to_zero())), (full.nfe() - 1, full.nfe() - 1), "{spec}");
            assert_eq!(afs.steps_for_nfe(short.nfe(), g.to_zero()), Some(18), "{spec}");
            let changed: Vec<_> = full.ops.iter().zip(&short.ops).filter(|(a, b)| a != b).collect();
            let [(Op::Eval { x, node, pred, .. }, Op::Lin { terms, .. })] = changed[..] else {
                panic!("{spec} changes {changed:?}");
            };
            let Node { alpha, sigma, .. } = full.nodes[*node];
            let eps = 1.0 / alpha.hypot(sigma);
            // alpha x0 + sigma eps = 1, with alpha = 0 as its limit.
            let x0 = if alpha == 0.0 { 0.0 } else { (1.0 - sigma * eps) / alpha };
            let (want, size) = match pred {
                Pred::Eps => (eps, eps),
                Pred::X0 => (x0, 1.0 / alpha.max(1e-3)),
                Pred::Flow => (eps - x0, eps),
            };
            assert_eq!((terms.len(), terms[0].1), (1, *x));
            assert!((terms[0].0 - want).abs() <= 1e-14 * size, "{spec} on {path}: {} for {want}", terms[0].0);
        }
    }
    // Through eps, x0 or the velocity: the same guess.
    for g in [golden_grid(), grid("edm", "karras", 5), grid("flow", "uniform-t", 5)] {
        for spec in ["euler:afs=true", "deis-tab0:afs=true"] {
            close(gain(spec, &g), gain("ddim:afs=true", &g), 1e-11, spec);
        }
    }
    // In EDM's notation: two Euler steps, the first along x / sqrt(1 + 80^2).
    let g = Grid::new(&Path::edm(), &[80.0, 1.0, 0.0], "two steps").unwrap();
    let middle = 1.0 - 79.0 / 6401f64.sqrt();
    close(gain("euler:afs=true", &g), middle * 0.25 / 1.25, 1e-13, "two steps");
}

#[test]
fn a_plan_of_one_evaluation_has_none_to_spare() {
    let message =
        solver("ddim:afs=true").unwrap().plan(&grid("flow", "uniform-t", 1)).unwrap_err().to_string();
    assert_eq!(
        message,
        "solver `ddim:afs=true` cannot run on this grid: \
         its one evaluation is the one to leave out; use more steps or drop `afs`"
    );
    assert_eq!(solver("ddim:afs=true").unwrap().steps_for_nfe(1, true), Some(2));
    assert_eq!(solver("ddim:afs=false").unwrap().name(), "ddim");
}
