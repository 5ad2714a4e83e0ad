//! Why a checkpoint was not read.

use std::fmt;

/// One plain reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(String);

impl Refusal {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }

    /// The input ended early.
    pub(super) fn short() -> Self {
        Self::new("the file is cut short")
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

/// Result of this room.
pub(super) type Result<T> = std::result::Result<T, Refusal>;
