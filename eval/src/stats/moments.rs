//! Count, mean and centred second moment of vectors, in f64.

use crate::{Error, Result};

/// Moments of `n` vectors of length `d`.
///
/// The scatter matrix `M2 = sum (x - mean)(x - mean)^T` is kept instead of raw second moments, so that nothing
/// cancels however far the mean lies from zero. All sums are plain loops: the bits depend neither on libtorch's
/// thread count nor on its matrix library.
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    n: u64,
    mean: Vec<f64>,
    /// Upper triangle of M2, row by row: (0,0..d), (1,1..d), ...
    m2: Vec<f64>,
}

impl Moments {
    /// No vectors yet, of length `dim`.
    pub fn empty(dim: usize) -> Self {
        Self { n: 0, mean: vec![0.0; dim], m2: vec![0.0; dim * (dim + 1) / 2] }
    }

    /// Moments of all rows, in two passes.
    ///
    /// # Shapes
    /// rows: row-major `[n, dim]`; a length that is no multiple of `dim` drops the incomplete row.
    pub fn of_rows(rows: &[f32], dim: usize) -> Self {
        let mut moments = Self::empty(dim);
        if dim == 0 {
            return moments;
        }
        let rows = rows.chunks_exact(dim);
        moments.n = rows.len() as u64;
        for row in rows.clone() {
            moments.mean.iter_mut().zip(row).for_each(|(m, x)| *m += f64::from(*x));
        }
        moments.mean.iter_mut().for_each(|m| *m /= (rows.len() as f64).max(1.0));
        // Four rows at a time: each visit to an entry of M2 should do more than one product.
        let centred: Vec<f64> =
            rows.flat_map(|row| row.iter().zip(&moments.mean).map(|(x, m)| f64::from(*x) - m)).collect();
        let (quads, rest) = centred.split_at(centred.len() / (4 * dim) * (4 * dim));
        add_outer::<4>(&mut moments.m2, quads, dim);
        add_outer::<1>(&mut moments.m2, rest, dim);
        moments
    }

    /// Moments with a given mean and (n - 1)-normalised covariance, e.g. of a known Gaussian.
    ///
    /// # Shapes
    /// covariance: row-major `[d, d]`, symmetric (the upper triangle is read), with `d` the length of `mean`.
    ///
    /// # Errors
    /// When the sizes do not fit, a value is not finite, or `n < 2`.
    pub fn from_covariance(n: u64, mean: &[f64], covariance: &[f64]) -> Result<Self> {
        let d = mean.len();
        if covariance.len() != d * d {
            let got = format!("{} values", covariance.len());
            return Err(Error::Shape { what: "covariance", expected: format!("[{d}, {d}]"), got });
        }
        enough("a covariance", n)?;
        let scale = (n - 1) as f64;
        let m2 = (0..d).flat_map(|i| covariance[i * d + i..(i + 1) * d].iter().map(move |c| c * scale));
        Self::from_parts(n, mean.to_vec(), m2.collect())
    }

    /// Puts stored moments together again; `m2` is the upper triangle, row by row.
    pub(crate) fn from_parts(n: u64, mean: Vec<f64>, m2: Vec<f64>) -> Result<Self> {
        let d = mean.len();
        if m2.len() != d * (d + 1) / 2 {
            let (expected, got) = (format!("{} values", d * (d + 1) / 2), format!("{} values", m2.len()));
            return Err(Error::Shape { what: "scatter matrix", expected, got });
        }
        if mean.iter().chain(&m2).any(|x| !x.is_finite()) {
            return Err(Error::NonFinite { what: "a stored moment".to_owned() });
        }
        Ok(Self { n, mean, m2 })
    }

    /// Count of vectors.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// Length of a vector.
    pub fn dim(&self) -> usize {
        self.mean.len()
    }

    /// Mean vector `[d]`; zero while empty.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// Upper triangle of the scatter matrix, row by row.
    pub(crate) fn scatter(&self) -> &[f64] {
        &self.m2
    }

    /// Sample covariance, row-major `[d, d]`, divided by n - 1.
    ///
    /// # Errors
    /// [`Error::TooFew`] when `n < 2`.
    pub fn covariance(&self) -> Result<Vec<f64>> {
        enough("a covariance", self.n)?;
        let (d, scale) = (self.dim(), (self.n - 1) as f64);
        let mut full = vec![0.0; d * d];
        let mut packed = self.m2.iter();
        for i in 0..d {
            for j in i..d {
                let value = packed.next().map_or(0.0, |m| m / scale);
                full[i * d + j] = value;
                full[j * d + i] = value;
            }
        }
        Ok(full)
    }

    /// Adds the vectors behind `other` (Chan, Golub & LeVeque, 1979, eq. 2.1, for matrices).
    ///
    /// Rounding depends on the order of merges; [`super::ShardedMoments`] fixes that order.
    ///
    /// # Errors
    /// [`Error::Mismatch`] when the lengths differ.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        same_dim(self.dim(), other.dim())?;
        if other.n == 0 {
            return Ok(());
        }
        let (na, nb) = (self.n as f64, other.n as f64);
        let n = na + nb;
        let delta: Vec<f64> = other.mean.iter().zip(&self.mean).map(|(b, a)| b - a).collect();
        let weight = na * nb / n;
        let mut start = 0;
        for i in 0..delta.len() {
            let tail = &delta[i..];
            let row = &mut self.m2[start..start + tail.len()];
            for ((m, b), dj) in row.iter_mut().zip(&other.m2[start..]).zip(tail) {
                *m += b + weight * delta[i] * dj;
            }
            start += tail.len();
        }
        self.mean.iter_mut().zip(&delta).for_each(|(m, d)| *m += d * (nb / n));
        self.n += other.n;
        Ok(())
    }
}

/// Rows and columns of M2 that stay in the first-level cache while all vectors go by.
const TILE: (usize, usize) = (16, 128);

/// Adds the outer products of vectors of length `dim`, `R` at a time, to a packed upper triangle. Tiles change the order
/// of entries but not of sums: every entry gets the vectors in their order.
fn add_outer<const R: usize>(m2: &mut [f64], rows: &[f64], dim: usize) {
    for top in (0..dim).step_by(TILE.0) {
        for left in (top..dim).step_by(TILE.1) {
            let right = (left + TILE.1).min(dim);
            for group in rows.chunks_exact(R * dim) {
                for i in top..(top + TILE.0).min(right) {
                    let from = left.max(i);
                    let factor: [f64; R] = std::array::from_fn(|r| group[r * dim + i]);
                    let others: [&[f64]; R] =
                        std::array::from_fn(|r| &group[r * dim + from..r * dim + right]);
                    // Row i of the triangle starts after dim + (dim - 1) + ... entries, and with column i.
                    let start = i * dim - i * i.saturating_sub(1) / 2 + from - i;
                    for (j, m) in m2[start..start + right - from].iter_mut().enumerate() {
                        let mut sum = 0.0;
                        for r in 0..R {
                            sum += factor[r] * others[r][j];
                        }
                        *m += sum;
                    }
                }
            }
        }
    }
}

pub(crate) fn same_dim(a: usize, b: usize) -> Result<()> {
    if a == b {
        return Ok(());
    }
    Err(Error::Mismatch { what: "feature lengths", left: a.to_string(), right: b.to_string() })
}

pub(crate) fn enough(what: &'static str, n: u64) -> Result<()> {
    if n >= 2 { Ok(()) } else { Err(Error::TooFew { what, need: 2, n }) }
}
