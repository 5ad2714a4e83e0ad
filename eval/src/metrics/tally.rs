//! Mean and deviation of numbers, independent to the bit of their order and grouping.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Running sums in fixed point: integers add without rounding, so that batches, workers and resumed runs may be merged
/// in any order. Values are rounded to 2^-56 (1.4e-17) as they enter, and must be below 2^16.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tally {
    n: u64,
    sum: i128,
    squares: i128,
}

const ONE: f64 = (1_u64 << 56) as f64;
const LIMIT: f64 = 65_536.0;

impl Tally {
    /// Adds one value, called `what` in messages.
    pub(super) fn push(&mut self, what: &'static str, value: f64) -> Result<()> {
        if !value.is_finite() {
            return Err(Error::NonFinite { what: what.to_owned() });
        }
        if value.abs() >= LIMIT {
            return Err(Error::Value { what, expected: "below 65536", got: value.to_string() });
        }
        self.n += 1;
        self.sum += (value * ONE).round() as i128;
        self.squares += (value * value * ONE).round() as i128;
        Ok(())
    }

    /// Adds all values, or none of them when one is refused.
    pub(super) fn extend(&mut self, what: &'static str, values: impl IntoIterator<Item = f64>) -> Result<()> {
        let mut next = *self;
        for value in values {
            next.push(what, value)?;
        }
        *self = next;
        Ok(())
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.n += other.n;
        self.sum += other.sum;
        self.squares += other.squares;
    }

    pub(super) fn n(&self) -> u64 {
        self.n
    }

    /// `None` before the first value.
    pub(super) fn mean(&self) -> Option<f64> {
        (self.n > 0).then(|| self.sum as f64 / ONE / self.n as f64)
    }

    /// Sample standard deviation over the root of n; `None` below two values.
    pub(super) fn standard_error(&self) -> Option<f64> {
        let mean = self.mean()?;
        let n = self.n as f64;
        let variance = (self.squares as f64 / ONE - n * mean * mean).max(0.0) / (n - 1.0);
        (self.n > 1).then(|| (variance / n).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_grouping_gives_the_same_bits() -> Result<()> {
        let values: Vec<f64> = (0..1000).map(|i| (f64::from(i) * 0.7).sin() / 3.0).collect();
        let mut all = Tally::default();
        all.extend("value", values.iter().copied())?;
        let (mut front, mut back) = (Tally::default(), Tally::default());
        front.extend("value", values[..137].iter().rev().copied())?;
        back.extend("value", values[137..].iter().copied())?;
        back.merge(&front);
        assert_eq!(all, back);
        let mean = values.iter().sum::<f64>() / 1000.0;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 999.0;
        assert!((all.mean().unwrap_or(f64::NAN) - mean).abs() < 1e-15);
        assert!((all.standard_error().unwrap_or(f64::NAN) - (variance / 1000.0).sqrt()).abs() < 1e-14);
        let json = serde_json::to_string(&all).unwrap_or_default();
        assert_eq!(serde_json::from_str::<Tally>(&json).ok(), Some(all));
        Ok(())
    }

    #[test]
    fn a_refused_value_leaves_nothing_behind() {
        let mut tally = Tally::default();
        assert!(tally.extend("value", [1.0, f64::NAN]).is_err());
        assert!(tally.extend("value", [1e6]).is_err());
        assert_eq!(tally, Tally::default());
        assert_eq!((tally.mean(), tally.standard_error()), (None, None));
    }
}
