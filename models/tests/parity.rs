//! The UNet against diffusers, on tiny networks whose every weight is random.
//!
//! `scripts/parity/make_unet_fixtures.py` made the fixtures; its versions stand in `fixtures/README.md`.

#![expect(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods, reason = "a test")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use fewstep_models::cpu::CpuUNet;
use fewstep_models::{Scope, UNet2d, UNet2dConfig, Weights};
use safetensors::{Dtype, SafeTensors};
use tch::{Device, Kind, Tensor};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn tensors(path: PathBuf) -> BTreeMap<String, Tensor> {
    let bytes = fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.tensors()
        .into_iter()
        .map(|(name, view)| {
            let shape: Vec<i64> = view.shape().iter().map(|&n| n as i64).collect();
            let kind = match view.dtype() {
                Dtype::F32 => Kind::Float,
                Dtype::I64 => Kind::Int64,
                other => panic!("{name} is {other:?}"),
            };
            (name, Tensor::from_data_size(view.data(), &shape, kind))
        })
        .collect()
}

#[test]
fn unet2d_equals_diffusers() {
    tch::set_num_threads(1);
    for name in ["unet2d_ddpm", "unet2d_class", "unet2d_scale_shift"] {
        let config = fs::read_to_string(fixture(name).join("config.json")).unwrap();
        let (config, unknown) = UNet2dConfig::from_json(name, &config).unwrap();
        assert!(unknown.is_empty(), "{name}: diffusers writes keys that are not understood: {unknown:?}");
        let bytes = fs::read(fixture(name).join("diffusion_pytorch_model.safetensors")).unwrap();
        let weights = RefCell::new(Weights::parse(name, &bytes, Device::Cpu, Kind::Float).unwrap());
        let net = UNet2d::new(&Scope::root(&weights), config.clone());
        let params = weights.into_inner().finish().unwrap();
        let io = tensors(fixture(name).join("io.safetensors"));
        let time = io["in.timestep"].to_kind(Kind::Float);
        let (x, class, want) = (&io["in.sample"], io.get("in.class_labels"), &io["out.sample"]);
        let mut outputs = vec![("libtorch", net.forward(x, &time, class).unwrap())];
        let time = time.expand([x.size()[0]], false);
        for (set, engine) in CpuUNet::variants(&config, &params).unwrap() {
            outputs.push((set, engine.forward(x, &time, class).unwrap()));
        }
        for (how, got) in outputs {
            assert_eq!(got.size(), want.size());
            let worst = f64::try_from((got - want).abs().max()).unwrap();
            println!("{name} in {how}: largest difference {worst:.1e}");
            assert!(worst < 1e-5, "{name} in {how}: largest difference {worst:.1e}");
        }
    }
}
