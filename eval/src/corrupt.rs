//! Known damage in growing doses: a feature space is fit for use only if its distance grows with the dose.

use crate::feature::FeatureNet;
use crate::metrics::luma;
use crate::rng::SplitMix64;
use crate::stats::{FdReport, Reference, ShardedMoments};
use crate::{Error, Result, tensors};

/// One dose of damage to 8-bit images.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Corruption {
    /// Gaussian noise of this standard deviation, on the scale where white is 1.
    Noise(f64),
    /// Gaussian blur of this standard deviation, in pixels.
    Blur(f64),
    /// Distance of each colour from the grey of its luma times this: 0 leaves grey, above 1 saturates. Colour images only.
    Chroma(f64),
}

/// Five doses of noise that a distance must tell apart, mildest first.
pub const NOISE_LEVELS: [Corruption; 5] = [
    Corruption::Noise(0.02),
    Corruption::Noise(0.05),
    Corruption::Noise(0.1),
    Corruption::Noise(0.2),
    Corruption::Noise(0.4),
];

/// Five doses of blur that a distance must tell apart, mildest first.
pub const BLUR_LEVELS: [Corruption; 5] = [
    Corruption::Blur(0.5),
    Corruption::Blur(0.7),
    Corruption::Blur(1.0),
    Corruption::Blur(1.5),
    Corruption::Blur(2.0),
];

/// Five doses of fading that a distance must tell apart, mildest first.
pub const FADED_LEVELS: [Corruption; 5] = [
    Corruption::Chroma(0.9),
    Corruption::Chroma(0.8),
    Corruption::Chroma(0.6),
    Corruption::Chroma(0.4),
    Corruption::Chroma(0.2),
];

/// Five doses of oversaturation, guidance's own damage, that a distance must tell apart, mildest first.
pub const VIVID_LEVELS: [Corruption; 5] = [
    Corruption::Chroma(1.1),
    Corruption::Chroma(1.2),
    Corruption::Chroma(1.4),
    Corruption::Chroma(1.7),
    Corruption::Chroma(2.0),
];

impl Corruption {
    /// Its number: standard deviation, or factor.
    pub fn dose(&self) -> f64 {
        let (Self::Noise(dose) | Self::Blur(dose) | Self::Chroma(dose)) = *self;
        dose
    }

    /// Damages images; the result follows from (image, seed, index of the image) alone.
    ///
    /// # Shapes
    /// images: row-major u8 `[n, channels, height, width]` with `shape = [channels, height, width]`; image 0 has
    /// index `first_index`.
    ///
    /// # Errors
    /// A dose that is negative, not finite or above 32, a buffer that holds no whole images, or chroma of other than three
    /// channels.
    pub fn apply(&self, images: &[u8], shape: [usize; 3], seed: u64, first_index: u64) -> Result<Vec<u8>> {
        let pixels = shape.iter().product::<usize>();
        if pixels == 0 || !images.len().is_multiple_of(pixels) {
            let (expected, got) = (format!("images of {shape:?}"), format!("{} bytes", images.len()));
            return Err(Error::Shape { what: "images to damage", expected, got });
        }
        let dose = self.dose();
        if !(0.0..=32.0).contains(&dose) {
            return Err(Error::Value {
                what: "dose of damage",
                expected: "in [0, 32]",
                got: dose.to_string(),
            });
        }
        let mut out = images.to_vec();
        match *self {
            Self::Noise(sigma) => {
                for (index, image) in (first_index..).zip(out.chunks_exact_mut(pixels)) {
                    add_noise(image, 255.0 * sigma, &mut SplitMix64::keyed(seed, index));
                }
            }
            Self::Blur(sigma) => {
                let kernel = kernel(sigma);
                for plane in out.chunks_exact_mut(shape[1] * shape[2]) {
                    blur(plane, shape[2], &kernel);
                }
            }
            Self::Chroma(factor) => {
                if shape[0] != 3 {
                    let (expected, got) = ("three channels".to_owned(), format!("images of {shape:?}"));
                    return Err(Error::Shape { what: "images to change in colour", expected, got });
                }
                for image in out.chunks_exact_mut(pixels) {
                    chroma(image, factor);
                }
            }
        }
        Ok(out)
    }
}

/// Fréchet distances of damaged images to a reference, one a dose, in the order of `doses`.
///
/// # Shapes
/// images: row-major u8 `[n, channels, height, width]` of the network's image shape; image i has index i.
///
/// # Errors
/// Those of [`Corruption::apply`], of the network and of the distance.
pub fn corruption_curve(
    net: &dyn FeatureNet,
    reference: &Reference,
    images: &[u8],
    doses: &[Corruption],
    seed: u64,
) -> Result<Vec<(Corruption, FdReport)>> {
    let shape = net.image_shape();
    let chunk = shape.iter().product::<usize>() * 1000;
    let curve = doses.iter().map(|dose| {
        let mut moments = ShardedMoments::new(net.dim());
        for part in images.chunks(chunk) {
            let first = moments.n();
            let damaged = dose.apply(part, shape, seed, first)?;
            let [c, h, w] = shape.map(|s| s as i64);
            let batch = tensors::from_slice(&damaged, &[-1, c, h, w])?;
            moments.push_features(&net.extract(&batch)?, first)?;
        }
        Ok((*dose, reference.distance(&moments.moments()?)?))
    });
    curve.collect()
}

/// Whether each distance is above the one before.
pub fn rises(curve: &[(Corruption, FdReport)]) -> bool {
    curve.windows(2).all(|pair| pair[1].1.fd > pair[0].1.fd)
}

/// Grey levels rounded to the nearest of `2^bits` that are evenly spaced from 0 to 255: the damage that features of a
/// classifier overlook.
///
/// # Errors
/// [`Error::Value`] unless `bits` is 1 to 8.
pub fn posterise(images: &[u8], bits: u32) -> Result<Vec<u8>> {
    if !(1..=8).contains(&bits) {
        return Err(Error::Value { what: "count of bits", expected: "1 to 8", got: bits.to_string() });
    }
    let step = 255.0 / f64::from((1_u32 << bits) - 1);
    Ok(images.iter().map(|v| quantise((f64::from(*v) / step).round() * step)).collect())
}

fn add_noise(image: &mut [u8], sigma: f64, rng: &mut SplitMix64) {
    for pair in image.chunks_mut(2) {
        for (pixel, z) in pair.iter_mut().zip(rng.normal_pair()) {
            *pixel = quantise(f64::from(*pixel) + sigma * z);
        }
    }
}

/// One image, channel after channel.
fn chroma(image: &mut [u8], factor: f64) {
    let area = image.len() / 3;
    for i in 0..area {
        let colour = [0, 1, 2].map(|c| f64::from(image[c * area + i]));
        let grey = luma(colour);
        for (c, value) in colour.iter().enumerate() {
            image[c * area + i] = quantise(grey + factor * (value - grey));
        }
    }
}

/// Rounds half up, as images are rounded everywhere here; the cast saturates at 0 and 255.
fn quantise(value: f64) -> u8 {
    (value + 0.5).floor() as u8
}

/// Sampled Gaussian, cut at three standard deviations, sum 1; a single 1 for a dose of 0.
fn kernel(sigma: f64) -> Vec<f64> {
    let radius = (3.0 * sigma).ceil() as i64;
    let weights: Vec<f64> = (-radius..=radius)
        .map(|i| if i == 0 { 1.0 } else { (-0.5 * (i as f64 / sigma).powi(2)).exp() })
        .collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|w| w / sum).collect()
}

/// Blurs one plane, rows then columns, rounding once at the end. Beyond the border the edge pixel repeats.
fn blur(plane: &mut [u8], width: usize, kernel: &[f64]) {
    let height = plane.len() / width;
    let radius = kernel.len() / 2;
    // Index of tap `k` around position `i`, held inside 0..n.
    let tap = |i: usize, k: usize, n: usize| (i + k).saturating_sub(radius).min(n - 1);
    let mut rows = vec![0.0; plane.len()];
    for y in 0..height {
        for x in 0..width {
            let taps = kernel.iter().enumerate();
            rows[y * width + x] =
                taps.map(|(k, w)| w * f64::from(plane[y * width + tap(x, k, width)])).sum::<f64>();
        }
    }
    for y in 0..height {
        for x in 0..width {
            let taps = kernel.iter().enumerate();
            plane[y * width + x] = quantise(taps.map(|(k, w)| w * rows[tap(y, k, height) * width + x]).sum());
        }
    }
}
