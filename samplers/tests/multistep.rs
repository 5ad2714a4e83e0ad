//! Linear multistep methods: coefficients and gains against 50-digit evaluations of the papers' formulas, all of them from
//! scripts/parity/golden_gains.py, whose --check demands it.
#![allow(clippy::unreadable_literal, reason = "golden values stay as they were computed")]
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod common;

use common::{close, combinations, gain, golden_grid, grid, plan};

/// Coefficients of DEIS on the golden grid: (step, degree, newest first).
type Rows<'a> = &'a [(usize, usize, &'a [f64])];

fn check_coefficients(family: &str, rows: Rows) {
    for (step, degree, want) in rows {
        let got = &combinations(&plan(&format!("{family}{degree}"), &golden_grid()))[*step][1..];
        assert_eq!(got.len(), want.len(), "{family}{degree}, step {step}");
        for (j, (got, want)) in got.iter().zip(*want).enumerate() {
            close(*got, *want, 1e-10, &format!("{family}{degree}, step {step}, C_{j}"));
        }
    }
}

#[test]
fn coefficients_in_rho() {
    check_coefficients(
        "deis-rhoab",
        &[
            (1, 1, &[-3.2915500702886, 0.073946503856432]),
            (2, 1, &[-1.0880597214996, 0.088840583212094]),
            (3, 1, &[-0.51733520594256, 0.081920927709474]),
            (4, 1, &[-0.19731140747576, 0.031203471660379]),
            (2, 2, &[-1.0924265285449, 0.093408104924346, -0.00020071466689586]),
            (3, 2, &[-0.53280573587765, 0.10014242757573, -0.0027509699311593]),
            (4, 2, &[-0.20797952206893, 0.045885886601857, -0.0040143003483039]),
            (3, 3, &[-0.53363109623711, 0.10112214982272, -0.0029056809725042, 3.4915381085998e-7]),
            (4, 3, &[-0.21022425707617, 0.049150800766034, -0.0050656884774397, 3.1208972195541e-5]),
        ],
    );
}

#[test]
fn coefficients_in_log_rho() {
    check_coefficients(
        "deis-logrho",
        &[
            (1, 1, &[-3.8628255717135, 0.6452220052813]),
            (2, 1, &[-1.2836361281752, 0.28441698988773]),
            (3, 1, &[-0.63963067649048, 0.20421639825739]),
            (4, 1, &[-0.2749753698982, 0.10886743408282]),
            (2, 2, &[-1.4236965936346, 0.49914223962683, -0.074664784279728]),
            (3, 2, &[-0.78106760848292, 0.44314737304172, -0.097494042791885]),
            (4, 2, &[-0.39901497973577, 0.37902243798869, -0.1461153940683]),
            (3, 3, &[-0.86855970778993, 0.62637509539344, -0.21211508658826, 0.018885420751662]),
            (4, 3, &[-0.52419460262943, 0.78270747712787, -0.51495303850009, 0.090332228186267]),
        ],
    );
}

#[test]
fn gains_on_the_golden_grid() {
    for (spec, want) in [
        ("deis-rhoab1", 0.396736507175207),
        ("deis-rhoab2", 0.403653001370743),
        ("deis-rhoab3", 0.404547471839878),
        ("deis-logrho1", 0.460840912075109),
        ("deis-logrho2", 0.505563349864531),
        ("deis-logrho3", 0.511365448132226),
        ("ipndm", 0.524308529159643),
        ("dpm-2m:lower_order_final=false", 0.505352152961979),
        ("dpm-2m:type=taylor:lower_order_final=false", 0.460840912075109),
        ("dpm-3m:lower_order_final=false", 0.495901728062939),
        ("dpmpp-3m:lower_order_final=false", 0.736593601069577),
        ("dpmpp-3m:type=exact:lower_order_final=false", 0.765935362982117),
        ("unipc:order=1:lower_order_final=false", 0.385015585812481),
        ("unipc:order=2:lower_order_final=false", 0.617799211283559),
        ("unipc:order=3:lower_order_final=false", 0.810018052537856),
        ("unipc:order=2", 0.454726901540388),
        ("unipc:order=3", 0.461304625788876),
        ("unipc:order=1:variant=bh1:lower_order_final=false", 0.403822827711579),
        ("unipc:order=2:variant=bh1:lower_order_final=false", 1.15618328568567),
        ("unipc:order=3:variant=bh1:lower_order_final=false", 0.812062887246912),
        ("unipc:order=3:corrector=false:lower_order_final=false", 0.765935362982117),
    ] {
        close(gain(spec, &golden_grid()), want, 1e-11, spec);
    }
}

#[test]
fn gains_on_the_karras_grid() {
    let g = grid("edm", "karras:rho=7", 8);
    for (spec, want) in [
        ("res-2m", 0.708220303010092),
        ("ipndm", 0.536956048293762),
        ("lms:order=2", 0.360401943791984),
        ("lms:order=3", 0.367875617903129),
        ("lms", 0.370506962857263),
    ] {
        close(80.0 * gain(spec, &g), want, 1e-11, spec);
    }
}

#[test]
fn gains_of_adams_bashforth_on_the_flow_path() {
    close(gain("flow-ab2", &grid("flow", "uniform-t", 5)), 0.463269230769231, 1e-11, "uniform");
    let shifted = grid("flow", "uniform-t:shift=3", 5);
    close(gain("flow-ab2", &shifted), 0.387725569397694, 1e-11, "shift 3");
}
