//! The linear algebra of the Fréchet distance, f64 on the CPU by libtorch: factors of covariances, sums of singular
//! values.

use crate::{Result, tensors};
use tch::{Kind, Tensor};

/// Estimated relative error of a sum of singular values up to which the cheap way to it is taken.
const TOLERANCE: f64 = 1e-9;

pub(super) fn trace(matrix: &Tensor) -> Result<f64> {
    Ok(matrix.f_trace()?.f_double_value(&[])?)
}

/// Eigenvalues of a symmetric matrix, ascending.
pub(super) fn eigenvalues(matrix: &Tensor) -> Result<Vec<f64>> {
    tensors::to_vec(&matrix.f_linalg_eigvalsh("L")?)
}

/// Smallest eigenvalue, relative to the largest, that is told from rounding noise.
pub(super) fn relative_floor(d: usize) -> f64 {
    d as f64 * f64::EPSILON
}

/// Sum of the singular values of any matrix; zero for one without rows or columns.
///
/// They are the roots of the eigenvalues of the Gram matrix, which costs a third of a singular value decomposition.
/// But rounding enters an eigenvalue as eps times the largest of them, and so a small root as sqrt(eps). Where an estimate
/// of that exceeds [`TOLERANCE`], the decomposition itself is made, whose error is eps times the largest singular value.
/// The estimate takes the errors of the eigenvalues as independent and of that size; against the decomposition, over
/// spectra that fall as the powers 0.3 to 2 of the index, the true error was at most a tenth of it.
pub(super) fn nuclear_norm(matrix: &Tensor) -> Result<f64> {
    let size = matrix.size();
    if size.contains(&0) {
        return Ok(0.0);
    }
    let transposed = matrix.f_tr()?;
    let gram = if size[0] < size[1] { matrix.f_matmul(&transposed)? } else { transposed.f_matmul(matrix)? };
    let squares = eigenvalues(&gram)?;
    let noise = f64::EPSILON * squares.last().copied().unwrap_or(0.0);
    let sum: f64 = squares.iter().map(|l| l.max(0.0).sqrt()).sum();
    // d sqrt(l) = dl / (2 sqrt(l)), and no root is off by more than the root of the noise.
    let variance: f64 = squares.iter().map(|l| 0.25 * noise * noise / l.max(noise)).sum();
    if variance.sqrt() <= TOLERANCE * sum {
        return Ok(sum);
    }
    // (tch's `linalg_svdvals` always names a driver, which libtorch refuses on the CPU.)
    let (_, singular_values, _) = matrix.f_svd(true, false)?;
    Ok(singular_values.f_sum(Kind::Double)?.f_double_value(&[])?)
}

/// `A` with `matrix = A A^T`: lower Cholesky factor `[d, d]`, or `V sqrt(L)` `[d, rank]` of the eigenvalues above the
/// floor. A Cholesky factorisation of a singular matrix may pass on rounding noise alone; its pivots tell.
pub(super) fn factorise(matrix: &Tensor) -> Result<Tensor> {
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
