//! The two sides of a comparison.

use std::path::Path;

use anyhow::{Result, bail};
use fewstep_eval::source::{self, Source};
use fewstep_eval::stats::Moments;
use fewstep_eval::stats::files::{About, Layout, StatisticsFile, Stored};

use super::{Extractor, FeatureSpace, Gathered, Options, Shards, Wanted, extract};

/// Pictures or statistics, opened but not read.
#[derive(Debug)]
pub struct Input {
    /// As the user gave it.
    name: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Pictures(Box<dyn Source>),
    Statistics(StatisticsFile),
    Builtin,
}

/// What a side came to; parts are there as far as they were wanted.
#[derive(Debug, Default)]
pub struct Side {
    /// As the user gave it.
    pub name: String,
    /// Where the numbers come from.
    pub about: About,
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
    /// The first pictures only.
    pub limit: Option<u64>,
    /// Where outputs are kept.
    pub state: Option<&'a Path>,
    /// How to run.
    pub options: Options<'a>,
}

impl Input {
    /// Name of the built-in reference: the training set of the built-in networks.
    pub const BUILTIN: &'static str = "fmnist-train";

    /// Opens a folder, file, or the built-in reference.
    ///
    /// # Errors
    /// If it is not there, or none of what can be read; the message names it.
    pub fn open(name: &str) -> Result<Self> {
        let path = Path::new(name);
        let kind = if name == Self::BUILTIN && !path.exists() {
            Kind::Builtin
        } else if let Some(file) = StatisticsFile::look(path)? {
            Kind::Statistics(file)
        } else {
            Kind::Pictures(source::open(path)?)
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
            Kind::Builtin => wanted.rows || wanted.logits || wanted.spatial,
            Kind::Statistics(file) => wanted.rows && matches!(file.layout(), Layout::Moments),
        }
    }

    /// How many pictures will be run through the network.
    pub fn pictures(&self, limit: Option<u64>) -> u64 {
        match &self.kind {
            Kind::Pictures(source) => limit.unwrap_or(u64::MAX).min(source.len()),
            _ => 0,
        }
    }

    /// Brings in what is wanted. `None` if the user asked to stop.
    ///
    /// # Errors
    /// If a picture or a file cannot be read, or does not have what is wanted.
    pub fn side(&self, wanted: Wanted, means: Means<'_>) -> Result<Option<Side>> {
        let side = Side { name: self.name.clone(), ..Side::default() };
        match &self.kind {
            Kind::Pictures(source) => of_pictures(side, source.as_ref(), wanted, means),
            Kind::Statistics(file) => of_file(side, file, wanted, means),
            Kind::Builtin => builtin(side, wanted, means.extractor).map(Some),
        }
    }
}

fn of_pictures(side: Side, source: &dyn Source, wanted: Wanted, means: Means<'_>) -> Result<Option<Side>> {
    let name = side.name.clone();
    let Some(extractor) = means.extractor else {
        bail!("`{name}` holds pictures, which need a network; give `--weights` or `--extractor`")
    };
    let n = means.limit.unwrap_or(u64::MAX).min(source.len());
    if n < means.limit.unwrap_or(0) {
        bail!("`{name}` holds {n} pictures, fewer than `-n` asks for; give more pictures or a smaller `-n`");
    }
    if n < 2 {
        bail!("`{name}` holds {n} picture, a distribution needs at least 2; give more pictures");
    }
    let shards = means.state.map(|root| Shards::open(root, source, extractor, wanted)).transpose()?;
    let Some(gathered) = extract(source, n, extractor, wanted, shards.as_ref(), means.options)? else {
        return Ok(None);
    };
    let mut remarks = source.remarks();
    remarks.extend(gathered.tally.remarks(&name, n));
    let Gathered { n, moments, rows, logits, spatial, sha256, .. } = gathered;
    let about = About {
        n: Some(n),
        extractor: Some(extractor.id()?),
        protocol: extractor.protocol().map(|p| p.to_string()),
        data: Some(short_name(&name)),
        data_sha256: Some(sha256),
    };
    Ok(Some(Side { about, moments, spatial, rows, logits, remarks, ..side }))
}

fn of_file(side: Side, file: &StatisticsFile, wanted: Wanted, means: Means<'_>) -> Result<Option<Side>> {
    let name = side.name.clone();
    let rows = file.rows()?;
    if wanted.logits || (wanted.rows && rows.is_none()) {
        if !file.has_pictures() {
            let what = if wanted.logits { "logits" } else { "single features" };
            bail!("`{name}` holds statistics and no {what}; give the pictures themselves");
        }
        // Mean and covariance stand in the file; they are taken from there even if there are pictures.
        let pictures = source::open(Path::new(&name))?;
        let rest = Wanted { moments: false, spatial: false, ..wanted };
        let Some(found) = of_pictures(side, pictures.as_ref(), rest, means)? else { return Ok(None) };
        let Stored { moments, spatial, .. } = file.read()?;
        return Ok(Some(Side { moments: Some(moments), spatial, ..found }));
    }
    let mut values = None;
    if let (true, Some(rows)) = (wanted.rows, &rows) {
        let mut all = Vec::new();
        rows.each(4096, &mut |_, chunk| {
            all.extend_from_slice(chunk);
            Ok(())
        })?;
        values = Some(all);
    }
    let Stored { moments, spatial, about } = file.read()?;
    if wanted.spatial && spatial.is_none() {
        bail!("`{name}` holds no spatial statistics (`mu_s`, `sigma_s`); give the pictures themselves");
    }
    if let Some(extractor) = means.extractor {
        fits(&name, &moments, &about, extractor)?;
    }
    let about = About { data: about.data.or_else(|| Some(short_name(&name))), ..about };
    Ok(Some(Side { about, moments: Some(moments), spatial, rows: values, ..side }))
}

/// Whether statistics can be compared with what a network gives.
fn fits(name: &str, moments: &Moments, about: &About, extractor: &Extractor) -> Result<()> {
    let (got, want) = (moments.dim(), extractor.dim());
    if got != want {
        bail!(
            "`{name}` is about features of length {got}, the network gives {want}; use statistics of that network"
        );
    }
    let protocol = extractor.protocol().map(|p| p.to_string());
    for (what, stored, ours) in
        [("network", &about.extractor, Some(extractor.id()?)), ("protocol", &about.protocol, protocol)]
    {
        if let (Some(stored), Some(ours)) = (stored, ours)
            && *stored != ours
        {
            bail!(
                "`{name}` was made with the {what} `{stored}`, this run uses `{ours}`; make it anew or change the run"
            );
        }
    }
    Ok(())
}

fn builtin(side: Side, wanted: Wanted, extractor: Option<&Extractor>) -> Result<Side> {
    if wanted.rows || wanted.logits || wanted.spatial {
        bail!(
            "the built-in reference `{}` holds mean and covariance only; give the pictures",
            Input::BUILTIN
        );
    }
    let statistics = extractor.and_then(Extractor::which).unwrap_or(FeatureSpace::FmnistCnn).statistics()?;
    let about = About {
        n: Some(statistics.moments.n()),
        extractor: Some(statistics.extractor),
        protocol: None,
        data: Some(Input::BUILTIN.to_owned()),
        data_sha256: Some(statistics.data_sha256),
    };
    Ok(Side { about, moments: Some(statistics.moments), ..side })
}

/// Last part of a path, for tags.
fn short_name(name: &str) -> String {
    let path = Path::new(name);
    path.file_name().map_or_else(|| name.to_owned(), |n| n.to_string_lossy().into_owned())
}
