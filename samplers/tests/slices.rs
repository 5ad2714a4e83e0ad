//! Parts of grids and their plans: image-to-image.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod common;

use common::{grid, plan, run_ode};
use fewstep_samplers::exact::{Component, Mixture};
use fewstep_samplers::{Error, Grid, Path};

#[test]
fn parts_of_grids() {
    let g = grid("sd", "karras", 10);
    let part = g.slice(3, 7).unwrap();
    assert_eq!(part.nodes(), &g.nodes()[3..=7]);
    assert_eq!((part.steps(), part.rule()), (4, "karras:rho=7, nodes 3 to 7 of 0 to 10"));
    assert_eq!(g.slice(0, 10).unwrap(), g);
    assert_eq!(g.from_step(4).unwrap().nodes(), &g.nodes()[4..]);
    for (from, to) in [(3, 3), (4, 3), (0, 11), (11, 12), (usize::MAX, 0)] {
        assert_eq!(g.slice(from, to).unwrap_err(), Error::Slice { from, to, steps: 10 });
    }
    for (strength, run) in [(1.0, 10), (0.75, 7), (0.7, 7), (0.3, 3), (0.05, 1), (1e-300, 1), (0.9999, 9)] {
        assert_eq!(g.for_strength(strength).unwrap().steps(), run, "strength {strength}");
    }
    let hundred = grid("sd", "karras", 100);
    for percent in 1..=100u32 {
        let part = hundred.for_strength(f64::from(percent) / 100.0).unwrap();
        assert_eq!(part.steps(), percent as usize, "strength {percent} per cent");
    }
    for strength in [0.0, -0.5, 1.5, f64::NAN] {
        assert!(matches!(g.for_strength(strength), Err(Error::Strength { .. })));
    }
    let message = g.for_strength(1.5).unwrap_err().to_string();
    assert_eq!(message, "strength 1.5 is not allowed; give a number above 0 and at most 1");
}

#[test]
fn plans_of_parts_warm_up_again() {
    let g = grid("sd", "karras", 8);
    let part = g.for_strength(0.5).unwrap();
    for spec in ["deis-tab3", "dpmpp-2m", "heun", "ddim:eta=0.5"] {
        let (whole, tail) = (plan(spec, &g), plan(spec, &part));
        // The very plan of a grid that has only these nodes: nothing is carried over the cut.
        let list: Vec<f64> = part.times().collect();
        let fresh = plan(spec, &Grid::new(&Path::sd(), &list, part.rule()).unwrap());
        assert_eq!(tail, fresh, "{spec}");
        assert_eq!((tail.steps, tail.nodes[0]), (4, whole.nodes[4]));
        assert!(tail.grid.ends_with("nodes 4 to 8 of 0 to 8"));
    }
    // Noise an image to the cut and run the tail: with the exact denoiser of a point it comes back.
    let data = Mixture::new(vec![Component { weight: 1.0, mean: 0.6, std: 1e-6 }]).unwrap();
    let plan = plan("deis-tab3", &part);
    let start = plan.nodes[0].alpha * 0.6 + plan.nodes[0].sigma * 1.7;
    let out = run_ode(&plan, &data, vec![start])[0];
    assert!((out - 0.6).abs() < 1e-5, "{out}");
}
