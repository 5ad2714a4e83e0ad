//! Paths: inverses, ends, digits, names.
#![allow(missing_docs, clippy::unwrap_used, clippy::float_cmp, reason = "tests")]

mod common;

use common::close;
use fewstep_samplers::{BetaTable, Betas, Path};
use proptest::prelude::*;

fn defaults() -> Vec<Path> {
    Path::NAMES.iter().map(|(name, _)| name.parse().unwrap()).collect()
}

fn any_path() -> impl Strategy<Value = Path> {
    let table = |betas| {
        (1e-5..1e-2f64, 1.0..20.0f64, 2usize..300)
            .prop_map(move |(b, k, rows)| Path::Discrete(BetaTable::new(betas, b, b * k, rows).unwrap()))
    };
    prop_oneof![
        (0.01..1.0f64, 1.0..30.0f64).prop_map(|(b, d)| Path::VpLinear { beta_0: b, beta_1: b + d }),
        table(Betas::Linear),
        table(Betas::ScaledLinear),
        (1e-4..0.1f64).prop_map(|s| Path::VpCosine { s }),
        (1e-3..0.1f64, 2.0..1e5f64).prop_map(|(m, k)| Path::Ve { sigma_min: m, sigma_max: m * k }),
        Just(Path::edm()),
        Just(Path::Flow),
    ]
}

proptest! {
    #[test]
    fn inverses_return_the_time(path in any_path(), u in 0.0..1.0f64) {
        let (zero, hi) = (path.zero().t, path.range().1);
        let t = zero + u * (hi - zero);
        prop_assume!(t > zero);
        for back in [path.t_of_lambda(path.lambda(t)), path.t_of_rho(path.rho(t))] {
            prop_assert!((back - t).abs() <= 1e-12 * (hi - zero), "{path}: {t} came back as {back}");
        }
    }

    #[test]
    fn tiny_times_keep_their_digits(path in any_path(), exponent in -14.0..-2.0f64) {
        // Relative to the time itself, near clean data, where cancellation would show.
        let zero = path.zero().t;
        let t = 10f64.powf(exponent);
        prop_assume!(zero == 0.0);
        let back = path.t_of_lambda(path.lambda(t));
        prop_assert!((back / t - 1.0).abs() < 1e-12, "{path}: {t:e} came back as {back:e}");
    }

    #[test]
    fn noise_grows_with_time(path in any_path(), u in 0.0..1.0f64, v in 0.0..1.0f64) {
        let (lo, hi) = (path.zero().t, path.range().1);
        let (s, t) = (lo + u.min(v) * (hi - lo), lo + u.max(v) * (hi - lo));
        prop_assume!(t - s > 1e-9 * (hi - lo));
        prop_assert!(path.rho(s) < path.rho(t) && path.lambda(s) > path.lambda(t));
    }

    #[test]
    fn text_and_json_name_the_same_path(path in any_path()) {
        prop_assert_eq!(&path.to_string().parse::<Path>().unwrap(), &path);
        let json = serde_json::to_string(&path).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Path>(&json).unwrap(), &path);
    }
}

#[test]
fn variance_preserving_paths_preserve_variance() {
    for path in defaults().into_iter().filter(|p| p.name().starts_with("vp") || p.rows().is_some()) {
        let (lo, hi) = path.range();
        for i in 0..=20 {
            let n = path.node(lo + f64::from(i) / 20.0 * (hi - lo));
            close(n.alpha.powi(2) + n.sigma.powi(2), 1.0, 1e-14, path.name());
        }
    }
}

#[test]
fn every_path_ends_in_clean_data() {
    for path in defaults() {
        assert_eq!(path.node(path.zero().t), path.zero(), "{path}");
        assert_eq!(path.t_of_rho(0.0), path.zero().t, "{path}");
        assert_eq!(path.t_of_lambda(f64::INFINITY), path.zero().t, "{path}");
        assert!(path.zero().t <= path.range().0, "{path}");
    }
}

#[test]
fn pure_noise_where_there_is_any() {
    for path in [Path::Flow, Path::vp_cosine()] {
        let n = path.node(1.0);
        assert_eq!((n.alpha, n.sigma), (0.0, 1.0), "{path}");
        close(path.t_of_lambda(f64::NEG_INFINITY), 1.0, 1e-15, path.name());
        close(path.t_of_rho(f64::INFINITY), 1.0, 1e-15, path.name());
    }
    assert_eq!(Path::vp_linear().t_of_rho(f64::INFINITY), f64::INFINITY);
}

#[test]
fn vp_linear_against_the_series_at_a_tiny_time() {
    // rho^2 = e^(beta_0 t + ...) - 1, which is 1e-13 + 9.95e-24 + ... at t = 1e-12.
    close(Path::vp_linear().rho(1e-12).powi(2), 1.000_000_000_099_55e-13, 1e-14, "rho^2");
}

#[test]
fn cosine_against_its_definition() {
    let f = |t: f64| ((t + 0.008) / 1.008 * std::f64::consts::FRAC_PI_2).cos();
    for t in [0.0, 0.1, 0.5, 0.99] {
        close(Path::vp_cosine().node(t).alpha, f(t) / f(0.0), 1e-13, "alpha");
    }
}

#[test]
fn tables_against_plain_products() {
    // The textbook product loses digits in row 0 only; compare further up.
    let (mut linear, mut scaled) = (1.0, 1.0);
    for row in 0..1000 {
        let u = f64::from(row) / 999.0;
        linear *= 1.0 - (1e-4 + u * (0.02 - 1e-4));
        scaled *= 1.0 - (0.00085f64.sqrt() + u * (0.012f64.sqrt() - 0.00085f64.sqrt())).powi(2);
        if row % 100 == 99 {
            close(Path::ddpm().node(f64::from(row)).alpha.powi(2), linear, 1e-12, "ddpm");
            close(Path::sd().node(f64::from(row)).alpha.powi(2), scaled, 1e-12, "sd");
        }
    }
}

#[test]
fn half_rows_have_the_geometric_mean_of_their_neighbours() {
    let path = Path::sd();
    close(path.rho(233.5).powi(2), path.rho(233.0) * path.rho(234.0), 1e-13, "rho");
    close(path.rho(-0.25), 0.75 * path.rho(0.0), 1e-14, "below the first row");
    close(Path::ve().rho(-0.5), 0.005, 1e-14, "ve below its smallest level");
}

#[test]
fn bad_paths_say_what_would_do() {
    let message = |spec: &str| spec.parse::<Path>().unwrap_err().to_string();
    let unknown = message("vp_liner");
    assert!(unknown.starts_with("unknown path `vp_liner`; did you mean `vp-linear`?"), "{unknown}");
    assert_eq!(
        message("edm:sigma_min=0"),
        "path `edm`: `sigma_min=0` is not allowed; give a number from 0.000000001 to 500000"
    );
    assert!(message("ve:sigma_min=2:sigma_max=1").contains("`sigma_max=1` is not allowed"));
    assert!(message("vp-linear:beta_0=nan").contains("beta_0"));
    assert!(message("ddpm:rows=1").contains("a whole number from 2 to 100000"));
    assert!(message("ddpm:rows=99999999999").contains("a whole number from 2 to 100000"));
    assert!(message("ddpm:beta_1=0.9:rows=5000").contains("the last rho exceeds"));
    assert_eq!(message("flow:s=3"), "path `flow` has no parameter `s`; it takes none");
    assert!(message("edm:sigmamax=3").contains("did you mean `sigma_max`?"));
    let hostile = r#"{"name":"discrete","betas":"linear","beta_0":1e-4,"beta_1":0.02,"rows":1000000000}"#;
    assert!(serde_json::from_str::<Path>(hostile).is_err());
}
