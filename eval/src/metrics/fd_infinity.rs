//! FD-infinity (Chong & Forsyth, arXiv 1911.07023): the Fréchet distance that infinitely many samples would have.

use super::features;
use crate::mt19937::Mt19937;
use crate::stats::{Moments, Reference};
use crate::{Error, Result, tensors};
use tch::Tensor;

/// Counts of samples at which the distance is taken, as in the paper.
pub const POINTS: usize = 15;

/// The extrapolated distance and the line behind it.
#[derive(Debug, Clone, PartialEq)]
pub struct FdInfinity {
    /// Intercept of the line, in squared feature units. Only the bias of the samples is gone, not that of the reference.
    pub fd: f64,
    /// Slope over 1/n.
    pub slope: f64,
    /// Standard error of the intercept, from the scatter around the line. The subsets share images, so it is a lower bound.
    pub standard_error: f64,
    /// Count of samples and distance, ascending.
    pub points: Vec<(u64, f64)>,
}

/// Fits `FD(n) = FD_inf + slope / n` by least squares.
///
/// The rule: [`POINTS`] counts, evenly spaced from min(5000, n / 10) to n; at each, that many samples drawn without
/// repetition, afresh, from one generator seeded by `seed`. (The paper also proposes Sobol sequences for the sampler's
/// noise; here the samples are given.) Below as many samples as features the bias is no longer of the form 1/n, so n
/// should be ten times their length.
///
/// # Shapes
/// samples: f32 `[n, d]`, n at least 150.
///
/// # Errors
/// Too few rows, another kind or shape, values that are not finite, and those of [`Reference::distance`].
pub fn fd_infinity(samples: &Tensor, reference: &Reference, seed: u32) -> Result<FdInfinity> {
    let (n, d) = features::check("an FD-infinity", samples, 10 * POINTS as u64)?;
    let (n, d) = (n as usize, d as usize);
    let rows: Vec<f32> = tensors::to_vec(samples)?;
    let first = (n / 10).min(5_000);
    let mut rng = Mt19937::new(seed);
    let mut points = Vec::with_capacity(POINTS);
    for i in 0..POINTS {
        let count = first + (n - first) * i / (POINTS - 1);
        let mut chosen = rng.choice(n, count);
        // Sums in the order of the images: what is drawn matters, not when.
        chosen.sort_unstable();
        let subset: Vec<f32> = chosen.iter().flat_map(|row| &rows[row * d..(row + 1) * d]).copied().collect();
        points.push((count as u64, reference.distance(&Moments::of_rows(&subset, d))?.fd));
    }
    let line = fit(&points);
    if line.fd.is_finite() { Ok(line) } else { Err(Error::NonFinite { what: "an FD-infinity".to_owned() }) }
}

fn fit(points: &[(u64, f64)]) -> FdInfinity {
    let count = points.len() as f64;
    let inverse = |n: u64| 1.0 / n as f64;
    let x_mean = points.iter().map(|(n, _)| inverse(*n)).sum::<f64>() / count;
    let y_mean = points.iter().map(|(_, fd)| fd).sum::<f64>() / count;
    let xx: f64 = points.iter().map(|(n, _)| (inverse(*n) - x_mean).powi(2)).sum();
    let xy: f64 = points.iter().map(|(n, fd)| (inverse(*n) - x_mean) * (fd - y_mean)).sum();
    let slope = xy / xx;
    let fd = y_mean - slope * x_mean;
    let residual: f64 = points.iter().map(|(n, y)| (y - fd - slope * inverse(*n)).powi(2)).sum();
    let variance = residual / (count - 2.0);
    let standard_error = (variance * (1.0 / count + x_mean * x_mean / xx)).sqrt();
    FdInfinity { fd, slope, standard_error, points: points.to_vec() }
}
