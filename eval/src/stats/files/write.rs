//! Writing what pytorch-fid and its relatives read, and a little more.

use super::{Stored, UNKNOWN_N};
use crate::Result;
use crate::npy::{NpyData, NpzWriter};
use crate::stats::Moments;

/// The bytes of an `.npz` file with `mu`, `sigma`, and `mu_s`, `sigma_s` where there are spatial features, f64; and `n`,
/// `extractor`, `protocol`, `data`, `data_sha256` as far as they are known. Equal statistics give equal bytes.
///
/// # Errors
/// [`crate::Error::TooFew`] for fewer than 2 pictures.
pub fn write_npz(stored: &Stored) -> Result<Vec<u8>> {
    let mut npz = NpzWriter::default();
    add(&mut npz, "mu", "sigma", &stored.moments)?;
    if let Some(spatial) = &stored.spatial {
        add(&mut npz, "mu_s", "sigma_s", spatial)?;
    }
    let about = &stored.about;
    let n = about.n.unwrap_or(stored.moments.n());
    if n != UNKNOWN_N {
        npz.add("n", &[], NpyData::Count(n))?;
    }
    let texts = [
        ("extractor", &about.extractor),
        ("protocol", &about.protocol),
        ("data", &about.data),
        ("data_sha256", &about.data_sha256),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            npz.add(name, &[], NpyData::Text(text))?;
        }
    }
    npz.finish()
}

fn add(npz: &mut NpzWriter, mu: &str, sigma: &str, moments: &Moments) -> Result<()> {
    let d = moments.dim();
    npz.add(mu, &[d], NpyData::F64(moments.mean()))?;
    npz.add(sigma, &[d, d], NpyData::F64(&moments.covariance()?))
}
