//! What guidance does to pictures: saturation, contrast, and values pressed against the ends of the scale.
//!
//! None of these is good or bad by itself; the value of real images is the line to stay near.

use super::tally::Tally;
use crate::{Error, Result, tensors};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

/// Saturation, contrast and clip rate of 8-bit images. Needs one image.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Colour {
    contrast: Tally,
    /// Of colour images only.
    saturation: Tally,
    black: u64,
    white: u64,
    values: u64,
}

impl Colour {
    /// Nothing measured yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Measures a batch.
    ///
    /// # Shapes
    /// images: u8 `[b, c, h, w]` with c = 1 (grey) or 3 (sRGB).
    ///
    /// # Errors
    /// Another kind or shape, or another number of channels. Nothing is counted then.
    pub fn push(&mut self, images: &Tensor) -> Result<()> {
        tensors::expect("images", images, Kind::Uint8, &[-1, -1, -1, -1])?;
        let channels = images.size()[1] as usize;
        if channels != 1 && channels != 3 {
            return Err(Error::Value {
                what: "number of channels",
                expected: "1 or 3",
                got: channels.to_string(),
            });
        }
        let values = tensors::to_vec::<u8>(images)?;
        let area = (images.size()[2] * images.size()[3]) as usize;
        let mut next = self.clone();
        for image in values.chunks_exact(channels * area) {
            let pixels =
                (0..area).map(|i| [0, 1, 2].map(|c| f64::from(image[c.min(channels - 1) * area + i])));
            next.contrast.push("a contrast", deviation(pixels.clone().map(luma)) / 255.0)?;
            if channels == 3 {
                next.saturation.push("a saturation", pixels.map(saturation).sum::<f64>() / area as f64)?;
            }
        }
        let count = |level: u8| values.iter().map(|v| u64::from(*v == level)).sum::<u64>();
        next.black += count(0);
        next.white += count(255);
        next.values += values.len() as u64;
        *self = next;
        Ok(())
    }

    /// Adds another worker's images.
    pub fn merge(&mut self, other: &Self) {
        self.contrast.merge(&other.contrast);
        self.saturation.merge(&other.saturation);
        self.black += other.black;
        self.white += other.white;
        self.values += other.values;
    }

    /// Count of images.
    pub fn n(&self) -> u64 {
        self.contrast.n()
    }

    /// Saturation of the HSV cone, `(max - min) / max` of a pixel's sRGB values (0 for black), mean over pixels, then over
    /// images: in [0, 1]. `None` without colour images: in grey it has no meaning.
    pub fn saturation(&self) -> Option<f64> {
        self.saturation.mean()
    }

    /// Standard deviation of luma (`0.299 R + 0.587 G + 0.114 B` of ITU-R BT.601, scaled to [0, 1]) over the pixels of an
    /// image, mean over images: in [0, 0.5]. `None` before the first image.
    pub fn contrast(&self) -> Option<f64> {
        self.contrast.mean()
    }

    /// Share of all values, of all channels, that are 0 or 255: in [0, 1]. `None` before the first image.
    pub fn clip_rate(&self) -> Option<f64> {
        self.share(self.black + self.white)
    }

    /// Share of values that are 255. Where pictures have a black ground, it alone tells clipping from content.
    pub fn white_rate(&self) -> Option<f64> {
        self.share(self.white)
    }

    /// Share of values that are 0.
    pub fn black_rate(&self) -> Option<f64> {
        self.share(self.black)
    }

    fn share(&self, count: u64) -> Option<f64> {
        (self.values > 0).then(|| count as f64 / self.values as f64)
    }
}

/// Share of a sampler's output values beyond [-1, 1], before they are clipped to 8 bits: in [0, 1].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overshoot {
    beyond: u64,
    values: u64,
}

impl Overshoot {
    /// Nothing measured yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a batch.
    ///
    /// # Shapes
    /// images: f32 `[b, c, h, w]` on the scale where black is -1 and white is 1.
    ///
    /// # Errors
    /// Another kind or shape, or values that are not finite. Nothing is counted then.
    pub fn push(&mut self, images: &Tensor) -> Result<()> {
        tensors::expect("images", images, Kind::Float, &[-1, -1, -1, -1])?;
        let values = tensors::to_vec::<f32>(images)?;
        if values.iter().any(|v| !v.is_finite()) {
            return Err(Error::NonFinite { what: "a pixel".to_owned() });
        }
        self.beyond += values.iter().filter(|v| v.abs() > 1.0).count() as u64;
        self.values += values.len() as u64;
        Ok(())
    }

    /// Adds another worker's images.
    pub fn merge(&mut self, other: &Self) {
        self.beyond += other.beyond;
        self.values += other.values;
    }

    /// The share; `None` before the first image.
    pub fn value(&self) -> Option<f64> {
        (self.values > 0).then(|| self.beyond as f64 / self.values as f64)
    }
}

/// ITU-R BT.601.
pub(crate) fn luma([r, g, b]: [f64; 3]) -> f64 {
    0.299 * r + 0.587 * g + 0.114 * b
}

fn saturation([r, g, b]: [f64; 3]) -> f64 {
    let max = r.max(g).max(b);
    if max > 0.0 { (max - r.min(g).min(b)) / max } else { 0.0 }
}

/// Population standard deviation, in two passes.
fn deviation(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let n = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / n;
    (values.map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt()
}
