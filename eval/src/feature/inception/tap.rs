//! Where the network can be tapped.

use crate::{Error, Result};
use std::fmt;
use std::str::FromStr;

/// What a forward pass hands out, in the order in which the network computes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tap {
    /// 64 features: mean over space after the first max-pooling.
    F64,
    /// 192 features: mean over space after the second max-pooling.
    F192,
    /// What sFID (Nash et al., 2021, arXiv 2103.03841) compares in the ADM evaluator: the first seven channels of
    /// `mixed_6/conv:0`, which is `Mixed_6d.branch1x1` after its ReLU, as 17 x 17 x 7 values with the channel fastest.
    Spatial,
    /// 768 features: mean over space of `Mixed_6e`.
    F768,
    /// 2048 features: mean over space of `Mixed_7c`, `pool_3:0` of the original graph. FID and KID use these.
    F2048,
    /// 1008 logits of the final layer without its bias. The Inception score is computed from these.
    LogitsUnbiased,
    /// 1008 logits.
    Logits,
}

impl Tap {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::F64, Self::F192, Self::Spatial, Self::F768, Self::F2048, Self::LogitsUnbiased, Self::Logits];

    /// Count of values that an image gets.
    pub fn dim(self) -> usize {
        match self {
            Self::F64 => 64,
            Self::F192 => 192,
            Self::Spatial => 17 * 17 * 7,
            Self::F768 => 768,
            Self::F2048 => 2048,
            Self::LogitsUnbiased | Self::Logits => 1008,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::F64 => "64",
            Self::F192 => "192",
            Self::Spatial => "spatial",
            Self::F768 => "768",
            Self::F2048 => "2048",
            Self::LogitsUnbiased => "logits-unbiased",
            Self::Logits => "logits",
        }
    }
}

impl fmt::Display for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Tap {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|tap| tap.name() == text).ok_or_else(|| Error::Value {
            what: "features",
            expected: "`64`, `192`, `768`, `2048`, `spatial`, `logits` or `logits-unbiased`",
            got: format!("`{text}`"),
        })
    }
}
