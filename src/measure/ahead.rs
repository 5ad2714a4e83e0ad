//! What can be known before a network looks at the first picture, which may be hours before the last.

use anyhow::{Context as _, Result, bail};
use fewstep_eval::metrics::{Blocks, Neighbours};
use fewstep_eval::stats::files::StatisticsFile;

use super::input::{Kind, space_of};
use super::{Extractor, Input, Metric, Settings, Wanted};

/// Refuses metrics that cannot be computed of these inputs, or of the first `limit` pictures of each, as headers tell.
///
/// # Errors
/// The first problem. The message names the metric, the input or the setting, and what to do.
pub fn foresee(
    metrics: &[Metric],
    samples: &Input,
    reference: Option<&Input>,
    limit: Option<u64>,
    settings: Settings,
) -> Result<()> {
    for metric in metrics {
        let sides: Vec<&Input> = [Some(samples), reference].into_iter().flatten().collect();
        one(*metric, &sides, limit, settings).with_context(|| format!("`{metric}`"))?;
    }
    Ok(())
}

fn one(metric: Metric, sides: &[&Input], limit: Option<u64>, settings: Settings) -> Result<()> {
    let mut counts = Vec::new();
    for (input, wanted) in sides.iter().zip(metric.wanted()) {
        if wanted != Wanted::default() {
            input.offers(wanted)?;
            let held = input.counts(wanted)?.into_iter();
            counts.extend(held.map(|(n, what)| (n.min(limit.unwrap_or(u64::MAX)), what, input.name())));
        }
    }
    let (need, by) = match metric {
        // Two are enough, and those every input must have.
        Metric::Fid | Metric::Sfid | Metric::Kid => (0, String::new()),
        Metric::Is => (settings.splits as u64, format!("`--splits {}`", settings.splits)),
        Metric::Pr | Metric::Dc => {
            // All four values come from one pass over the distances.
            let Neighbours { precision, density } = settings.neighbours;
            let by = format!("`--pr-k {precision}` with `--dc-k {density}`");
            (u64::from(precision.max(density)) + 1, by)
        }
    };
    if let Some((n, what, name)) = counts.iter().find(|(n, ..)| *n < need) {
        bail!(
            "of `{name}` {n} {what} are taken, {by} needs {need} at least; give more of them, or a smaller number"
        );
    }
    let size = counts.iter().map(|(n, ..)| *n).fold(settings.kid_size as u64, u64::min);
    let (blocks, most) = (settings.kid_blocks as u64, Blocks::MAX_DRAWN as u64);
    if metric == Metric::Kid && blocks.saturating_mul(size) > most {
        bail!(
            "{blocks} blocks of {size} pictures are more than {most} pictures in all; give a smaller `--kid-subsets` \
             or `--kid-subset-size`"
        );
    }
    Ok(())
}

impl Input {
    /// Whether `network` can give what is wanted of the first `limit` pictures, or of all, as far as headers tell.
    ///
    /// # Errors
    /// The first problem: what is wanted is not there; there are too few pictures, or more than can be kept; they are of
    /// another size than the network takes, or statistics are of another network; there is no network. The message names the
    /// input and what to do.
    pub fn suits(&self, wanted: Wanted, limit: Option<u64>, network: Option<&Extractor>) -> Result<()> {
        let name = self.name();
        self.offers(wanted)?;
        for (n, what) in self.counts(wanted)? {
            if n < limit.unwrap_or(0) {
                bail!(
                    "`{name}` holds {n} {what}, fewer than `-n` asks for; give more of them or a smaller `-n`"
                );
            }
            if n < 2 {
                let one = what.trim_end_matches('s');
                bail!("`{name}` holds {n} {one}, a distribution needs at least 2; give more");
            }
        }
        let first = |n: u64| n.min(limit.unwrap_or(u64::MAX));
        if let Some(source) = self.source(wanted)? {
            let network = present(name, network)?;
            network.gives(wanted)?;
            network.takes(name, source.stated())?;
            let width = |is: bool, width: usize| if is { width } else { 0 };
            let kept = width(wanted.rows, network.dim()) + width(wanted.logits, network.classes());
            holdable(name, first(source.len()), DIGEST + kept)?;
        }
        match &self.kind {
            Kind::Pictures(_) => Ok(()),
            Kind::Builtin(set) => {
                if wanted.moments {
                    space_of(set, network)?;
                }
                Ok(())
            }
            Kind::Statistics(file) => {
                let rows = if wanted.rows { file.rows()? } else { None };
                if let Some(rows) = &rows {
                    holdable(name, first(rows.n()), rows.dim())?;
                }
                // Beside pictures alone, statistics may be of anything.
                let used = wanted.moments || wanted.spatial || rows.is_some();
                network.filter(|_| used).map_or(Ok(()), |network| fits(name, file, wanted, network))
            }
        }
    }

    /// Whether it holds what is wanted, or pictures of which that can be computed.
    fn offers(&self, wanted: Wanted) -> Result<()> {
        let name = self.name();
        match &self.kind {
            Kind::Statistics(file) if self.needs_network(wanted) && !file.has_pictures() => {
                let what = if wanted.logits { "logits" } else { "single features" };
                bail!("`{name}` holds statistics and no {what}; give the pictures themselves")
            }
            Kind::Statistics(file) if wanted.spatial && file.spatial_dim()?.is_none() => {
                bail!(
                    "`{name}` holds no spatial statistics (`mu_s`, `sigma_s`); give the pictures themselves"
                )
            }
            Kind::Builtin(set) if wanted.rows || wanted.logits || wanted.spatial => {
                bail!("the built-in reference `{set}` holds mean and covariance only; give the pictures")
            }
            _ => Ok(()),
        }
    }

    /// The single pictures and features that what is wanted is made of: how many, and what they are. A stored mean and
    /// covariance have none.
    fn counts(&self, wanted: Wanted) -> Result<Vec<(u64, &'static str)>> {
        let mut counts = Vec::new();
        if let Some(source) = self.source(wanted)? {
            counts.push((source.len(), "pictures"));
        }
        if let Kind::Statistics(file) = &self.kind
            && (wanted.moments || wanted.rows)
            && let Some(rows) = file.rows()?
        {
            counts.push((rows.n(), "features"));
        }
        Ok(counts)
    }
}

/// The network that pictures need.
pub(super) fn present<'a>(name: &str, network: Option<&'a Extractor>) -> Result<&'a Extractor> {
    let missing =
        || format!("`{name}` holds pictures, which need a network; give `--weights` or `--extractor`");
    network.with_context(missing)
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
fn fits(name: &str, file: &StatisticsFile, wanted: Wanted, network: &Extractor) -> Result<()> {
    let spatial = if wanted.spatial { file.spatial_dim()? } else { None };
    for (got, want) in [(Some(file.dim()?), network.dim()), (spatial, network.spatial_dim())] {
        if let Some(got) = got
            && got != want as u64
        {
            bail!(
                "`{name}` is about features of length {got}, the network gives {want}; use statistics of that network"
            );
        }
    }
    let about = file.about_first(u64::MAX)?;
    let protocol = network.protocol().map(|p| p.to_string());
    for (what, stored, ours) in
        [("network", &about.extractor, Some(network.id()?)), ("protocol", &about.protocol, protocol)]
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use fewstep_eval::npy::{NpyData, NpzWriter};

    use super::*;
    use crate::measure::FeatureSpace;

    const ROWS: Wanted = Wanted { moments: false, rows: true, logits: false, spatial: false };

    /// An idx file whose header says `[n, height, width]`, with no pixel: nothing here may read one.
    fn idx(dir: &Path, name: &str, sizes: [u32; 3]) -> Input {
        let mut bytes = vec![0, 0, 8, 3];
        bytes.extend(sizes.iter().flat_map(|size| size.to_be_bytes()));
        input(dir, name, &bytes)
    }

    fn input(dir: &Path, name: &str, bytes: &[u8]) -> Input {
        let path = dir.join(name);
        fs::write(&path, bytes).unwrap();
        Input::open(path.to_str().unwrap()).unwrap()
    }

    /// Mean and covariance of features of length 2, and of one picture beside them for each of `pictures`.
    fn statistics(dir: &Path, name: &str, pictures: usize) -> Input {
        let mut npz = NpzWriter::default();
        npz.add("mu", &[2], NpyData::F64(&[0.0; 2])).unwrap();
        npz.add("sigma", &[2, 2], NpyData::F64(&[1.0, 0.0, 0.0, 1.0])).unwrap();
        if pictures > 0 {
            npz.add("arr_0", &[pictures, 28, 28], NpyData::U8(&vec![0; pictures * 784])).unwrap();
        }
        input(dir, name, &npz.finish().unwrap())
    }

    fn says(found: Result<()>, parts: &[&str]) {
        let error = format!("{:#}", found.unwrap_err());
        for part in parts.iter().chain(&["; "]) {
            assert!(error.contains(part), "`{error}` does not say `{part}`");
        }
    }

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

    #[test]
    fn metrics_that_inputs_cannot_give_are_known_by_headers() {
        use Metric::{Dc, Fid, Is, Kid, Pr, Sfid};

        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let [many, few] = [("many.idx", 6000), ("few.idx", 5)].map(|(name, n)| idx(dir, name, [n, 28, 28]));
        let (plain, adm) = (statistics(dir, "plain.npz", 0), statistics(dir, "adm.npz", 8));
        let train = Input::open("fmnist-train").unwrap();
        let settings = Settings::default();
        let check =
            |metric, samples, reference, limit| foresee(&[metric], samples, reference, limit, settings);
        for metric in [Kid, Pr, Dc] {
            let name = format!("`{metric}`");
            says(check(metric, &many, Some(&plain), None), &[&name, "plain.npz", "no single features"]);
            says(check(metric, &plain, Some(&many), None), &[&name, "plain.npz", "no single features"]);
            says(check(metric, &many, Some(&train), None), &[&name, "`fmnist-train`", "covariance only"]);
            check(metric, &many, Some(&adm), None).unwrap();
        }
        says(check(Is, &plain, None, None), &["`is`", "plain.npz", "no logits"]);
        says(check(Is, &adm, None, None), &["`is`", "adm.npz", "8 pictures", "`--splits 10` needs 10"]);
        says(check(Is, &many, None, Some(9)), &["many.idx", "9 pictures are taken"]);
        check(Is, &many, Some(&few), None).unwrap();
        says(check(Sfid, &many, Some(&adm), None), &["`sfid`", "adm.npz", "no spatial statistics"]);
        says(check(Sfid, &many, Some(&train), None), &["`sfid`", "`fmnist-train`"]);
        check(Fid, &many, Some(&plain), None).unwrap();
        says(check(Pr, &many, Some(&few), None), &["`pr`", "few.idx", "5 pictures", "--pr-k 3", "--dc-k 5"]);
        says(check(Dc, &many, Some(&adm), Some(4)), &["`dc`", "many.idx", "4 pictures", "needs 6"]);
        let large = Settings { kid_blocks: 100_000, kid_size: 6000, ..settings };
        says(
            foresee(&[Kid], &many, Some(&many), None, large),
            &["`kid`", "100000 blocks of 6000", "`--kid-subsets`"],
        );
    }

    #[test]
    fn inputs_that_do_not_suit_the_network_are_known_by_headers() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let net = Extractor::builtin(FeatureSpace::FmnistCnn).unwrap();
        let moments = Wanted { moments: true, ..Wanted::default() };
        let many = idx(dir, "many.idx", [60, 28, 28]);
        many.suits(moments, Some(60), Some(&net)).unwrap();
        says(many.suits(moments, Some(61), Some(&net)), &["many.idx", "holds 60 pictures", "`-n`"]);
        says(many.suits(moments, None, None), &["many.idx", "need a network", "`--extractor`"]);
        let spatial = Wanted { spatial: true, ..Wanted::default() };
        says(many.suits(spatial, None, Some(&net)), &["`fmnist-cnn` has no spatial features"]);
        let one = idx(dir, "one.idx", [1, 28, 28]);
        says(one.suits(moments, None, Some(&net)), &["one.idx", "holds 1 picture,", "at least 2"]);
        // A million pictures of 64 MiB, says a file of 16 bytes.
        let large = idx(dir, "large.idx", [1 << 20, 8192, 8192]);
        says(large.suits(moments, None, Some(&net)), &["large.idx", "of 8192x8192", "28x28 grey"]);
        // Statistics are of another network: that matters where they are used.
        let adm = statistics(dir, "adm.npz", 8);
        adm.suits(ROWS, None, Some(&net)).unwrap();
        says(adm.suits(moments.and(ROWS), None, Some(&net)), &["adm.npz", "length 2, the network gives 128"]);
        assert_eq!((adm.pictures(ROWS, None).unwrap(), adm.pictures(moments, None).unwrap()), (8, 0));
        assert_eq!(adm.pictures(ROWS, Some(3)).unwrap(), 3);
    }
}
