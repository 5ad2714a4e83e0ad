//! Reading forwards from bytes, with every length checked.

use super::refusal::{Refusal, Result};

pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

/// Longest name of a module or a function.
const LINE: usize = 256;

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next `count` bytes.
    pub(super) fn take(&mut self, count: u64) -> Result<&'a [u8]> {
        let count = usize::try_from(count).map_err(|_| Refusal::short())?;
        let (head, rest) = self.rest.split_at_checked(count).ok_or_else(Refusal::short)?;
        self.rest = rest;
        Ok(head)
    }

    /// The next `N` bytes.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or_else(Refusal::short)?;
        self.rest = rest;
        Ok(*head)
    }

    pub(super) fn byte(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    /// The bytes up to the next line feed, which is passed over.
    pub(super) fn line(&mut self) -> Result<&'a str> {
        let end = self.rest.iter().take(LINE).position(|byte| *byte == b'\n').ok_or_else(Refusal::short)?;
        let line = self.take(end as u64)?;
        self.take(1)?;
        text(line)
    }

    /// `count` bytes of UTF-8.
    pub(super) fn text(&mut self, count: u64) -> Result<&'a str> {
        text(self.take(count)?)
    }
}

fn text(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| Refusal::new("a text in it is not UTF-8"))
}
