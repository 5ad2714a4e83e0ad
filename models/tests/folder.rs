//! A model folder is data from elsewhere: whatever stands in its files, it is opened, or refused by a message that names
//! file, field and value.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test")]

use std::fs;
use std::path::Path;

use fewstep_models::{Error, ModelFolder, ModelSpec, Params, Prediction, UNet2dConfig, to_safetensors, zoo};
use fewstep_samplers::{Node, Path as NoisePath};
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

/// `text` with another value at `place`.
fn changed(text: &str, place: &str, value: Value) -> String {
    let mut json: Value = serde_json::from_str(text).unwrap();
    *json.pointer_mut(place).unwrap() = value;
    json.to_string()
}

/// Writes the first built-in model with another configuration and other weights; its name.
fn write(dir: &Path, config: &str, weights: &[u8]) -> String {
    fs::create_dir_all(dir.join("unet")).unwrap();
    fs::write(dir.join("fewstep.json"), zoo::BUILTIN[0].spec).unwrap();
    fs::write(dir.join("unet/config.json"), config).unwrap();
    fs::write(dir.join("unet/diffusion_pytorch_model.safetensors"), weights).unwrap();
    dir.to_str().unwrap().to_owned()
}

/// Whether `error` says all of `says`, and nothing that a terminal would obey.
fn tells(error: &Error, says: &[&str]) -> bool {
    let error = error.to_string();
    says.iter().all(|part| error.contains(part)) && !error.contains(|c: char| c.is_control() && c != '\n')
}

#[test]
fn values_of_the_spec_are_checked() {
    let spec = zoo::BUILTIN[0].spec;
    let table = json!({"name": "discrete", "betas": "linear", "beta_0": 1e-4, "beta_1": 2, "rows": 1000});
    for (place, value, says) in [
        ("/version", json!(2), "`version`: 2 is not known"),
        ("/shape", json!([1, 1_048_576, 1_048_576]), "`shape`: height 1048576 is not allowed"),
        ("/shape", json!([1, -1, 28]), "`shape`: height -1"),
        ("/shape", json!([1, 28, 0]), "`shape`: width 0 is not allowed; give 1 to 16384"),
        ("/shape", json!([1, 4_611_686_018_427_387_904_i64, 4]), "`shape`: height 4611686018427387904"),
        ("/shape", json!([4097, 28, 28]), "`shape`: channels 4097 is not allowed; give 1 to 4096"),
        ("/shape", json!([4096, 16_384, 16_384]), "4096x16384x16384 is 1099511627776 values an image"),
        ("/path/sigma_min", json!(-5), "`path`: path `edm`: `sigma_min=-5`"),
        ("/path", json!({"name": "flow"}), "`prediction`: `edm` needs the path `edm`, not `flow`"),
        ("/path", json!({"name": "e\u{1b}[31m"}), r"e\u{1b}[31m"),
        ("/sample_path/beta_1", json!(0.01), "`sample_path`: path `vp-linear`: `beta_1=0.01`"),
        ("/sample_path", table, "`beta_1=2`"),
        ("/prediction/sigma_data", json!(0), "`prediction.sigma_data`: 0.0 is not allowed"),
        ("/prediction/sigma_data", json!(-1e300), "`prediction.sigma_data`: -1e300"),
        ("/prediction/sigma_data", json!(1.1e6), "give a number above 0 and at most 1000000"),
        ("/time/scale", json!(1e308), "`time.scale`: 1e308"),
        ("/time/scale", json!(-1), "`time.scale`: -1.0"),
        ("/classes", json!(0), "`classes`: 0 is not allowed; give 1 to 1000000"),
        ("/classes", json!(i64::MAX), "`classes`: 9223372036854775807"),
        ("/classes", json!(null), "`class_names`: 10 names are not allowed; give none, as"),
        ("/class_names", json!(vec!["x"; 40]), "`class_names`: 40 names are not allowed; give 10 or none"),
        ("/class_names/3", json!("e\u{1b}[31m"), r"`class_names`: `e\u{1b}[31m` holds a control character"),
    ] {
        let error = ModelSpec::from_json("m/fewstep.json", &changed(spec, place, value)).unwrap_err();
        assert!(tells(&error, &["`m/fewstep.json`", says]), "{place}: {error}");
    }
    let two = changed(&changed(spec, "/shape/1", json!(0)), "/time/scale", json!(0));
    let error = ModelSpec::from_json("m/fewstep.json", &two).unwrap_err();
    assert!(tells(&error, &["`shape`: height 0", "\n  `time.scale`: 0.0"]), "{error}");
    for (place, value) in [
        ("/shape", json!([4096, 128, 128])),
        ("/class_names", json!([])),
        ("/time/scale", json!(1e6)),
        ("/sample_path", json!({"name": "flow"})),
    ] {
        ModelSpec::from_json("m", &changed(spec, place, value)).unwrap();
    }
}

#[test]
fn fields_that_are_not_read_are_refused() {
    let spec = zoo::BUILTIN[0].spec;
    for (place, value, says) in [
        ("/prediction", json!({"type": "x0", "sigma_data": 0.5}), "`prediction` has no field `sigma_data`"),
        ("/time", json!({"input": "scaled", "scale": 1, "offset": 3}), "`time` has no field `offset`"),
        ("/sample_path", json!({"name": "flow", "shift": 3}), "`sample_path` has no field `shift`"),
    ] {
        let error = ModelSpec::from_json("m", &changed(spec, place, value)).unwrap_err();
        assert!(tells(&error, &[says]), "{place}: {error}");
    }
}

/// diffusers builds no middle block then.
#[test]
fn a_network_without_a_middle_is_another_one() {
    let mut config: Value = serde_json::from_str(zoo::BUILTIN[0].config).unwrap();
    config["mid_block_type"] = json!(null);
    let error = UNet2dConfig::from_json("config.json", &config.to_string()).unwrap_err();
    assert!(tells(&error, &["`mid_block_type: null`", "UNetMidBlock2D"]), "{error}");
    config["mid_block_type"] = json!("UNetMidBlock2D");
    UNet2dConfig::from_json("config.json", &config.to_string()).unwrap();
}

/// A device that never ends is no model.
#[cfg(unix)]
#[test]
fn only_regular_files_are_read() {
    let builtin = &zoo::BUILTIN[0];
    for file in ["fewstep.json", "unet/config.json", "unet/diffusion_pytorch_model.safetensors"] {
        let dir = tempfile::tempdir().unwrap();
        let name = write(dir.path(), builtin.config, builtin.weights);
        let path = dir.path().join(file);
        let _ = fs::remove_file(&path);
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        let error = ModelFolder::open(&name).unwrap_err();
        assert!(tells(&error, &[file, "no regular file"]), "{file}: {error}");
    }
}

/// Pure noise has no place on most paths; a network that was trained along one of them knows what comes near it.
#[test]
fn every_network_takes_pure_noise() {
    let noise = Node { t: 1.0, alpha: 0.0, sigma: 1.0 };
    for builtin in zoo::BUILTIN {
        let spec = ModelSpec::from_json("m", builtin.spec).unwrap();
        for path in [NoisePath::vp_linear(), NoisePath::ddpm(), NoisePath::edm(), NoisePath::Flow] {
            let spec = ModelSpec { path, prediction: Prediction::X0, ..spec.clone() };
            let (own, scale) = spec.own(&noise);
            let time = spec.time.at(&own);
            assert!(
                scale.is_finite() && own.sigma.is_finite() && own.rho() > 50.0,
                "{:?}: {own:?}",
                spec.path
            );
            // The flow gets there itself, but has no finite ln sigma for it.
            assert!(time.is_finite() || spec.path == NoisePath::Flow, "{:?}: {time}", spec.path);
        }
    }
}

#[test]
fn values_of_the_network_are_checked() {
    let config = zoo::BUILTIN[0].config;
    for (place, value, says) in [
        ("/attn_norm_num_groups", json!(0), "attn_norm_num_groups: 0 does not divide the last width, 96"),
        ("/attn_norm_num_groups", json!(7), "attn_norm_num_groups: 7"),
        ("/norm_num_groups", json!(0), "norm_num_groups: 0"),
        ("/norm_num_groups", json!(32), "norm_num_groups: 32"),
        ("/attention_head_dim", json!(0), "attention_head_dim: 0"),
        ("/attention_head_dim", json!(5), "attention_head_dim: 5"),
        // 32 divides the width of the other attentions, not the 48 of this one.
        ("/up_block_types/1", json!("AttnUpBlock2D"), "attention_head_dim: 32"),
        ("/downsample_padding", json!(2), "downsample_padding: 2 is not allowed; give 0 or 1"),
        ("/norm_eps", json!(0), "norm_eps: 0.0"),
        ("/norm_eps", json!(-1e-5), "norm_eps: -1e-5"),
        ("/mid_block_scale_factor", json!(0), "mid_block_scale_factor: 0.0"),
        ("/freq_shift", json!(16), "freq_shift: 16"),
        ("/freq_shift", json!(i64::MIN), "freq_shift: -9223372036854775808"),
        ("/block_out_channels", json!([32, 48, 65_537]), "block_out_channels: 65537"),
        ("/block_out_channels", json!([]), "block_out_channels (0)"),
        ("/layers_per_block", json!(0), "layers_per_block: 0 is not allowed; give 1 to 64"),
        ("/time_embedding_dim", json!(-1), "time_embedding_dim: -1"),
        ("/num_class_embeds", json!(0), "num_class_embeds: 0"),
        ("/act_fn", json!("e\u{1b}[31m"), r"act_fn: e\u{1b}[31m"),
        ("/_class_name", json!("e\u{1b}[31m"), r"_class_name: e\u{1b}[31m"),
    ] {
        let error = UNet2dConfig::from_json("config.json", &changed(config, place, value)).unwrap_err();
        assert!(tells(&error, &[says]), "{place}: {error}");
    }
    for (place, value) in [
        ("/attn_norm_num_groups", json!(6)),
        ("/downsample_padding", json!(0)),
        ("/freq_shift", json!(15)),
        ("/mid_block_scale_factor", json!(-1.5)),
        ("/attention_head_dim", json!(null)),
    ] {
        UNet2dConfig::from_json("config.json", &changed(config, place, value)).unwrap();
    }
}

#[test]
fn spec_and_network_go_together() {
    let builtin = &zoo::BUILTIN[0];
    let spec = ModelSpec::from_json("spec", builtin.spec).unwrap();
    let (config, _) = UNet2dConfig::from_json("config", builtin.config).unwrap();
    spec.fits(&config).unwrap();
    for (shape, classes, says) in [
        ([3, 28, 28], Some(10), "`shape`: 3 channels do not fit the network, which has 1 in and 1 out"),
        ([1, 30, 28], Some(10), "height 30 and width 28 do not fit the network; give multiples of 4"),
        ([1, 28, 28], Some(11), "`classes`: 12 labels, the null label included"),
        ([1, 28, 28], None, "`classes`: 0 labels, the null label included"),
    ] {
        let error = ModelSpec { shape, classes, ..spec.clone() }.fits(&config).unwrap_err();
        assert!(error.contains(says), "{error}");
    }
    // Maps are bounded too, each at the size of its level.
    let net = |width: &[i64]| UNet2dConfig { block_out_channels: width.to_vec(), ..config.clone() };
    let large = ModelSpec { shape: [1, 4096, 4096], ..spec.clone() };
    large.fits(&net(&[16, 16, 32, 64, 128, 256, 512])).unwrap();
    let error = large.fits(&net(&[16, 32])).unwrap_err();
    assert!(error.contains("feature maps of 536870912 values; at most 268435456"), "{error}");
}

/// Three levels of 65,536 channels are 150 GB and more.
#[test]
fn weights_that_are_not_there_take_no_memory() {
    let dir = tempfile::tempdir().unwrap();
    let config = changed(zoo::BUILTIN[0].config, "/block_out_channels", json!([65_536, 65_536, 65_536]));
    let name = write(dir.path(), &config, zoo::BUILTIN[0].weights);
    let error = ModelFolder::open(&name).unwrap().load(Device::Cpu, Kind::Float).unwrap_err();
    assert!(matches!(error, Error::Mismatch { .. }), "{error}");
    assert!(
        tells(&error, &["wrong shape", "down_blocks.0.resnets.0.norm1.weight: [65536], [32]"]),
        "{error}"
    );
}

#[test]
fn names_of_the_files_do_not_steer_a_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let key = "evil\u{1b}[31m";
    let shown = r"evil\u{1b}[31m";
    let mut config: Value = serde_json::from_str(zoo::BUILTIN[0].config).unwrap();
    config[key] = json!(1);
    let weights = Params::from([(key.to_owned(), Tensor::from_slice(&[0f32]))]);
    let weights = to_safetensors(&weights, Kind::Float, &[]).unwrap();
    let folder = ModelFolder::open(&write(dir.path(), &config.to_string(), &weights)).unwrap();
    assert_eq!(folder.unknown_keys, [shown]);
    let error = folder.load(Device::Cpu, Kind::Float).unwrap_err();
    assert!(tells(&error, &["unexpected: ", shown]), "{error}");
    let spec = zoo::BUILTIN[0].spec.replacen("\"version\"", "\"evil\\u001b[31m\"", 1);
    let error = ModelSpec::from_json("fewstep.json", &spec).unwrap_err();
    assert!(tells(&error, &[shown]), "{error}");
}

#[test]
fn a_file_that_is_missing_is_named_once() {
    let dir = tempfile::tempdir().unwrap();
    let builtin = &zoo::BUILTIN[0];
    let name = write(dir.path(), builtin.config, builtin.weights);
    fs::remove_file(dir.path().join("unet/config.json")).unwrap();
    let error = ModelFolder::open(&name).unwrap_err();
    assert!(tells(&error, &["cannot read `", "unet/config.json", "os error 2"]), "{error}");
    // Whoever prints the causes as well, as `{error:#}` of anyhow does, prints the reason no second time.
    assert!(std::error::Error::source(&error).is_none());

    fs::remove_file(dir.path().join("fewstep.json")).unwrap();
    let error = ModelFolder::open(&name).unwrap_err().to_string();
    let says = "a diffusers folder needs one beside `unet/`, see docs/model-folder.md";
    assert_eq!(error, format!("no `fewstep.json` in `{name}`; {says}"));
    fs::remove_dir_all(dir.path().join("unet")).unwrap();
    let error = ModelFolder::open(&name).unwrap_err();
    assert!(tells(&error, &["no `fewstep.json` in `", "docs/model-folder.md"]), "{error}");
}

#[test]
fn examples_of_the_document_are_models() {
    let document = include_str!("../../docs/model-folder.md");
    let rests = document.split("```json\n").skip(1);
    let blocks: Vec<&str> = rests.filter_map(|rest| rest.split("```").next()).collect();
    let [edm, edm_net, ddpm, ddpm_net] = blocks[..] else { panic!("{} examples", blocks.len()) };
    let read = |spec: &str, config: &str| {
        let spec = ModelSpec::from_json("spec", spec).unwrap();
        let (config, unknown) = UNet2dConfig::from_json("config", config).unwrap();
        assert!(unknown.is_empty(), "{unknown:?}");
        spec.fits(&config).unwrap();
        (spec, config)
    };
    let builtin = &zoo::BUILTIN[0];
    assert!(read(edm, edm_net) == read(builtin.spec, builtin.config));
    let (spec, _) = read(ddpm, ddpm_net);
    assert_eq!(spec.path, NoisePath::ddpm());
    // The network is told the row, as diffusers tells it.
    assert!((spec.time.at(&spec.path.node(999.0)) - 999.0).abs() < 1e-9);
}
