//! Diffusion and flow models: one loss for every parametrisation.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use fewstep_models::layers::channels_last;
use fewstep_models::{
    Fresh, Given, ModelFolder, ModelSpec, NetDenoiser, Params, Scope, UNet2d, UNet2dConfig, to_safetensors,
};
use fewstep_samplers::{GridRule, Node};
use tch::{Device, Kind, Tensor};

use super::levels::quantiles;
use super::{Levels, Task};
use crate::output::{write_grid, write_whole};
use crate::pipeline::{Batches, Job, Observer, Silent, quantise};
use crate::train::Training;

/// Share of images that lose their label in training, so that the network learns the unconditional model too
/// (2207.12598).
const LABEL_DROPOUT: f64 = 0.1;

/// Trains a [`UNet2d`] to tell image from noise.
#[derive(Debug)]
pub struct Denoise {
    spec: ModelSpec,
    net_config: UNet2dConfig,
    levels: Levels,
    start: Option<Params>,
    net: Option<UNet2d>,
    device: Device,
}

impl Denoise {
    /// `spec` and `net_config` are written beside the weights, so that the result can be loaded as a model folder.
    pub fn new(spec: ModelSpec, net_config: UNet2dConfig, levels: Levels) -> Self {
        Self { spec, net_config, levels, start: None, net: None, device: Device::Cpu }
    }

    /// Starts from the weights of `model` in place of random ones. A network for grey images may start one for colour: its
    /// first convolution then sees their mean, and its last gives every channel the same.
    ///
    /// # Errors
    /// If the model has another network, or its weights are damaged.
    pub fn start_from(&mut self, model: &ModelFolder) -> Result<()> {
        let channels = (self.net_config.in_channels, self.net_config.out_channels);
        let mut config = model.config.clone();
        let grey = (config.in_channels, config.out_channels) == (1, 1);
        if grey {
            (config.in_channels, config.out_channels) = channels;
        }
        ensure!(
            config == self.net_config,
            "`{}` has another network than the one to be trained; start from one that this command made",
            model.name
        );
        let mut params = model.load(Device::Cpu, Kind::Float)?.into_params();
        if grey {
            let (input, output) = channels;
            let mut repeat = |name: &str, times: &[i64], scale: f64| {
                if let Some(t) = params.get_mut(name) {
                    *t = t.repeat(times) * scale;
                }
            };
            repeat("conv_in.weight", &[1, input, 1, 1], 1.0 / input as f64);
            repeat("conv_out.weight", &[output, 1, 1, 1], 1.0);
            repeat("conv_out.bias", &[output], 1.0);
        }
        self.start = Some(params);
        Ok(())
    }

    fn build(&self, params: &Params) -> UNet2d {
        let given = RefCell::new(Given(params));
        UNet2d::new(&Scope::root(&given), self.net_config.clone())
    }

    /// `[b, 1, 1, 1]` f32 from one number an image.
    fn column(&self, nodes: &[Node], f: impl Fn(&Node) -> f64) -> Tensor {
        let values: Vec<f32> = nodes.iter().map(|n| f(n) as f32).collect();
        Tensor::from_slice(&values).view([-1, 1, 1, 1]).to_device(self.device)
    }
}

impl Task for Denoise {
    fn init(&mut self, device: Device) -> Params {
        self.device = device;
        if let Some(start) = &self.start {
            return start.iter().map(|(name, t)| (name.clone(), t.to_device(device))).collect();
        }
        let fresh = RefCell::new(Fresh::new(device));
        let _ = UNet2d::new(&Scope::root(&fresh), self.net_config.clone());
        fresh.into_inner().into_params()
    }

    fn bind(&mut self, params: &Params) {
        self.net = Some(self.build(params));
    }

    fn loss(&self, images: &Tensor, labels: &Tensor) -> Tensor {
        let Some(net) = &self.net else { unreachable!("`bind` comes before `loss`") };
        let b = images.size()[0];
        let nodes: Vec<Node> =
            quantiles(b).into_iter().map(|(u, z)| self.levels.node(&self.spec, u, z)).collect();
        let prediction = self.spec.prediction;
        let eps = images.randn_like();
        let x = self.column(&nodes, |n| n.alpha) * images + self.column(&nodes, |n| n.sigma) * &eps;
        let input = self.column(&nodes, |n| prediction.input_scale(n)) * x;
        let target = self.column(&nodes, |n| prediction.target(n).0) * images
            + self.column(&nodes, |n| prediction.target(n).1) * eps;
        let time = self.column(&nodes, |n| self.spec.time.at(n)).view([-1]);
        let class = self.spec.classes.map(|null| {
            let drop = Tensor::rand([b], (Kind::Float, self.device)).lt(LABEL_DROPOUT);
            labels.masked_fill(&drop, null)
        });
        // In this order of memory the backward pass is the faster one, on every device.
        let raw = match net.forward(&channels_last(&input), &time, class.as_ref()) {
            Ok(raw) => raw,
            Err(e) => unreachable!("the training set fits the network: {e}"),
        };
        (raw - target).square().mean(Kind::Float)
    }

    fn snapshot(&self, ema: &Params, dir: &Path, about: &Training) -> Result<()> {
        self.finish(ema, dir, about)?;
        let _no_grad = tch::no_grad_guard();
        let denoiser = NetDenoiser::new(self.net_config.clone(), clone(ema), self.spec.clone(), Kind::Float);
        let path = &self.spec.sample_path;
        let grid = GridRule::default_for(path).grid(path, 20, None, None, None)?;
        let plan = fewstep_samplers::solver("deis-tab2")?.plan(&grid)?;
        let job = Job {
            seed: 0,
            images: (0..40).collect(),
            class: None,
            init: None,
            batch: 40,
            workers: 1,
            device: self.device,
            share: None,
        };
        for batch in Batches::new(&plan, &denoiser, &job, &(Arc::new(Silent) as Arc<dyn Observer>)) {
            write_grid(&dir.join("preview.png"), &quantise(&batch?.x), 10)?;
        }
        Ok(())
    }

    fn finish(&self, ema: &Params, dir: &Path, about: &Training) -> Result<()> {
        let unet = dir.join("unet");
        fs::create_dir_all(&unet).with_context(|| format!("cannot create `{}`", unet.display()))?;
        let write = |path: PathBuf, value: &serde_json::Value| -> Result<()> {
            write_whole(&path, (serde_json::to_string_pretty(value)? + "\n").as_bytes())
        };
        write(unet.join("config.json"), &self.net_config.to_json())?;
        write(dir.join("fewstep.json"), &serde_json::to_value(&self.spec)?)?;
        about.save(dir)?;
        let file = unet.join("diffusion_pytorch_model.fp16.safetensors");
        write_whole(&file, &to_safetensors(ema, Kind::Half, &[("format", "pt")])?)
    }
}

fn clone(params: &Params) -> Params {
    params.iter().map(|(name, t)| (name.clone(), t.shallow_clone())).collect()
}
