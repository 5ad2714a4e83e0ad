//! The built-in classifiers: those whose last hidden layer serves as feature space, `fmnist-cnn` and
//! `fmnist-colour-cnn`, and the one for noisy images, `fmnist-noisy-cnn`.

use super::batches::in_batches;
use super::{Arch, FeatureNet, Params};
use crate::rng::SplitMix64;
use crate::{Error, Result, tensors};
use std::collections::BTreeMap;
use tch::{Device, Tensor};

/// Small convolutional network for 28x28 images of ten classes.
///
/// Four 3x3 convolutions with ReLU, all but the third followed by 2x2 max-pooling (28 -> 14 -> 7 -> 3 pixels), a
/// hidden layer of 128 ReLU units (the *features*) and a linear layer (the *logits*): 6.1 million multiplications
/// an image. There is no normalisation on purpose: it would divide contrast out, and a distance that cannot see
/// faded pictures is of little use to sampler research.
///
/// Colours say nothing about the class, and a network trained on classes alone would learn not to see them. The one for
/// colour images therefore has a third task: a linear layer tells the *thumbnail*, the image averaged to 4x4 pixels, from
/// the features. It shapes them in training and is not used otherwise.
///
/// The one for noisy images is there for its gradient with respect to the image. Its activation is SiLU and its pooling
/// an average: ReLU and maxima give a gradient of jumps that rests on one pixel in four.
#[derive(Debug)]
pub struct Classifier {
    arch: &'static Arch,
    params: Params,
}

/// What the network says about a batch.
#[derive(Debug)]
pub struct Output {
    /// Last hidden layer, f32 `[n, 128]`, after ReLU never negative.
    pub features: Tensor,
    /// Unnormalised log-probabilities, f32 `[n, 10]`.
    pub logits: Tensor,
}

impl Classifier {
    /// Length of a feature vector.
    pub const DIM: usize = 128;
    /// Count of classes.
    pub const CLASSES: usize = 10;

    /// Fresh weights: uniform within ±sqrt(6 / fan-in) (He et al., 2015, eq. 10) and zero biases, from `seed` alone.
    ///
    /// # Errors
    /// When libtorch cannot make a tensor.
    pub fn init(arch: &'static Arch, seed: u64) -> Result<Self> {
        let mut map = BTreeMap::new();
        for (stream, (name, shape)) in arch.specs.iter().enumerate() {
            let count = shape.iter().product::<i64>() as usize;
            let fan_in = shape[1..].iter().product::<i64>() as f64;
            // The head starts small: first predictions near uniform save the optimiser some steps of unlearning.
            let gain = if *name == "head.weight" { 0.1 } else { 1.0 };
            let bound = if name.ends_with("bias") { 0.0 } else { gain * (6.0 / fan_in).sqrt() };
            let mut rng = SplitMix64::keyed(seed, stream as u64);
            let values: Vec<f32> = (0..count).map(|_| (bound * (2.0 * rng.uniform() - 1.0)) as f32).collect();
            map.insert((*name).to_owned(), tensors::from_slice(&values, shape)?);
        }
        Ok(Self { arch, params: Params::from_map(map) })
    }

    /// Loads weights stored as f32 or f16; the computation is f32 either way.
    ///
    /// # Errors
    /// [`Error::Weights`] with every missing, unexpected, mis-shaped or mis-typed weight.
    pub fn from_safetensors(arch: &'static Arch, bytes: &[u8]) -> Result<Self> {
        Ok(Self { arch, params: Params::from_safetensors(arch.name, bytes, arch.specs)? })
    }

    /// A network over existing weights, as a trainer holds them. They are shared, not copied.
    ///
    /// # Errors
    /// [`Error::Weights`] when a name is missing or superfluous, or a shape is wrong.
    pub fn from_tensors(arch: &'static Arch, tensors: BTreeMap<String, Tensor>) -> Result<Self> {
        let mut problems: Vec<String> = arch
            .specs
            .iter()
            .filter(|(name, shape)| tensors.get(*name).is_none_or(|t| t.size() != *shape))
            .map(|(name, _)| format!("`{name}` is missing or has another shape"))
            .collect();
        let known = |name: &str| arch.specs.iter().any(|(known, _)| *known == name);
        problems.extend(tensors.keys().filter(|n| !known(n)).map(|n| format!("`{n}` is unexpected")));
        if problems.is_empty() {
            Ok(Self { arch, params: Params::from_map(tensors) })
        } else {
            Err(Error::Weights { network: arch.name.to_owned(), problems })
        }
    }

    /// Stores the weights, as f16 when `half` (0.3 MB), else as f32.
    ///
    /// # Errors
    /// When a weight is not finite in that type.
    pub fn to_safetensors(&self, half: bool) -> Result<Vec<u8>> {
        self.params.to_safetensors(half)
    }

    /// Another handle on the same weights, for another thread.
    #[must_use]
    pub fn share(&self) -> Self {
        let params = self.params.iter().map(|(name, t)| (name.to_owned(), t.shallow_clone())).collect();
        Self { arch: self.arch, params: Params::from_map(params) }
    }

    /// Another handle on the weights, on `device`; they are copied only if they are elsewhere.
    ///
    /// # Errors
    /// When libtorch cannot copy them.
    pub fn to_device(&self, device: Device) -> Result<Self> {
        let moved = self.params.iter().map(|(name, t)| Ok((name.to_owned(), t.f_to_device(device)?)));
        Ok(Self { arch: self.arch, params: Params::from_map(moved.collect::<Result<_>>()?) })
    }

    /// What distinguishes it.
    pub fn arch(&self) -> &'static Arch {
        self.arch
    }

    /// The weights by name, for a trainer outside.
    pub fn named_parameters(&self) -> &Params {
        &self.params
    }

    /// Differentiable forward pass.
    ///
    /// # Shapes
    /// x: `[n, channels, 28, 28]` in [-1, 1], of the kind of the weights: f32 unless they were given in another.
    ///
    /// # Errors
    /// When `x` has another kind or shape.
    pub fn forward(&self, x: &Tensor) -> Result<Output> {
        let kind = self.layer("conv1")?.0.f_kind()?;
        tensors::expect("classifier input", x, kind, &[-1, self.arch.channels, 28, 28])?;
        let mut h = channels_last(x)?;
        for (layer, pooled) in [("conv1", true), ("conv2", true), ("conv3", false), ("conv4", true)] {
            let (weight, bias) = self.layer(layer)?;
            h = h.f_conv2d(weight, Some(bias), [1, 1], [1, 1], [1, 1], 1)?;
            h = match (self.arch.smooth, pooled) {
                (true, true) => h.f_silu()?.f_avg_pool2d([2, 2], [2, 2], [0, 0], false, true, None)?,
                (true, false) => h.f_silu()?,
                // Before ReLU: the same values as after it, with a quarter of the work for ReLU.
                (false, true) => h.f_max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false)?.f_relu()?,
                (false, false) => h.f_relu()?,
            };
        }
        let (weight, bias) = self.layer("hidden")?;
        let hidden = h.f_flatten(1, -1)?.f_linear(weight, Some(bias))?; // [n, 128]
        let features = if self.arch.smooth { hidden.f_silu()? } else { hidden.f_relu()? };
        let (weight, bias) = self.layer("head")?;
        let logits = features.f_linear(weight, Some(bias))?; // [n, 10]
        Ok(Output { features, logits })
    }

    /// The image averaged to 4x4 pixels, as the features tell it, and as it is; `None` for a grey network, which has no
    /// such task. Differentiable.
    ///
    /// # Shapes
    /// x: f32 `[n, channels, 28, 28]`, features: f32 `[n, 128]`; result: both f32 `[n, 16 channels]`.
    ///
    /// # Errors
    /// When they have other shapes.
    pub fn thumbnails(&self, x: &Tensor, features: &Tensor) -> Result<Option<(Tensor, Tensor)>> {
        if self.params.get("thumb.weight").is_none() {
            return Ok(None);
        }
        let (weight, bias) = self.layer("thumb")?;
        let told = features.f_linear(weight, Some(bias))?;
        Ok(Some((told, x.f_adaptive_avg_pool2d([4, 4])?.f_flatten(1, -1)?)))
    }

    /// Features and logits of 8-bit images in one go, under the rules of [`FeatureNet::extract`].
    ///
    /// # Shapes
    /// images: u8 `[n, channels, 28, 28]`; result: f32 `[n, 128]` and f32 `[n, 10]` on the CPU, without gradient.
    ///
    /// # Errors
    /// When the images have another kind or shape, or an output is not finite.
    pub fn infer(&self, images: &Tensor) -> Result<Output> {
        let [features, logits] = in_batches(self.arch.name, images, self.image_shape(), |batch| {
            let Output { features, logits } = self.forward(&batch.f_div_scalar(127.5)?.f_sub_scalar(1.0)?)?;
            Ok([features, logits])
        })?;
        Ok(Output { features, logits })
    }

    fn layer(&self, name: &str) -> Result<(&Tensor, &Tensor)> {
        let weight = |part| {
            let key = format!("{name}.{part}");
            self.params.get(&key).ok_or_else(|| Error::Weights {
                network: self.arch.name.to_owned(),
                problems: vec![format!("`{key}` is missing")],
            })
        };
        Ok((weight("weight")?, weight("bias")?))
    }
}

/// The same values with the channels of a pixel side by side, the order in which libtorch vectorises pooling: the whole
/// pass takes less than half the time.
fn channels_last(x: &Tensor) -> Result<Tensor> {
    let size = x.size();
    let (c, h, w) = (size[1], size[2], size[3]);
    // With one channel both orders are the same memory, and only the strides say which is meant.
    Ok(x.f_permute([0, 2, 3, 1])?.f_contiguous()?.f_as_strided(&size, [h * w * c, 1, w * c, c], None)?)
}

impl FeatureNet for Classifier {
    fn dim(&self) -> usize {
        Self::DIM
    }

    fn id(&self) -> Result<String> {
        Ok(format!("{}:{}", self.arch.name, self.params.sha256()?))
    }

    fn image_shape(&self) -> [usize; 3] {
        self.arch.image_shape()
    }

    fn extract(&self, images: &Tensor) -> Result<Tensor> {
        Ok(self.infer(images)?.features)
    }
}
