//! The built-in feature network on real pictures; needs `make data`, and says so where that is absent.

#![expect(clippy::print_stderr, clippy::unwrap_used, reason = "a test")]

use std::path::Path;
use std::process::Command;

use serde_json::Value;

#[test]
fn accuracy_floor_and_monotone_damage() {
    check(&[], 0.92, &["noise", "blur"]);
}

#[test]
fn the_same_in_colour() {
    check(&["--colour"], 0.89, &["noise", "blur", "faded", "vivid"]);
}

fn check(extra: &[&str], accuracy: f64, damages: &[&str]) {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/fashion-mnist");
    if !data.is_dir() {
        eprintln!("SKIPPED: no {}; `make data` fetches it", data.display());
        return;
    }
    let out = Command::new(env!("CARGO_BIN_EXE_fewstep"))
        .args(["eval", "extractor", "--json", "--images", "2000", "--data", data.to_str().unwrap()])
        .args(extra)
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let v: Value = serde_json::from_slice(&out.stdout).unwrap();
    let number = |key: &str| v[key].as_f64().unwrap();
    assert!(number("accuracy") >= accuracy, "{v}");
    // Real against real lies near the floor that sampling noise alone explains (the features are not Gaussian).
    assert!((number("fd_test_train") / number("floor") - 1.0).abs() < 0.3, "{v}");
    for &damage in damages {
        let fds: Vec<f64> = v[damage].as_array().unwrap().iter().map(|p| p[1].as_f64().unwrap()).collect();
        assert_eq!(fds.len(), 5);
        assert!(fds[0] > number("fd_test_train") && fds.windows(2).all(|w| w[1] > w[0]), "{damage}: {fds:?}");
    }
}
