//! A model small enough to be made on the spot.

#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod command;
pub(crate) mod guidance;

use std::cell::RefCell;
use std::fs;
use std::path::Path as FilePath;
use std::sync::Arc;

use fewstep::pipeline::{Observer, Silent};
use fewstep_models::unet2d::SampleSize;
use fewstep_models::{
    Fresh, ModelFolder, ModelSpec, NetDenoiser, Params, Prediction, Scope, TimeInput, UNet2d, UNet2dConfig,
    to_safetensors,
};
use tch::{Device, Kind, Tensor};

/// A folder with a model of small random weights, and the model's path.
pub(crate) fn model() -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model");
    tiny_model(&path);
    (dir, path.to_str().unwrap().to_owned())
}

/// A 28x28 class-conditional EDM network of a few thousand weights.
pub(crate) fn tiny_spec() -> (ModelSpec, UNet2dConfig) {
    let spec = ModelSpec {
        version: 1,
        path: "edm".parse().unwrap(),
        sample_path: "vp-linear".parse().unwrap(),
        prediction: Prediction::Edm { sigma_data: 0.5 },
        time: TimeInput::LogSigma { scale: 250.0 },
        shape: [1, 28, 28],
        classes: Some(10),
        class_names: vec![],
    };
    let config = UNet2dConfig {
        sample_size: Some(SampleSize::Square(28)),
        in_channels: 1,
        out_channels: 1,
        down_block_types: vec!["DownBlock2D".into(), "AttnDownBlock2D".into()],
        up_block_types: vec!["AttnUpBlock2D".into(), "UpBlock2D".into()],
        block_out_channels: vec![8, 16],
        layers_per_block: 1,
        attention_head_dim: Some(8),
        norm_num_groups: 4,
        num_class_embeds: Some(11),
        ..UNet2dConfig::default()
    };
    (spec, config)
}

/// Random weights, those that start at zero too, so that the network does something.
pub(crate) fn tiny_params(config: &UNet2dConfig) -> Params {
    tch::manual_seed(1);
    let fresh = RefCell::new(Fresh::new(Device::Cpu));
    let _ = UNet2d::new(&Scope::root(&fresh), config.clone());
    let params = fresh.into_inner().into_params();
    params
        .into_iter()
        .map(|(name, t)| {
            let noise = Tensor::randn(t.size(), (Kind::Float, Device::Cpu)) * 0.05;
            (name, t + noise)
        })
        .collect()
}

/// Writes the tiny model as a folder.
pub(crate) fn tiny_model(dir: &FilePath) {
    let (spec, config) = tiny_spec();
    let weights = to_safetensors(&tiny_params(&config), Kind::Half, &[]).unwrap();
    fs::create_dir_all(dir.join("unet")).unwrap();
    fs::write(dir.join("fewstep.json"), serde_json::to_string(&spec).unwrap()).unwrap();
    fs::write(dir.join("unet/config.json"), config.to_json().to_string()).unwrap();
    fs::write(dir.join("unet/diffusion_pytorch_model.fp16.safetensors"), weights).unwrap();
}

/// The tiny model, loaded.
pub(crate) fn tiny() -> NetDenoiser {
    let (_dir, path) = model();
    ModelFolder::open(&path).unwrap().load(Device::Cpu, Kind::Float).unwrap()
}

pub(crate) fn silent() -> Arc<dyn Observer> {
    Arc::new(Silent)
}
