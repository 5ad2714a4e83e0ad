//! The program as a person meets it: exit codes, messages, and what is left after trouble.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test")]

mod common;

use common::command::{fewstep, refuses, run};
use common::model;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

/// The program must end in order, with its own exit code. SIGTERM is taken as Ctrl-C is, and not ignored where tests run in
/// the background of a script, as SIGINT is there.
fn interrupt(child: &mut Child) {
    let signal = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(signal.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn clap_is_well_formed() {
    use clap::CommandFactory;
    fewstep::cli::Cli::command().debug_assert();
}

#[test]
fn a_budget_that_cannot_be_met_exactly_is_told() {
    // Two evaluations a step, one into zero.
    let out = run(&["plan", "--solver", "heun", "--path", "flow", "--nfe", "4", "--json"]);
    assert!(out.status.success());
    let said = String::from_utf8(out.stderr).unwrap();
    assert!(said.contains("`heun` cannot spend exactly 4 evaluations here; it spends 3"), "{said}");
    let plan: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(plan["ops"].as_array().unwrap().iter().filter(|op| op["op"] == "eval").count(), 3);
    let met = run(&["plan", "--solver", "heun", "--path", "flow", "--nfe", "5"]);
    assert!(met.status.success() && met.stderr.is_empty());
}

#[test]
fn plan_prints_a_table_and_json_that_generate_replays() {
    let out = run(&["plan", "--solver", "heun", "--path", "edm", "--steps", "2"]);
    assert!(out.status.success());
    insta::assert_snapshot!(String::from_utf8(out.stdout).unwrap());
    let svg = String::from_utf8(run(&["plan", "--solver", "dpmpp-2m", "--svg"]).stdout).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("dpmpp-2m on vp-linear, power-t:k=2: 10 steps"), "{svg}");

    let (dir, model) = model();
    let plan = dir.path().join("plan.json");
    fs::write(&plan, run(&["plan", "--solver", "deis-tab2", "--nfe", "4", "--json"]).stdout).unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let first = run(&[
        "generate",
        "-m",
        &model,
        "-s",
        "3,5",
        "--solver",
        "deis-tab2",
        "--nfe",
        "4",
        "-o",
        &at("a"),
        "--json",
    ]);
    let second = run(&[
        "generate",
        "-m",
        &model,
        "-s",
        "3,5",
        "--plan",
        plan.to_str().unwrap(),
        "-o",
        &at("b"),
        "--json",
    ]);
    assert!(first.status.success() && second.status.success(), "{}", String::from_utf8_lossy(&second.stderr));
    assert_eq!(first.stdout, second.stdout, "hashes and parameters are the same");
    let lines: Vec<Value> =
        String::from_utf8(first.stdout).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((lines[0]["file"].as_str(), lines[0]["class"].as_i64()), (Some("000003.png"), Some(3)));
}

#[test]
fn a_folder_with_pictures_is_kept_gone_on_with_or_replaced() {
    let (dir, model) = model();
    let out = dir.path().join("out").to_str().unwrap().to_owned();
    let args = ["generate", "-m", &model, "-o", &out, "--solver", "ddim", "--steps", "2"];
    let made = |more: &[&str]| {
        let done = run(&[&args[..], more].concat());
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    };
    let manifest = || fs::read_to_string(dir.path().join("out/manifest.jsonl")).unwrap();
    made(&["-s", "0-3"]);
    let before = manifest();
    refuses(&[&args[..], &["-s", "0-3"]].concat(), &["holds 4 pictures", "--resume", "--overwrite"]);
    assert_eq!(manifest(), before);

    // As if it had been killed in the middle of a line, with one picture lost.
    fs::write(dir.path().join("out/manifest.jsonl"), &before[..before.len() - 20]).unwrap();
    fs::remove_file(dir.path().join("out/000001.png")).unwrap();
    let stamp = |file: &str| fs::metadata(dir.path().join("out").join(file)).unwrap().modified().unwrap();
    let (old, lost) = (stamp("000000.png"), fs::read(dir.path().join("out/000003.png")).unwrap());
    let lines = made(&["-s", "0-5", "--resume", "--json"]);
    assert_eq!(lines.lines().count(), 6);
    assert_eq!(stamp("000000.png"), old, "it was made before");
    assert_eq!(fs::read(dir.path().join("out/000003.png")).unwrap(), lost, "the same picture again");
    let mut both: Vec<String> =
        [before.lines(), manifest().lines()].into_iter().flatten().map(str::to_owned).collect();
    both.sort();
    both.dedup();
    assert_eq!((manifest().lines().count(), both.len()), (6, 6), "the same lines, however they came about");
    assert!(manifest().starts_with(&before), "in the order of a run that was never broken off");
    // A picture that is not the one listed is made again.
    let third = fs::read(dir.path().join("out/000002.png")).unwrap();
    fs::write(dir.path().join("out/000002.png"), &third[..40]).unwrap();
    made(&["-s", "0-5", "--resume"]);
    assert_eq!(fs::read(dir.path().join("out/000002.png")).unwrap(), third);
    // With nothing left to do the sheet is still whole.
    let sheet = fs::read(dir.path().join("out/grid.png")).unwrap();
    made(&["-s", "0-5", "--resume"]);
    assert_eq!(fs::read(dir.path().join("out/grid.png")).unwrap(), sheet);

    let other = ["-s", "0", "--class", "3"];
    refuses(&[&args[..], &other, &["--resume"]].concat(), &["another run", "`class` is 0 there and 3 here"]);
    refuses(&[&args[..], &["-s", "0", "--resume", "--end", "zero"]].concat(), &["another run"]);
    made(&[&other[..], &["--overwrite"]].concat());
    assert_eq!(manifest().lines().count(), 1);
    assert!(!dir.path().join("out/000001.png").exists(), "pictures of the run before are gone");
    fs::remove_file(dir.path().join("out/manifest.jsonl")).unwrap();
    refuses(&[&args[..], &["-s", "0"]].concat(), &["holds a picture `000000.png`", "--overwrite"]);
}

#[test]
fn a_picture_can_be_the_start() {
    let (dir, model) = model();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let plan = ["--solver", "heun", "--steps", "10"];
    assert!(
        run(&[&["generate", "-m", &model, "-s", "0", "-o", &at("a")], &plan[..]].concat()).status.success()
    );
    let image = at("a/000000.png");
    let part = ["generate", "-m", &model, "-s", "0", "--init-image", &image, "--json"];
    let out = run(&[&part[..], &plan, &["--strength", "0.3", "-o", &at("b")]].concat());
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let line: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!((line["steps"].as_u64(), line["nfe"].as_u64()), (Some(3), Some(6)));
    assert_eq!(line["grid"], "power-t:k=2, nodes 7 to 10 of 0 to 10");
    // The same part of a plan can be looked at, and replayed.
    let shown = run(&[&["plan", "--json", "--strength", "0.3"], &plan[..]].concat());
    fs::write(at("part.json"), shown.stdout).unwrap();
    let replayed = run(&[&part[..], &["--plan", &at("part.json"), "-o", &at("f")]].concat());
    let again: Value = serde_json::from_slice(&replayed.stdout).unwrap();
    assert_eq!((&line["grid"], &line["nfe"]), (&again["grid"], &again["nfe"]));
    let pixels = |name: &str| image::open(at(name)).unwrap().into_luma8().into_raw();
    assert_eq!(pixels("b/000000.png"), pixels("f/000000.png"));
    let budget =
        run(&[&part[..], &["--solver", "heun", "--nfe", "8", "--strength", "0.5", "-o", &at("c")]].concat());
    let line: Value = serde_json::from_slice(&budget.stdout).unwrap();
    assert_eq!(
        (line["nfe"].as_u64(), line["grid"].as_str()),
        (Some(8), Some("power-t:k=2, nodes 4 to 8 of 0 to 8"))
    );
    refuses(&[&part[..], &["--strength", "0", "-o", &at("d")]].concat(), &["--strength", "above 0"]);
    refuses(&[&part[..], &["--solver", "ddim:afs=true", "-o", &at("d")]].concat(), &["leave `afs` out"]);
    // A plan says itself where it starts.
    fs::write(at("plan.json"), run(&["plan", "--solver", "ddim", "--steps", "2", "--json"]).stdout).unwrap();
    let whole = run(&[&part[..], &["--plan", &at("plan.json"), "-o", &at("e")]].concat());
    let line: Value = serde_json::from_slice(&whole.stdout).unwrap();
    assert!(line["strength"].is_null() && line["init_image_sha256"].is_string(), "{line}");
    assert!(String::from_utf8_lossy(&whole.stderr).contains("next to nothing is left"));
    fs::write(at("no.png"), "no picture").unwrap();
    let bad = ["generate", "-m", &model, "--init-image", &at("no.png"), "-o", &at("d")];
    refuses(&bad, &["cannot read the picture", "no.png"]);
}

#[test]
fn dynamic_solvers_generate_and_count() {
    let (dir, model) = model();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let generate = |out: &str, seeds: &str, solver: &str| -> Vec<Value> {
        let args = ["generate", "-m", &model, "-s", seeds, "--solver", solver, "--json", "-o", &at(out)];
        let done = run(&args);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect()
    };
    let many = generate("a", "0-5", "dpm-23");
    let nfe: Vec<u64> = many.iter().map(|line| line["nfe"].as_u64().unwrap()).collect();
    assert!(nfe.iter().all(|&n| n > 3) && nfe.iter().any(|n| *n != nfe[0]), "{nfe:?}");
    // One image is at the same noise whatever its company; its path may differ by rounding, hardly by more.
    assert!(generate("b", "4", "dpm-23")[0]["nfe"].as_u64().unwrap().abs_diff(nfe[4]) <= 3);
    // Iterated until nothing moves, ParaDiGMS is DDIM.
    let pictures = |out: &str, solver: &str| {
        generate(out, "0-1", solver);
        fs::read(dir.path().join(out).join("grid.png")).unwrap()
    };
    let grey = |png: &[u8]| image::load_from_memory(png).unwrap().into_luma8().into_raw();
    let (a, b) = (grey(&pictures("c", "paradigms:tol=0")), grey(&pictures("d", "ddim")));
    assert!(a.iter().zip(&b).all(|(a, b)| a.abs_diff(*b) <= 1));
    refuses(
        &["generate", "-m", &model, "--solver", "dpm-12", "--nfe", "9", "-o", &at("e")],
        &["leave --nfe out"],
    );
    refuses(&["plan", "--solver", "dpm-12"], &["has no plan"]);
    refuses(&["bench", "-m", &model, "--solver", "dpm-12", "-o", &at("e")], &["`dpm-12`", "fixed"]);
}

#[test]
fn schedulers_of_diffusers_stand_beside_solvers() {
    let (dir, model) = model();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let args = [
        "bench",
        "-m",
        &model,
        "--samples",
        "8",
        "--teacher",
        "none",
        "--nfe",
        "5",
        "--json",
        "--path",
        "ddpm",
    ];
    let done =
        run(&[&args[..], &["--solver", "ddim,diffusers/ddim,diffusers/deis:solver_order=3", "-o", &at("a")]]
            .concat());
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let report: Value = serde_json::from_slice(&done.stdout).unwrap();
    let solvers: Vec<&str> =
        report["cells"].as_array().unwrap().iter().map(|c| c["solver"].as_str().unwrap()).collect();
    assert_eq!(solvers, ["ddim", "diffusers/ddim", "diffusers/deis:solver_order=3"]);
    // The flag is the prefix, and takes the table of the model's path.
    let compat = run(&["plan", "--compat", "diffusers", "--solver", "ddim", "--steps", "3"]);
    let prefixed = run(&["plan", "--path", "ddpm", "--solver", "diffusers/ddim", "--steps", "3"]);
    assert!(compat.status.success() && compat.stdout == prefixed.stdout);
    refuses(&["plan", "--compat", "diffusers", "--solver", "euller"], &["`euller`", "euler"]);
    refuses(&["plan", "--solver", "diffusers/ddim", "--path", "edm"], &["ddim", "table"]);
    refuses(&["plan", "--solver", "diffusers/ddim", "--path", "ddpm", "--t-min", "5"], &["its own grid"]);
}

fn limited(args: &str, kib: u32) -> Output {
    Command::new("bash")
        .arg("-c")
        .arg(format!("trap '' XFSZ; ulimit -f {kib}; exec '{}' {args}", env!("CARGO_BIN_EXE_fewstep")))
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// A file-size limit stands in for a full disk: the same failing write, without root.
#[test]
fn a_full_disk_loses_nothing() {
    let (dir, model) = model();
    let out = dir.path().join("out").to_str().unwrap().to_owned();
    let bench = [
        "bench",
        "-m",
        &model,
        "--solver",
        "ddim",
        "--nfe",
        "2",
        "--samples",
        "20",
        "--teacher",
        "none",
        "-o",
        &out,
    ];
    assert!(run(&bench).status.success());
    // A manifest that outgrows the limit while the workers are still busy: one message, and no crash on the way out.
    let many = limited(&format!("generate -m '{model}' -s 0-63 --batch 2 --steps 3 -o '{out}/pictures'"), 2);
    let stderr = String::from_utf8_lossy(&many.stderr);
    assert_eq!(many.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("cannot write `") && stderr.contains("manifest.jsonl"), "{stderr}");
    assert!(Path::new(&out).join("pictures/000000.png").exists(), "the first pictures are there");
    let manifest = fs::read_to_string(Path::new(&out).join("pictures/manifest.jsonl")).unwrap();
    assert!(manifest.is_empty() || manifest.ends_with("}\n"), "no half a line: {manifest}");

    let before = fs::read(Path::new(&out).join("report.json")).unwrap();
    let more = bench.map(|a| if a == "2" { "2,3".to_owned() } else { format!("'{a}'") }).join(" ");
    let limited = limited(&format!("{more} --resume"), 1);
    let stderr = String::from_utf8_lossy(&limited.stderr);
    assert_eq!(limited.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("cannot write `") && stderr.contains(&out), "{stderr}");
    assert_eq!(
        fs::read(Path::new(&out).join("report.json")).unwrap(),
        before,
        "the finished cells are still there"
    );
}

#[test]
fn an_interrupted_bench_keeps_its_cells_and_resumes() {
    let (dir, model) = model();
    let out = dir.path().join("out").to_str().unwrap().to_owned();
    let report = Path::new(&out).join("report.json");
    let cells = || -> usize {
        let text = fs::read_to_string(&report).unwrap_or_default();
        serde_json::from_str::<Value>(&text).map_or(0, |v| v["cells"].as_array().map_or(0, Vec::len))
    };
    let bench = |nfe: &str| {
        [
            "bench",
            "-m",
            &model,
            "--solver",
            "ddim",
            "--nfe",
            nfe,
            "--samples",
            "30",
            "--batch",
            "10",
            "--teacher",
            "heun@4",
            "--threads",
            "1",
            "-o",
            &out,
        ]
        .map(ToOwned::to_owned)
    };
    let mut child =
        fewstep().args(bench("2,3000")).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    while cells() == 0 {
        assert!(start.elapsed() < Duration::from_mins(2), "the first cell never came");
        sleep(Duration::from_millis(20));
    }
    interrupt(&mut child);
    assert_eq!(cells(), 1, "the finished cell is kept, the broken one is not there");
    assert!(Path::new(&out).join("report.html").exists(), "what is there can be read");

    let text = fs::read_to_string(&report).unwrap();
    refuses(&bench("2,3").each_ref().map(String::as_str), &["--resume"]);
    let again = fewstep().args(bench("2,3")).arg("--resume").output().unwrap();
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    let (old, new): (Value, Value) = (
        serde_json::from_str(&text).unwrap(),
        serde_json::from_str(&fs::read_to_string(&report).unwrap()).unwrap(),
    );
    assert_eq!(new["cells"].as_array().unwrap().len(), 2);
    assert_eq!(old["cells"][0], new["cells"][0], "the first cell was not run again, its clock is the same");
    assert_eq!(old["teacher"], new["teacher"]);
    let mut other = bench("2").to_vec();
    other[8] = "40".into();
    other.push("--resume".into());
    refuses(&other.iter().map(String::as_str).collect::<Vec<_>>(), &["another run", "sample counts"]);
}

#[test]
fn blocks_are_runs_of_their_own() {
    let (dir, model) = model();
    let bench = |out: &str, more: &[&str]| -> Value {
        let out = dir.path().join(out);
        let args =
            ["bench", "-m", &model, "--solver", "ddim", "--nfe", "2", "--batch", "8", "--teacher", "heun@3"];
        let done = run(&[&args[..], more, &["--json", "-o", out.to_str().unwrap()]].concat());
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        serde_json::from_slice(&done.stdout).unwrap()
    };
    let one = bench("one", &["--samples", "30"]);
    let three = bench("three", &["--samples", "30", "--blocks", "3"]);
    let grown = bench("one", &["--samples", "30", "--blocks", "3", "--resume"]);
    assert_eq!(grown["cells"][0]["metrics"], three["cells"][0]["metrics"], "a run may grow");
    assert_eq!(grown["teacher"], three["teacher"]);
    let shown = bench("one", &["--samples", "30", "--resume"]);
    assert_eq!(shown["cells"], grown["cells"], "and asked for less keeps what it has");
    let cell = &three["cells"][0];
    assert_eq!(cell["blocks"].as_array().unwrap().len(), 3);
    assert_eq!(cell["blocks"][0], one["cells"][0]["metrics"], "the first block is the run without blocks");
    assert_ne!(cell["blocks"][1], cell["blocks"][0]);
    let fd = |v: &Value| v["fd"].as_f64().unwrap();
    let mean = (0..3).map(|k| fd(&cell["blocks"][k])).sum::<f64>() / 3.0;
    assert!((fd(&cell["metrics"]) - mean).abs() < 1e-9);
}

#[test]
fn an_interrupted_training_keeps_its_state_and_goes_on() {
    let data = Path::new("data/fashion-mnist");
    if !data.exists() {
        eprintln!("SKIPPED: no {}; `make data` fetches it", data.display());
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let args =
        ["train", "edm", "--batch", "2", "--steps", "100000", "--threads", "1", "-o", out.to_str().unwrap()];
    let step = || -> u64 {
        let log = fs::read_to_string(out.join("log.jsonl")).unwrap_or_default();
        let last = log.lines().last().unwrap_or("{}");
        serde_json::from_str::<Value>(last).map_or(0, |v| v["step"].as_u64().unwrap_or(0))
    };
    let mut reached = 0;
    for _ in 0..2 {
        let mut child = fewstep().args(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let start = Instant::now();
        while step() <= reached {
            assert!(start.elapsed() < Duration::from_mins(2), "no step after step {reached}");
            sleep(Duration::from_millis(20));
        }
        interrupt(&mut child);
        // Without its checkpoint the second run would begin at 1 again.
        assert!(out.join("checkpoint.safetensors").exists());
        let done: Value =
            serde_json::from_str(&fs::read_to_string(out.join("training.json")).unwrap()).unwrap();
        assert!(done["done"].as_u64().unwrap() > reached, "{done}");
        reached = step();
    }
}

#[test]
fn the_document_of_solvers_is_what_the_program_says() {
    let now = String::from_utf8(run(&["samplers", "--markdown"]).stdout).unwrap();
    let kept = fs::read_to_string("docs/samplers.md").unwrap_or_default();
    assert!(now == kept, "write it anew: fewstep samplers --markdown > docs/samplers.md");
}

#[test]
fn docs_grids_is_what_the_program_says() {
    let now = String::from_utf8(run(&["grids", "--markdown"]).stdout).unwrap();
    let kept = fs::read_to_string("docs/grids.md").unwrap_or_default();
    assert!(now == kept, "write it anew: fewstep grids --markdown > docs/grids.md");
}

#[test]
fn a_reader_may_stop_reading() {
    let mut child = fewstep()
        .args(["plan", "--steps", "5000", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success() && out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
}

#[test]
fn other_verbs_answer() {
    let info: Value = serde_json::from_slice(&run(&["info", "--json"]).stdout).unwrap();
    assert!(info["grids"].as_array().unwrap().iter().any(|s| s == "karras"));
    let samplers = String::from_utf8(run(&["samplers", "--json"]).stdout).unwrap();
    let samplers: Vec<Value> = samplers.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let tab3 = samplers.iter().find(|s| s["name"] == "deis-tab3").unwrap();
    assert_eq!((tab3["order"].as_u64(), tab3["asks"].as_str()), (Some(4), Some("eps")));
    assert!(String::from_utf8_lossy(&run(&["completions", "bash"]).stdout).contains("fewstep"));
    assert!(String::from_utf8_lossy(&run(&["models", "list"]).stdout).contains("fmnist-edm"));
    let (_dir, model) = model();
    let described: Value =
        serde_json::from_slice(&run(&["models", "info", &model, "--json"]).stdout).unwrap();
    assert!(described["parameters"].as_u64().unwrap() > 1000);
    assert_eq!(run(&["--help"]).status.code(), Some(0));
    assert_eq!(run(&["nonsense"]).status.code(), Some(2));
}
