//! The network as a feature space for images of one size.

use super::{BATCH, INPUT, Inception, Layout, Picture, Protocol, Resizer, SIDE, Tap};
use crate::feature::FeatureNet;
use crate::{Error, Result, tensors};
use tch::{Kind, Tensor};

/// [`Inception`] behind a [`Protocol`], for 8-bit images of one shape.
#[derive(Debug)]
pub struct InceptionSpace {
    net: Inception,
    protocol: Protocol,
    resizer: Resizer,
    shape: [usize; 3],
}

impl InceptionSpace {
    /// For images of `[channels, height, width]`, one or three channels.
    ///
    /// # Errors
    /// [`Error::Value`] for other counts of channels or a side of 0.
    pub fn new(net: Inception, protocol: Protocol, shape: [usize; 3]) -> Result<Self> {
        let [channels, height, width] = shape;
        if !matches!(channels, 1 | 3) {
            let got = channels.to_string();
            return Err(Error::Value { what: "count of channels", expected: "1 or 3", got });
        }
        let resizer = Resizer::new(protocol, [height, width])?;
        Ok(Self { net, protocol, resizer, shape })
    }

    /// Several outputs of one pass, under the rules of [`FeatureNet::extract`].
    ///
    /// # Shapes
    /// images: u8 `[n, channels, height, width]`; results: f32 `[n, tap.dim()]`.
    ///
    /// # Errors
    /// When the images have another kind or shape, or a value is not finite.
    pub fn taps(&self, images: &Tensor, taps: &[Tap]) -> Result<Vec<Tensor>> {
        let [channels, height, width] = self.shape;
        let shape = [-1, channels as i64, height as i64, width as i64];
        tensors::expect("images", images, Kind::Uint8, &shape)?;
        let mut parts: Vec<Vec<Tensor>> = taps.iter().map(|_| Vec::new()).collect();
        let n = images.size()[0];
        for first in (0..n).step_by(BATCH) {
            let count = (n - first).min(BATCH as i64);
            let bytes: Vec<u8> = tensors::to_vec(&images.f_narrow(0, first, count)?)?;
            let mut input = vec![0.0; count as usize * INPUT];
            let pictures = bytes.chunks_exact(channels * height * width);
            for (picture, input) in pictures.zip(input.chunks_exact_mut(INPUT)) {
                let picture = Picture::new(picture, [height, width], channels, Layout::Planar)?;
                self.resizer.run(&picture, input)?;
            }
            let input = tensors::from_slice(&input, &[count, 3, SIDE as i64, SIDE as i64])?;
            for (parts, value) in parts.iter_mut().zip(self.net.infer(&input, taps)?) {
                parts.push(value);
            }
        }
        parts.iter().map(|parts| Ok(Tensor::f_cat(parts, 0)?)).collect()
    }
}

impl FeatureNet for InceptionSpace {
    fn dim(&self) -> usize {
        Tap::F2048.dim()
    }

    fn id(&self) -> Result<String> {
        Ok(format!("{}/{}:{}", Inception::NAME, self.protocol, self.net.sha256()))
    }

    fn image_shape(&self) -> [usize; 3] {
        self.shape
    }

    fn extract(&self, images: &Tensor) -> Result<Tensor> {
        let tensors = self.taps(images, &[Tap::F2048])?;
        tensors.into_iter().next().ok_or_else(|| Error::NonFinite { what: "a feature".to_owned() })
    }
}
