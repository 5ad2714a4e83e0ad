//! Metrics of a bench: the same as elsewhere, complete after a resume, refused with a reason.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test")]

mod common;

use std::fs;
use std::path::Path;

use common::command::{refuses, run};
use common::{model, silent, tiny_params, tiny_spec};
use fewstep::bench::{Choice, Judge, Paired, Twin};
use fewstep::measure::{Metric, Settings, Side, measure};
use fewstep::pipeline::{Batches, Job, quantise};
use fewstep_eval::data::{Part, Split};
use fewstep_eval::feature::{FeatureNet as _, fmnist_cnn};
use fewstep_eval::metrics::{
    Colour, Overshoot, PairedFeatures, PairedRmse, PairedSimilarity, fd_infinity, memorisation,
};
use fewstep_eval::report::{Report, html};
use fewstep_eval::stats::files::About;
use fewstep_eval::stats::{Moments, Reference};
use fewstep_models::{ModelFolder, ModelSpec, NetDenoiser, Params, UNet2dConfig, to_safetensors};
use fewstep_samplers::{GridRule, Plan, solver};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

const SAMPLES: u64 = 160;

/// The legend of a figure; titles of axes speak of real images too.
const REAL: &str = ">\nreal images\n<";

fn plan(name: &str, steps: usize) -> Plan {
    let path = "vp-linear".parse().unwrap();
    let grid = GridRule::default_for(&path).grid(&path, steps, None, None, None).unwrap();
    solver(name).unwrap().plan(&grid).unwrap()
}

fn job() -> Job {
    Job {
        seed: 3,
        images: (0..SAMPLES).collect(),
        class: None,
        init: None,
        batch: 16,
        workers: 1,
        device: Device::Cpu,
        share: None,
    }
}

fn sampled(denoiser: &NetDenoiser, plan: &Plan) -> Tensor {
    let batches = Batches::new(plan, denoiser, &job(), &silent());
    Tensor::cat(&batches.map(|batch| batch.unwrap().x).collect::<Vec<_>>(), 0)
}

/// Blots that stand in for a data set.
fn split(part: Part, n: usize) -> Split {
    let pixel = |i: usize| {
        let (image, at) = (i / 784, i % 784);
        let (dx, dy) = ((at % 28).abs_diff(image % 23), (at / 28).abs_diff(image * 7 % 19));
        255_usize.saturating_sub((9 + image % 11 + part as usize) * (dx + dy)) as u8
    };
    let labels = (0..n).map(|i| (i % 10) as u8).collect();
    Split { images: (0..784 * n).map(pixel).collect(), channels: 1, part, labels, sha256: "made up" }
}

fn side(features: &Tensor, logits: Option<&Tensor>) -> Side {
    let values = |t: &Tensor| Vec::<f32>::try_from(t.contiguous().view(-1)).unwrap();
    let about = About { n: Some(features.size()[0] as u64), ..About::default() };
    Side { about, rows: Some(values(features)), logits: logits.map(values), ..Side::default() }
}

#[test]
fn metrics_are_those_of_the_same_images_measured_otherwise() {
    tch::set_num_threads(1);
    let (_dir, model) = model();
    let denoiser = ModelFolder::open(&model).unwrap().load(Device::Cpu, Kind::Float).unwrap();
    let names = "fd_infinity,kid,is,pr,dc,psnr,ssim,feature_distance,contrast,clip_rate,overshoot,nearer";
    let mut judge = Judge::for_shape([1, 28, 28], Choice::parse(names).unwrap()).unwrap();
    let (train, test) = (split(Part::Train, 300), split(Part::Test, 170));
    judge.see(Some(&train), Some(&test), SAMPLES).unwrap();
    let teacher = sampled(&denoiser, &plan("heun", 2));
    let features = judge.twin_features(&teacher).unwrap();
    let twin = Twin { images: &teacher, features: features.as_ref() };
    let plan = plan("ddim", 2);
    let got = judge.measure(&plan, (&denoiser, None), &job(), Paired::With(twin), &silent()).unwrap();
    let got = got.unwrap().metrics;

    let x = sampled(&denoiser, &plan);
    let pixels = quantise(&x);
    let (net, statistics) = fmnist_cnn().unwrap();
    let out = net.infer(&pixels).unwrap();
    let reference = Reference::new(&statistics.moments).unwrap();
    let rows = Vec::<f32>::try_from(out.features.view(-1)).unwrap();
    let fd = reference.distance(&Moments::of_rows(&rows, net.dim())).unwrap().fd;
    assert!((got["fd"] - fd).abs() < 1e-9 * fd, "{} {fd}", got["fd"]);
    let (all, held) = (
        net.extract(&train.tensor(0, 300).unwrap()).unwrap(),
        net.extract(&test.tensor(0, 170).unwrap()).unwrap(),
    );
    let as_many = side(&all.narrow(0, 0, SAMPLES as i64), None);
    let asked = [Metric::Kid, Metric::Is, Metric::Pr, Metric::Dc];
    let values =
        measure(&asked, &side(&out.features, Some(&out.logits)), Some(&as_many), Settings::default());
    let mut expected: Vec<(&str, f64)> = values.unwrap().iter().map(|v| (v.name, v.value)).collect();
    assert_eq!(expected.len(), 6);
    let (mut colour, mut overshoot) = (Colour::new(), Overshoot::new());
    colour.push(&pixels).unwrap();
    overshoot.push(&x).unwrap();
    let (mut rmse, mut similar, mut apart) =
        (PairedRmse::new(), PairedSimilarity::new(), PairedFeatures::new());
    rmse.push(&x, &teacher).unwrap();
    similar.push(&pixels, &quantise(&teacher)).unwrap();
    apart.push(&out.features, &net.extract(&quantise(&teacher)).unwrap()).unwrap();
    expected.extend([
        ("fd_infinity", fd_infinity(&out.features, &reference, 2020).unwrap().fd),
        ("nearer", memorisation(&out.features, &all, &held).unwrap().nearer),
        ("contrast", colour.contrast().unwrap()),
        ("clip_rate", colour.clip_rate().unwrap()),
        ("white_rate", colour.white_rate().unwrap()),
        ("overshoot", overshoot.value().unwrap()),
        ("rmse", rmse.mean().unwrap()),
        ("psnr", similar.psnr().unwrap()),
        ("ssim", similar.ssim().unwrap()),
        ("feature_distance", apart.distance().unwrap()),
    ]);
    for (name, value) in &expected {
        assert_eq!(got[*name].to_bits(), value.to_bits(), "{name}: {} {value}", got[*name]);
    }
    // FD with its two terms, and the accuracy, stand beside them; grey has no saturation.
    assert_eq!(got.len(), expected.len() + 4, "{got:?}");

    // The same for real images: sums over all of them, sets of as many as there are.
    let real = judge.real().unwrap();
    assert_eq!((real.n, real.set, real.data.as_str()), (170, SAMPLES, "fashion-mnist/test"));
    let mut colour = Colour::new();
    colour.push(&test.tensor(0, 170).unwrap()).unwrap();
    assert_eq!(Some(real.metrics["contrast"]), colour.contrast());
    let values =
        measure(&[Metric::Dc], &side(&held.narrow(0, 0, 160), None), Some(&as_many), Settings::default())
            .unwrap();
    assert_eq!(real.metrics["coverage"].to_bits(), values[1].value.to_bits());
    assert_eq!((real.metrics["overshoot"], real.metrics["nearer"]), (0.0, 0.5));
    assert!(!real.metrics.contains_key("fd") && judge.info(SAMPLES).rows == Some(SAMPLES));
    // What a teacher on disk lacks is measured from its images.
    let review = judge.review(&x).unwrap();
    assert_eq!(review["recall"].to_bits(), got["recall"].to_bits());
}

#[test]
fn the_judge_of_a_shape_is_found_or_refused() {
    let error = Judge::for_shape([3, 32, 32], Choice::parse("fd").unwrap()).unwrap_err().to_string();
    assert!(error.contains("1x28x28") && error.contains("3x32x32"), "{error}");
}

fn bench<'a>(model: &'a str, out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let args =
        ["bench", "-m", model, "--solver", "ddim", "--nfe", "2", "--samples", "20", "--json", "-o", out];
    [&args[..], more].concat()
}

fn report(args: &[&str]) -> (Value, String) {
    let done = run(args);
    let stderr = String::from_utf8(done.stderr).unwrap();
    assert!(done.status.success(), "{stderr}");
    (serde_json::from_slice(&done.stdout).unwrap(), stderr)
}

#[test]
fn a_resumed_bench_measures_the_metrics_that_are_missing() {
    let (dir, model) = model();
    let out = dir.path().join("out").to_str().unwrap().to_owned();
    let more = ["--teacher", "heun@3", "--blocks", "2", "--data", "/nonexistent"];
    let (first, _) = report(&bench(&model, &out, &more));
    // Fewer blocks than there are: all of them get the metrics.
    let wider = ["--teacher", "heun@3", "--data", "/nonexistent", "--metrics", "contrast,ssim", "--resume"];
    let (second, said) = report(&bench(&model, &out, &wider));
    assert!(
        said.contains("lack `contrast`, `ssim` and are measured again: 1") && said.contains("no line of")
    );
    for block in 0..2 {
        let (old, new) = (&first["cells"][0]["blocks"][block], &second["cells"][0]["blocks"][block]);
        assert!(new["contrast"].is_number() && new["ssim"].is_number(), "{new}");
        for name in ["fd", "rmse", "accuracy"] {
            assert_eq!(old[name], new[name], "{name}");
        }
    }
    assert!(second["cells"][0]["metrics"]["ssim"].is_number());
    let teacher = &second["teacher"]["blocks"];
    assert!(teacher[1]["contrast"].is_number() && teacher[1]["ssim"].is_null(), "{teacher}");
    assert_eq!(teacher[1]["accuracy"], first["teacher"]["blocks"][1]["accuracy"]);
    assert!(Path::new(&out).join("contrast_vs_nfe.svg").exists());
    // Asked for less, nothing is measured and nothing is lost.
    let (third, said) = report(&bench(&model, &out, &[&more[..], &["--resume"]].concat()));
    assert_eq!(third["cells"], second["cells"]);
    assert!(!said.contains("measured again"), "{said}");
}

#[test]
fn what_a_budget_chooses_makes_no_rows() {
    let (dir, model) = model();
    let out = dir.path().join("out").to_str().unwrap().to_owned();
    let names = |solver: &str| {
        let what = ["bench", "-m", &model, "--solver", solver, "--nfe", "3,4", "--samples", "20", "--json"];
        let (report, _) = report(&[&what[..], &["--teacher", "none", "-o", &out, "--resume"]].concat());
        let cells = report["cells"].as_array().unwrap().clone();
        cells.iter().map(|cell| cell["solver"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("dpm-fast"), ["dpm-fast", "dpm-fast"]);
    // The same plans by their full name are the same cells.
    assert_eq!(names("dpm-fast:tail=1"), ["dpm-fast:tail=1", "dpm-fast:tail=1"]);
}

#[test]
fn cells_that_share_calls_come_to_what_each_is_alone() {
    let (dir, model) = model();
    let solvers = ["ddim", "dpmpp-2m", "deis-tab2", "sde-dpmpp-2m"];
    let cells = |solvers: &str| {
        let out = dir.path().join(solvers).to_str().unwrap().to_owned();
        let what = ["bench", "-m", &model, "--solver", solvers, "--nfe", "3,4", "--samples", "20", "--json"];
        let more = ["--cfg-scale", "1,2", "--blocks", "2", "--teacher", "heun@3", "-o", &out];
        let (report, said) = report(&[&what[..], &more].concat());
        (report["cells"].as_array().unwrap().clone(), said)
    };
    let (together, said) = cells(&solvers.join(","));
    assert!(said.contains("of 28 network calls an image, 8 are answered by earlier cells"), "{said}");
    let alone: Vec<Value> = solvers.into_iter().flat_map(|solver| cells(solver).0).collect();
    assert_eq!(together.len(), 4 * solvers.len());
    for (cell, alone) in together.iter().zip(&alone) {
        for what in ["plan_hash", "forwards", "metrics", "blocks", "guidance"] {
            assert_eq!(cell[what], alone[what], "{what} of {}", cell["solver"]);
        }
    }
}

#[test]
fn cells_stand_in_the_order_of_the_command_that_names_them_all() {
    let (dir, model) = model();
    let out = dir.path().join("out").to_str().unwrap().to_owned();
    let nfes = |nfe: &str| {
        let what = ["bench", "-m", &model, "--solver", "ddim", "--nfe", nfe, "--samples", "20", "--json"];
        let (report, _) = report(&[&what[..], &["--teacher", "none", "-o", &out, "--resume"]].concat());
        report["cells"]
            .as_array()
            .unwrap()
            .iter()
            .map(|cell| cell["nfe"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(nfes("3"), [3]);
    assert_eq!(nfes("2"), [3, 2]);
    assert_eq!(nfes("1,2,3"), [1, 2, 3]);
    assert_eq!(nfes("2"), [1, 2, 3]);
}

#[test]
fn metrics_without_a_meaning_are_refused() {
    let (dir, model) = model();
    let out = dir.path().join("out").to_str().unwrap().to_owned();
    let bench = |more: &[&str], says: &[&str]| refuses(&bench(&model, &out, more), says);
    bench(
        &["--metrics", "fd,kid", "--data", "/nonexistent"],
        &["`kid`", "--data", "/nonexistent", "make data"],
    );
    bench(&["--metrics", "dc", "--data", "/nonexistent"], &["`density`", "make data"]);
    bench(&["--metrics", "saturation"], &["`saturation`", "grey"]);
    bench(&["--metrics", "psnr", "--teacher", "none"], &["`psnr`", "--teacher"]);
    bench(&["--metrics", "fd_infinity"], &["`fd_infinity` needs --samples 150 or more, got 20"]);
    bench(&["--metrics", "fd,dx"], &["no metric `dx`", "fd_infinity", "nearer"]);
    assert!(!Path::new(&out).join("report.json").exists(), "nothing stands in the way of the next try");
}

#[test]
fn real_images_are_the_reference_and_a_line() {
    let data = "data/fashion-mnist";
    if !Path::new(data).exists() {
        eprintln!("SKIPPED: no {data}; `make data` fetches it");
        return;
    }
    let (dir, model) = model();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (out, pictures) = (at("out"), at("pictures"));
    let asked = ["--teacher", "none", "--metrics", "kid,is,pr,dc,contrast"];
    let (found, said) = report(&bench(&model, &out, &asked));
    assert_eq!(found["reference"]["rows"], 20);
    let real = &found["reference"]["real"];
    assert_eq!((&real["n"], &real["set"]), (&10_000.into(), &20.into()));
    assert!((real["metrics"]["contrast"].as_f64().unwrap() - 0.3).abs() < 0.1, "{real}");
    assert!(real["metrics"]["accuracy"].as_f64().unwrap() > 0.9, "{real} {said}");
    let file = |name: &str| fs::read_to_string(Path::new(&out).join(name)).unwrap();
    assert!(file("contrast_vs_nfe.svg").contains(REAL) && file("recall_vs_nfe.svg").contains(REAL));
    for name in ["report.md", "report.tex", "report.html"] {
        assert!(file(name).contains("real images") && file(name).contains("the first 20 of"), "{name}");
    }
    assert!(file("report.csv").contains(",coverage,"));

    // The same images as pictures, by the other command.
    let made =
        run(&["generate", "-m", &model, "--solver", "ddim", "--nfe", "2", "-s", "0-19", "-o", &pictures]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    fs::remove_file(Path::new(&pictures).join("grid.png")).unwrap();
    let train = format!("{data}/train-images-idx3-ubyte.gz");
    let metrics = ["--metrics", "kid,is,pr,dc", "--extractor", "fmnist-cnn", "-n", "20", "--json"];
    let eval = run(&[&["eval", "images", &pictures, &train][..], &metrics].concat());
    let names = [("kd", "kid"), ("cs", "is")];
    let lines = String::from_utf8(eval.stdout).unwrap();
    assert_eq!(lines.lines().count(), 6, "{lines} {}", String::from_utf8_lossy(&eval.stderr));
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let name = line["metric"].as_str().unwrap();
        let name = names.iter().find(|(eval, _)| *eval == name).map_or(name, |(_, bench)| bench);
        let (a, b) = (line["value"].as_f64().unwrap(), found["cells"][0]["metrics"][name].as_f64().unwrap());
        assert!((a - b).abs() <= 1e-9 * a.abs(), "{name}: {a} {b}");
    }
}

/// Writes a model as a folder; gives its path.
fn save(dir: &Path, spec: &ModelSpec, config: &UNet2dConfig, params: &Params) -> String {
    fs::create_dir_all(dir.join("unet")).unwrap();
    fs::write(dir.join("fewstep.json"), serde_json::to_string(spec).unwrap()).unwrap();
    fs::write(dir.join("unet/config.json"), config.to_json().to_string()).unwrap();
    let weights = to_safetensors(params, Kind::Float, &[]).unwrap();
    fs::write(dir.join("unet/diffusion_pytorch_model.safetensors"), weights).unwrap();
    dir.to_str().unwrap().to_owned()
}

#[test]
fn a_model_that_means_something_else_is_another_run() {
    let (dir, model) = model();
    let out = dir.path().join("out").to_str().unwrap().to_owned();
    let again = bench(&model, &out, &["--teacher", "none", "--resume"]);
    let (first, _) = report(&again);
    let corrections = [
        ("fewstep.json", "\"sigma_data\":0.5", "\"sigma_data\":0.25"),
        ("unet/config.json", "\"flip_sin_to_cos\":true", "\"flip_sin_to_cos\":false"),
    ];
    for (name, was, is) in corrections {
        let file = Path::new(&model).join(name);
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(was), "{text}");
        fs::write(&file, text.replace(was, is)).unwrap();
        refuses(&again, &["belongs to another run", "settings do not match", "model_sha256"]);
        // Other spaces are the same model.
        let same: Value = serde_json::from_str(&text).unwrap();
        fs::write(&file, serde_json::to_string_pretty(&same).unwrap()).unwrap();
        assert_eq!(report(&again).0, first);
    }
    // A report of an earlier version does not know, and is told.
    let kept = Path::new(&out).join("report.json");
    let text = fs::read_to_string(&kept).unwrap();
    let older: Vec<&str> = text.lines().filter(|line| !line.contains("model_sha256")).collect();
    assert_eq!(older.len() + 1, text.lines().count());
    fs::write(&kept, older.join("\n")).unwrap();
    assert_eq!(report(&again).0, first);
}

#[test]
fn a_model_of_other_classes_has_no_accuracy() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (mut spec, mut config) = tiny_spec();
    (spec.classes, config.num_class_embeds) = (Some(12), Some(13));
    let model = save(&dir.path().join("model"), &spec, &config, &tiny_params(&config));
    let (found, _) = report(&bench(&model, &at("out"), &["--teacher", "heun@3"]));
    let metrics = &found["cells"][0]["metrics"];
    assert!(metrics["fd"].is_number() && metrics["rmse"].is_number(), "{metrics}");
    assert!(metrics["accuracy"].is_null() && !Path::new(&at("out/accuracy_vs_nfe.svg")).exists());
    let asked = ["--teacher", "none", "--metrics", "fd,accuracy"];
    refuses(&bench(&model, &at("no"), &asked), &["`accuracy`", "the 10 classes", "the model has 12"]);
    assert!(!Path::new(&at("no")).exists(), "before anything is made");
}

#[test]
fn a_cell_that_diverges_is_left_out_and_the_others_are_drawn() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (spec, config) = tiny_spec();
    let mut params = tiny_params(&config);
    // The null label alone overflows in this network, so that guidance diverges.
    let labels = params.remove("class_embedding.weight").unwrap();
    let null = Tensor::full([1, labels.size()[1]], 3e38, (Kind::Float, Device::Cpu));
    params.insert("class_embedding.weight".into(), Tensor::cat(&[labels.narrow(0, 0, 10), null], 0));
    for (_, t) in params.iter_mut().filter(|(name, _)| name.ends_with("time_emb_proj.weight")) {
        *t = t.full_like(2.0);
    }
    let model = save(&dir.path().join("model"), &spec, &config, &params);
    let asked = ["--teacher", "none", "--cfg-scale", "1,2,3", "--blocks", "2"];
    let done = run(&bench(&model, &at("out"), &asked));
    let stderr = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(2), "{stderr}");
    let says = "error: 2 of 3 cells failed, first `ddim · cfg w=2 · NFE 2`: the result is not finite";
    assert!(stderr.contains(says), "{stderr}");
    assert!(stderr.contains("`ddim · cfg w=3 · NFE 2` is left out: the result is not finite"), "{stderr}");
    assert_eq!(
        stderr.matches("is left out").count(),
        2,
        "in the second block they are not tried again: {stderr}"
    );
    let found: Value = serde_json::from_slice(&done.stdout).unwrap();
    let cells = found["cells"].as_array().unwrap();
    assert_eq!((cells.len(), cells[0]["blocks"].as_array().unwrap().len()), (1, 2));
    for name in ["report.html", "fd_vs_nfe.svg", "grid.png"] {
        assert!(Path::new(&at("out")).join(name).exists(), "{name}");
    }
    // Nothing is left: nothing is drawn, and it is said why.
    let done = run(&bench(&model, &at("none"), &["--teacher", "none", "--cfg-scale", "2"]));
    let stderr = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("error: 1 of 1 cells failed"), "{stderr}");
    assert!(!Path::new(&at("none/report.html")).exists());
}

#[test]
fn a_report_tells_of_every_machine_and_of_as_many_images_as_there_are() {
    let (dir, model) = model();
    let out = dir.path().join("out").to_str().unwrap().to_owned();
    let go = |nfe: &'static str| {
        let cells = ["bench", "-m", &model, "--solver", "ddim", "--nfe", nfe, "--samples", "4"];
        report(&[&cells[..], &["--teacher", "none", "--json", "--resume", "-o", &out]].concat()).0
    };
    let first = go("2");
    let page = fs::read_to_string(Path::new(&out).join("report.html")).unwrap();
    assert!(page.contains("Images 0 to 3 of every cell"));
    let here = first["machine"].as_str().unwrap();
    let kept = Path::new(&out).join("report.json");
    let elsewhere = fs::read_to_string(&kept).unwrap().replace(here, "a machine elsewhere");
    fs::write(&kept, elsewhere).unwrap();
    assert_eq!(go("2")["machine"], "a machine elsewhere", "nothing was measured here");
    assert_eq!(go("2,3")["machine"], format!("a machine elsewhere; {here}"));
    assert_eq!(go("2,3,4")["machine"], format!("a machine elsewhere; {here}"));
}

#[test]
fn cells_beside_different_networks_are_told_apart() {
    let (dir, model) = model();
    let out = dir.path().join("out").to_str().unwrap().to_owned();
    let (spec, config) = tiny_spec();
    let weak = |name: &str, factor: f64| {
        let params: Params = tiny_params(&config).into_iter().map(|(name, t)| (name, t * factor)).collect();
        save(&dir.path().join(name), &spec, &config, &params)
    };
    let mut found = Value::Null;
    for weak in [weak("a", 0.9), weak("b", 0.8)] {
        let asked = ["--teacher", "none", "--guidance", "auto", "--cfg-scale", "2", "--weak-model", &weak];
        found = report(&bench(&model, &out, &[&asked[..], &["--resume"]].concat())).0;
    }
    let beside = |cell: &Value| cell["guidance"]["beside"].as_str().unwrap()[..6].to_owned();
    let cells = found["cells"].as_array().unwrap();
    let rows: Vec<String> =
        cells.iter().map(|cell| format!("ddim · auto w=2 · beside {}", beside(cell))).collect();
    assert!(rows.len() == 2 && rows[0] != rows[1], "{rows:?}");
    let text = |name: &str| fs::read_to_string(Path::new(&out).join(name)).unwrap();
    for row in &rows {
        assert!(
            text("report.md").contains(&format!("| {row} ")) && text("fd_vs_nfe.svg").contains(row),
            "{row}"
        );
    }
    assert!(text("report.html").contains(&format!("Rows: {}. Columns: NFE 2.", rows.join(", "))));
    // Two rows of ten images, five abreast.
    let (_, height) = image::image_dimensions(Path::new(&out).join("grid.png")).unwrap();
    assert_eq!(height, 2 * (2 * 28 + 2) + 2);
}

#[test]
fn committed_reports_are_read_resumed_and_drawn_as_they_were() {
    for name in [
        "fmnist-edm",
        "fmnist-flow",
        "fmnist-colour-guidance",
        "fmnist-edm-guidance",
        "fmnist-edm-savings",
        "fmnist-flow-guidance",
    ] {
        let file = |file: &str| fs::read_to_string(format!("docs/bench/{name}/{file}")).unwrap();
        let kept = Report::from_json(&file("report.json")).unwrap();
        let mut fresh = Report { cells: Vec::new(), ..kept.clone() };
        fresh.config.entry("model_sha256".to_owned()).or_insert_with(|| "of this version".to_owned());
        fresh.same_run(&kept).unwrap();
        let (page, before) = (html(&kept, &[], &[]).unwrap(), file("report.html"));
        let rows = ["<tr", "<p class=\"lead\">", "<p class=\"note\">Each at"];
        let told = page.lines().filter(|line| rows.iter().any(|start| line.starts_with(*start)));
        let lost: Vec<&str> = told.filter(|line| !before.lines().any(|known| known == *line)).collect();
        assert!(lost.is_empty(), "{lost:#?}");
    }
}
