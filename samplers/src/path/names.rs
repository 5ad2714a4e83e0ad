//! Names of paths: constructors with the field's defaults, reading and writing.

use std::fmt;
use std::str::FromStr;

use super::table;
use super::{BetaTable, Betas, Path};
use crate::spec::{Params, spec_text, unknown};
use crate::{Error, Result};

const VP_LINEAR: (f64, f64) = (0.1, 20.0);
const DDPM: (f64, f64) = (1e-4, 0.02);
const SD: (f64, f64) = (0.00085, 0.012);
const ROWS: usize = 1000;
const COSINE_S: f64 = 0.008;
const VE: (f64, f64) = (0.01, 50.0);
const EDM: (f64, f64) = (0.002, 80.0);

impl Path {
    /// Every name that [`FromStr`] accepts, with its parameters and their defaults, for help texts.
    pub const NAMES: &'static [(&'static str, &'static str)] = &[
        ("vp-linear", "continuous variance-preserving path, beta_0=0.1, beta_1=20"),
        ("ddpm", "table with linear betas, beta_0=0.0001, beta_1=0.02, rows=1000"),
        ("sd", "table of Stable Diffusion (scaled-linear betas), beta_0=0.00085, beta_1=0.012, rows=1000"),
        ("vp-cosine", "continuous cosine path, s=0.008"),
        ("ve", "variance-exploding path with geometric levels, sigma_min=0.01, sigma_max=50"),
        ("edm", "alpha = 1, sigma = t, sigma_min=0.002, sigma_max=80"),
        ("flow", "rectified flow, alpha = 1 - t, sigma = t"),
    ];

    /// [`Path::VpLinear`] with noise rates 0.1 and 20.
    #[must_use]
    pub fn vp_linear() -> Self {
        Self::VpLinear { beta_0: VP_LINEAR.0, beta_1: VP_LINEAR.1 }
    }

    /// The DDPM table: 1000 rows, `beta` linear from 1e-4 to 0.02.
    #[must_use]
    pub fn ddpm() -> Self {
        Self::known_table(Betas::Linear, DDPM)
    }

    /// The Stable Diffusion table: 1000 rows, `sqrt(beta)` linear from `sqrt(0.00085)` to `sqrt(0.012)`.
    #[must_use]
    pub fn sd() -> Self {
        Self::known_table(Betas::ScaledLinear, SD)
    }

    /// [`Path::VpCosine`] with `s` = 0.008.
    #[must_use]
    pub fn vp_cosine() -> Self {
        Self::VpCosine { s: COSINE_S }
    }

    /// [`Path::Ve`] from 0.01 to 50, the CIFAR-10 setting of the score-SDE paper.
    #[must_use]
    pub fn ve() -> Self {
        Self::Ve { sigma_min: VE.0, sigma_max: VE.1 }
    }

    /// [`Path::Edm`] from 0.002 to 80.
    #[must_use]
    pub fn edm() -> Self {
        Self::Edm { sigma_min: EDM.0, sigma_max: EDM.1 }
    }

    /// [`Path::Flow`].
    #[must_use]
    pub fn flow() -> Self {
        Self::Flow
    }

    /// The name without parameters.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::VpLinear { .. } => "vp-linear",
            Self::Discrete(t) => table::name(t.betas().0),
            Self::VpCosine { .. } => "vp-cosine",
            Self::Ve { .. } => "ve",
            Self::Edm { .. } => "edm",
            Self::Flow => "flow",
        }
    }

    fn known_table(betas: Betas, (beta_0, beta_1): (f64, f64)) -> Self {
        match BetaTable::new(betas, beta_0, beta_1, ROWS) {
            Ok(table) => Self::Discrete(table),
            Err(e) => unreachable!("the published tables are valid: {e}"),
        }
    }
}

impl FromStr for Path {
    type Err = Error;

    fn from_str(spec: &str) -> Result<Self> {
        let (name, mut p) = Params::parse("path", spec)?;
        // Ranges are checked once, by `validate`; here everything that is a number passes.
        let number = |p: &mut Params, key, default| {
            p.parsed(key, default, "a number", |text| text.parse::<f64>().ok())
        };
        let mut pair = |keys: [&'static str; 2], defaults: (f64, f64)| -> Result<(f64, f64)> {
            Ok((number(&mut p, keys[0], defaults.0)?, number(&mut p, keys[1], defaults.1)?))
        };
        let (beta, sigma) = (["beta_0", "beta_1"], ["sigma_min", "sigma_max"]);
        let path = match name {
            "vp-linear" => {
                let (beta_0, beta_1) = pair(beta, VP_LINEAR)?;
                Self::VpLinear { beta_0, beta_1 }
            }
            "ddpm" | "sd" => {
                let (betas, defaults) =
                    if name == "sd" { (Betas::ScaledLinear, SD) } else { (Betas::Linear, DDPM) };
                let (beta_0, beta_1) = pair(beta, defaults)?;
                let rows = p.count("rows", ROWS, 0..=usize::MAX)?;
                Self::Discrete(BetaTable::new(betas, beta_0, beta_1, rows)?)
            }
            "vp-cosine" => Self::VpCosine { s: number(&mut p, "s", COSINE_S)? },
            "ve" => {
                let (sigma_min, sigma_max) = pair(sigma, VE)?;
                Self::Ve { sigma_min, sigma_max }
            }
            "edm" => {
                let (sigma_min, sigma_max) = pair(sigma, EDM)?;
                Self::Edm { sigma_min, sigma_max }
            }
            "flow" => Self::Flow,
            _ => return Err(unknown("path", name, Self::NAMES.iter().map(|(name, _)| *name))),
        };
        p.finish()?;
        path.validate()?;
        Ok(path)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        match self {
            Self::VpLinear { beta_0, beta_1 } => f.write_str(&spec_text(
                name,
                &[("beta_0", *beta_0, VP_LINEAR.0), ("beta_1", *beta_1, VP_LINEAR.1)],
            )),
            Self::Discrete(t) => {
                let (betas, beta_0, beta_1) = t.betas();
                let defaults = if betas == Betas::Linear { DDPM } else { SD };
                let params = [
                    ("beta_0", beta_0, defaults.0),
                    ("beta_1", beta_1, defaults.1),
                    ("rows", t.rows() as f64, ROWS as f64),
                ];
                f.write_str(&spec_text(name, &params))
            }
            Self::VpCosine { s } => f.write_str(&spec_text(name, &[("s", *s, COSINE_S)])),
            Self::Ve { sigma_min, sigma_max } => f.write_str(&spec_text(
                name,
                &[("sigma_min", *sigma_min, VE.0), ("sigma_max", *sigma_max, VE.1)],
            )),
            Self::Edm { sigma_min, sigma_max } => f.write_str(&spec_text(
                name,
                &[("sigma_min", *sigma_min, EDM.0), ("sigma_max", *sigma_max, EDM.1)],
            )),
            Self::Flow => f.write_str(&spec_text(name, &[])),
        }
    }
}
