//! Discrete variance-preserving tables, summed in `f64`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// How the `beta` of the rows runs from `beta_0` to `beta_1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Betas {
    /// `beta` itself is linear in the row (Ho et al. 2020).
    Linear,
    /// The square root of `beta` is linear in the row (latent diffusion, Rombach et al. 2022).
    ScaledLinear,
}

/// A table of `rows` noise levels: `alpha_i^2` is the product of `1 - beta_j` for `j <= i`.
///
/// Only `ln rho` is kept. It is formed from a sum of `ln(1 - beta)` and never from `1 - alpha^2`, so that the first
/// rows keep all their digits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Recipe", into = "Recipe")]
pub struct BetaTable {
    recipe: Recipe,
    ln_rho: Arc<[f64]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recipe {
    betas: Betas,
    beta_0: f64,
    beta_1: f64,
    rows: usize,
}

/// Largest table: a hundred times the usual one.
const MAX_ROWS: usize = 100_000;

impl BetaTable {
    /// Builds a table of `rows` levels (2 to 100,000) from `0 < beta_0 <= beta_1 < 1`.
    ///
    /// # Errors
    /// [`Error::BadParam`] when a number is out of range, or when the last row would drown the data so deeply that
    /// its `rho` exceeds e^300.
    pub fn new(betas: Betas, beta_0: f64, beta_1: f64, rows: usize) -> Result<Self> {
        let bad = |key: &str, value: String, expected: &str| Error::BadParam {
            owner: format!("path `{}`", name(betas)),
            key: key.to_owned(),
            value,
            expected: expected.to_owned(),
        };
        if !(1e-9..1.0).contains(&beta_0) {
            return Err(bad("beta_0", beta_0.to_string(), "a number from 1e-9 to below 1"));
        }
        if !(beta_0..1.0).contains(&beta_1) {
            return Err(bad("beta_1", beta_1.to_string(), "a number from beta_0 to below 1"));
        }
        if !(2..=MAX_ROWS).contains(&rows) {
            return Err(bad("rows", rows.to_string(), "a whole number from 2 to 100000"));
        }
        let mut ln_alpha_bar = 0.0;
        let ln_rho: Arc<[f64]> = (0..rows)
            .map(|row| {
                let u = row as f64 / (rows - 1) as f64;
                let beta = match betas {
                    Betas::Linear => beta_0 + u * (beta_1 - beta_0),
                    Betas::ScaledLinear => (beta_0.sqrt() + u * (beta_1.sqrt() - beta_0.sqrt())).powi(2),
                };
                ln_alpha_bar += (-beta).ln_1p();
                let ln_alpha = 0.5 * ln_alpha_bar;
                let ln_sigma = 0.5 * (-f64::exp_m1(ln_alpha_bar)).ln();
                ln_sigma - ln_alpha
            })
            .collect();
        if ln_rho[rows - 1] > 300.0 {
            return Err(bad(
                "rows",
                rows.to_string(),
                "fewer rows or smaller betas: the last rho exceeds e^300",
            ));
        }
        Ok(Self { recipe: Recipe { betas, beta_0, beta_1, rows }, ln_rho })
    }

    /// Number of levels.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.recipe.rows
    }

    /// The rule for `beta`, its first and its last value.
    #[must_use]
    pub fn betas(&self) -> (Betas, f64, f64) {
        (self.recipe.betas, self.recipe.beta_0, self.recipe.beta_1)
    }

    /// `rho` at the real row index `t`; 0 at and below -1, extrapolated above the last row.
    pub(super) fn rho(&self, t: f64) -> f64 {
        if t < 0.0 {
            return (1.0 + t).max(0.0) * self.ln_rho[0].exp();
        }
        let row = (t.floor() as usize).min(self.rows() - 2);
        let u = t - row as f64;
        (self.ln_rho[row] * (1.0 - u) + self.ln_rho[row + 1] * u).exp()
    }

    /// The inverse of [`BetaTable::rho`] in `ln rho`.
    pub(super) fn t_of_ln_rho(&self, ln_rho: f64) -> f64 {
        if ln_rho < self.ln_rho[0] {
            return (ln_rho - self.ln_rho[0]).exp_m1();
        }
        let row = self.ln_rho.partition_point(|v| *v <= ln_rho).saturating_sub(1).min(self.rows() - 2);
        let (a, b) = (self.ln_rho[row], self.ln_rho[row + 1]);
        row as f64 + (ln_rho - a) / (b - a)
    }
}

/// The name of the path that a table makes.
pub(super) fn name(betas: Betas) -> &'static str {
    match betas {
        Betas::Linear => "ddpm",
        Betas::ScaledLinear => "sd",
    }
}

impl TryFrom<Recipe> for BetaTable {
    type Error = Error;
    fn try_from(r: Recipe) -> Result<Self> {
        Self::new(r.betas, r.beta_0, r.beta_1, r.rows)
    }
}

impl From<BetaTable> for Recipe {
    fn from(table: BetaTable) -> Self {
        table.recipe
    }
}
