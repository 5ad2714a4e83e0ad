//! From two sides to values.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context as _, Result, bail};
use fewstep_eval::metrics::{Blocks, Manifold, Neighbours, inception_score, kid, manifold};
use fewstep_eval::stats::{FdReport, Moments, Reference};
use tch::Tensor;

use super::ahead::same_id;
use super::{Side, Value, Wanted};

/// A metric of this command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// Fréchet distance of the features.
    Fid,
    /// Fréchet distance of the spatial features.
    Sfid,
    /// Kernel distance.
    Kid,
    /// Score of the class predictions, of one side alone.
    Is,
    /// Precision and recall.
    Pr,
    /// Density and coverage.
    Dc,
}

/// Settings of the metrics; the defaults are those of torch-fidelity, prdc for density and coverage.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Blocks of KID.
    pub kid_blocks: usize,
    /// Pictures a block, at most.
    pub kid_size: usize,
    /// Seed of the draw of KID's blocks and of the order of the Inception Score.
    pub seed: u32,
    /// Parts of the Inception Score.
    pub splits: usize,
    /// Neighbourhoods.
    pub neighbours: Neighbours,
}

impl Default for Settings {
    fn default() -> Self {
        Self { kid_blocks: 100, kid_size: 1000, seed: 2020, splits: 10, neighbours: Neighbours::default() }
    }
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Fid, Self::Sfid, Self::Kid, Self::Is, Self::Pr, Self::Dc];

    fn name(self) -> &'static str {
        match self {
            Self::Fid => "fid",
            Self::Sfid => "sfid",
            Self::Kid => "kid",
            Self::Is => "is",
            Self::Pr => "pr",
            Self::Dc => "dc",
        }
    }

    /// Whether a reference is needed.
    pub fn compares(self) -> bool {
        self != Self::Is
    }

    /// What it is computed from: of the samples, and of the reference.
    pub fn wanted(self) -> [Wanted; 2] {
        let none = Wanted::default();
        match self {
            Self::Fid => [Wanted { moments: true, ..none }; 2],
            Self::Sfid => [Wanted { spatial: true, ..none }; 2],
            Self::Kid | Self::Pr | Self::Dc => [Wanted { rows: true, ..none }; 2],
            Self::Is => [Wanted { logits: true, ..none }, none],
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Metric {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|m| m.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("unknown metric `{text}`; there are {names}")
        })
    }
}

/// Computes `metrics` of `samples` against `reference`. Names follow the literature on its own network only: on the
/// built-in one the Fréchet distance is FD, the kernel distance KD, the score CS.
///
/// # Errors
/// If a side lacks what a metric needs, or has too few pictures for it, or the sides were measured in different ways.
pub fn measure(
    metrics: &[Metric],
    samples: &Side,
    reference: Option<&Side>,
    settings: Settings,
) -> Result<Vec<Value>> {
    let mut values = Vec::new();
    let mut shared = None;
    for metric in metrics {
        let found = one(*metric, samples, reference, settings, &mut shared);
        values.extend(found.with_context(|| format!("`{metric}`"))?);
    }
    Ok(values)
}

/// `shared` keeps what precision and recall have in common with density and coverage.
fn one(
    metric: Metric,
    samples: &Side,
    reference: Option<&Side>,
    settings: Settings,
    shared: &mut Option<Manifold>,
) -> Result<Vec<Value>> {
    let (about, against) = (samples.origin(metric), reference.map(|side| side.origin(metric)));
    let id = about.extractor.as_ref().or(against.and_then(|against| against.extractor.as_ref()));
    let inception = id.is_none_or(|id| id.starts_with("inception-"));
    let named = |ours: &'static str, literature: &'static str| if inception { literature } else { ours };
    let value = |name, value| Value::new(name, value, about, against);
    let distance = |name, found: FdReport| {
        let more = [("mean_term", found.mean_term), ("cov_term", found.cov_term), ("floor", found.floor)];
        vec![value(name, found.fd).with(&more)]
    };
    let other = || {
        let other = reference.context("a reference is missing; give it after the samples")?;
        comparable(metric, samples, other).map(|()| other)
    };
    match metric {
        Metric::Fid => {
            let found = frechet(samples, other()?, |side| side.moments.as_ref())?;
            Ok(distance(named("fd", "fid"), found))
        }
        Metric::Sfid => {
            let found = frechet(samples, other()?, |side| side.spatial.as_ref())?;
            Ok(distance("sfid", found))
        }
        Metric::Kid => {
            let (x, y) = (features(samples)?, features(other()?)?);
            let (n, m) = (x.size()[0] as usize, y.size()[0] as usize);
            let size = settings.kid_size.min(n).min(m);
            let blocks = Blocks::drawn(n, m, settings.kid_blocks, size, settings.seed)?;
            let found = kid(&x, &y, &blocks)?;
            Ok(vec![value(named("kd", "kid"), found.mean).with(&[("sd", found.sd), ("block", size as f64)])])
        }
        Metric::Is => {
            let logits = samples.logits.as_ref().context("there are no logits; give pictures")?;
            let n = about.n.unwrap_or(0).max(1);
            let logits = Tensor::f_from_slice(logits)?.f_view([n as i64, -1])?;
            let found = inception_score(&logits, settings.splits, Some(settings.seed))?;
            let value = Value::new(named("cs", "is"), found.mean, about, None);
            Ok(vec![value.with(&[("sd", found.sd), ("splits", settings.splits as f64)])])
        }
        Metric::Pr | Metric::Dc => {
            let found = match *shared {
                Some(found) => found,
                None => manifold(&features(samples)?, &features(other()?)?, settings.neighbours)?,
            };
            *shared = Some(found);
            let Neighbours { precision, density } = settings.neighbours;
            let row = |name, v, k: u32| value(name, v).with(&[("k", f64::from(k))]);
            Ok(if metric == Metric::Pr {
                let (p, r) = (found.precision, found.recall);
                vec![row("precision", p, precision), row("recall", r, precision)]
            } else {
                vec![row("density", found.density, density), row("coverage", found.coverage, density)]
            })
        }
    }
}

/// Whether two sides were measured alike, as far as they say. Features of equal length need not be of one network.
fn comparable(metric: Metric, samples: &Side, reference: &Side) -> Result<()> {
    let (x, y) = (samples.origin(metric), reference.origin(metric));
    for (what, x, y) in [("network", &x.extractor, &y.extractor), ("protocol", &x.protocol, &y.protocol)] {
        if let (Some(x), Some(y)) = (x, y)
            && !same_id(x, y)
        {
            let (a, b) = (&samples.name, &reference.name);
            bail!("`{a}` was made with the {what} `{x}`, `{b}` with `{y}`; compare what was measured alike");
        }
    }
    Ok(())
}

fn frechet(samples: &Side, reference: &Side, part: fn(&Side) -> Option<&Moments>) -> Result<FdReport> {
    let (Some(x), Some(y)) = (part(samples), part(reference)) else {
        bail!("a side has no mean and covariance of these features; give pictures");
    };
    if x.dim() != y.dim() {
        bail!(
            "`{}` is about features of length {}, `{}` of length {}; compare only what was measured alike",
            samples.name,
            x.dim(),
            reference.name,
            y.dim()
        );
    }
    Ok(Reference::new(y)?.distance(x)?)
}

fn features(side: &Side) -> Result<Tensor> {
    let rows = side
        .rows
        .as_ref()
        .with_context(|| format!("`{}` has no single features; give pictures", side.name))?;
    let n = side.about.n.unwrap_or(0).max(1) as i64;
    Ok(Tensor::f_from_slice(rows)?.f_view([n, -1])?)
}
