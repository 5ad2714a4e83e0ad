//! The shift of flow grids towards noise, applied exactly once.

use std::fmt::{self, Write as _};

use super::GridRule;
use crate::spec::Params;
use crate::{Error, Result};

/// How `mu` becomes a shift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShiftCurve {
    /// The shift is `e^mu`.
    Exponential,
    /// The shift is `mu` itself.
    Linear,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Strength {
    Factor(f64),
    Tokens(usize, ShiftCurve),
}

/// A shift of the times of a flow grid: `t -> s t / (1 + (s - 1) t)`, which multiplies every `sigma / alpha` by `s`
/// (Esser et al. 2024, arXiv 2403.03206, eq. 23). Larger pictures need more noise to be equally hidden.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shift {
    strength: Strength,
    terminal: Option<f64>,
}

const CURVES: [(&str, Option<ShiftCurve>); 2] =
    [("exponential", Some(ShiftCurve::Exponential)), ("linear", Some(ShiftCurve::Linear))];
const FACTOR: (f64, f64) = (0.01, 100.0);
const MOST_TOKENS: usize = 65_536;
const TERMINAL: (f64, f64) = (1e-6, 0.99);

impl Shift {
    /// The keys of the text form, which every rule takes, with what they mean, for help texts.
    pub const PARAMS: &'static [(&'static str, &'static str)] = &[
        ("shift", "factor on sigma/alpha of a flow grid, 0.01 to 100; 3 for Stable Diffusion 3"),
        ("tokens", "in place of it, the number of image tokens that the shift follows from"),
        ("curve", "with tokens: exponential (default) or linear"),
        ("shift_terminal", "stretches the grid so that its last sigma above 0 is this"),
    ];

    /// A shift by a fixed factor.
    ///
    /// # Errors
    /// [`Error::BadParam`] unless the factor lies from 0.01 to 100.
    pub fn factor(factor: f64) -> Result<Self> {
        check("shift", factor, FACTOR)?;
        Ok(Self { strength: Strength::Factor(factor), terminal: None })
    }

    /// A shift that follows from the number of image tokens: `mu` is the straight line through (256, 0.5) and
    /// (4096, 1.15), as FLUX has it, and the curve makes the factor of it.
    ///
    /// # Errors
    /// [`Error::BadParam`] unless the number lies from 1 to 65536.
    pub fn tokens(tokens: usize, curve: ShiftCurve) -> Result<Self> {
        check("tokens", tokens as f64, (1.0, MOST_TOKENS as f64))?;
        Ok(Self { strength: Strength::Tokens(tokens, curve), terminal: None })
    }

    /// The same shift, followed by a stretch that leaves 1 where it is and brings the last `sigma` above 0 to
    /// `terminal`: `1 - sigma` is multiplied by `(1 - terminal) / (1 - sigma_last)`.
    ///
    /// # Errors
    /// [`Error::BadParam`] unless `terminal` lies from 1e-6 to 0.99.
    pub fn with_terminal(self, terminal: f64) -> Result<Self> {
        check("shift_terminal", terminal, TERMINAL)?;
        Ok(Self { terminal: Some(terminal), ..self })
    }

    /// The factor by which every `sigma / alpha` grows, before the stretch.
    #[must_use]
    pub fn strength(&self) -> f64 {
        match self.strength {
            Strength::Factor(factor) => factor,
            Strength::Tokens(tokens, curve) => {
                let mu = 0.5 + (tokens as f64 - 256.0) * (1.15 - 0.5) / (4096.0 - 256.0);
                match curve {
                    ShiftCurve::Exponential => mu.exp(),
                    ShiftCurve::Linear => mu,
                }
            }
        }
    }

    /// Reads the keys of [`Shift::PARAMS`]; `None` when they ask for nothing.
    pub(super) fn from_params(p: &mut Params) -> Result<Option<Self>> {
        // NaN and 0 are outside the ranges and stand for what is not there.
        let factor = Some(p.number("shift", f64::NAN, FACTOR.0..=FACTOR.1)?).filter(|f| !f.is_nan());
        let tokens = Some(p.count("tokens", 0, 1..=MOST_TOKENS)?).filter(|n| *n > 0);
        let curve = p.choice("curve", None, &CURVES)?;
        let terminal = Some(p.number("shift_terminal", 0.0, TERMINAL.0..=TERMINAL.1)?).filter(|v| *v > 0.0);
        let strength = match (factor, tokens, curve) {
            (Some(_), Some(tokens), _) => {
                return Err(bad("tokens", tokens.to_string(), "either `shift` or `tokens`, not both"));
            }
            (_, None, Some(curve)) => return Err(bad("curve", word(curve).to_owned(), "`tokens` beside it")),
            (None, Some(tokens), curve) => Strength::Tokens(tokens, curve.unwrap_or(ShiftCurve::Exponential)),
            (Some(factor), None, None) => Strength::Factor(factor),
            (None, None, None) if terminal.is_none() => return Ok(None),
            (None, None, None) => Strength::Factor(1.0),
        };
        Ok(Some(Self { strength, terminal }))
    }

    /// The text form, to be put behind that of a rule; begins with a colon.
    fn text(&self) -> String {
        let mut text = match self.strength {
            Strength::Factor(factor) => format!(":shift={factor}"),
            Strength::Tokens(tokens, ShiftCurve::Exponential) => format!(":tokens={tokens}"),
            Strength::Tokens(tokens, curve) => format!(":tokens={tokens}:curve={}", word(curve)),
        };
        if let Some(terminal) = self.terminal {
            // Writing into a string cannot fail.
            let _ = write!(text, ":shift_terminal={terminal}");
        }
        text
    }

    /// Shifts times of the flow path in place; 0 and 1 stay where they are. Fails when there is nothing to stretch.
    pub(super) fn apply(&self, times: &mut [f64]) -> std::result::Result<(), String> {
        let s = self.strength();
        for t in times.iter_mut() {
            // This form is exact at 0 and at 1.
            *t = s * *t / (1.0 - *t + s * *t);
        }
        let Some(terminal) = self.terminal else { return Ok(()) };
        let Some(&last) = times.iter().rev().find(|t| **t > 0.0).filter(|t| **t < 1.0) else {
            return Err(
                "`shift_terminal` moves the last sigma between 0 and 1: ask for more steps".to_owned()
            );
        };
        let stretch = (1.0 - terminal) / (1.0 - last);
        for t in times.iter_mut().filter(|t| **t > 0.0) {
            *t = if *t <= last { terminal } else { 1.0 - (1.0 - *t) * stretch };
        }
        Ok(())
    }
}

const OWNER: &str = "grid shift";

fn word(curve: ShiftCurve) -> &'static str {
    CURVES.iter().find(|(_, c)| *c == Some(curve)).map_or("", |(word, _)| word)
}

fn bad(key: &str, value: String, expected: &str) -> Error {
    Error::BadParam { owner: OWNER.to_owned(), key: key.to_owned(), value, expected: expected.to_owned() }
}

fn check(key: &str, value: f64, (lo, hi): (f64, f64)) -> Result<()> {
    // Written so that NaN fails.
    if value >= lo && value <= hi {
        return Ok(());
    }
    Err(bad(key, value.to_string(), &format!("a number from {lo} to {hi}")))
}

/// A rule with a shift behind it; made by [`GridRule::shifted`] only, so that no rule is shifted twice.
#[derive(Clone, Debug, PartialEq)]
pub struct Shifted {
    rule: Box<GridRule>,
    shift: Shift,
}

impl Shifted {
    /// The rule without the shift.
    #[must_use]
    pub fn rule(&self) -> &GridRule {
        &self.rule
    }

    /// The shift.
    #[must_use]
    pub fn shift(&self) -> Shift {
        self.shift
    }
}

impl fmt::Display for Shifted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.rule, self.shift.text())
    }
}

impl GridRule {
    /// This rule with its times shifted, for grids on the flow path. Limits passed to [`GridRule::grid`] are those of
    /// the rule, before the shift.
    ///
    /// # Errors
    /// [`Error::CannotShift`] when the rule has a shift already, or when its nodes are a list, which is never altered.
    pub fn shifted(self, shift: Shift) -> Result<Self> {
        let hint = match self {
            Self::Shifted(_) => "it has a shift already: give one only",
            Self::Times(_) | Self::Sigmas(_) | Self::Lambdas(_) | Self::Ays { .. } | Self::Gits => {
                "its nodes are a list and taken as they are: drop the shift, or use `uniform-t`"
            }
            _ => return Ok(Self::Shifted(Shifted { rule: Box::new(self), shift })),
        };
        Err(Error::CannotShift { rule: self.to_string(), hint: hint.to_owned() })
    }
}
