//! `fewstep eval` as a person meets it: the same value whatever holds the pictures and however it is run, one message
//! where something is wrong.

#![expect(clippy::unwrap_used, reason = "a test")]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use fewstep_eval::feature::inception::formula_weights;
use fewstep_eval::feature::{FeatureNet as _, fmnist_colour_cnn};
use fewstep_eval::npy::{NpyData, NpzWriter};
use fewstep_eval::stats::{Moments, Reference};
use image::{GrayImage, Luma, Rgb, RgbImage};
use serde_json::Value;
use tch::Tensor;
use tempfile::TempDir;

use common::command;

const FD: [&str; 2] = ["--extractor", "fmnist-cnn"];

fn fewstep(args: &[&str]) -> Command {
    let mut command = command::fewstep();
    command.arg("eval").args(args);
    command
}

fn run(args: &[&str]) -> Output {
    fewstep(args).output().unwrap()
}

/// Lines of stdout as JSON; the command must succeed.
fn json(args: &[&str]) -> Vec<Value> {
    let out = fewstep(args).arg("--json").output().unwrap();
    let stderr = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{args:?}: {stderr}");
    let lines = String::from_utf8(out.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn refuses(args: &[&str], says: &[&str]) {
    command::refuses(&[&["eval"], args].concat(), says);
}

/// A picture with some structure, another one for every number.
fn level(i: usize, x: usize, y: usize) -> u8 {
    let (a, b) = (3 + i % 17, 5 + i / 17 % 13);
    (((x * a + y * b + i * 29) % 256) as u8) / (1 + (i % 3) as u8)
}

fn grey(i: usize) -> GrayImage {
    GrayImage::from_fn(28, 28, |x, y| Luma([level(i, x as usize, y as usize)]))
}

fn folder(dir: &Path, numbers: impl Iterator<Item = usize>) {
    fs::create_dir_all(dir).unwrap();
    numbers.for_each(|i| grey(i).save(dir.join(format!("{i}.png"))).unwrap());
}

/// An idx file of so many pictures from number `first` on.
fn idx(path: &Path, first: usize, n: usize) {
    let mut bytes = vec![0, 0, 8, 3];
    bytes.extend([n as u32, 28, 28].iter().flat_map(|size| size.to_be_bytes()));
    (first..first + n).for_each(|i| bytes.extend_from_slice(grey(i).as_raw()));
    fs::write(path, bytes).unwrap();
}

fn text(dir: &TempDir, name: &str) -> String {
    dir.path().join(name).to_str().unwrap().to_owned()
}

#[test]
fn a_value_depends_on_the_pictures_alone() {
    let dir = tempfile::tempdir().unwrap();
    let n = 301;
    folder(&dir.path().join("up"), 0..n);
    // The same files, made the other way round: the directory lists them in another order.
    folder(&dir.path().join("down"), (0..n).rev());
    idx(&dir.path().join("a.idx"), 0, n);
    idx(&dir.path().join("b.idx"), 1000, n);
    let mut npz = NpzWriter::default();
    let pixels: Vec<u8> = (0..n).flat_map(|i| grey(i).into_raw()).collect();
    npz.add("arr_0", &[n, 28, 28, 1], NpyData::U8(&pixels)).unwrap();
    fs::write(dir.path().join("a.npz"), npz.finish().unwrap()).unwrap();
    let b = text(&dir, "b.idx");
    let measure = |a: &str, more: &[&str]| {
        let a = text(&dir, a);
        let args =
            [&["images", &a, &b, "--metrics", "fid,kid,is,pr,dc", "--kid-subset-size", "50"], &FD[..], more];
        let mut rows = json(&args.concat());
        for row in &mut rows {
            // The name of the container is all that may differ.
            let data = row["data"].as_str().unwrap().split_once(':').unwrap().1.to_owned();
            row["data"] = data.into();
        }
        rows
    };
    let expected = measure("up", &[]);
    let names: Vec<&str> = expected.iter().map(|row| row["metric"].as_str().unwrap()).collect();
    assert_eq!(names, ["fd", "kd", "cs", "precision", "recall", "density", "coverage"]);
    assert!(expected[0]["value"].as_f64().unwrap() > 0.0);
    for a in ["down", "a.idx", "a.npz"] {
        assert_eq!(measure(a, &[]), expected, "{a}");
    }
    for more in [["--batch", "1"], ["--batch", "300"], ["--workers", "1"], ["--workers", "3"]] {
        assert_eq!(measure("a.idx", &more), expected, "{more:?}");
    }
    let kept = text(&dir, "kept");
    for _ in 0..2 {
        assert_eq!(measure("a.idx", &["--resume", &kept]), expected);
    }
    assert_ne!(measure("a.idx", &["-n", "300"])[0]["value"], expected[0]["value"]);
    // Another order of the same pictures has the same value but for rounding.
    let pixels: Vec<u8> = (0..n).rev().flat_map(|i| grey(i).into_raw()).collect();
    let mut npz = NpzWriter::default();
    npz.add("arr_0", &[n, 28, 28], NpyData::U8(&pixels)).unwrap();
    fs::write(dir.path().join("c.npz"), npz.finish().unwrap()).unwrap();
    let (a, b) = (&measure("c.npz", &[])[0], &expected[0]);
    assert_ne!(a["data"], b["data"]);
    let (a, b) = (a["value"].as_f64().unwrap(), b["value"].as_f64().unwrap());
    assert!((a - b).abs() < 1e-9 * b, "{a} {b}");
}

#[test]
fn a_killed_run_goes_on_and_a_damaged_shard_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    idx(&dir.path().join("a.idx"), 0, 20_000);
    let (a, kept) = (text(&dir, "a.idx"), text(&dir, "kept"));
    let args = [&["fid", &a, "fmnist-train", "--workers", "1", "--resume", &kept], &FD[..]].concat();
    let shards = || -> Vec<_> {
        let Ok(mut root) = fs::read_dir(&kept) else { return Vec::new() };
        let Some(Ok(folder)) = root.next() else { return Vec::new() };
        let files = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().path());
        files.filter(|p| p.extension().is_some_and(|e| e == "safetensors")).collect()
    };
    let mut child = fewstep(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let clock = Instant::now();
    while shards().len() < 3 && clock.elapsed() < Duration::from_mins(2) {
        sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let made = shards();
    assert!((3..79).contains(&made.len()), "{} shards when killed", made.len());
    fs::write(&made[0], &fs::read(&made[0]).unwrap()[..1000]).unwrap();
    let mut bytes = fs::read(&made[1]).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&made[1], bytes).unwrap();
    let untouched = fs::metadata(&made[2]).unwrap().modified().unwrap();
    let resumed = json(&args);
    assert_eq!(shards().len(), 79);
    assert_eq!(
        fs::metadata(&made[2]).unwrap().modified().unwrap(),
        untouched,
        "a finished shard was made again"
    );
    let fresh = json(&[&["fid", &a, "fmnist-train"], &FD[..]].concat());
    assert_eq!(resumed, fresh);
}

#[test]
fn an_interrupted_run_says_how_to_go_on() {
    let dir = tempfile::tempdir().unwrap();
    idx(&dir.path().join("a.idx"), 0, 20_000);
    let (a, kept) = (text(&dir, "a.idx"), text(&dir, "kept"));
    let args = [&["fid", &a, "fmnist-train", "--workers", "1", "--resume", &kept], &FD[..]].concat();
    let child = fewstep(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let clock = Instant::now();
    while !Path::new(&kept).exists() && clock.elapsed() < Duration::from_mins(2) {
        sleep(Duration::from_millis(2));
    }
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let out = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(130), "{stderr}");
    assert!(out.stdout.is_empty() && stderr.contains("goes on from"), "{stderr}");
}

#[test]
fn statistics_are_saved_compared_and_converted() {
    let dir = tempfile::tempdir().unwrap();
    idx(&dir.path().join("a.idx"), 0, 200);
    idx(&dir.path().join("b.idx"), 500, 150);
    let [a, b, stats, plain] = ["a.idx", "b.idx", "b.npz", "plain.npz"].map(|name| text(&dir, name));
    let out = run(&[&["stats", &b, "-o", &stats], &FD[..]].concat());
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(out.stdout.is_empty());
    let direct = &json(&[&["fid", &a, &b], &FD[..]].concat())[0];
    let saved = &json(&[&["fid", &a, &stats], &FD[..]].concat())[0];
    let close = |x: &Value, y: &Value| {
        let (x, y) = (x["value"].as_f64().unwrap(), y["value"].as_f64().unwrap());
        assert!((x - y).abs() <= 1e-10 * y.abs() + 1e-9, "{x} {y}");
    };
    close(direct, saved);
    assert_eq!((&saved["nref"], &saved["ref"]), (&Value::from(150), &direct["ref"]));
    // Two files need no network, and equal ones are at no distance.
    let nothing = &json(&["fid", &stats, &stats])[0];
    let number = |key: &str| nothing[key].as_f64().unwrap();
    assert!(number("value").abs() < 1e-9 * number("floor"), "{nothing}");
    // A file of another program does not say how many pictures it is about.
    let (mu, sigma): (Vec<f64>, Vec<f64>) =
        (vec![0.5; 128], (0..128 * 128).map(|i| f64::from(u8::from(i % 129 == 0))).collect());
    let mut npz = NpzWriter::default();
    npz.add("mu", &[128], NpyData::F64(&mu)).unwrap();
    npz.add("sigma", &[128, 128], NpyData::F64(&sigma)).unwrap();
    fs::write(&plain, npz.finish().unwrap()).unwrap();
    assert_eq!(json(&[&["fid", &a, &plain], &FD[..]].concat())[0]["nref"], "?");
    let converted = text(&dir, "converted.npz");
    assert_eq!(run(&["convert", &plain, "-o", &converted, "-n", "5000"]).status.code(), Some(0));
    let known = &json(&[&["fid", &a, &converted], &FD[..]].concat())[0];
    assert_eq!(known["nref"], 5000);
    refuses(&["convert", &converted, "-o", &plain, "-n", "6000"], &["`-n` is `6000`", "says `5000`"]);
    refuses(&["convert", &a, "-o", &plain], &["a.idx", "holds no statistics"]);
    refuses(&[&["kid", &a, &stats], &FD[..]].concat(), &["b.npz", "no single features"]);
    // Features of another program, both as statistics and one by one.
    let rows: Vec<f32> = (0..40 * 128).map(|i| ((i * 37) % 101) as f32).collect();
    let mut npz = NpzWriter::default();
    npz.add("feats", &[40, 128], NpyData::F32(&rows)).unwrap();
    let feats = text(&dir, "feats.npz");
    fs::write(&feats, npz.finish().unwrap()).unwrap();
    let out = json(&[&["images", &a, &feats, "--metrics", "fid,kid,pr"], &FD[..]].concat());
    assert!(out.len() == 4 && out.iter().all(|row| row["nref"] == 40), "{out:?}");
}

#[test]
fn every_value_says_what_it_is() {
    let dir = tempfile::tempdir().unwrap();
    idx(&dir.path().join("a.idx"), 0, 60);
    let a = text(&dir, "a.idx");
    let out = run(&[&["fid", &a, "fmnist-train"], &FD[..]].concat());
    let line = String::from_utf8(out.stdout).unwrap();
    for part in ["fd[n=60,data=a.idx:", ",ref=fmnist-train:b0564c3e,nref=60000,net=fmnist-cnn:", "floor"] {
        assert!(line.contains(part), "{line}");
    }
    // The network looks at grey pictures; nothing was done to them.
    let stderr = String::from_utf8(out.stderr).unwrap();
    assert!(!stderr.contains("grey"), "{stderr}");
}

/// `[n, 3, 28, 28]`
fn painted(n: usize) -> Vec<u8> {
    (0..n * 3).flat_map(|plane| grey(plane).into_raw()).collect()
}

#[test]
fn colour_has_a_feature_space_too() {
    let dir = tempfile::tempdir().unwrap();
    let (p, n) = (text(&dir, "p"), 60);
    fs::create_dir(&p).unwrap();
    let images = painted(n);
    for (i, image) in images.chunks_exact(3 * 784).enumerate() {
        let at = |c: usize, x: u32, y: u32| image[c * 784 + (y * 28 + x) as usize];
        let picture = RgbImage::from_fn(28, 28, |x, y| Rgb([0, 1, 2].map(|c| at(c, x, y))));
        picture.save(Path::new(&p).join(format!("{i}.png"))).unwrap();
    }
    let with = ["--extractor", "fmnist-colour-cnn"];
    let out = run(&[&["fid", &p, "fmnist-colour-train", "--json"], &with[..]].concat());
    let value: Value = serde_json::from_slice(&out.stdout).unwrap();
    let (net, statistics) = fmnist_colour_cnn().unwrap();
    let rows = net.extract(&Tensor::from_slice(&images).view([n as i64, 3, 28, 28])).unwrap();
    let moments = Moments::of_rows(&Vec::<f32>::try_from(rows.view(-1)).unwrap(), net.dim());
    let expected = Reference::new(&statistics.moments).unwrap().distance(&moments).unwrap().fd;
    let fd = value["value"].as_f64().unwrap();
    assert!((fd / expected - 1.0).abs() < 1e-5, "{fd}, expected {expected}");
    let tag = |key: &str| value[key].as_str().unwrap();
    assert!(tag("net").starts_with("fmnist-colour-cnn:") && tag("ref").starts_with("fmnist-colour-train:"));
    // Grey pictures are told: their channel is repeated here.
    idx(&dir.path().join("a.idx"), 0, 60);
    let a = text(&dir, "a.idx");
    let out = run(&[&["fid", &a, &p], &with[..]].concat());
    let stderr = String::from_utf8(out.stderr).unwrap();
    assert!(stderr.contains("60 of 60 pictures are grey; the channel was repeated"), "{stderr}");
    // Equal lengths of features, and another network: no distance.
    refuses(&[&["fid", &p, "fmnist-train"], &with[..]].concat(), &["`fmnist-train`", "fmnist-colour-train"]);
    refuses(&[&["fid", &a, "fmnist-colour-train"], &FD[..]].concat(), &["fmnist-colour-train", "fmnist-cnn"]);
    let saved = text(&dir, "p.npz");
    assert_eq!(run(&[&["stats", &p, "-o", &saved], &with[..]].concat()).status.code(), Some(0));
    refuses(&["fid", &saved, "fmnist-train"], &["p.npz", "fmnist-colour-cnn:", "fmnist-cnn:", "alike"]);
    assert!(json(&["fid", &saved, "fmnist-colour-train"])[0]["value"].as_f64().unwrap() > 0.0);
}

#[test]
fn a_folder_that_generate_made_is_measured_without_its_overview() {
    let dir = tempfile::tempdir().unwrap();
    folder(&dir.path().join("plain"), 0..60);
    let made = dir.path().join("made");
    folder(&made, 0..70); // ten of an earlier run
    let list: Vec<String> = (0..60).map(|i| format!("{{\"file\":\"{i}.png\"}}\n")).collect();
    fs::write(made.join("manifest.jsonl"), list.concat()).unwrap();
    GrayImage::new(200, 200).save(made.join("grid.png")).unwrap();
    let measure = |name: &str| {
        let out = run(&[&["fid", &text(&dir, name), "fmnist-train", "--json"], &FD[..]].concat());
        let value: Value = serde_json::from_slice(&out.stdout).unwrap();
        (value["value"].clone(), value["n"].clone(), String::from_utf8(out.stderr).unwrap())
    };
    let (plain, made) = (measure("plain"), measure("made"));
    assert_eq!((&plain.0, &plain.1), (&made.0, &made.1));
    assert!(!plain.2.contains("left out"), "{}", plain.2);
    for part in ["60 pictures that its `manifest.jsonl` lists", "11 other left out"] {
        assert!(made.2.contains(part), "{}", made.2);
    }
    GrayImage::new(200, 200).save(dir.path().join("plain/grid.png")).unwrap();
    let again = measure("plain");
    assert!(again.0 == plain.0 && again.2.contains("`grid.png`"), "{again:?}");
}

#[test]
fn a_part_is_taken_of_features_and_not_of_moments() {
    let dir = tempfile::tempdir().unwrap();
    idx(&dir.path().join("a.idx"), 0, 200);
    let [a, stats] = ["a.idx", "stats.npz"].map(|name| text(&dir, name));
    let rows: Vec<f32> = (0..40 * 128).map(|i| ((i * 37) % 101) as f32).collect();
    let feats = |name: &str, n: usize| {
        let mut npz = NpzWriter::default();
        npz.add("feats", &[n, 128], NpyData::F32(&rows[..n * 128])).unwrap();
        let file = text(&dir, name);
        fs::write(&file, npz.finish().unwrap()).unwrap();
        file
    };
    let (all, some) = (feats("all.npz", 40), feats("some.npz", 30));
    let measure = |reference: &str| {
        let args = ["images", &a, reference, "--metrics", "fid,kid", "-n", "30"];
        let rows = json(&[&args[..], &FD[..]].concat());
        rows.into_iter().map(|row| (row["n"].clone(), row["nref"].clone(), row["value"].clone()))
    };
    let (all_30, some_30): (Vec<_>, Vec<_>) = (measure(&all).collect(), measure(&some).collect());
    assert_eq!(all_30, some_30);
    assert!(all_30.len() == 2 && all_30.iter().all(|(n, nref, _)| *n == 30 && *nref == 30), "{all_30:?}");
    refuses(&[&["fid", &a, &all, "-n", "50"], &FD[..]].concat(), &["all.npz", "holds 40 features", "`-n`"]);
    assert_eq!(run(&[&["stats", &a, "-o", &stats], &FD[..]].concat()).status.code(), Some(0));
    for samples in [stats.as_str(), "fmnist-train"] {
        refuses(&["fid", samples, "fmnist-train", "-n", "2"], &[samples, "mean and covariance", "`-n`"]);
    }
    // As a reference it is what it is, and `-n` is for the samples.
    let out = run(&[&["fid", &a, &stats, "-n", "30", "--json"], &FD[..]].concat());
    let value: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!((&value["n"], &value["nref"]), (&Value::from(30), &Value::from(200)));
    assert!(String::from_utf8_lossy(&out.stderr).contains("stats.npz` is taken whole, whatever `-n` says"));
}

#[test]
fn a_file_may_hold_statistics_and_pictures() {
    let dir = tempfile::tempdir().unwrap();
    idx(&dir.path().join("a.idx"), 0, 60);
    idx(&dir.path().join("b.idx"), 500, 80);
    let [a, b] = ["a.idx", "b.idx"].map(|name| text(&dir, name));
    let pixels: Vec<u8> = (500..580).flat_map(|i| grey(i).into_raw()).collect();
    // As guided-diffusion leaves it: the moments are of other pictures than those beside them.
    let file = |name: &str, d: usize, more: Option<&str>, beside: bool| {
        let unit: Vec<f64> = (0..d * d).map(|i| f64::from(u8::from(i % (d + 1) == 0))).collect();
        let mut npz = NpzWriter::default();
        npz.add("mu", &[d], NpyData::F64(&vec![0.5; d])).unwrap();
        npz.add("sigma", &[d, d], NpyData::F64(&unit)).unwrap();
        if beside {
            npz.add("arr_0", &[80, 28, 28, 1], NpyData::U8(&pixels)).unwrap();
        }
        if let Some(id) = more {
            npz.add("extractor", &[], NpyData::Text(id)).unwrap();
        }
        let file = text(&dir, name);
        fs::write(&file, npz.finish().unwrap()).unwrap();
        file
    };
    let (adm, plain) = (file("adm.npz", 128, None, true), file("plain.npz", 128, None, false));
    let with = |args: &[&str], more: &[&str]| json(&[args, &FD[..], more].concat());
    let parts: [&[&str]; 2] = [&[], &["-n", "40"]];
    for more in parts {
        let all = with(&["images", &a, &adm, "--metrics", "fid,kid,pr"], more);
        // The moments are whole, whatever `-n` says, and are told by what their file says.
        let alone = &with(&["fid", &a, &plain], more)[0];
        assert_eq!((&all[0]["value"], &all[0]["nref"]), (&alone["value"], &alone["nref"]));
        assert_eq!((&all[0]["ref"], &all[0]["nref"]), (&Value::from("adm.npz"), &Value::from("?")));
        // Single pictures are those in the file, and the metrics do not depend on what else is asked for.
        assert_eq!(all[2..], with(&["pr", &a, &adm], more));
        for (found, expected) in all[1..].iter().zip(with(&["images", &a, &b, "--metrics", "kid,pr"], more)) {
            assert_eq!((&found["value"], &found["nref"]), (&expected["value"], &expected["nref"]));
            assert_eq!(found["nref"], if more.is_empty() { 80 } else { 40 });
            assert!(found["ref"].as_str().unwrap().starts_with("adm.npz:"), "{found}");
        }
    }
    let out = run(&[&["images", &a, &adm, "--metrics", "fid,pr", "-n", "40"], &FD[..]].concat());
    let stderr = String::from_utf8_lossy(&out.stderr);
    assert!(stderr.contains("whatever `-n` says") && stderr.contains("the first are taken"), "{stderr}");
    // As samples it has a score; its moments are of no use then, and may be of any network.
    let small = file("small.npz", 64, None, true);
    assert_eq!(with(&["is", &small], &[])[0]["n"], 80);
    assert_eq!(with(&["pr", &a, &small], &[])[0]["nref"], 80);
    let refused = |file: &str, says: &[&str]| {
        refuses(&[&["images", &a, file, "--metrics", "fid,pr"], &FD[..]].concat(), says);
    };
    refused(&small, &["small.npz", "length 64", "128"]);
    let other = file("other.npz", 128, Some("fmnist-cnn:0123"), true);
    refused(&other, &["other.npz", "network `fmnist-cnn:0123`"]);
}

#[test]
fn what_headers_tell_is_known_before_the_first_picture() {
    let dir = tempfile::tempdir().unwrap();
    let p = text(&dir, "p");
    folder(Path::new(&p), 0..20);
    // A pass would end here, with another message.
    fs::write(Path::new(&p).join("0.png"), "no picture").unwrap();
    idx(&dir.path().join("few.idx"), 0, 5);
    let (few, large, stats) = (text(&dir, "few.idx"), text(&dir, "large.idx"), text(&dir, "stats.npz"));
    let mut npz = NpzWriter::default();
    npz.add("mu", &[128], NpyData::F64(&[0.0; 128])).unwrap();
    npz.add("sigma", &[128, 128], NpyData::F64(&vec![f64::NAN; 128 * 128])).unwrap();
    fs::write(&stats, npz.finish().unwrap()).unwrap();
    let mut header = vec![0, 0, 8, 3];
    header.extend([1_000_000_u32, 8192, 8192].iter().flat_map(|size| size.to_be_bytes()));
    fs::write(&large, header).unwrap();
    let with = |args: &[&str], says: &[&str]| refuses(&[args, &FD[..]].concat(), says);
    with(&["kid", &p, &stats], &["`kid`", "stats.npz", "no single features"]);
    with(&["kid", &p, "fmnist-train"], &["`kid`", "`fmnist-train`", "mean and covariance only"]);
    with(&["sfid", &p, &stats], &["`sfid`", "stats.npz", "no spatial statistics"]);
    with(&["sfid", &p, &p], &["`fmnist-cnn` has no spatial features", "--weights"]);
    with(&["is", &stats], &["`is`", "stats.npz", "no logits"]);
    with(&["is", &p, "--splits", "21"], &["`is`", "/p` 20 pictures", "`--splits 21`"]);
    with(&["pr", &p, &few], &["`pr`", "few.idx` 5 pictures", "`--pr-k 3`", "`--dc-k 5`"]);
    with(&["fid", &p, &few, "-n", "6"], &["few.idx", "holds 5 pictures", "`-n`"]);
    with(&["fid", &p, &large], &["large.idx", "8192x8192", "28x28 grey"]);
    // What can be read at once is read before the pictures.
    with(&["fid", &p, &stats], &["stats.npz:sigma", "NaN"]);
}

#[test]
fn what_cannot_end_well_is_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let (p, pipe) = (text(&dir, "p"), text(&dir, "pipe"));
    folder(Path::new(&p), 0..3);
    fs::write(Path::new(&p).join("7.png"), "no picture").unwrap();
    let with = |args: &[&str], says: &[&str]| refuses(&[args, &FD[..]].concat(), says);
    // Before the pass, which would end at the bad picture.
    let target = text(&dir, "missing/stats.npz");
    with(&["stats", &p, "-o", &target], &["cannot write", "missing/stats.npz"]);
    let target = text(&dir, "stats.npz");
    with(&["stats", &p, "-o", &target], &["7.png", "neither PNG"]);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "something was left behind");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    with(&["fid", &pipe, "fmnist-train"], &["pipe", "neither a regular file nor a folder"]);
    with(&["fid", &p, &pipe], &["pipe", "neither a regular file nor a folder"]);
    with(&["kid", &p, &p, "--kid-subsets", "4294967295"], &["--kid-subsets", "1..=100000"]);
    with(&["kid", &p, &p, "--kid-subset-size", "1"], &["--kid-subset-size", "give at least 2"]);
    let out = run(&["fid", "does/not/exist", "fmnist-train"]);
    let stderr = String::from_utf8_lossy(&out.stderr);
    assert_eq!(stderr.matches("No such file").count(), 1, "{stderr}");
}

#[test]
fn components_are_feature_spaces_too() {
    let dir = tempfile::tempdir().unwrap();
    idx(&dir.path().join("a.idx"), 0, 120);
    // The same pictures with every other pixel one level off: nothing to the eye, and fine texture.
    let mut bytes = fs::read(dir.path().join("a.idx")).unwrap();
    bytes[16..].iter_mut().step_by(2).for_each(|v| *v ^= 1);
    fs::write(dir.path().join("b.idx"), bytes).unwrap();
    let (a, b) = (text(&dir, "a.idx"), text(&dir, "b.idx"));
    let saved = text(&dir, "a.npz");
    for name in ["fmnist-pixel-pca", "fmnist-patch-pca"] {
        let with = |args: &[&str]| json(&[args, &["--extractor", name]].concat())[0].clone();
        let far = with(&["fid", &a, "fmnist-train"]);
        let near = with(&["fid", &a, &b]);
        // The name in the tag is the one that was given.
        assert!(far["net"].as_str().unwrap().starts_with(&format!("{name}:")), "{far}");
        let (far, near) = (far["value"].as_f64().unwrap(), near["value"].as_f64().unwrap());
        assert!(near > 0.0 && near < 0.1 * far, "{name}: {near} beside {far}");
        // Statistics find the moments of the network they were made by.
        run(&["stats", &a, "-o", &saved, "--extractor", name]);
        let again = with(&["fid", &saved, "fmnist-train"])["value"].as_f64().unwrap();
        assert!((again / far - 1.0).abs() < 1e-6, "{again} and {far}");
        refuses(&["is", &a, "--extractor", name], &[name, "no classes"]);
    }
}

/// A PNG header that promises 40,000 x 40,000 pixels.
fn huge() -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR".to_vec();
    bytes.extend_from_slice(&40_000_u32.to_be_bytes());
    bytes.extend_from_slice(&40_000_u32.to_be_bytes());
    bytes.extend_from_slice(&[8, 2, 0, 0, 0]);
    bytes.extend_from_slice(&[0xde, 0x6e, 0x99, 0x52]);
    bytes.extend_from_slice(b"\x00\x00\x00\x00IDAT\x35\xaf\x06\x1e");
    bytes
}

#[test]
fn bad_pictures_get_one_message_that_names_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let pictures = dir.path().join("pictures");
    let at = |args: &[&str]| [args, &FD[..]].concat().iter().map(|a| (*a).to_owned()).collect::<Vec<_>>();
    let case = |n: usize, extra: Option<(&str, Vec<u8>)>, says: &[&str]| {
        let _ = fs::remove_dir_all(&pictures);
        folder(&pictures, 0..n);
        if let Some((name, bytes)) = extra {
            fs::write(pictures.join(name), bytes).unwrap();
        }
        let args = at(&["fid", pictures.to_str().unwrap(), "fmnist-train"]);
        refuses(&args.iter().map(String::as_str).collect::<Vec<_>>(), says);
    };
    let whole = fs::read({
        folder(&pictures, 0..1);
        pictures.join("0.png")
    })
    .unwrap();
    case(0, None, &["pictures", "no files"]);
    case(1, None, &["pictures", "holds 1 picture"]);
    case(5, Some(("7.png", whole[..whole.len() / 2].to_vec())), &["7.png", "replace it"]);
    case(5, Some(("7.png", huge())), &["7.png", "40000x40000 pixels, the limit is 16384"]);
    case(5, Some(("7.png", b"no picture".to_vec())), &["7.png", "neither PNG"]);
    let mut colour = std::io::Cursor::new(Vec::new());
    RgbImage::from_pixel(28, 28, Rgb([1, 2, 3])).write_to(&mut colour, image::ImageFormat::Png).unwrap();
    case(5, Some(("7.png", colour.into_inner())), &["/7.png", "28x28 in colour", "28x28 grey"]);
    refuses(&["fid", "does/not/exist", "fmnist-train"], &["does/not/exist"]);
    let p = pictures.to_str().unwrap();
    refuses(&["fid", p, "fmnist-train"], &["needs a network", "--weights", "--extractor"]);
    refuses(&["images", p, "--metrics", "fid", "--extractor", "fmnist-cnn"], &["compares with a reference"]);
    refuses(&[&["fid", p, p, "-n", "1000"], &FD[..]].concat(), &["holds 6 pictures", "`-n`"]);
}

#[test]
fn bad_statistics_get_one_message_that_names_the_file() {
    let dir = tempfile::tempdir().unwrap();
    idx(&dir.path().join("a.idx"), 0, 60);
    let (a, file) = (text(&dir, "a.idx"), text(&dir, "stats.npz"));
    let unit = |d: usize| -> Vec<f64> { (0..d * d).map(|i| f64::from(u8::from(i % (d + 1) == 0))).collect() };
    let case = |mu: &[f64], sigma: &[f64], says: &[&str]| {
        let mut npz = NpzWriter::default();
        let d = sigma.len().isqrt();
        npz.add("mu", &[mu.len()], NpyData::F64(mu)).unwrap();
        npz.add("sigma", &[d, d], NpyData::F64(sigma)).unwrap();
        fs::write(&file, npz.finish().unwrap()).unwrap();
        refuses(&[&["fid", &a, &file], &FD[..]].concat(), says);
    };
    case(&[f64::NAN; 128], &unit(128), &["stats.npz:mu", "NaN"]);
    case(&[0.0; 128], &unit(64), &["stats.npz:sigma", "expected [128, 128]"]);
    case(&[0.0; 64], &unit(64), &["stats.npz", "length 64", "128"]);
    fs::write(&file, "PK no archive").unwrap();
    refuses(&[&["fid", &a, &file], &FD[..]].concat(), &["stats.npz", "no whole npz archive"]);
}

#[test]
fn bad_weights_get_one_message_that_names_the_file() {
    let dir = tempfile::tempdir().unwrap();
    idx(&dir.path().join("a.idx"), 0, 60);
    let (a, file) = (text(&dir, "a.idx"), text(&dir, "weights.pth"));
    let case = |bytes: &[u8], says: &[&str]| {
        fs::write(&file, bytes).unwrap();
        let marker = dir.path().join("executed");
        refuses(&["fid", &a, &a, "--weights", &file, "--any-weights"], says);
        assert!(!marker.exists());
    };
    case(b"no weights", &["weights.pth"]);
    // A pickle that would call os.system.
    case(b"\x80\x02cos\nsystem\nX\x01\0\0\0xtR.", &["weights.pth"]);
    refuses(&["fid", &a, &a, "--any-weights", "--extractor", "fmnist-cnn"], &["--weights"]);
}

#[test]
#[ignore = "slow: 40 pictures through the large network, and its weights written and read, 1 minute"]
fn the_large_network_measures_any_picture() {
    let dir = tempfile::tempdir().unwrap();
    let (weights, p) = (text(&dir, "weights.safetensors"), text(&dir, "p"));
    fs::write(&weights, formula_weights().unwrap().to_safetensors().unwrap()).unwrap();
    fs::create_dir_all(&p).unwrap();
    for i in 0..20_usize {
        let (w, h) = (20 + 7 * (i as u32 % 4), 33 + i as u32);
        let image = RgbImage::from_fn(w, h, |x, y| {
            let at = |k: usize| level(i + k, x as usize, y as usize);
            Rgb([at(0), at(1), at(2)])
        });
        image.save(Path::new(&p).join(format!("{i}.png"))).unwrap();
    }
    idx(&dir.path().join("a.idx"), 0, 20);
    let a = text(&dir, "a.idx");
    refuses(&["fid", &a, &p, "--weights", &weights], &["weights.safetensors", "6726825d"]);
    let mut args =
        vec!["images", &p, &a, "--metrics", "fid,sfid,kid,is,pr", "--weights", &weights, "--any-weights"];
    args.extend(["--kid-subset-size", "10"]);
    let expected = json(&args);
    assert_eq!(expected[0]["metric"], "fid");
    assert_eq!(expected[0]["protocol"], "tf1");
    for more in [["--batch", "16"], ["--workers", "1"]] {
        assert_eq!(json(&[&args[..], &more].concat()), expected);
    }
    let clean = json(&[&args[..], &["--protocol", "clean"]].concat());
    assert_ne!(clean[0]["value"], expected[0]["value"]);
    // Statistics of one protocol do not meet pictures of another.
    let stats = text(&dir, "stats.npz");
    let saved = run(&["stats", &a, "-o", &stats, "--weights", &weights, "--any-weights", "--spatial"]);
    assert_eq!(saved.status.code(), Some(0));
    let other = ["fid", &p, &stats, "--weights", &weights, "--any-weights", "--protocol", "torch"];
    refuses(&other, &["stats.npz", "protocol `tf1`", "`torch`"]);
    let same = json(&["images", &p, &stats, "--metrics", "fid,sfid", "--weights", &weights, "--any-weights"]);
    for (a, b) in same.iter().zip(&expected) {
        let (a, b) = (a["value"].as_f64().unwrap(), b["value"].as_f64().unwrap());
        assert!((a - b).abs() < 1e-9 * b.abs(), "{a} {b}");
    }
}
