//! Structural similarity of two planes of grey levels (Wang et al., 2004, eq. 13).

use crate::{Error, Result};

/// Side of the window.
const SIDE: usize = 11;
/// Standard deviation of its weights, in pixels.
const SIGMA: f64 = 1.5;
/// `(K1 L)^2` and `(K2 L)^2` with K1 = 0.01, K2 = 0.03 and L = 255.
const C1: f64 = 2.55 * 2.55;
const C2: f64 = 7.65 * 7.65;

/// Mean similarity over all windows that lie wholly inside planes of this height and width.
///
/// # Errors
/// [`Error::Value`] for planes smaller than the window.
pub(super) fn plane(a: &[u8], b: &[u8], [height, width]: [usize; 2]) -> Result<f64> {
    if height < SIDE || width < SIDE {
        let got = format!("{height}x{width} pixels");
        return Err(Error::Value { what: "size of images for SSIM", expected: "at least 11x11 pixels", got });
    }
    let weights = weights();
    let columns = width - SIDE + 1;
    // Weighted sums of a, b, a^2, b^2, ab along the rows, then of those along the columns.
    let mut along = Vec::with_capacity(height * columns);
    for (a, b) in a.chunks_exact(width).zip(b.chunks_exact(width)) {
        for (a, b) in a.windows(SIDE).zip(b.windows(SIDE)) {
            let mut sums = [0.0; 5];
            for ((a, b), w) in a.iter().zip(b).zip(&weights) {
                let (a, b) = (f64::from(*a), f64::from(*b));
                [a, b, a * a, b * b, a * b].iter().zip(&mut sums).for_each(|(v, sum)| *sum += w * v);
            }
            along.push(sums);
        }
    }
    let rows = height - SIDE + 1;
    let mut total = 0.0;
    for at in 0..rows * columns {
        let mut sums = [0.0; 5];
        for (k, w) in weights.iter().enumerate() {
            along[at + k * columns].iter().zip(&mut sums).for_each(|(v, sum)| *sum += w * v);
        }
        let [mean_a, mean_b, aa, bb, ab] = sums;
        let (var_a, var_b) = (aa - mean_a * mean_a, bb - mean_b * mean_b);
        let covariance = ab - mean_a * mean_b;
        let luminance = (2.0 * mean_a * mean_b + C1) / (mean_a * mean_a + mean_b * mean_b + C1);
        total += luminance * (2.0 * covariance + C2) / (var_a + var_b + C2);
    }
    Ok(total / (rows * columns) as f64)
}

/// Gaussian weights of sum 1.
fn weights() -> [f64; SIDE] {
    let raw: [f64; SIDE] = std::array::from_fn(|i| (-0.5 * ((i as f64 - 5.0) / SIGMA).powi(2)).exp());
    let sum: f64 = raw.iter().sum();
    raw.map(|w| w / sum)
}
