//! Names of grid rules: reading and writing.

use std::fmt;
use std::str::FromStr;

use super::{AysTable, GridRule, Shift};
use crate::spec::{Params, spec_text, unknown};
use crate::{Error, Result};

impl GridRule {
    /// Every name that [`FromStr`] accepts besides a list of times, for help texts.
    pub const NAMES: &'static [(&'static str, &'static str)] = &[
        ("uniform-t", "equal steps of the path's time"),
        ("power-t", "equal steps of t^(1/k), k=2 (the quadratic rule of DEIS, arXiv 2204.13902)"),
        (
            "karras",
            "equal steps of (sigma/alpha)^(1/rho), rho=7; ends at zero (EDM, arXiv 2206.00364, eq. 5)",
        ),
        (
            "time-uniform",
            "equal steps of s^(1/k), k=1, in the time s of a VP path fitted to the levels (as diff-sampler)",
        ),
        ("logsnr", "equal steps of the log signal-to-noise ratio (DPM-Solver, arXiv 2206.00927)"),
        ("exponential", "equal steps of ln(sigma/alpha); ends at zero"),
        ("poly-exponential", "ln(sigma/alpha) by a power of the remaining share, rho=1; ends at zero"),
        ("kl-optimal", "equal steps of atan(sigma/alpha); ends at zero (arXiv 2404.14507, theorem 3.1)"),
        (
            "beta",
            "quantiles of a beta distribution, alpha=0.6, beta=0.6, of the time (on=t) or of sigma/alpha (on=rho); ends at \
             zero (arXiv 2407.12173)",
        ),
        (
            "ays",
            "Align Your Steps: the published list of 10 for Stable Diffusion 1.5, table=sd15 (or sdxl, svd), interpolated \
             for other counts; ends at zero (arXiv 2404.14507)",
        ),
        (
            "gits",
            "the published lists of 5, 6, 8 and 10 for Stable Diffusion 1.5, interpolated for other counts; ends at zero \
             (GITS, arXiv 2405.11326)",
        ),
        ("trailing", "table rows counted from the noisy end; ends at zero (arXiv 2305.08891, table 2)"),
        ("leading", "multiples of rows/steps, offset=0 (or 1, as Stable Diffusion); ends at zero"),
        ("linspace", "table rows spread evenly; ends at zero"),
    ];

    /// What may stand in place of a rule: the list forms, for help texts.
    pub const LISTS: &'static [(&'static str, &'static str)] = &[
        ("80,10,1.5,0.002", "exactly these times"),
        ("sigmas=14.6,6.5,0", "exactly these noise levels: t on the flow path, elsewhere sigma/alpha"),
        ("lambdas=-2.7,-1.9,inf", "exactly these ln(alpha/sigma)"),
    ];
}

/// Words of `beta:on=`: whether the quantiles are of `t`.
const BETA_ON: [(&str, bool); 2] = [("t", true), ("rho", false)];
const BETA: f64 = 0.6;

impl FromStr for GridRule {
    type Err = Error;

    fn from_str(spec: &str) -> Result<Self> {
        let (head, rest) = spec.split_once(':').map_or((spec, None), |(head, rest)| (head, Some(rest)));
        let list = head.split_once('=').or_else(|| is_plain_list(head).then_some(("times", head)));
        if let Some((key, values)) = list {
            let rule = parse_list(key.trim(), values)?;
            let Some(rest) = rest else { return Ok(rule) };
            let (_, mut p) = Params::parse("grid", &format!("{}:{rest}", key.trim()))?;
            return rule.finish(&mut p).and_then(|rule| p.finish().map(|()| rule));
        }
        let (name, mut p) = Params::parse("grid rule", spec)?;
        let rule = match name {
            "uniform-t" => Self::UniformT,
            "power-t" => Self::PowerT { k: p.number("k", 2.0, 0.1..=20.0)? },
            "karras" => Self::Karras { rho: p.number("rho", 7.0, 0.1..=100.0)? },
            "time-uniform" => Self::TimeUniform { k: p.number("k", 1.0, 0.1..=20.0)? },
            "logsnr" => Self::LogSnr,
            "exponential" => Self::Exponential,
            "poly-exponential" => Self::PolyExponential { rho: p.number("rho", 1.0, 0.1..=20.0)? },
            "kl-optimal" => Self::KlOptimal,
            "beta" => {
                let alpha = p.number("alpha", BETA, 0.1..=10.0)?;
                let beta = p.number("beta", BETA, 0.1..=10.0)?;
                if p.choice("on", true, &BETA_ON)? {
                    Self::BetaT { alpha, beta }
                } else {
                    Self::BetaRho { alpha, beta }
                }
            }
            "ays" => Self::Ays { table: p.choice("table", AysTable::Sd15, &AysTable::WORDS)? },
            "gits" => Self::Gits,
            "trailing" => Self::Trailing,
            "leading" => Self::Leading { offset: p.count("offset", 0, 0..=1)? },
            "linspace" => Self::Linspace,
            _ => return Err(unknown("grid rule", name, Self::NAMES.iter().map(|(name, _)| *name))),
        };
        let rule = rule.finish(&mut p)?;
        p.finish()?;
        Ok(rule)
    }
}

impl GridRule {
    /// Reads the shift that may stand behind any rule.
    fn finish(self, p: &mut Params) -> Result<Self> {
        match Shift::from_params(p)? {
            Some(shift) => self.shifted(shift),
            None => Ok(self),
        }
    }
}

fn is_plain_list(text: &str) -> bool {
    text.contains(',') || text.trim().parse::<f64>().is_ok()
}

fn parse_list(key: &str, values: &str) -> Result<GridRule> {
    const KEYS: [&str; 3] = ["times", "sigmas", "lambdas"];
    let kind = match key {
        "times" => GridRule::Times,
        "sigmas" => GridRule::Sigmas,
        "lambdas" => GridRule::Lambdas,
        _ => return Err(unknown("grid list", key, KEYS.into_iter())),
    };
    let parsed: std::result::Result<Vec<f64>, &str> =
        values.split(',').map(|piece| piece.trim().parse::<f64>().map_err(|_| piece)).collect();
    parsed.map(kind).map_err(|piece| Error::BadParam {
        owner: "grid".to_owned(),
        key: key.to_owned(),
        value: piece.trim().to_owned(),
        expected: "numbers with commas between them, from noise to data".to_owned(),
    })
}

impl fmt::Display for GridRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An exponent is always written: it is what people compare.
        let always = f64::NAN;
        let list = |f: &mut fmt::Formatter<'_>, key: &str, values: &[f64]| {
            f.write_str(key)?;
            let mut comma = "";
            for value in values {
                write!(f, "{comma}{value}")?;
                comma = ",";
            }
            Ok(())
        };
        match self {
            Self::UniformT => f.write_str("uniform-t"),
            Self::PowerT { k } => f.write_str(&spec_text("power-t", &[("k", *k, always)])),
            Self::Karras { rho } => f.write_str(&spec_text("karras", &[("rho", *rho, always)])),
            Self::TimeUniform { k } => f.write_str(&spec_text("time-uniform", &[("k", *k, always)])),
            Self::LogSnr => f.write_str("logsnr"),
            Self::Exponential => f.write_str("exponential"),
            Self::PolyExponential { rho } => {
                f.write_str(&spec_text("poly-exponential", &[("rho", *rho, always)]))
            }
            Self::KlOptimal => f.write_str("kl-optimal"),
            Self::BetaT { alpha, beta } => {
                f.write_str(&spec_text("beta", &[("alpha", *alpha, always), ("beta", *beta, always)]))
            }
            Self::BetaRho { alpha, beta } => {
                f.write_str(&spec_text("beta", &[("alpha", *alpha, always), ("beta", *beta, always)]))?;
                f.write_str(":on=rho")
            }
            Self::Ays { table } => write!(f, "ays:table={}", table.word()),
            Self::Gits => f.write_str("gits"),
            Self::Trailing => f.write_str("trailing"),
            Self::Leading { offset } => {
                f.write_str(&spec_text("leading", &[("offset", *offset as f64, 0.0)]))
            }
            Self::Linspace => f.write_str("linspace"),
            Self::Times(values) => list(f, "", values),
            Self::Sigmas(values) => list(f, "sigmas=", values),
            Self::Lambdas(values) => list(f, "lambdas=", values),
            Self::Shifted(shifted) => shifted.fmt(f),
        }
    }
}
