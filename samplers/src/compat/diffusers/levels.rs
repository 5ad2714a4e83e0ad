//! `use_karras_sigmas` and its kin: noise levels by a rule of their own instead of those of the timesteps.

use crate::Result;
use crate::grid::inverse_beta;
use crate::spec::Params;

/// How the levels between the highest and the lowest are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LevelRule {
    /// Equal steps of `rho^(1/7)` (2206.00364, eq. 5).
    Karras,
    /// Equal steps of `ln rho`.
    Exponential,
    /// Quantiles of the beta distribution with both parameters 0.6 (2407.12173).
    Beta,
    /// Equal steps of `ln rho` as well, which Lu et al. call uniform in lambda; another flag, another rounding.
    Lu,
}

impl LevelRule {
    /// The flags of every scheduler that has any.
    pub(super) const WORDS: [(&'static str, Self); 3] = [
        ("use_karras_sigmas", Self::Karras),
        ("use_exponential_sigmas", Self::Exponential),
        ("use_beta_sigmas", Self::Beta),
    ];

    /// The one flag of `words` that is true, else `found`, which counts as one of them; without any the levels are those of
    /// the timesteps themselves.
    pub(super) fn read(
        p: &mut Params,
        mut found: Option<Self>,
        words: &[(&'static str, Self)],
    ) -> Result<Option<Self>> {
        for (key, rule) in words {
            let free = found.is_none();
            let expected = if free { "true or false" } else { "false, since another rule is asked for" };
            let read = |text: &str| match text {
                "true" if free => Some(true),
                "false" => Some(false),
                _ => None,
            };
            if p.parsed(key, false, expected, read)? {
                found = Some(*rule);
            }
        }
        Ok(found)
    }

    /// What the rule is called.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Karras => "karras",
            Self::Exponential => "exponential",
            Self::Beta => "beta",
            Self::Lu => "lu",
        }
    }

    /// The level after the share `u` of all steps, strictly between `hi` and `lo`.
    pub(super) fn between(self, hi: f64, lo: f64, u: f64) -> f64 {
        match self {
            Self::Exponential | Self::Lu => (hi.ln() + u * (lo.ln() - hi.ln())).exp(),
            Self::Karras => {
                let root = |v: f64| v.powf(1.0 / 7.0);
                (root(hi) + u * (root(lo) - root(hi))).powi(7)
            }
            Self::Beta => lo + inverse_beta(1.0 - u, 0.6, 0.6) * (hi - lo),
        }
    }

    /// The row that a scheduler with whole timesteps asks for: the nearest one, or the one below where diffusers leaves the
    /// rounding to a cast.
    pub(super) fn row(self, t: f64) -> f64 {
        match self {
            Self::Karras | Self::Lu => t.round_ties_even(),
            Self::Exponential | Self::Beta => t.trunc(),
        }
    }
}
