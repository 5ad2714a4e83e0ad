//! Bad input: one message that names the thing and the remedy, exit code 2, and nothing lost.

#![expect(clippy::unwrap_used, reason = "a test")]

mod common;

use common::command::{fewstep, refuses, run};
use common::model;
use std::fs;
use std::path::Path;

#[test]
fn bad_arguments_are_named() {
    let (dir, model) = model();
    let out = dir.path().join("out").to_str().unwrap().to_owned();
    let generate = |more: &[&'static str], says: &[&str]| {
        let mut args = vec!["generate", "-m", &model, "-o", &out, "-s", "0"];
        args.extend_from_slice(more);
        refuses(&args, says);
    };
    generate(&["--solver", "deis-tab9"], &["`deis-tab9`", "deis-tab"]);
    generate(&["--solver", "heun:churn=1"], &["churn", "s_churn"]);
    generate(&["--class", "socks"], &["no class `socks`", "0 to 9"]);
    generate(&["--class", "10"], &["no class `10`"]);
    generate(&["--steps", "0"], &["0", "at least 1"]);
    generate(&["--nfe", "0"], &["at least 1"]);
    generate(&["--grid", "1,0.5,0.5,0.1", "--steps", "3"], &["0.5"]);
    generate(&["--grid", "1,0.2,0.5,0.1", "--steps", "3"], &["0.5"]);
    generate(&["--path", "edn"], &["edm"]);
    generate(&["--t-max", "nan"], &["NaN", "outside"]);
    generate(&["--batch", "0"], &["--batch 0"]);
    generate(&["--threads", "0"], &["--threads 0"]);
    generate(&["--device", "cuda:99"], &["no CUDA here", "--device cpu"]);
    generate(&["--plan", "/nonexistent/plan.json"], &["/nonexistent/plan.json"]);
    refuses(
        &["generate", "-m", "/nonexistent/model", "-o", &out],
        &["/nonexistent/model", "neither a folder nor a built-in"],
    );
    refuses(&["generate", "-m", &model, "-s", "5-1", "-o", &out], &["runs backwards"]);
    refuses(&["generate", "-m", &model, "-s", "0", "-o", "/proc/nowhere"], &["/proc/nowhere"]);
    refuses(&["bench", "-m", &model, "--samples", "1", "-o", &out], &["--samples 1"]);
    refuses(&["bench", "-m", &model, "--metrics", "fid", "-o", &out], &["no metric `fid`", "accuracy"]);
    refuses(&["bench", "-m", &model, "--teacher", "heun", "-o", &out], &["deis-tab3@100"]);
    refuses(&["train", "edm", "-o", &out, "--data", "/nonexistent"], &["/nonexistent", "make data"]);
    refuses(&["train", "edm", "--noisy", "-o", &out], &["--noisy is for `classifier`"]);
    refuses(&["train", "classifier", "--noisy", "--colour", "-o", &out], &["leave --colour out"]);
    assert!(!Path::new(&out).join("000000.png").exists(), "nothing was made of it");
}

#[test]
fn damaged_models_are_refused_with_everything_that_is_wrong() {
    let (_dir, model) = model();
    let weights = Path::new(&model).join("unet/diffusion_pytorch_model.fp16.safetensors");
    let info = |says: &[&str]| refuses(&["models", "info", &model], says);
    let whole = fs::read(&weights).unwrap();

    fs::write(&weights, &whole[..whole.len() - 100]).unwrap();
    info(&["not a usable safetensors file", &model]);
    fs::write(&weights, b"\x80\x02}q\x00.").unwrap(); // a pickle
    info(&["not a usable safetensors file"]);
    let mut huge = whole.clone();
    huge[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    fs::write(&weights, huge).unwrap();
    info(&["not a usable safetensors file"]);

    let (_, config) = common::tiny_spec();
    let mut params = common::tiny_params(&config);
    let taken = params.remove("conv_in.bias").unwrap();
    params.insert("conv_inn.bias".into(), taken);
    params.insert("conv_out.bias".into(), tch::Tensor::zeros([2], (tch::Kind::Float, tch::Device::Cpu)));
    fs::write(&weights, fewstep_models::to_safetensors(&params, tch::Kind::Float, &[]).unwrap()).unwrap();
    info(&["missing: conv_in.bias", "unexpected: conv_inn.bias", "conv_out.bias: [1], [2]"]);

    let json = Path::new(&model).join("unet/config.json");
    let text = fs::read_to_string(&json).unwrap();
    fs::write(&json, text.replace("AttnUpBlock2D", "SkipUpBlock2D")).unwrap();
    info(&["up_block_types", "SkipUpBlock2D"]);
    fs::remove_file(&json).unwrap();
    info(&["config.json"]);
}

/// Runs the program where no file may grow beyond `kib`.
#[test]
fn guidance_is_checked_before_any_work() {
    let (_dir, model) = model();
    let with = |extra: &[&'static str]| -> Vec<String> {
        let args = ["generate", "-m", &model, "-o", "/nonexistent/out", "--cfg-scale", "3", "--guidance"];
        args.iter().chain(extra).map(ToString::to_string).collect()
    };
    for (extra, says) in [
        (&["apq"][..], &["unknown guidance rule `apq`", "did you mean `apg`"][..]),
        (&["classifier:s=2"], &["`classifier`", "`s`"]),
        (&["classifier+cfg"], &["two combiners", "keep one"]),
        (&["apg:beta=1.5"], &["`beta=1.5` is not allowed", "between -1 and 1"]),
        (&["cfg+apg"], &["two combiners", "keep one"]),
        (&["cfgpp", "--solver", "heun"], &["one x0 a step", "dpmpp-2m"]),
        (&["adaptive", "--solver", "dpm-12"], &["goes by steps", "dpm-12"]),
    ] {
        let args = with(extra);
        refuses(&args.iter().map(String::as_str).collect::<Vec<_>>(), says);
    }
    refuses(&["bench", "--cfg-scale", "1,x"], &["`x` is not a guidance scale"]);
    refuses(&["bench", "--guidance", "cfg,cfg"], &["`cfg` is listed twice"]);
    let out = tempfile::tempdir().unwrap();
    let dir = out.path().to_str().unwrap();
    refuses(
        &["generate", "-m", &model, "-o", dir, "--cfg-scale", "3", "--guidance", "auto"],
        &["--weak-model"],
    );
}

/// Nothing here may take time: each is told from the number alone.
#[test]
fn numbers_beyond_reason_are_refused_at_once() {
    for (args, says) in [
        (&["plan", "--solver", "heun", "--nfe", "1000000000000"][..], &["--nfe", "at most 100000"][..]),
        (&["plan", "--solver", "dpm-fast", "--nfe", "18446744073709551615"], &["--nfe", "at most"]),
        (&["plan", "--solver", "ddim:afs=true", "--nfe", "18446744073709551615"], &["--nfe", "at most"]),
        (
            &["plan", "--compat", "diffusers", "--solver", "deis", "--nfe", "1000000000"],
            &["--nfe", "at most"],
        ),
        (&["plan", "--solver", "restart:segments=1000x1000@0.1-0.3"], &["evaluations; have fewer"]),
        (&["plan", "--steps", "1000000000"], &["at most 100000"]),
        (&["plan", "--steps", "-1"], &["--steps", "-1"]),
        (&["plan", "--nfe", "0"], &["at least 1"]),
        (&["plan", "--t-min", "-5"], &["-5", "0 to 1"]),
        (&["plan", "--grid", "-0.5,-1"], &["-0.5"]),
        (&["plan", "--grid", "1,0.5,0.1", "--nfe", "1"], &["steps are listed", "leave --nfe out"]),
        (&["plan", "--solver", "dpm-12"], &["no plan", "run it with `generate`"]),
        (&["plan", "--solver", "paradigm"], &["did you mean `paradigms`"]),
        (&["plan", "--path", "edm:sigma_max=nan"], &["sigma_max", "from 0.002"]),
        (&["generate", "-o", "/nonexistent/x", "--threads", "70000"], &["--threads 70000", "1024"]),
        (&["generate", "-o", "/nonexistent/x", "--seeds", "-3"], &["-3"]),
        (&["bench", "--cfg-scale", "2,2"], &["2 is listed twice"]),
        (&["bench", "--weak-model", "fmnist-edm"], &["--weak-model", "no use"]),
        (&["bench", "--guidance", "cfg,auto", "--cfg-scale", "2"], &["`auto`", "--weak-model"]),
        (&["bench", "--teacher", "none", "--metrics", "fd,rmse"], &["`rmse`", "--teacher"]),
        (&["train", "edm", "--lr", "nan", "-o", "/nonexistent/x"], &["--lr", "above 0"]),
        (&["train", "edm", "--ema", "2", "-o", "/nonexistent/x"], &["--ema 2"]),
        (&["train", "edm", "--clip", "-1", "-o", "/nonexistent/x"], &["--clip -1"]),
    ] {
        refuses(args, says);
    }
}

#[test]
fn what_cannot_be_printed_is_an_error() {
    for args in [&["plan", "--json"][..], &["samplers"], &["guidance"], &["completions", "bash"]] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let done = fewstep().args(args).stdout(full).output().unwrap();
        let stderr = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(2), "{args:?}: {stderr}");
        assert!(stderr.contains("cannot write to stdout"), "{args:?}: {stderr}");
    }
}

/// What is refused leaves the manifest of the run before.
#[test]
fn a_refused_run_keeps_the_one_before() {
    let (dir, model) = model();
    let out = dir.path().join("out").to_str().unwrap().to_owned();
    let args = ["generate", "-m", &model, "-o", &out, "-s", "0-1", "--steps", "1"];
    assert!(run(&args).status.success());
    let manifest = dir.path().join("out/manifest.jsonl");
    let before = fs::read(&manifest).unwrap();
    let again = [&args[..], &["--overwrite"]].concat();
    refuses(&[&again[..], &["--cfg-scale", "2", "--guidance", "auto"]].concat(), &["--weak-model"]);
    refuses(&[&again[..], &["--weak-model", &model]].concat(), &["no use here"]);
    assert_eq!(fs::read(&manifest).unwrap(), before);
}
