//! A classifier of noisy images, whose gradient guides a sampler towards a class.

use super::{Classifier, FeatureNet as _, NOISY};
use crate::{Error, Result};
use tch::{Device, Kind, Tensor};

/// [`Classifier`] of the architecture [`NOISY`] with its way of being told the noise level.
///
/// An image of noise level `rho` is `z = x0 + rho n`, with `n` of the standard normal distribution: the frame of EDM, to
/// which a state `alpha x0 + sigma n` of any path comes by division by `alpha`, with `rho = sigma / alpha`. So one
/// network serves all paths. It sees two planes, as in arXiv 2206.00364, table 1: `z / sqrt(rho^2 + 0.5^2)`, which is
/// about as large at every level, and the constant `ln(rho) / 4`.
#[derive(Debug)]
pub struct NoisyClassifier(Classifier);

impl NoisyClassifier {
    /// Noise levels that training covers; beyond, the nearer end is told.
    pub const LEVELS: (f64, f64) = (0.002, 80.0);
    /// Standard deviation of the data that the scale of the image supposes.
    const SIGMA_DATA: f64 = 0.5;

    /// Over a network that exists.
    ///
    /// # Errors
    /// [`Error::Value`] when it is of another architecture.
    pub fn new(net: Classifier) -> Result<Self> {
        let got = net.arch().name;
        if got == NOISY.name {
            return Ok(Self(net));
        }
        let (what, expected) = ("classifier of noisy images", "`fmnist-noisy-cnn`");
        Err(Error::Value { what, expected, got: format!("`{got}`") })
    }

    /// Logarithms of the probabilities of the classes. Differentiable in `z`.
    ///
    /// # Shapes
    /// `z: [n, 1, 28, 28]` of the kind of the weights, `rho`: n, above 0; result `[n, 10]`
    ///
    /// # Errors
    /// When `z` has another kind or shape, or there are not as many levels as images.
    pub fn log_probs(&self, z: &Tensor, rho: &[f64]) -> Result<Tensor> {
        let size = z.size();
        if size.len() != 4 || size[0] as usize != rho.len() {
            let (expected, got) = (format!("{} images", rho.len()), format!("{size:?}"));
            return Err(Error::Shape { what: "noisy images", expected, got });
        }
        let (lo, hi) = Self::LEVELS;
        let scale = rho.iter().map(|rho| 1.0 / rho.hypot(Self::SIGMA_DATA));
        let told = rho.iter().map(|rho| rho.clamp(lo, hi).ln() / 4.0);
        let column = |values: Vec<f64>| -> Result<Tensor> {
            Ok(Tensor::f_from_slice(&values)?
                .f_view([-1, 1, 1, 1])?
                .f_to(z.device())?
                .f_to_kind(z.f_kind()?)?)
        };
        let image = z.f_mul(&column(scale.collect())?)?;
        let plane = column(told.collect())?;
        let plane = plane.f_expand([size[0], 1, size[2], size[3]], false)?;
        let logits = self.0.forward(&Tensor::f_cat(&[image, plane], 1)?)?.logits;
        Ok(logits.f_log_softmax(1, None::<Kind>)?)
    }

    /// Another handle on the weights, on `device`.
    ///
    /// # Errors
    /// When libtorch cannot copy them.
    pub fn to_device(&self, device: Device) -> Result<Self> {
        Ok(Self(self.0.to_device(device)?))
    }

    /// Another handle on the same weights, for another thread.
    #[must_use]
    pub fn share(&self) -> Self {
        Self(self.0.share())
    }

    /// Name and SHA-256 of the weights, `name:sha256`.
    ///
    /// # Errors
    /// When libtorch cannot read the weights.
    pub fn id(&self) -> Result<String> {
        self.0.id()
    }
}
