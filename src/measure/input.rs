//! The two sides of a comparison.

use std::path::Path;

use anyhow::{Result, bail};
use fewstep_eval::source::{self, Source};
use fewstep_eval::stats::Moments;
use fewstep_eval::stats::files::{About, Layout, StatisticsFile, Stored, StoredRows};

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
    /// The first pictures, or features, only.
    pub limit: Option<u64>,
    /// Where outputs are kept.
    pub state: Option<&'a Path>,
    /// How to run.
    pub options: Options<'a>,
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
            Kind::Builtin(_) => wanted.rows || wanted.logits || wanted.spatial,
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

    /// Whether what is wanted is a mean and covariance that stand there already, of which no first pictures can be taken.
    pub fn is_whole(&self, wanted: Wanted) -> bool {
        let moments = wanted.moments || wanted.spatial;
        match &self.kind {
            Kind::Pictures(_) => false,
            Kind::Builtin(_) => moments,
            Kind::Statistics(file) => moments && matches!(file.layout(), Layout::Moments),
        }
    }

    /// Whether a built-in reference is one for this network; other things show it when they are brought in.
    ///
    /// # Errors
    /// If it is for another one.
    pub fn suits(&self, wanted: Wanted, extractor: Option<&Extractor>) -> Result<()> {
        match self.kind {
            Kind::Builtin(set) if wanted.moments => space_of(set, extractor).map(|_| ()),
            _ => Ok(()),
        }
    }

    /// Brings in what is wanted. `None` if the user asked to stop.
    ///
    /// # Errors
    /// If a picture or a file cannot be read, or does not have what is wanted.
    pub fn side(&self, wanted: Wanted, means: Means<'_>) -> Result<Option<Side>> {
        if means.limit.is_some() && self.is_whole(wanted) {
            let name = &self.name;
            bail!("`{name}` holds mean and covariance of all its pictures; leave out `-n`, or give pictures");
        }
        let side = Side { name: self.name.clone(), ..Side::default() };
        match &self.kind {
            Kind::Pictures(source) => of_pictures(side, source.as_ref(), wanted, means),
            Kind::Statistics(file) => of_file(side, file, wanted, means),
            Kind::Builtin(set) => builtin(side, set, wanted, means.extractor).map(Some),
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
    let width = |is: bool, width: usize| if is { width } else { 0 };
    let kept = width(wanted.rows, extractor.dim()) + width(wanted.logits, extractor.classes());
    holdable(&name, n, DIGEST + kept)?;
    let shards = means.state.map(|root| Shards::open(root, source, extractor, wanted)).transpose()?;
    let Some(gathered) = extract(source, n, extractor, wanted, shards.as_ref(), means.options)? else {
        return Ok(None);
    };
    let mut remarks = source.remarks();
    remarks.extend(gathered.tally.remarks(&name, n, extractor.is_grey()));
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
    let rows = first_rows(&name, file, means.limit)?;
    let stored = || file.read_first(means.limit.unwrap_or(u64::MAX));
    if wanted.logits || (wanted.rows && rows.is_none()) {
        if !file.has_pictures() {
            let what = if wanted.logits { "logits" } else { "single features" };
            bail!("`{name}` holds statistics and no {what}; give the pictures themselves");
        }
        // Mean and covariance stand in the file; they are taken from there even if there are pictures.
        let pictures = source::open(Path::new(&name))?;
        let rest = Wanted { moments: false, spatial: false, ..wanted };
        let Some(found) = of_pictures(side, pictures.as_ref(), rest, means)? else { return Ok(None) };
        let Stored { moments, spatial, .. } = stored()?;
        return Ok(Some(Side { moments: Some(moments), spatial, ..found }));
    }
    let mut values = None;
    if let (true, Some(rows)) = (wanted.rows, &rows) {
        holdable(&name, rows.n(), rows.dim())?;
        let mut all = Vec::new();
        rows.each(4096, &mut |_, chunk| {
            all.extend_from_slice(chunk);
            Ok(())
        })?;
        values = Some(all);
    }
    let Stored { moments, spatial, about } = stored()?;
    if wanted.spatial && spatial.is_none() {
        bail!("`{name}` holds no spatial statistics (`mu_s`, `sigma_s`); give the pictures themselves");
    }
    if let Some(extractor) = means.extractor {
        fits(&name, &moments, &about, extractor)?;
    }
    let about = About { data: about.data.or_else(|| Some(short_name(&name))), ..about };
    Ok(Some(Side { about, moments: Some(moments), spatial, rows: values, ..side }))
}

/// The features in a file, as many as `-n` asks for.
fn first_rows(name: &str, file: &StatisticsFile, limit: Option<u64>) -> Result<Option<StoredRows>> {
    let Some(rows) = file.rows()? else { return Ok(None) };
    let Some(limit) = limit else { return Ok(Some(rows)) };
    let n = rows.n();
    if n < limit {
        bail!("`{name}` holds {n} features, fewer than `-n` asks for; give more of them or a smaller `-n`");
    }
    Ok(Some(rows.first(limit)))
}

/// Most bytes that are kept of single pictures.
const MOST: u64 = 16 << 30;
/// Numbers of 4 bytes in the hash of a picture.
const DIGEST: usize = 8;

/// Whether `n` times `width` numbers can be kept. Judged by what headers say, before anything is allocated or read: what is
/// packed may be a thousand times as large as its file.
fn holdable(name: &str, n: u64, width: usize) -> Result<()> {
    let bytes = n.saturating_mul(width as u64).saturating_mul(4);
    if bytes > MOST {
        let [takes, most] = [bytes, MOST].map(|bytes| bytes.div_ceil(1 << 30));
        bail!(
            "`{name}` has {n} pictures or features, of which {takes} GiB would be kept; take the first ones by `-n`, \
             the limit is {most} GiB"
        );
    }
    Ok(())
}

/// Whether two ids, `name:sha256`, are of one network: a name may have changed, weights have not. Other text is compared as
/// it is.
pub(super) fn same_id(a: &str, b: &str) -> bool {
    fn hash(id: &str) -> &str {
        id.rsplit_once(':').map_or(id, |(_, hash)| hash)
    }
    hash(a) == hash(b)
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
            && !same_id(stored, &ours)
        {
            bail!(
                "`{name}` was made with the {what} `{stored}`, this run uses `{ours}`; make it anew or change the run"
            );
        }
    }
    Ok(())
}

/// The feature space whose moments of a training set are meant.
fn space_of(set: &str, extractor: Option<&Extractor>) -> Result<FeatureSpace> {
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

fn builtin(side: Side, set: &str, wanted: Wanted, extractor: Option<&Extractor>) -> Result<Side> {
    if wanted.rows || wanted.logits || wanted.spatial {
        bail!("the built-in reference `{set}` holds mean and covariance only; give the pictures");
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_header_promises_is_judged_before_it_is_kept() {
        holdable("x.npz", 1 << 21, 2048).unwrap();
        for (n, width) in [((1 << 21) + 1, 2048), (u64::MAX, 1), (1 << 62, usize::MAX / 4)] {
            let error = holdable("x.npz", n, width).unwrap_err().to_string();
            assert!(error.contains("x.npz") && error.contains("`-n`") && error.contains("16 GiB"), "{error}");
        }
    }

    #[test]
    fn a_network_is_known_by_its_hash() {
        assert!(same_id("pixel-pca:e46a", "fmnist-pixel-pca:e46a"));
        assert!(!same_id("fmnist-cnn:e46a", "fmnist-cnn:2d56"));
        assert!(same_id("tf1", "tf1") && !same_id("tf1", "clean"));
    }
}
