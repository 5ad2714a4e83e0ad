//! The one question that the rest of the program asks a model.

use std::cell::RefCell;

use fewstep_samplers::{Node, Pred};
use tch::{Device, Kind, Tensor};

use crate::cpu::CpuUNet;
use crate::error::Result;
use crate::layers::channels_last;
use crate::params::Params;
use crate::source::{Given, Scope};
use crate::spec::ModelSpec;
use crate::unet2d::{UNet2d, UNet2dConfig};

/// Tells the noise-free image, the noise, or their difference from a noisy image.
pub trait Denoiser: Send {
    /// The quantity `want` in `x`, which stands at `node` of whatever path the sampler follows.
    ///
    /// # Shapes
    /// - `x: [b, c, h, w]` f32
    /// - `class: [b]` i64, `0..classes`, or `classes` for "no label"; `None` for an unconditional model
    /// - output as `x`
    ///
    /// # Errors
    /// If a shape or label does not fit the model.
    fn predict(&self, x: &Tensor, node: &Node, want: Pred, class: Option<&Tensor>) -> Result<Tensor>;

    /// [`Denoiser::predict`] with a node of its own for each image.
    ///
    /// # Shapes
    /// - `x: [b, c, h, w]` f32, `nodes`: b
    /// - `class` and output as there
    ///
    /// # Errors
    /// As there.
    fn predict_each(&self, x: &Tensor, nodes: &[Node], want: Pred, class: Option<&Tensor>) -> Result<Tensor> {
        let one = |(i, node): (usize, &Node)| {
            let class = class.map(|class| class.narrow(0, i as i64, 1));
            self.predict(&x.narrow(0, i as i64, 1), node, want, class.as_ref())
        };
        Ok(Tensor::cat(&nodes.iter().enumerate().map(one).collect::<Result<Vec<_>>>()?, 0))
    }

    /// How the model was trained.
    fn spec(&self) -> &ModelSpec;

    /// Whether an image's result is the same to the bit in a batch of any size; then no batch needs padding.
    fn any_batch(&self) -> bool {
        false
    }

    /// Another instance over the same weights, for another thread: libtorch's tensors may be sent to a thread, but
    /// not looked at from two. Nothing is copied.
    fn share(&self) -> Box<dyn Denoiser>;
}

/// A network, driven as its [`ModelSpec`] says.
#[derive(Debug)]
pub struct NetDenoiser {
    net: UNet2d,
    /// Our own kernels, or why libtorch runs the network.
    engine: std::result::Result<CpuUNet, String>,
    spec: ModelSpec,
    params: Params,
    kind: Kind,
    /// Whether libtorch gets weights and images with the channels of a pixel side by side.
    channels_last: bool,
}

impl NetDenoiser {
    /// The network that `config` describes, over `params` in `kind`; images go in and out as f32 all the same.
    ///
    /// On a CPU with AVX-512 or AVX2 it runs in [`CpuUNet`], over the values that `params` have now, and always in f32: a `kind`
    /// of bf16 rounds the weights alone. Elsewhere, and where a gradient is asked for, it runs in libtorch, on a GPU
    /// with [`NetDenoiser::channels_last`].
    ///
    /// # Panics
    /// If `params` are not those of such a network.
    pub fn new(config: UNet2dConfig, params: Params, spec: ModelSpec, kind: Kind) -> Self {
        // First, as it finds weights that are not of such a network.
        let eager = Self::eager(config, params, spec, kind);
        if eager.params.values().any(|t| t.device().is_cuda()) {
            return eager.channels_last();
        }
        let on_cpu = eager.params.values().all(|t| t.device() == Device::Cpu);
        let engine = if on_cpu && matches!(kind, Kind::Float | Kind::BFloat16) {
            CpuUNet::new(eager.net.config(), &eager.params)
        } else {
            Err(format!("it computes in {kind:?}"))
        };
        Self { engine, ..eager }
    }

    /// [`NetDenoiser::new`] in libtorch everywhere.
    ///
    /// # Panics
    /// As there.
    pub fn eager(config: UNet2dConfig, params: Params, spec: ModelSpec, kind: Kind) -> Self {
        let given = RefCell::new(Given(&params));
        let net = UNet2d::new(&Scope::root(&given), config);
        let engine = Err("nothing else was asked for".to_owned());
        Self { net, engine, spec, params, kind, channels_last: false }
    }

    /// Lays weights and images out with the channels of a pixel side by side, as tensor cores read them. In libtorch the
    /// layout of its arguments decides how a convolution runs; the result differs by rounding alone.
    #[must_use]
    pub fn channels_last(self) -> Self {
        let laid = |t: Tensor| if t.dim() == 4 { channels_last(&t) } else { t };
        let params = self.params.into_iter().map(|(name, t)| (name, laid(t))).collect();
        let eager = Self::eager(self.net.config().clone(), params, self.spec, self.kind);
        Self { channels_last: true, ..eager }
    }

    /// The weights by name.
    pub fn into_params(self) -> Params {
        self.params
    }

    /// Number of weights.
    pub fn parameters(&self) -> usize {
        self.params.values().map(Tensor::numel).sum()
    }

    /// Why libtorch computes it and not the CPU engine, if that is so.
    pub fn in_libtorch(&self) -> Option<&str> {
        self.engine.as_ref().err().map(String::as_str)
    }

    fn raw(&self, input: &Tensor, time: &Tensor, class: Option<&Tensor>) -> Result<Tensor> {
        match &self.engine {
            Ok(engine) if !input.requires_grad() => engine.forward(input, time, class),
            _ => {
                let input = input.to_kind(self.kind);
                let input = if self.channels_last { channels_last(&input) } else { input };
                Ok(self.net.forward(&input, time, class)?.to_kind(Kind::Float))
            }
        }
    }

    /// How the image at `node` goes in and comes out.
    fn scalings(&self, node: &Node, want: Pred) -> Scalings {
        let (own, scale) = self.spec.own(node);
        let (a, b) = self.spec.prediction.output(&own, want);
        Scalings {
            input: scale * self.spec.prediction.input_scale(&own),
            time: self.spec.time.at(&own),
            a: a * scale,
            b,
        }
    }
}

/// The wanted quantity is `a x + b raw(input x, time)`.
struct Scalings {
    input: f64,
    time: f64,
    a: f64,
    b: f64,
}

impl Denoiser for NetDenoiser {
    fn predict(&self, x: &Tensor, node: &Node, want: Pred, class: Option<&Tensor>) -> Result<Tensor> {
        let s = self.scalings(node, want);
        let time = Tensor::full([x.size()[0]], s.time, (Kind::Float, x.device()));
        let raw = self.raw(&(x * s.input), &time, class)?;
        Ok(x * s.a + raw * s.b)
    }

    fn predict_each(&self, x: &Tensor, nodes: &[Node], want: Pred, class: Option<&Tensor>) -> Result<Tensor> {
        let all: Vec<Scalings> = nodes.iter().map(|node| self.scalings(node, want)).collect();
        let column = |of: fn(&Scalings) -> f64| {
            let values: Vec<f32> = all.iter().map(|s| of(s) as f32).collect();
            Tensor::from_slice(&values).to_device(x.device())
        };
        let factor = |of| column(of).view([-1, 1, 1, 1]); // [b, 1, 1, 1]
        let raw = self.raw(&(x * factor(|s| s.input)), &column(|s| s.time), class)?;
        Ok(x * factor(|s| s.a) + raw * factor(|s| s.b))
    }

    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn any_batch(&self) -> bool {
        self.engine.is_ok()
    }

    fn share(&self) -> Box<dyn Denoiser> {
        let params = self.params.iter().map(|(name, t)| (name.clone(), t.shallow_clone())).collect();
        let eager = Self::eager(self.net.config().clone(), params, self.spec.clone(), self.kind);
        let engine = self.engine.as_ref().map(CpuUNet::share).map_err(Clone::clone);
        Box::new(Self { engine, channels_last: self.channels_last, ..eager })
    }
}
