//! Conditional accuracy.

use crate::{Error, Result, tensors};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

/// Share of class-conditional samples that a classifier gives the class they were asked for, in [0, 1].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
