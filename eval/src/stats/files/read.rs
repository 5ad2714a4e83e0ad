//! Reading `mu` and `sigma`.

use super::{About, Stored, StoredRows, UNKNOWN_N};
use crate::npy::{Npz, SharedFile};
use crate::source::NO_FILE;
use crate::stats::{Moments, ShardedMoments};
use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Mean and covariance.
    Moments,
    /// Features, under this name.
    Rows(&'static str),
}

/// An `.npz` file that holds statistics.
#[derive(Debug, Clone)]
pub struct StatisticsFile {
    path: PathBuf,
    layout: Layout,
    /// Whether there are pictures beside the statistics.
    pictures: bool,
}

/// Longest feature vector whose covariance is read: 1.2 GB.
const MAX_DIM: u64 = 12_288;

impl StatisticsFile {
    /// Looks into a file: `None` if it is no `.npz` with statistics, which includes folders and pictures.
    ///
    /// # Errors
    /// [`Error::Read`]; [`Error::Npy`] when it is a zip archive that cannot be read, or neither file nor folder.
    pub fn look(path: &Path) -> Result<Option<Self>> {
        let read = |reason| Error::Read { path: path.to_owned(), reason };
        let mut start = Vec::new();
        let data = std::fs::metadata(path).map_err(read)?;
        if data.is_dir() {
            return Ok(None);
        }
        if !data.is_file() {
            return Err(Error::Npy { file: path.display().to_string(), problem: NO_FILE.to_owned() });
        }
        let mut file = SharedFile::open(path)?;
        std::io::Read::read_to_end(&mut std::io::Read::take(&mut file, 2), &mut start).map_err(read)?;
        if start != b"PK" {
            return Ok(None);
        }
        let npz = Npz::open(path)?;
        let layout = if npz.has("mu") && npz.has("sigma") {
            Layout::Moments
        } else if let Some(name) = ["pool_3", "feats"].into_iter().find(|name| npz.has(name)) {
            Layout::Rows(name)
        } else {
            return Ok(None);
        };
        Ok(Some(Self { path: path.to_owned(), layout, pictures: npz.has("arr_0") }))
    }

    /// What the file holds.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Whether it also holds pictures (`arr_0`), which metrics on single features can use.
    pub fn has_pictures(&self) -> bool {
        self.pictures
    }

    /// Length of a feature vector, as the header tells it; nothing is read yet.
    ///
    /// # Errors
    /// [`Error::Npy`] when the header is bad.
    pub fn dim(&self) -> Result<u64> {
        if let Some(rows) = self.rows()? {
            return Ok(rows.dim() as u64);
        }
        let mut npz = Npz::open(&self.path)?;
        let header = npz.entry("mu")?.header;
        Ok(header.count)
    }

    /// Length of a spatial feature vector, as the header tells it; `None` if the file holds no statistics of these.
    ///
    /// # Errors
    /// [`Error::Npy`] when the header is bad.
    pub fn spatial_dim(&self) -> Result<Option<u64>> {
        let mut npz = Npz::open(&self.path)?;
        if self.layout == Layout::Moments && has_spatial(&npz) {
            let header = npz.entry("mu_s")?.header;
            return Ok(Some(header.count));
        }
        Ok(None)
    }

    /// Where the statistics come from, or the first `count` of the features.
    ///
    /// # Errors
    /// [`Error::Npy`] when what the file says of itself is bad.
    pub fn about_first(&self, count: u64) -> Result<About> {
        let about = about(&mut Npz::open(&self.path)?)?;
        let Some(rows) = self.rows()? else { return Ok(about) };
        // What is known of all pictures does not hold for some of them.
        let data_sha256 = about.data_sha256.filter(|_| count >= rows.n());
        Ok(About { n: Some(rows.n().min(count)), data_sha256, ..about })
    }

    /// The features, if the file holds any.
    ///
    /// # Errors
    /// [`Error::Npy`] when their array is bad.
    pub fn rows(&self) -> Result<Option<StoredRows>> {
        match self.layout {
            Layout::Moments => Ok(None),
            Layout::Rows(name) => StoredRows::open(&self.path, name).map(Some),
        }
    }

    /// Reads the statistics; of features they are computed.
    ///
    /// # Errors
    /// [`Error::Npy`], naming file and array: another type or shape, sizes that do not fit each other, NaN or infinity, a
    /// covariance that is not symmetric or has a negative variance.
    pub fn read(&self) -> Result<Stored> {
        self.read_first(u64::MAX)
    }

    /// [`StatisticsFile::read`] with the first `count` of the features alone. A stored mean and covariance are of all.
    ///
    /// # Errors
    /// As there.
    pub fn read_first(&self, count: u64) -> Result<Stored> {
        let mut npz = Npz::open(&self.path)?;
        let about = self.about_first(count)?;
        if let Layout::Rows(name) = self.layout {
            let rows = StoredRows::open(&self.path, name)?;
            if rows.dim() as u64 > MAX_DIM {
                let text = format!("its features are {} long, a covariance is made of {MAX_DIM}", rows.dim());
                let problem = format!("{text} at most; give the features of another layer");
                return Err(Error::Npy { file: npz.named(name), problem });
            }
            let moments = moments_of(&rows.first(count))?;
            return Ok(Stored { moments, spatial: None, about });
        }
        let moments = pair(&mut npz, "mu", "sigma", about.n)?;
        let spatial = has_spatial(&npz).then(|| pair(&mut npz, "mu_s", "sigma_s", about.n)).transpose()?;
        Ok(Stored { moments, spatial, about })
    }
}

fn has_spatial(npz: &Npz<SharedFile>) -> bool {
    npz.has("mu_s") && npz.has("sigma_s")
}

fn moments_of(rows: &StoredRows) -> Result<Moments> {
    let mut moments = ShardedMoments::new(rows.dim());
    rows.each(1000, &mut |first, chunk| moments.push_rows(chunk, first))?;
    moments.moments()
}

fn about(npz: &mut Npz<SharedFile>) -> Result<About> {
    let mut text = |name: &str| -> Result<Option<String>> {
        if !npz.has(name) {
            return Ok(None);
        }
        let file = npz.named(name);
        npz.array(name, 1 << 20)?.to_text().map(Some).map_err(|problem| Error::Npy { file, problem })
    };
    let (extractor, protocol) = (text("extractor")?, text("protocol")?);
    let (data, data_sha256) = (text("data")?, text("data_sha256")?);
    let mut n = None;
    if npz.has("n") {
        let file = npz.named("n");
        let refuse = |problem| Error::Npy { file: file.clone(), problem };
        let count = npz.array("n", 64)?.to_u64().map_err(refuse)?;
        if count < 2 {
            return Err(refuse(format!(
                "it says {count} pictures, a covariance has at least 2; make it anew"
            )));
        }
        n = Some(count);
    }
    Ok(About { n, extractor, protocol, data, data_sha256 })
}

fn pair(npz: &mut Npz<SharedFile>, mu: &str, sigma: &str, n: Option<u64>) -> Result<Moments> {
    let mean = finite(npz, mu, MAX_DIM * 8, |shape| matches!(shape, [d] if *d > 0), "[d]")?;
    let d = mean.len();
    let square = |shape: &[u64]| shape == [d as u64, d as u64];
    let wanted = format!("[{d}, {d}], as `{mu}` has {d} values");
    let covariance = finite(npz, sigma, MAX_DIM * MAX_DIM * 8, square, &wanted)?;
    let refuse = |problem| Error::Npy { file: npz.named(sigma), problem };
    let scale = (0..d).map(|i| covariance[i * d + i]).fold(0.0, f64::max);
    if let Some(i) = (0..d).find(|i| covariance[i * d + i] < -1e-9 * scale) {
        let problem = format!("variance {i} is {}; make it anew", covariance[i * d + i]);
        return Err(refuse(problem));
    }
    for i in 0..d {
        for j in i + 1..d {
            let (a, b) = (covariance[i * d + j], covariance[j * d + i]);
            if (a - b).abs() > 1e-6 * scale {
                return Err(refuse(format!(
                    "it is not symmetric: {a} at [{i}, {j}], {b} opposite; make it anew"
                )));
            }
        }
    }
    Moments::from_covariance(n.unwrap_or(UNKNOWN_N), &mean, &covariance)
}

fn finite(
    npz: &mut Npz<SharedFile>,
    name: &str,
    limit: u64,
    fits: impl Fn(&[u64]) -> bool,
    wanted: &str,
) -> Result<Vec<f64>> {
    let file = npz.named(name);
    let refuse = |problem| Error::Npy { file: file.clone(), problem };
    let header = npz.entry(name)?.header;
    if !fits(&header.shape) {
        return Err(refuse(format!("it is {}, expected {wanted}; make it anew", header.describe())));
    }
    let values = npz.array(name, limit)?.to_f64().map_err(refuse)?;
    match values.iter().position(|v| !v.is_finite()) {
        Some(at) => Err(refuse(format!("value {at} is {}; make it anew", values[at]))),
        None => Ok(values),
    }
}
