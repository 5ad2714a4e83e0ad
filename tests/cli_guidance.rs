//! Guidance as a person meets it: what pictures and reports say of it.

#![expect(clippy::unwrap_used, reason = "a test")]

mod common;

use common::command::{fewstep, run};
use common::model;
use std::fs;

use serde_json::Value;
#[test]
fn guided_pictures_say_so() {
    let (_dir, model) = model();
    let out = tempfile::tempdir().unwrap();
    let dir = out.path().to_str().unwrap();
    let args = [
        "generate",
        "-m",
        &model,
        "-o",
        dir,
        "--overwrite",
        "--seeds",
        "0-2",
        "--solver",
        "dpmpp-2m",
        "--steps",
        "5",
    ];
    let guided = ["--guidance", "apg:beta=-0.5", "--cfg-scale", "4", "--json"];
    let done = fewstep().args(args).args(guided).output().unwrap();
    let stderr = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{stderr}");
    assert!(stderr.contains("has momentum"), "{stderr}");
    let text = String::from_utf8(done.stdout).unwrap();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&line["nfe"], &line["forwards"]), (&5.into(), &10.into()));
        assert_eq!((&line["guidance"], &line["cfg_scale"]), (&"apg:beta=-0.5".into(), &4.0.into()));
    }
    assert_eq!(text.lines().count(), 3);
    // A scale of 1 is the same command without guidance, to the byte.
    let plain = fewstep().args(args).args(["--json"]).output().unwrap().stdout;
    let one =
        fewstep().args(args).args(["--guidance", "apg", "--cfg-scale", "1", "--json"]).output().unwrap();
    assert_eq!(plain, one.stdout);
}

#[test]
fn options_of_apg_are_its_parameters() {
    let (_dir, model) = model();
    let out = tempfile::tempdir().unwrap();
    let dir = out.path().to_str().unwrap();
    let with = |args: &[&str]| {
        fewstep()
            .args([
                "generate",
                "-m",
                &model,
                "-o",
                dir,
                "--overwrite",
                "--seeds",
                "0",
                "--steps",
                "3",
                "--json",
                "--cfg-scale",
                "4",
            ])
            .args(args)
            .output()
            .unwrap()
    };
    let text = |args: &[&str]| {
        let done = with(args);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    };
    let one = text(&["--guidance", "interval:hi=50+apg", "--apg-eta", "0.5", "--apg-r-rms", "0.02"]);
    assert_eq!(one, text(&["--guidance", "interval:hi=50+apg:eta=0.5:r_rms=0.02"]));
    let refused = |args: &[&str], says: &str| {
        let done = with(args);
        let stderr = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(says), "{stderr}");
    };
    refused(&["--guidance", "apg:eta=1", "--apg-eta", "0"], "eta");
    refused(&["--apg-r-rms", "0.02"], "--apg-r-rms has no use");
    refused(&["--guidance", "apg", "--apg-eta", "7"], "eta");
}

#[test]
fn a_classifier_guides_without_a_second_pass() {
    let (_dir, model) = model();
    let out = tempfile::tempdir().unwrap();
    let dir = out.path().to_str().unwrap();
    let args =
        ["generate", "-m", &model, "-o", dir, "--overwrite", "--seeds", "0-2", "--steps", "4", "--json"];
    let with = |scale: &str| {
        let done =
            fewstep().args(args).args(["--guidance", "classifier", "--cfg-scale", scale]).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let pixels: Vec<Vec<u8>> =
            (0..3).map(|i| fs::read(out.path().join(format!("{i:06}.png"))).unwrap()).collect();
        (String::from_utf8(done.stdout).unwrap(), pixels)
    };
    let plain = fewstep().args(args).output().unwrap().stdout;
    assert_eq!(with("1").0.as_bytes(), plain, "a scale of 1 is no guidance");
    let (text, guided) = with("4");
    assert_eq!(text.lines().count(), 3);
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&line["nfe"], &line["forwards"]), (&4.into(), &4.into()));
        assert_eq!((&line["guidance"], &line["cfg_scale"]), (&"classifier".into(), &4.0.into()));
    }
    assert_ne!(guided, with("8").1, "another scale, other pictures");
}

#[test]
fn a_bench_of_guidance_has_a_cell_for_each_rule_and_scale() {
    let (_dir, model) = model();
    let out = tempfile::tempdir().unwrap();
    let dir = out.path().to_str().unwrap();
    let args = ["bench", "-m", &model, "-o", dir, "--solver", "dpmpp-2m", "--nfe", "4", "--samples", "16"];
    let guided =
        ["--teacher", "none", "--guidance", "cfg,apg:r_rms=0.1,interval:hi=1", "--cfg-scale", "1,2,4"];
    let done = fewstep().args(args).args(guided).args(["--json"]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let report: Value = serde_json::from_slice(&done.stdout).unwrap();
    let cells = report["cells"].as_array().unwrap();
    assert_eq!(cells.len(), 1 + 2 * 3);
    assert!(cells[0]["guidance"].is_null() && cells[0]["forwards"] == 4);
    for cell in &cells[1..] {
        let guidance = &cell["guidance"];
        let levels = guidance["levels"].as_array().unwrap();
        let saves = guidance["rule"] == "interval:hi=1";
        assert_eq!(cell["nfe"], 4);
        assert_eq!(cell["forwards"].as_u64() < Some(8), saves, "{cell}");
        assert_eq!(levels.len() < 4, saves);
        assert_eq!(levels[0]["capped"].is_number(), guidance["rule"] == "apg:r_rms=0.1");
    }
    let plot = fs::read_to_string(out.path().join("fd_vs_scale.svg")).unwrap();
    assert!(plot.contains("dpmpp-2m · apg:r_rms=0.1") && plot.contains("guidance scale"));
    let has = |name: &str| out.path().join(name).exists();
    assert!(has("rmse_vs_scale.svg") != has("accuracy_vs_scale.svg"), "without a teacher there is no RMSE");
    assert!(!has("fd_vs_nfe.svg"), "at one NFE there is nothing to see against NFE");
    for key in ["d", "cosine", "capped"] {
        let plot = fs::read_to_string(out.path().join(format!("guidance_{key}_vs_sigma.svg"))).unwrap();
        assert!(plot.contains("apg:r_rms=0.1 w=4") && plot.contains("apg:r_rms=0.1 w=2"));
        assert_eq!(plot.contains("· cfg w=4"), key != "capped", "cfg does not cap");
    }
    let page = fs::read_to_string(out.path().join("report.html")).unwrap();
    assert_eq!(page.matches("<svg ").count(), 2 + 3);
    let table = fs::read_to_string(out.path().join("report.md")).unwrap();
    assert!(table.contains("| w ") && table.contains("| dpmpp-2m · interval:hi=1 |"), "{table}");
    let again = fewstep().args(args).args(guided).args(["--json", "--resume"]).output().unwrap();
    assert_eq!(again.stdout, done.stdout, "nothing is measured again");
}

#[test]
fn the_document_of_guidance_has_the_programs_list() {
    let list = String::from_utf8(run(&["guidance", "--markdown"]).stdout).unwrap();
    let document = include_str!("../docs/guidance.md");
    assert!(document.contains(list.trim()), "put `fewstep guidance --markdown` into docs/guidance.md");
}
