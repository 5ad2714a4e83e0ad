//! Fréchet distance between Gaussians (Dowson & Landau, 1982, eq. 4; for images Heusel et al., arXiv 1706.08500,
//! eq. 6): `|mu1 - mu2|^2 + tr(S1) + tr(S2) - 2 tr((S1 S2)^(1/2))`.
//!
//! With `S1 = A A^T` and `S2 = B B^T` the last trace is the sum of the singular values of `A^T B`, i.e. of the square
//! roots of the eigenvalues of the symmetric `A^T S2 A`. Singular values are the better way to the same number:
//! rounding enters them as eps, but the root of an eigenvalue as sqrt(eps), which is what pushes other
//! implementations to add a multiple of the identity. Nothing is added to a covariance here.

use super::moments::{Moments, enough, same_dim};
use crate::{Error, Result, tensors};
use tch::{Kind, Tensor};

/// A distance and what it is made of. All values in squared feature units.
#[derive(Debug, Clone, PartialEq)]
pub struct FdReport {
    /// The distance: `mean_term + cov_term`. Rounding may leave a tiny negative number for equal inputs.
    pub fd: f64,
    /// Squared distance of the means. A large share points to a drift of brightness or contrast.
    pub mean_term: f64,
    /// Difference of the covariances (squared Bures distance).
    pub cov_term: f64,
    /// Count of reference images.
    pub n_reference: u64,
    /// Count of measured images.
    pub n_samples: u64,
    /// Value to expect from perfect samples at these counts, see [`Reference::floor`].
    pub floor: f64,
    /// Whether the samples are too few for a covariance of full rank (`n <= d`): compare with care.
    pub rank_deficient: bool,
}

/// The fixed side of a comparison, factorised once.
#[derive(Debug)]
pub struct Reference {
    n: u64,
    mean: Vec<f64>,
    trace: f64,
    /// `A` with `covariance = A A^T`, f64 `[d, rank]`.
    factor: Tensor,
    bias: f64,
    rank: usize,
}

impl Reference {
    /// Factorises the covariance: Cholesky when it has full rank, else its eigenvectors above the relative floor
    /// `d * eps * largest`.
    ///
    /// # Errors
    /// [`Error::TooFew`] for fewer than 2 vectors; libtorch's errors.
    pub fn new(moments: &Moments) -> Result<Self> {
        enough("a Fréchet distance", moments.n())?;
        let covariance = covariance(moments)?;
        let (values, _) = covariance.f_linalg_eigh("L")?;
        let spectrum: Vec<f64> = tensors::to_vec(&values)?;
        let factor = factorise(&covariance)?;
        Ok(Self {
            n: moments.n(),
            mean: moments.mean().to_vec(),
            trace: trace(&covariance)?,
            rank: factor.size()[1] as usize,
            factor,
            bias: bias_constant(&spectrum),
        })
    }

    /// Count of reference vectors.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// Length of a feature vector.
    pub fn dim(&self) -> usize {
        self.mean.len()
    }

    /// Numerical rank of the covariance.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// Bias constant `c`, in squared feature units: a set of `n` perfect samples is expected at `c (1/n + 1/n_ref)`.
    ///
    /// Second-order expansion of the Bures distance with Wishart noise on both sides, plus the noise of the means:
    /// `c = 5/4 tr(S) + 1/2 sum_ij l_i l_j / (l_i + l_j)` with eigenvalues `l` of `S`. Exact for Gaussian features
    /// and large n; real features are not Gaussian, so take it as ±20 %.
    pub fn bias_constant(&self) -> f64 {
        self.bias
    }

    /// Distance to expect between the reference and `n` further samples of the same distribution.
    pub fn floor(&self, n: u64) -> f64 {
        self.bias * (1.0 / n as f64 + 1.0 / self.n as f64)
    }

    /// Fréchet distance of `samples` to this reference.
    ///
    /// # Errors
    /// [`Error::TooFew`] for fewer than 2 vectors, [`Error::Mismatch`] of lengths, libtorch's errors.
    pub fn distance(&self, samples: &Moments) -> Result<FdReport> {
        same_dim(self.dim(), samples.dim())?;
        enough("a Fréchet distance", samples.n())?;
        let covariance = covariance(samples)?;
        let cross = self.factor.f_tr()?.f_matmul(&factorise(&covariance)?)?; // [rank1, rank2]
        // The nuclear norm is the sum of singular values; of a matrix without columns it is nothing.
        let overlap = if cross.numel() == 0 { 0.0 } else { nuclear_norm(&cross)? };
        let mean_term = self.mean.iter().zip(samples.mean()).map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
        let cov_term = self.trace + trace(&covariance)? - 2.0 * overlap;
        let fd = mean_term + cov_term;
        if !fd.is_finite() {
            return Err(Error::NonFinite { what: "a Fréchet distance".to_owned() });
        }
        Ok(FdReport {
            fd,
            mean_term,
            cov_term,
            n_reference: self.n,
            n_samples: samples.n(),
            floor: self.floor(samples.n()),
            rank_deficient: samples.n() <= self.dim() as u64,
        })
    }
}

fn covariance(moments: &Moments) -> Result<Tensor> {
    let d = moments.dim() as i64;
    tensors::from_slice(&moments.covariance()?, &[d, d])
}

fn trace(matrix: &Tensor) -> Result<f64> {
    Ok(matrix.f_trace()?.f_double_value(&[])?)
}

/// Sum of singular values. (tch's `linalg_svdvals` always names a driver, which libtorch refuses on the CPU.)
fn nuclear_norm(matrix: &Tensor) -> Result<f64> {
    let (_, singular_values, _) = matrix.f_svd(true, false)?;
    Ok(singular_values.f_sum(Kind::Double)?.f_double_value(&[])?)
}

/// Smallest eigenvalue, relative to the largest, that is told from rounding noise.
fn relative_floor(d: usize) -> f64 {
    d as f64 * f64::EPSILON
}

/// `A` with `matrix = A A^T`: lower Cholesky factor `[d, d]`, or `V sqrt(L)` `[d, rank]` of the eigenvalues above the
/// floor. A Cholesky factorisation of a singular matrix may pass on rounding noise alone; its pivots tell.
fn factorise(matrix: &Tensor) -> Result<Tensor> {
    let d = matrix.size()[0] as usize;
    let (lower, info) = matrix.f_linalg_cholesky_ex(false, false)?;
    if info.f_int64_value(&[])? == 0 {
        let smallest = lower.f_diagonal(0, 0, 1)?.f_min()?.f_double_value(&[])?;
        let largest = matrix.f_diagonal(0, 0, 1)?.f_max()?.f_double_value(&[])?;
        if smallest * smallest > relative_floor(d) * largest {
            return Ok(lower);
        }
    }
    let (values, vectors) = matrix.f_linalg_eigh("L")?; // ascending [d], [d, d]
    let spectrum: Vec<f64> = tensors::to_vec(&values)?;
    let floor = relative_floor(d) * spectrum.last().copied().unwrap_or(0.0);
    let dropped = spectrum.iter().take_while(|l| **l <= floor).count() as i64;
    let rank = d as i64 - dropped;
    Ok(vectors.f_narrow(1, dropped, rank)?.f_mul(&values.f_narrow(0, dropped, rank)?.f_sqrt()?)?)
}

/// See [`Reference::bias_constant`]; noise below the floor counts as zero.
fn bias_constant(spectrum: &[f64]) -> f64 {
    let floor = relative_floor(spectrum.len()) * spectrum.last().copied().unwrap_or(0.0);
    let kept: Vec<f64> = spectrum.iter().copied().filter(|l| *l > floor).collect();
    let pairs: f64 = kept.iter().map(|a| kept.iter().map(|b| a * b / (a + b)).sum::<f64>()).sum();
    1.25 * kept.iter().sum::<f64>() + 0.5 * pairs
}
