//! Metrics beside the Fréchet distance: paired error to a teacher, and conditional accuracy. Both stream and merge.

use crate::{Error, Result, tensors};
use tch::{Kind, Tensor};

/// Root-mean-square error to a many-step teacher that started from the same noise: one value an image, then the mean
/// over images. Unit: the data scale on which black is -1 and white is 1, so that 0.01 is about one grey level.
///
/// The most telling number at few images, as it needs no reference set; but a high value is no proof of a bad
/// sampler when noise or guidance leads it to another good picture.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PairedRmse {
    n: u64,
    mean: f64,
    m2: f64,
}

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
    /// Other or different kinds and shapes, or values that are not finite.
    pub fn push(&mut self, images: &Tensor, teacher: &Tensor) -> Result<()> {
        let kind = if images.f_kind()? == Kind::Uint8 { Kind::Uint8 } else { Kind::Float };
        tensors::expect("images", images, kind, &[-1, -1, -1, -1])?;
        tensors::expect("teacher images", teacher, kind, &images.size())?;
        let scale = if kind == Kind::Uint8 { 1.0 / 127.5 } else { 1.0 };
        let difference = images.f_to_kind(Kind::Double)?.f_sub(&teacher.f_to_kind(Kind::Double)?)?;
        let per_image =
            difference.f_square()?.f_flatten(1, -1)?.f_mean_dim(&[1_i64][..], false, Kind::Double)?;
        let values: Vec<f64> = tensors::to_vec(&per_image.f_sqrt()?)?;
        if values.iter().any(|v| !v.is_finite()) {
            return Err(Error::NonFinite { what: "a paired error".to_owned() });
        }
        for value in values {
            self.merge(&Self { n: 1, mean: value * scale, m2: 0.0 });
        }
        Ok(())
    }

    /// Adds another worker's images.
    pub fn merge(&mut self, other: &Self) {
        if other.n == 0 {
            return;
        }
        let (na, nb) = (self.n as f64, other.n as f64);
        let delta = other.mean - self.mean;
        self.mean += delta * nb / (na + nb);
        self.m2 += other.m2 + delta * delta * na * nb / (na + nb);
        self.n += other.n;
    }

    /// Count of images compared.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// Mean over images of the per-image error; `None` before the first image.
    pub fn mean(&self) -> Option<f64> {
        (self.n > 0).then_some(self.mean)
    }

    /// Standard error of [`PairedRmse::mean`]; `None` below two images.
    pub fn standard_error(&self) -> Option<f64> {
        (self.n > 1).then(|| (self.m2 / (self.n - 1) as f64 / self.n as f64).sqrt())
    }
}

/// Share of class-conditional samples that a classifier gives the class they were asked for, in [0, 1].
#[derive(Debug, Clone, PartialEq)]
pub struct ConditionalAccuracy {
    asked: Vec<u64>,
    hits: Vec<u64>,
}

impl ConditionalAccuracy {
    /// Nothing counted yet, for `classes` classes.
    pub fn new(classes: usize) -> Self {
        Self { asked: vec![0; classes], hits: vec![0; classes] }
    }

    /// Counts a batch. Of equal logits the first class wins.
    ///
    /// # Shapes
    /// logits: f32 `[b, classes]`; asked: `b` class numbers.
    ///
    /// # Errors
    /// Another kind or shape, an unknown class, or a logit that is not finite. Nothing is counted then.
    pub fn push(&mut self, logits: &Tensor, asked: &[usize]) -> Result<()> {
        let classes = self.asked.len();
        tensors::expect("logits", logits, Kind::Float, &[asked.len() as i64, classes as i64])?;
        let values: Vec<f32> = tensors::to_vec(logits)?;
        if values.iter().any(|v| !v.is_finite()) {
            return Err(Error::NonFinite { what: "a logit".to_owned() });
        }
        if let Some(class) = asked.iter().find(|class| **class >= classes) {
            let got = format!("{class} of {classes} classes");
            return Err(Error::Value { what: "asked class", expected: "below the count of classes", got });
        }
        for (row, class) in values.chunks_exact(classes).zip(asked) {
            let best = (1..classes).fold(0, |best, i| if row[i] > row[best] { i } else { best });
            self.asked[*class] += 1;
            self.hits[*class] += u64::from(best == *class);
        }
        Ok(())
    }

    /// Adds another worker's counts.
    ///
    /// # Errors
    /// [`Error::Mismatch`] when the counts of classes differ.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        if self.asked.len() != other.asked.len() {
            let (left, right) = (self.asked.len().to_string(), other.asked.len().to_string());
            return Err(Error::Mismatch { what: "counts of classes", left, right });
        }
        self.asked.iter_mut().zip(&other.asked).for_each(|(a, b)| *a += b);
        self.hits.iter_mut().zip(&other.hits).for_each(|(a, b)| *a += b);
        Ok(())
    }

    /// Count of samples.
    pub fn n(&self) -> u64 {
        self.asked.iter().sum()
    }

    /// Share of hits; `None` before the first sample.
    pub fn value(&self) -> Option<f64> {
        (self.n() > 0).then(|| self.hits.iter().sum::<u64>() as f64 / self.n() as f64)
    }

    /// Share of hits of each class; `None` where a class was never asked for.
    pub fn per_class(&self) -> Vec<Option<f64>> {
        let shares = self.asked.iter().zip(&self.hits);
        shares.map(|(asked, hits)| (*asked > 0).then(|| *hits as f64 / *asked as f64)).collect()
    }
}
