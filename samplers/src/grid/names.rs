//! Names of grid rules: reading and writing.

use std::fmt;
use std::str::FromStr;

use super::GridRule;
use crate::spec::{Params, spec_text, unknown};
use crate::{Error, Result};

impl GridRule {
    /// Every name that [`FromStr`] accepts besides a list of times, for help texts.
    pub const NAMES: &'static [(&'static str, &'static str)] = &[
        ("uniform-t", "equal steps of the path's time"),
        ("power-t", "equal steps of t^(1/k), k=2"),
        ("karras", "equal steps of (sigma/alpha)^(1/rho), rho=7; ends at zero"),
        ("logsnr", "equal steps of the log signal-to-noise ratio"),
        ("trailing", "table rows from the noisy end; ends at zero"),
        ("leading", "multiples of rows/steps; ends at zero"),
        ("linspace", "table rows spread evenly; ends at zero"),
    ];
}

impl FromStr for GridRule {
    type Err = Error;

    fn from_str(spec: &str) -> Result<Self> {
        if spec.contains(',') || spec.trim().parse::<f64>().is_ok() {
            return parse_times(spec);
        }
        let (name, mut p) = Params::parse("grid rule", spec)?;
        let rule = match name {
            "uniform-t" => Self::UniformT,
            "power-t" => Self::PowerT { k: p.number("k", 2.0, 0.1..=20.0)? },
            "karras" => Self::Karras { rho: p.number("rho", 7.0, 0.1..=100.0)? },
            "logsnr" => Self::LogSnr,
            "trailing" => Self::Trailing,
            "leading" => Self::Leading,
            "linspace" => Self::Linspace,
            _ => return Err(unknown("grid rule", name, Self::NAMES.iter().map(|(name, _)| *name))),
        };
        p.finish()?;
        Ok(rule)
    }
}

fn parse_times(spec: &str) -> Result<GridRule> {
    let parsed: std::result::Result<Vec<f64>, &str> =
        spec.split(',').map(|piece| piece.trim().parse::<f64>().map_err(|_| piece)).collect();
    parsed.map(GridRule::Times).map_err(|piece| Error::BadParam {
        owner: "grid".to_owned(),
        key: "times".to_owned(),
        value: piece.trim().to_owned(),
        expected: "numbers with commas between them, from noise to data".to_owned(),
    })
}

impl fmt::Display for GridRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UniformT => f.write_str("uniform-t"),
            // The exponent is always written: it is what people compare.
            Self::PowerT { k } => f.write_str(&spec_text("power-t", &[("k", *k, f64::NAN)])),
            Self::Karras { rho } => f.write_str(&spec_text("karras", &[("rho", *rho, f64::NAN)])),
            Self::LogSnr => f.write_str("logsnr"),
            Self::Trailing => f.write_str("trailing"),
            Self::Leading => f.write_str("leading"),
            Self::Linspace => f.write_str("linspace"),
            Self::Times(times) => {
                for (i, t) in times.iter().enumerate() {
                    write!(f, "{}{t}", if i == 0 { "" } else { "," })?;
                }
                Ok(())
            }
        }
    }
}
