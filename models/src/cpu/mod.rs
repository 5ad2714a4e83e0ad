//! The UNet's forward pass on the CPU without libtorch: f32, AVX-512 or AVX2, one thread.
//!
//! ```text
//! config + weights ─► build: a list of steps over numbered buffers ─► run: chunks of images, step by step
//!                     norm + SiLU + padding + Winograd in one pass, 36 products, and back with bias, time, residual
//! ```
//!
//! Activations lie as `[image][block of 16 channels][pixel][16]`, so that a concatenation is two lists of blocks and every
//! row of a product is 64 bytes after the one before. A 3x3 convolution takes a quarter of the direct method's
//! multiplications. Every output is summed in an order that does not depend on the batch: an image's result is the same
//! to the bit alone and among others.

mod attention;
mod build;
mod conv;
mod kernels;
mod layers;
mod run;
mod sections;
mod step;
mod time;

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use tch::{Kind, Tensor};

use crate::error::Result;
use crate::params::Params;
use crate::unet2d::UNet2dConfig;
use build::Net;
use kernels::isa::Isa;
use run::Scratch;
pub use sections::Section;

/// A [`crate::UNet2d`] for inference on the CPU.
#[derive(Debug)]
pub struct CpuUNet {
    net: Arc<Net>,
    scratch: RefCell<Scratch>,
}

impl CpuUNet {
    /// Packs the weights of the network that `config` describes for the best vector instructions that the processor has; of
    /// `params` it keeps nothing.
    ///
    /// # Errors
    /// The reason, if this machine or this network is not one that the engine can run.
    pub fn new(config: &UNet2dConfig, params: &Params) -> std::result::Result<Self, String> {
        let isa = Isa::all().next().ok_or("the processor has neither AVX-512 nor AVX2")?;
        Self::with(isa, config, params)
    }

    /// [`Self::new`] for each set of vector instructions that the processor has, by name, the one of [`Self::new`] first:
    /// to compare them.
    ///
    /// # Errors
    /// As there, but for a processor without any, which has an empty list.
    pub fn variants(
        config: &UNet2dConfig,
        params: &Params,
    ) -> std::result::Result<Vec<(&'static str, Self)>, String> {
        Isa::all().map(|isa| Ok((isa.name(), Self::with(isa, config, params)?))).collect()
    }

    fn with(isa: Isa, config: &UNet2dConfig, params: &Params) -> std::result::Result<Self, String> {
        Ok(Self { net: Arc::new(Net::new(isa, config, params)?), scratch: RefCell::default() })
    }

    /// Another instance over the same weights, for another thread.
    #[must_use]
    pub fn share(&self) -> Self {
        Self { net: Arc::clone(&self.net), scratch: RefCell::default() }
    }

    /// Whether to measure where the time goes; off at first.
    pub fn profile(&self, on: bool) {
        self.scratch.borrow_mut().clock.switch(on);
    }

    /// Time spent in each of [`Section::ALL`] since the last call of this, as far as [`Self::profile`] was on.
    pub fn spent(&self) -> Vec<(Section, Duration)> {
        Section::ALL.into_iter().zip(self.scratch.borrow_mut().clock.take()).collect()
    }

    /// [`crate::UNet2d::forward`] for a time of its own and a label of its own for each image.
    ///
    /// # Shapes
    /// - `x: [b, in_channels, h, w]` of any kind, on the CPU
    /// - `t: [b]`, `class: [b]`
    /// - output `[b, out_channels, h, w]` f32
    ///
    /// # Errors
    /// [`crate::Error::Input`] as there.
    pub fn forward(&self, x: &Tensor, t: &Tensor, class: Option<&Tensor>) -> Result<Tensor> {
        self.net.config.check_input(x, t, class)?;
        let size = x.size();
        let dims: Vec<usize> = size.iter().map(|&n| n as usize).collect();
        let class: Option<Vec<i64>> = class.map(|c| {
            let mut out = vec![0i64; c.numel()];
            c.to_kind(Kind::Int64).contiguous().copy_data(&mut out, dims[0]);
            out
        });
        let input = values(x);
        let mut output = vec![0f32; dims[0] * self.net.out_channels() * dims[2] * dims[3]];
        let ask =
            run::Ask { x: &input, t: &values(t), class: class.as_deref(), height: dims[2], width: dims[3] };
        self.net.forward(&mut self.scratch.borrow_mut(), &ask, &mut output);
        Ok(Tensor::from_slice(&output).view([size[0], self.net.out_channels() as i64, size[2], size[3]]))
    }
}

/// The values of a tensor as f32, last axis fastest.
fn values(tensor: &Tensor) -> Vec<f32> {
    let flat = tensor.detach().to_kind(Kind::Float).contiguous();
    let mut out = vec![0f32; flat.numel()];
    flat.copy_data(&mut out, flat.numel());
    out
}
