//! From the sampler's floats to 8 bits.

use crate::{Error, Result};
use std::fmt;
use std::str::FromStr;

/// A rule that turns values on [-1, 1] into grey levels. It is part of the protocol: truncation darkens by half a level
/// on average, which an FID sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Quantiser {
    /// `127.5 x + 128`, clipped, rounded down: the nearest level, halves upwards. EDM, DiT and SiT use it.
    #[default]
    HalfUp,
    /// `255 (x + 1) / 2`, clipped, rounded to the nearest level, halves to the even one. MAR uses it.
    Round,
    /// `127.5 (x + 1)`, clipped, rounded down. ADM and score_sde use it.
    Truncate,
}

impl Quantiser {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::HalfUp, Self::Round, Self::Truncate];

    /// The grey level of one value, in f32 arithmetic as the originals have it. NaN becomes 0.
    pub fn level(self, x: f32) -> u8 {
        let scaled = match self {
            Self::HalfUp => x * 127.5 + 128.0,
            Self::Round => ((x + 1.0) * 0.5 * 255.0).round_ties_even(),
            Self::Truncate => (x + 1.0) * 127.5,
        };
        // The conversion rounds towards zero and saturates.
        scaled as u8
    }

    /// The grey levels of many values.
    ///
    /// # Errors
    /// [`Error::NonFinite`].
    pub fn levels(self, values: &[f32]) -> Result<Vec<u8>> {
        if values.iter().all(|x| x.is_finite()) {
            Ok(values.iter().map(|x| self.level(*x)).collect())
        } else {
            Err(Error::NonFinite { what: "a pixel".to_owned() })
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::HalfUp => "half-up",
            Self::Round => "round",
            Self::Truncate => "truncate",
        }
    }
}

impl fmt::Display for Quantiser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Quantiser {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|rule| rule.name() == text).ok_or_else(|| Error::Value {
            what: "quantiser",
            expected: "`half-up`, `round` or `truncate`",
            got: format!("`{text}`"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_agree_at_the_ends_and_differ_in_between() {
        for rule in Quantiser::ALL {
            assert_eq!([-3.0, -1.0, 1.0, 3.0].map(|x| rule.level(x)), [0, 0, 255, 255], "{rule}");
            assert_eq!(rule.to_string().parse::<Quantiser>().unwrap(), rule);
        }
        // 127.5 exactly: up, to the even level, down.
        assert_eq!(Quantiser::ALL.map(|rule| rule.level(0.0)), [128, 128, 127]);
        // 126.5 exactly.
        let x = 126.5_f32 / 127.5 - 1.0;
        assert_eq!(Quantiser::ALL.map(|rule| rule.level(x)), [127, 126, 126]);
        assert!(Quantiser::HalfUp.levels(&[0.0, f32::NAN]).is_err());
    }

    #[test]
    fn nearest_rules_recover_every_level() {
        for level in 0..=255_u8 {
            let x = f32::from(level) / 127.5 - 1.0;
            assert_eq!(Quantiser::HalfUp.level(x), level);
            assert_eq!(Quantiser::Round.level(x), level);
        }
    }
}
