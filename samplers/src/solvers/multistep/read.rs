//! Reads the parameters of a specification and writes them back.

use std::fmt::{Display, Write as _};
use std::ops::RangeInclusive;

use crate::Result;
use crate::spec::Params;

/// Parameters read in turn; `name` collects those that differ from their defaults.
pub(super) struct Reader<'a> {
    params: &'a mut Params,
    name: String,
}

impl<'a> Reader<'a> {
    pub(super) fn new(name: &str, params: &'a mut Params) -> Self {
        Self { params, name: name.to_owned() }
    }

    #[expect(clippy::float_cmp, reason = "a default is recognised bit for bit")]
    pub(super) fn number(
        &mut self,
        key: &'static str,
        default: f64,
        allowed: RangeInclusive<f64>,
    ) -> Result<f64> {
        let value = self.params.number(key, default, allowed)?;
        self.keep(key, &value, value == default);
        Ok(value)
    }

    pub(super) fn count(
        &mut self,
        key: &'static str,
        default: usize,
        allowed: RangeInclusive<usize>,
    ) -> Result<usize> {
        let value = self.params.count(key, default, allowed)?;
        self.keep(key, &value, value == default);
        Ok(value)
    }

    /// One of a few words; the first is the default.
    pub(super) fn choice<T: Copy + PartialEq>(
        &mut self,
        key: &'static str,
        words: &[(&'static str, T)],
    ) -> Result<T> {
        let value = self.params.choice(key, words[0].1, words)?;
        let word = words.iter().find(|(_, v)| *v == value).map_or("", |(word, _)| *word);
        self.keep(key, &word, value == words[0].1);
        Ok(value)
    }

    pub(super) fn switch(&mut self, key: &'static str, default: bool) -> Result<bool> {
        let value = self.params.flag(key, default)?;
        self.keep(key, &value, value == default);
        Ok(value)
    }

    /// Whole numbers with `+` between them, none by default.
    pub(super) fn counts(&mut self, key: &'static str) -> Result<Vec<usize>> {
        let values = self.params.counts(key)?;
        let text = values.iter().map(ToString::to_string).collect::<Vec<_>>().join("+");
        self.keep(key, &text, values.is_empty());
        Ok(values)
    }

    /// The specification that reads back as what was read.
    pub(super) fn name(self) -> String {
        self.name
    }

    fn keep(&mut self, key: &str, value: &dyn Display, is_default: bool) {
        if !is_default {
            // Writing into a string cannot fail.
            let _ = write!(self.name, ":{key}={value}");
        }
    }
}
