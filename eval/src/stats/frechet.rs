//! Fréchet distance between Gaussians (Dowson & Landau, 1982, eq. 4; for images Heusel et al., arXiv 1706.08500,
//! eq. 6): `|mu1 - mu2|^2 + tr(S1) + tr(S2) - 2 tr((S1 S2)^(1/2))`.
//!
//! With `S1 = A A^T` and `S2 = B B^T` the last trace is the sum of the singular values of `A^T B`
//! ([`super::linalg`] finds the factors and the sum). Nothing is added to a covariance: a multiple of the identity,
//! which other implementations add when their matrix root fails, moves the value.

use super::linalg::{eigenvalues, factorise, nuclear_norm, relative_floor, trace};
use super::moments::{Moments, enough, same_dim};
use crate::{Error, Result, tensors};
use tch::Tensor;

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
        let spectrum = eigenvalues(&covariance)?;
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
        let overlap = nuclear_norm(&cross)?;
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

/// See [`Reference::bias_constant`]; noise below the floor counts as zero.
fn bias_constant(spectrum: &[f64]) -> f64 {
    let floor = relative_floor(spectrum.len()) * spectrum.last().copied().unwrap_or(0.0);
    let kept: Vec<f64> = spectrum.iter().copied().filter(|l| *l > floor).collect();
    let pairs: f64 = kept.iter().map(|a| kept.iter().map(|b| a * b / (a + b)).sum::<f64>()).sum();
    1.25 * kept.iter().sum::<f64>() + 0.5 * pairs
}
