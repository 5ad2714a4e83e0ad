//! The two sides of a comparison.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, bail};
use fewstep_eval::source::{self, Source};
use fewstep_eval::stats::Moments;
use fewstep_eval::stats::files::{About, Layout, StatisticsFile, Stored};

use super::ahead::present;
use super::{Extractor, FeatureSpace, Gathered, Metric, Options, Shards, Wanted, extract};

/// Pictures or statistics, opened but not read.
#[derive(Debug)]
pub struct Input {
    /// As the user gave it.
    name: String,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Pictures(Arc<dyn Source>),
    Statistics(StatisticsFile),
    /// The moments of one of [`FeatureSpace::TRAINING_SETS`].
    Builtin(&'static str),
}

/// What a side came to; parts are there as far as they were wanted.
#[derive(Debug, Default)]
pub struct Side {
    /// As the user gave it.
    pub name: String,
    /// Where the numbers come from.
    pub about: About,
    /// Where the moments come from, if not from the same place: a file of statistics may hold pictures too.
    pub about_moments: Option<About>,
    /// Where the logits come from, if not from the same place.
    pub about_logits: Option<About>,
    /// Moments of the features.
    pub moments: Option<Moments>,
    /// Moments of the spatial features.
    pub spatial: Option<Moments>,
    /// Features `[n, d]`.
    pub rows: Option<Vec<f32>>,
    /// Logits `[n, classes]`.
    pub logits: Option<Vec<f32>>,
    /// What a user should know about the pictures.
    pub remarks: Vec<String>,
}

/// How sides are brought in.
#[derive(Clone, Copy, Debug)]
pub struct Means<'a> {
    /// The network; statistics do without.
    pub extractor: Option<&'a Extractor>,
    /// The first pictures, or features, only. A stored mean and covariance are of all, see [`Input::is_whole`].
    pub limit: Option<u64>,
    /// Where outputs are kept.
    pub state: Option<&'a Path>,
    /// How to run.
    pub options: Options<'a>,
}

impl Side {
    /// Where that comes from of which `metric` is computed.
    pub fn origin(&self, metric: Metric) -> &About {
        let apart = match metric {
            Metric::Fid | Metric::Sfid => self.about_moments.as_ref(),
            Metric::Is => self.about_logits.as_ref(),
            Metric::Kid | Metric::Pr | Metric::Dc => None,
        };
        apart.unwrap_or(&self.about)
    }

    /// What stands in a file, and what the pictures there gave besides.
    fn beside(self, pictures: Self) -> Self {
        let Self { about, moments, spatial, rows, .. } = self;
        if rows.is_some() {
            let about_logits = Some(pictures.about);
            return Self { about, about_logits, moments, spatial, rows, ..pictures };
        }
        Self { about_moments: Some(about), moments, spatial, ..pictures }
    }
}

impl Input {
    /// Opens a folder, a file, or a built-in reference, one of [`FeatureSpace::TRAINING_SETS`].
    ///
    /// # Errors
    /// If it is not there, or none of what can be read; the message names it.
    pub fn open(name: &str) -> Result<Self> {
        let path = Path::new(name);
        let builtin = FeatureSpace::TRAINING_SETS.into_iter().find(|set| *set == name && !path.exists());
        let kind = if let Some(set) = builtin {
            Kind::Builtin(set)
        } else if let Some(file) = StatisticsFile::look(path)? {
            Kind::Statistics(file)
        } else {
            Kind::Pictures(Arc::from(source::open(path)?))
        };
        Ok(Self { name: name.to_owned(), kind })
    }

    /// As the user gave it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a network is needed to give what is wanted.
    pub fn needs_network(&self, wanted: Wanted) -> bool {
        match &self.kind {
            Kind::Pictures(_) => true,
            // Features may stand in the file, mean and covariance do; the rest is made of pictures beside them.
            Kind::Statistics(file) => {
                wanted.logits || (wanted.rows && matches!(file.layout(), Layout::Moments))
            }
            Kind::Builtin(_) => false,
        }
    }

    /// The pictures that a network has to look at for what is wanted, if any.
    pub(super) fn source(&self, wanted: Wanted) -> Result<Option<Arc<dyn Source>>> {
        match &self.kind {
            Kind::Pictures(source) => Ok(Some(Arc::clone(source))),
            Kind::Statistics(_) if self.needs_network(wanted) => {
                Ok(Some(Arc::from(source::open(Path::new(&self.name))?)))
            }
            _ => Ok(None),
        }
    }

    /// How many pictures will be run through the network.
    ///
    /// # Errors
    /// If pictures beside statistics cannot be opened.
    pub fn pictures(&self, wanted: Wanted, limit: Option<u64>) -> Result<u64> {
        let source = self.source(wanted)?;
        Ok(source.map_or(0, |source| source.len().min(limit.unwrap_or(u64::MAX))))
    }

    /// Whether a mean and covariance are wanted that stand there already, of which no first pictures can be taken.
    pub fn is_whole(&self, wanted: Wanted) -> bool {
        let moments = wanted.moments || wanted.spatial;
        match &self.kind {
            Kind::Pictures(_) => false,
            Kind::Builtin(_) => moments,
            Kind::Statistics(file) => moments && matches!(file.layout(), Layout::Moments),
        }
    }

    /// Brings in what is wanted. `None` if the user asked to stop.
    ///
    /// # Errors
    /// If a picture or a file cannot be read; those of [`Input::suits`].
    pub fn side(&self, wanted: Wanted, means: Means<'_>) -> Result<Option<Side>> {
        self.suits(wanted, means.limit, means.extractor)?;
        let name = &self.name;
        let stored = match &self.kind {
            Kind::Pictures(source) => return of_pictures(name, source.as_ref(), wanted, means),
            Kind::Statistics(file) => of_file(name, file, wanted, means.limit)?,
            Kind::Builtin(set) => builtin(name, set, wanted, means.extractor)?,
        };
        let Some(source) = self.source(wanted)? else { return Ok(Some(stored)) };
        // What stands in the file is taken from there even if there are pictures.
        let rows = wanted.rows && stored.rows.is_none();
        let rest = Wanted { moments: false, spatial: false, rows, ..wanted };
        let found = of_pictures(name, source.as_ref(), rest, means)?;
        Ok(found.map(|found| stored.beside(found)))
    }
}

fn of_pictures(name: &str, source: &dyn Source, wanted: Wanted, means: Means<'_>) -> Result<Option<Side>> {
    let extractor = present(name, means.extractor)?;
    let n = means.limit.unwrap_or(u64::MAX).min(source.len());
    let shards = means.state.map(|root| Shards::open(root, source, extractor, wanted)).transpose()?;
    let Some(gathered) = extract(source, n, extractor, wanted, shards.as_ref(), means.options)? else {
        return Ok(None);
    };
    let mut remarks = source.remarks();
    remarks.extend(gathered.tally.remarks(name, n, extractor.is_grey()));
    let Gathered { n, moments, rows, logits, spatial, sha256, .. } = gathered;
    let about = About {
        n: Some(n),
        extractor: Some(extractor.id()?),
        protocol: extractor.protocol().map(|p| p.to_string()),
        data: Some(short_name(name)),
        data_sha256: Some(sha256),
    };
    let name = name.to_owned();
    Ok(Some(Side { name, about, moments, spatial, rows, logits, remarks, ..Side::default() }))
}

/// What stands in a file of statistics.
fn of_file(name: &str, file: &StatisticsFile, wanted: Wanted, limit: Option<u64>) -> Result<Side> {
    let count = limit.unwrap_or(u64::MAX);
    let about = file.about_first(count)?;
    let about = About { data: about.data.or_else(|| Some(short_name(name))), ..about };
    let mut side = Side { name: name.to_owned(), about, ..Side::default() };
    if wanted.moments || wanted.spatial {
        let Stored { moments, spatial, .. } = file.read_first(count)?;
        (side.moments, side.spatial) = (Some(moments), spatial);
    }
    if wanted.rows
        && let Some(rows) = file.rows()?
    {
        let mut all = Vec::new();
        rows.first(count).each(4096, &mut |_, chunk| {
            all.extend_from_slice(chunk);
            Ok(())
        })?;
        side.rows = Some(all);
    }
    Ok(side)
}

/// The feature space whose moments of a training set are meant.
pub(super) fn space_of(set: &str, extractor: Option<&Extractor>) -> Result<FeatureSpace> {
    let Some(extractor) = extractor else { return Ok(FeatureSpace::of_training_set(set)) };
    let Some(space) = extractor.which() else {
        bail!("`{set}` has no statistics of this network; give pictures, or an `--extractor`");
    };
    let (name, own) = (space.name(), space.training_set());
    if own != set {
        bail!("`{set}` is not for `{name}`; give `{own}`, or another `--extractor`");
    }
    Ok(space)
}

fn builtin(name: &str, set: &str, wanted: Wanted, extractor: Option<&Extractor>) -> Result<Side> {
    let side = Side { name: name.to_owned(), ..Side::default() };
    if !wanted.moments {
        return Ok(side);
    }
    let statistics = space_of(set, extractor)?.statistics()?;
    let about = About {
        n: Some(statistics.moments.n()),
        extractor: Some(statistics.extractor),
        protocol: None,
        data: Some(set.to_owned()),
        data_sha256: Some(statistics.data_sha256),
    };
    Ok(Side { about, moments: Some(statistics.moments), ..side })
}

/// Last part of a path, for tags.
fn short_name(name: &str) -> String {
    let path = Path::new(name);
    path.file_name().map_or_else(|| name.to_owned(), |n| n.to_string_lossy().into_owned())
}
