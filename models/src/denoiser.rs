//! The one question that the rest of the program asks a model.

use std::cell::RefCell;

use fewstep_samplers::{Node, Pred};
use tch::{Kind, Tensor};

use crate::error::Result;
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

    /// Another instance over the same weights, for another thread: libtorch's tensors may be sent to a thread, but
    /// not looked at from two. Nothing is copied.
    fn share(&self) -> Box<dyn Denoiser>;
}

/// A network, driven as its [`ModelSpec`] says.
#[derive(Debug)]
pub struct NetDenoiser {
    net: UNet2d,
    spec: ModelSpec,
    params: Params,
    kind: Kind,
}

impl NetDenoiser {
    /// The network that `config` describes, over `params` in `kind`; images go in and out as f32 all the same.
    ///
    /// # Panics
    /// If `params` are not those of such a network.
    pub fn new(config: UNet2dConfig, params: Params, spec: ModelSpec, kind: Kind) -> Self {
        let given = RefCell::new(Given(&params));
        let net = UNet2d::new(&Scope::root(&given), config);
        Self { net, spec, params, kind }
    }

    /// The weights by name.
    pub fn into_params(self) -> Params {
        self.params
    }

    /// Number of weights.
    pub fn parameters(&self) -> usize {
        self.params.values().map(Tensor::numel).sum()
    }
}

impl Denoiser for NetDenoiser {
    fn predict(&self, x: &Tensor, node: &Node, want: Pred, class: Option<&Tensor>) -> Result<Tensor> {
        // x0 and eps depend on the path through sigma/alpha alone, so the image is carried over to the network's own
        // path at the same ratio. The factor is taken from sigma, which is not zero where a network is asked
        // (alpha is, at the noise end of a flow).
        let own = self.spec.path.node(self.spec.path.t_of_lambda(node.lambda()));
        let scale = own.sigma / node.sigma;
        let prediction = self.spec.prediction;
        let input = (x * (scale * prediction.input_scale(&own))).to_kind(self.kind);
        let time = Tensor::full([x.size()[0]], self.spec.time.at(&own), (Kind::Float, x.device()));
        let raw = self.net.forward(&input, &time, class)?.to_kind(Kind::Float);
        let (a, b) = prediction.output(&own, want);
        Ok(x * (a * scale) + raw * b)
    }

    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn share(&self) -> Box<dyn Denoiser> {
        let params = self.params.iter().map(|(name, t)| (name.clone(), t.shallow_clone())).collect();
        Box::new(Self::new(self.net.config().clone(), params, self.spec.clone(), self.kind))
    }
}
