//! The one question that the rest of the program asks a model.

use fewstep_samplers::{Node, Pred};
use tch::{Kind, Tensor};

use crate::error::Result;
use crate::spec::ModelSpec;
use crate::unet2d::UNet2d;

/// Tells the noise-free image, the noise, or their difference from a noisy image.
pub trait Denoiser {
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

    /// How the model was trained.
    fn spec(&self) -> &ModelSpec;
}

/// A network, driven as its [`ModelSpec`] says.
#[derive(Debug)]
pub struct NetDenoiser {
    net: UNet2d,
    spec: ModelSpec,
    kind: Kind,
}

impl NetDenoiser {
    /// `net` holds its weights in `kind`; images go in and out as f32 all the same.
    pub fn new(net: UNet2d, spec: ModelSpec, kind: Kind) -> Self {
        Self { net, spec, kind }
    }

    /// The network itself.
    pub fn net(&self) -> &UNet2d {
        &self.net
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
}
