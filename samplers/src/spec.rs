//! Specifications of the form `name:key=value:key=value`, shared by solvers, paths and grid rules.

use std::fmt::Write as _;
use std::ops::RangeInclusive;

use crate::{Error, Result};

/// The parameters of one specification, taken one by one by whoever understands them.
///
/// Each `number`, `count` or `choice` call declares a parameter and reads it; what nobody asked for is an error.
#[derive(Debug)]
pub struct Params {
    owner: String,
    given: Vec<(String, String)>,
    asked: Vec<&'static str>,
}

impl Params {
    /// Splits a specification into its name and its parameters. `kind` (`solver`, `path`, ...) is for messages.
    ///
    /// # Errors
    /// [`Error::BadSpec`] for a piece that is not `key=value`, [`Error::RepeatedParam`].
    pub fn parse<'a>(kind: &str, spec: &'a str) -> Result<(&'a str, Self)> {
        let mut pieces = spec.trim().split(':');
        let name = pieces.next().unwrap_or_default().trim();
        let owner = format!("{kind} `{name}`");
        let mut given: Vec<(String, String)> = Vec::new();
        for piece in pieces {
            let (key, value) = piece
                .split_once('=')
                .ok_or_else(|| Error::BadSpec { owner: owner.clone(), text: piece.to_owned() })?;
            let (key, value) = (key.trim().to_owned(), value.trim().to_owned());
            if given.iter().any(|(k, _)| *k == key) {
                return Err(Error::RepeatedParam { owner, key });
            }
            given.push((key, value));
        }
        Ok((name, Self { owner, given, asked: Vec::new() }))
    }

    /// Reads a parameter that is true or false, `default` when absent.
    ///
    /// # Errors
    /// [`Error::BadParam`] when the text is neither.
    pub fn flag(&mut self, key: &'static str, default: bool) -> Result<bool> {
        self.choice(key, default, &[("true", true), ("false", false)])
    }

    /// Reads a list of whole numbers with `+` between them, empty when absent; a comma separates specifications.
    ///
    /// # Errors
    /// [`Error::BadParam`] when one of them is no whole number.
    pub fn counts(&mut self, key: &'static str) -> Result<Vec<usize>> {
        self.parsed(key, Vec::new(), "whole numbers with `+` between them", |text| {
            text.split('+').map(|piece| piece.trim().parse().ok()).collect()
        })
    }

    /// Reads a real parameter, `default` when absent.
    ///
    /// # Errors
    /// [`Error::BadParam`] when the text is no number or lies outside `allowed`.
    pub fn number(&mut self, key: &'static str, default: f64, allowed: RangeInclusive<f64>) -> Result<f64> {
        let Some(text) = self.take(key) else { return Ok(default) };
        match text.parse::<f64>() {
            Ok(v) if allowed.contains(&v) => Ok(v),
            _ => Err(self.bad(key, text, format!("a number from {} to {}", allowed.start(), allowed.end()))),
        }
    }

    /// Reads a whole parameter, `default` when absent.
    ///
    /// # Errors
    /// [`Error::BadParam`] when the text is no whole number or lies outside `allowed`.
    pub fn count(
        &mut self,
        key: &'static str,
        default: usize,
        allowed: RangeInclusive<usize>,
    ) -> Result<usize> {
        let Some(text) = self.take(key) else { return Ok(default) };
        match text.parse::<usize>() {
            Ok(v) if allowed.contains(&v) => Ok(v),
            _ => Err(self.bad(
                key,
                text,
                format!("a whole number from {} to {}", allowed.start(), allowed.end()),
            )),
        }
    }

    /// Reads a parameter that takes one of a few words, `default` when absent.
    ///
    /// # Errors
    /// [`Error::BadParam`] when the text is none of the words.
    pub fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        default: T,
        words: &[(&'static str, T)],
    ) -> Result<T> {
        let Some(text) = self.take(key) else { return Ok(default) };
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Ok(*value);
        }
        let names: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        Err(self.bad(key, text, names.join(" or ")))
    }

    /// Reads a parameter with a syntax of its own, `default` when absent. `expected` completes "give ..." in the
    /// message.
    ///
    /// # Errors
    /// [`Error::BadParam`] when `parse` gives `None`.
    pub fn parsed<T>(
        &mut self,
        key: &'static str,
        default: T,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T> {
        let Some(text) = self.take(key) else { return Ok(default) };
        match parse(&text) {
            Some(value) => Ok(value),
            None => Err(self.bad(key, text, expected.to_owned())),
        }
    }

    /// Ends the reading: a parameter that nobody asked for is an error.
    ///
    /// # Errors
    /// [`Error::UnknownParam`] with the nearest known one.
    pub fn finish(self) -> Result<()> {
        let Some((key, _)) = self.given.into_iter().next() else { return Ok(()) };
        let hint = if self.asked.is_empty() {
            "it takes none".to_owned()
        } else {
            hint(&key, self.asked.iter().copied())
        };
        Err(Error::UnknownParam { owner: self.owner, key, hint })
    }

    fn take(&mut self, key: &'static str) -> Option<String> {
        self.asked.push(key);
        let at = self.given.iter().position(|(k, _)| k == key)?;
        Some(self.given.remove(at).1)
    }

    fn bad(&self, key: &str, value: String, expected: String) -> Error {
        Error::BadParam { owner: self.owner.clone(), key: key.to_owned(), value, expected }
    }
}

/// An [`Error::UnknownName`] with the nearest of `known`.
pub fn unknown<'a>(kind: &'static str, name: &str, known: impl Iterator<Item = &'a str> + Clone) -> Error {
    Error::UnknownName { kind, name: name.to_owned(), hint: hint(name, known) }
}

/// `name:key=value` with the parameters that differ from their defaults; each is `(key, value, default)`.
#[expect(clippy::float_cmp, reason = "a default is recognised bit for bit")]
pub(crate) fn spec_text(name: &str, params: &[(&str, f64, f64)]) -> String {
    let mut text = name.to_owned();
    for (key, value, default) in params {
        if value != default {
            // Writing into a string cannot fail.
            let _ = write!(text, ":{key}={value}");
        }
    }
    text
}

fn hint<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let quoted = |names: &[&str]| names.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ");
    let list = quoted(&known.clone().collect::<Vec<_>>());
    // Whoever writes a beginning knows what follows when reading it; three examples do.
    let typed = letters(name);
    let longer: Vec<&str> = known.clone().filter(|k| letters(k).starts_with(&typed)).take(3).collect();
    if typed.len() > 1 && !longer.is_empty() {
        return format!("did you mean {}? (known: {list})", quoted(&longer).replace(", ", " or "));
    }
    match known.map(|k| (distance(name, k), k)).min() {
        // Beyond half of the letters a guess helps nobody.
        Some((d, k)) if d <= k.len().max(name.len()) / 2 => {
            format!("did you mean `{k}`? (known: {list})")
        }
        _ => format!("known: {list}"),
    }
}

/// What tells names apart: not case, nor `-` from `_`, nor `+` from `p`.
fn letters(name: &str) -> Vec<char> {
    name.to_lowercase().replace('_', "-").replace('+', "p").chars().take(64).collect()
}

/// Levenshtein's edit distance of the [`letters`].
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (letters(a), letters(b));
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(ca != cb);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edit_distance_counts_single_letter_changes() {
        assert_eq!(distance("heun", "heun"), 0);
        assert_eq!(distance("huen", "heun"), 2);
        assert_eq!(distance("dpmpp_2m", "dpmpp-2m"), 0);
        assert_eq!(distance("DPM++2M", "dpmpp-2m"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn parameters_are_taken_checked_and_counted() {
        let (name, mut p) = Params::parse("solver", "heun:s_churn=40:s_noise=x").unwrap();
        assert_eq!(name, "heun");
        assert_eq!(p.number("s_churn", 0.0, 0.0..=100.0), Ok(40.0));
        assert_eq!(p.number("s_min", 0.25, 0.0..=1.0), Ok(0.25));
        assert_eq!(
            p.number("s_noise", 1.0, 0.0..=2.0).unwrap_err().to_string(),
            "solver `heun`: `s_noise=x` is not allowed; give a number from 0 to 2"
        );
        assert!(p.finish().is_ok());
    }

    #[test]
    fn nan_is_in_no_range() {
        let (_, mut p) = Params::parse("path", "ve:sigma_min=nan").unwrap();
        assert!(p.number("sigma_min", 0.1, 0.0..=f64::INFINITY).is_err());
    }

    #[test]
    fn malformed_pieces_have_their_own_messages() {
        assert_eq!(
            Params::parse("path", "ve:5").unwrap_err().to_string(),
            "path `ve`: `5` is not a parameter; write `name:key=value:key=value`"
        );
        assert_eq!(
            Params::parse("path", "ve:s=5:s=6").unwrap_err().to_string(),
            "path `ve`: parameter `s` is given twice; keep one"
        );
    }
}
