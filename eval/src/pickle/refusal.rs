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

/// A name out of the file as a message may show it: without control characters, and not too long.
pub(super) fn quoted(name: &str) -> String {
    const SHOWN: usize = 80;
    let dots = if name.chars().nth(SHOWN).is_some() { "…" } else { "" };
    let start: String = name.chars().take(SHOWN).collect();
    format!("`{}{dots}`", start.escape_debug())
}

/// Result of this room.
pub(super) type Result<T> = std::result::Result<T, Refusal>;
