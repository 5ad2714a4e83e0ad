//! Metrics of a bench: the same as elsewhere, complete after a resume, refused with a reason.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test")]

mod common;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use common::command::{refuses, run};
use common::model;
use fewstep::bench::{Choice, Judge, Paired, Twin};
use fewstep::measure::{Metric, Settings, Side, measure};
use fewstep::pipeline::{Batches, Job, Observer, Silent, quantise};
use fewstep_eval::data::{Part, Split};
use fewstep_eval::feature::{FeatureNet as _, fmnist_cnn};
use fewstep_eval::metrics::{
    Colour, Overshoot, PairedFeatures, PairedRmse, PairedSimilarity, fd_infinity, memorisation,
};
use fewstep_eval::stats::files::About;
use fewstep_eval::stats::{Moments, Reference};
use fewstep_models::{ModelFolder, NetDenoiser};
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
    }
}

fn silent() -> Arc<dyn Observer> {
    Arc::new(Silent)
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
