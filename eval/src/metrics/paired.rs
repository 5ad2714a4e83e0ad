//! Paired errors to a many-step teacher that started from the same noise: one value an image, then the mean over images.
//!
//! The most telling numbers at few images, as they need no reference set; but a high error is no proof of a bad sampler
//! when noise or guidance leads it to another good picture.

use super::ssim;
use super::tally::Tally;
use crate::{Result, tensors};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

/// Root-mean-square error. Unit: the data scale on which black is -1 and white is 1, so that 0.01 is about one grey
/// level. Range 0 to 2; needs one image.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PairedRmse(Tally);

impl PairedRmse {
    /// Nothing compared yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Compares a batch with the teacher's batch of the same seeds.
    ///
    /// # Shapes
    /// Both u8 `[b, c, h, w]` (0 to 255, mapped to [-1, 1]) or both f32 `[b, c, h, w]` (on that scale already, not
    /// clipped). Results of the two kinds differ by the rounding to 8 bits, so keep to one in a table.
    ///
    /// # Errors
    /// Other or different kinds and shapes, or values that are not finite. Nothing is counted then.
    pub fn push(&mut self, images: &Tensor, teacher: &Tensor) -> Result<()> {
        let kind = if images.f_kind()? == Kind::Uint8 { Kind::Uint8 } else { Kind::Float };
        same_images(images, teacher, kind)?;
        let pixels = images.numel() / images.size()[0] as usize;
        let rmse = |sum: f64| (sum / pixels as f64).sqrt();
        let values: Vec<f64> = if kind == Kind::Uint8 {
            let (a, b) = (tensors::to_vec::<u8>(images)?, tensors::to_vec::<u8>(teacher)?);
            let sums = a.chunks_exact(pixels).zip(b.chunks_exact(pixels)).map(|(a, b)| squares(a, b));
            sums.map(|sum| rmse(sum as f64) / 127.5).collect()
        } else {
            let (a, b) = (tensors::to_vec::<f32>(images)?, tensors::to_vec::<f32>(teacher)?);
            let square = |(a, b): (&f32, &f32)| (f64::from(*a) - f64::from(*b)).powi(2);
            let sums = a.chunks_exact(pixels).zip(b.chunks_exact(pixels));
            sums.map(|(a, b)| rmse(a.iter().zip(b).map(square).sum())).collect()
        };
        self.0.extend("a paired error", values)
    }

    /// Adds another worker's images.
    pub fn merge(&mut self, other: &Self) {
        self.0.merge(&other.0);
    }

    /// Count of images compared.
    pub fn n(&self) -> u64 {
        self.0.n()
    }

    /// Mean over images of the per-image error; `None` before the first image.
    pub fn mean(&self) -> Option<f64> {
        self.0.mean()
    }

    /// Standard error of [`PairedRmse::mean`]; `None` below two images.
    pub fn standard_error(&self) -> Option<f64> {
        self.0.standard_error()
    }
}

/// Similarity of 8-bit images to the teacher's: PSNR and SSIM. Needs one image.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PairedSimilarity {
    ssim: Tally,
    squares: u128,
    values: u128,
}

impl PairedSimilarity {
    /// Nothing compared yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Compares a batch with the teacher's batch of the same seeds.
    ///
    /// # Shapes
    /// Both u8 `[b, c, h, w]` with `h, w >= 11`.
    ///
    /// # Errors
    /// Other or different kinds and shapes, or images smaller than the window. Nothing is counted then.
    pub fn push(&mut self, images: &Tensor, teacher: &Tensor) -> Result<()> {
        same_images(images, teacher, Kind::Uint8)?;
        let size: Vec<usize> = images.size().iter().map(|s| *s as usize).collect();
        let (channels, plane) = (size[1], [size[2], size[3]]);
        let (a, b) = (tensors::to_vec::<u8>(images)?, tensors::to_vec::<u8>(teacher)?);
        let area = plane[0] * plane[1];
        let planes: Vec<f64> = a
            .chunks_exact(area)
            .zip(b.chunks_exact(area))
            .map(|(a, b)| ssim::plane(a, b, plane))
            .collect::<Result<_>>()?;
        let images = planes.chunks_exact(channels).map(|image| image.iter().sum::<f64>() / channels as f64);
        self.ssim.extend("an SSIM", images)?;
        self.squares += u128::from(squares(&a, &b));
        self.values += a.len() as u128;
        Ok(())
    }

    /// Adds another worker's images.
    pub fn merge(&mut self, other: &Self) {
        self.ssim.merge(&other.ssim);
        self.squares += other.squares;
        self.values += other.values;
    }

    /// Count of images compared.
    pub fn n(&self) -> u64 {
        self.ssim.n()
    }

    /// Mean over images of the structural similarity (Wang, Bovik, Sheikh & Simoncelli, 2004, eq. 13), in [-1, 1], 1 for
    /// equal images; `None` before the first image.
    ///
    /// Window: 11x11 Gaussian of deviation 1.5; K1 = 0.01, K2 = 0.03, data range 255; windows wholly inside the image;
    /// covariances divided by n; channels averaged. That is `structural_similarity` of scikit-image with
    /// `gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255`.
    pub fn ssim(&self) -> Option<f64> {
        self.ssim.mean()
    }

    /// Peak signal-to-noise ratio in dB, `10 log10(255^2 / MSE)`, of the mean squared error over all pixels of all
    /// images, as torchmetrics defines it by default (a mean over images would be infinite as soon as one is equal).
    /// `None` before the first image and where all are equal.
    pub fn psnr(&self) -> Option<f64> {
        let mse = self.squares as f64 / self.values as f64;
        (self.squares > 0).then(|| 10.0 * (255.0 * 255.0 / mse).log10())
    }
}

/// Distance to the teacher's images in the space of a feature network. Needs one image.
///
/// A perceptual distance in so far as the network is one; values of different networks must not meet.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PairedFeatures {
    distance: Tally,
    cosine: Tally,
}

impl PairedFeatures {
    /// Nothing compared yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Compares features of a batch with those of the teacher's batch of the same seeds.
    ///
    /// # Shapes
    /// Both f32 `[b, d]`.
    ///
    /// # Errors
    /// Other or different kinds and shapes, or values that are not finite. Nothing is counted then.
    pub fn push(&mut self, features: &Tensor, teacher: &Tensor) -> Result<()> {
        tensors::expect("features", features, Kind::Float, &[-1, -1])?;
        tensors::expect("the teacher's features", teacher, Kind::Float, &features.size())?;
        let d = features.size()[1] as usize;
        let (a, b) = (tensors::to_vec::<f32>(features)?, tensors::to_vec::<f32>(teacher)?);
        let (mut distances, mut cosines) = (Vec::new(), Vec::new());
        for (a, b) in a.chunks_exact(d).zip(b.chunks_exact(d)) {
            let sum = |f: fn(f64, f64) -> f64| -> f64 {
                a.iter().zip(b).map(|(a, b)| f(f64::from(*a), f64::from(*b))).sum()
            };
            distances.push(sum(|a, b| (a - b) * (a - b)).sqrt());
            let norms = (sum(|a, _| a * a) * sum(|_, b| b * b)).sqrt();
            // Two zero vectors point nowhere; they are equal all the same.
            cosines.push(if norms > 0.0 { sum(|a, b| a * b) / norms } else { f64::from(u8::from(a == b)) });
        }
        let mut next = self.clone();
        next.distance.extend("a feature distance", distances)?;
        next.cosine.extend("a cosine of features", cosines)?;
        *self = next;
        Ok(())
    }

    /// Adds another worker's images.
    pub fn merge(&mut self, other: &Self) {
        self.distance.merge(&other.distance);
        self.cosine.merge(&other.cosine);
    }

    /// Count of images compared.
    pub fn n(&self) -> u64 {
        self.distance.n()
    }

    /// Mean over images of the Euclidean distance, in feature units; `None` before the first image.
    pub fn distance(&self) -> Option<f64> {
        self.distance.mean()
    }

    /// Mean over images of the cosine of the angle between the two, in [-1, 1]; `None` before the first image.
    pub fn cosine(&self) -> Option<f64> {
        self.cosine.mean()
    }
}

fn same_images(images: &Tensor, teacher: &Tensor, kind: Kind) -> Result<()> {
    tensors::expect("images", images, kind, &[-1, -1, -1, -1])?;
    tensors::expect("teacher images", teacher, kind, &images.size())
}

/// Sum of squared differences.
fn squares(a: &[u8], b: &[u8]) -> u64 {
    a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum()
}
