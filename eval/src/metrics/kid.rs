//! Kernel distance (KID; Binkowski et al., arXiv 1801.01401): the squared maximum mean discrepancy with the kernel
//! `k(x, y) = (x.y / d + 1)^3`, in its unbiased form (Gretton et al., 2012, eq. 3).
//!
//! Unbiased means that its expectation does not depend on n, so that it is the better distance below some thousand
//! images. Small negative values are in order. On the FID network it is called KID, and printed as 1000 times the value.

use super::features::{check_pair, tiles};
use crate::mt19937::Mt19937;
use crate::{Error, Result};
use tch::{Kind, Tensor};

/// Which rows meet in the blocks of [`kid`]: for each block, numbers of samples and of reference rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocks(Vec<(Vec<i64>, Vec<i64>)>);

impl Blocks {
    /// Most row numbers that are drawn for one side: 2 GiB of them.
    pub const MAX_DRAWN: usize = 1 << 28;

    /// Blocks that are given, e.g. those that another implementation drew.
    pub fn given(blocks: Vec<(Vec<i64>, Vec<i64>)>) -> Self {
        Self(blocks)
    }

    /// `count` blocks of `size` of the `n` samples and as many of the `m` reference rows, each drawn without repetition.
    ///
    /// The draw is that of torch-fidelity: one NumPy `RandomState(seed)`, samples first. Its conventions are 100 blocks of
    /// 1000 from seed 2020. clean-fid has the same formula but an unseeded draw, and blocks of min(1000, n, m).
    ///
    /// # Errors
    /// [`Error::TooFew`] when `n` or `m` is below `size`; a `count` of 0, a `size` below 2, or more than 2^28 draws a side.
    pub fn drawn(n: usize, m: usize, count: usize, size: usize, seed: u32) -> Result<Self> {
        if count == 0 || size < 2 {
            let got = format!("{count} blocks of {size}");
            return Err(Error::Value { what: "blocks of KID", expected: "at least 1 of 2 images", got });
        }
        if n.min(m) < size {
            let what = "a KID with blocks of this size";
            return Err(Error::TooFew { what, need: size as u64, n: n.min(m) as u64 });
        }
        if count.saturating_mul(size) > Self::MAX_DRAWN {
            let got = format!("{count} blocks of {size}");
            return Err(Error::Value { what: "blocks of KID", expected: "2^28 images in all at most", got });
        }
        let mut rng = Mt19937::new(seed);
        // Copied: collected in place, each block would keep the room of the whole set it was drawn from.
        let mut draw = |n| rng.choice(n, size).iter().map(|i| *i as i64).collect();
        Ok(Self((0..count).map(|_| (draw(n), draw(m))).collect()))
    }
}

/// Mean and spread over blocks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Kid {
    /// Mean over the blocks; any real number, about 0 for equal distributions.
    pub mean: f64,
    /// Standard deviation over the blocks, divided by their number. It describes one block, not the mean.
    pub sd: f64,
}

/// Block estimate. Features are compared in f64.
///
/// # Shapes
/// samples: f32 `[n, d]`; reference: f32 `[m, d]`.
///
/// # Errors
/// Other kinds or shapes, different d, values that are not finite, no block, or a block with a row that does not exist or
/// with fewer than 2 rows on either side.
pub fn kid(samples: &Tensor, reference: &Tensor, blocks: &Blocks) -> Result<Kid> {
    let (n, m, _) = check_pair(samples, reference, 2)?;
    let fits = |rows: &[i64], n: i64| rows.len() >= 2 && rows.iter().all(|row| (0..n).contains(row));
    if blocks.0.is_empty() || !blocks.0.iter().all(|(x, y)| fits(x, n) && fits(y, m)) {
        let got = format!("{} blocks for {n} and {m} rows", blocks.0.len());
        return Err(Error::Value { what: "blocks of KID", expected: "2 or more existing rows each", got });
    }
    let values: Vec<f64> = blocks
        .0
        .iter()
        .map(|(x, y)| {
            let rows = |set: &Tensor, rows: &[i64]| set.f_index_select(0, &Tensor::from_slice(rows));
            mmd(&rows(samples, x)?, &rows(reference, y)?)
        })
        .collect::<Result<_>>()?;
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let sd = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count).sqrt();
    Ok(Kid { mean, sd })
}

/// Estimate from all pairs at once: the least variance, at a cost of `(n + m)^2 d` operations. Memory: tiles.
///
/// # Shapes
/// samples: f32 `[n, d]`; reference: f32 `[m, d]`; n and m at least 2.
///
/// # Errors
/// Other kinds or shapes, different d, too few rows, values that are not finite.
pub fn kid_full(samples: &Tensor, reference: &Tensor) -> Result<f64> {
    check_pair(samples, reference, 2)?;
    mmd(samples, reference)
}

fn mmd(x: &Tensor, y: &Tensor) -> Result<f64> {
    let (n, m) = (x.size()[0] as f64, y.size()[0] as f64);
    Ok(within(x)? / (n * (n - 1.0)) + within(y)? / (m * (m - 1.0)) - 2.0 * between(x, y)? / (n * m))
}

/// Sum of the kernel over all ordered pairs of different rows.
fn within(x: &Tensor) -> Result<f64> {
    let mut sum = 0.0;
    for a in tiles(x) {
        let (i, a) = a?;
        for b in tiles(x) {
            let (j, b) = b?;
            if j > i {
                sum += 2.0 * total(&kernel(&a, &b)?)?;
            } else if j == i {
                let values = kernel(&a, &b)?;
                sum += total(&values)? - total(&values.f_diagonal(0, 0, 1)?)?;
            }
        }
    }
    Ok(sum)
}

/// Sum of the kernel over all pairs of a row of each.
fn between(x: &Tensor, y: &Tensor) -> Result<f64> {
    let mut sum = 0.0;
    for a in tiles(x) {
        let (_, a) = a?;
        for b in tiles(y) {
            sum += total(&kernel(&a, &b?.1)?)?;
        }
    }
    Ok(sum)
}

fn kernel(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let d = a.size()[1] as f64;
    let base = a.f_matmul(&b.f_tr()?)?.f_div_scalar(d)?.f_add_scalar(1.0)?;
    Ok(base.f_mul(&base)?.f_mul(&base)?)
}

fn total(values: &Tensor) -> Result<f64> {
    Ok(values.f_sum(Kind::Double)?.f_double_value(&[])?)
}
