//! Inception Score (Salimans et al., arXiv 1606.03498, section 4): `exp(E_x KL(p(y|x) || p(y)))`.

use super::features;
use crate::mt19937::Mt19937;
use crate::{Error, Result, tensors};
use tch::Tensor;

/// A score over splits. The range is 1 (nothing but one answer, or no answer at all) to the number of classes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InceptionScore {
    /// Mean over the splits.
    pub mean: f64,
    /// Standard deviation over the splits, divided by their number.
    pub sd: f64,
}

/// Score of class predictions in `splits` parts of consecutive rows, sizes as equal as can be.
///
/// With `shuffle` the rows are first put in the order of NumPy's `RandomState(shuffle).permutation(n)`; `splits = 10`
/// and `Some(2020)` are the conventions of torch-fidelity. The literature's score takes the logits of the FID network
/// *without* the bias of its last layer.
///
/// # Shapes
/// logits: f32 `[n, classes]`.
///
/// # Errors
/// No split, fewer rows than splits, another kind or shape, or a logit that is not finite.
pub fn inception_score(logits: &Tensor, splits: usize, shuffle: Option<u32>) -> Result<InceptionScore> {
    let need = splits.max(1) as u64;
    let (n, classes) = features::check("logits of an Inception Score", logits, need)?;
    if splits == 0 {
        return Err(Error::Value {
            what: "number of splits",
            expected: "at least 1",
            got: splits.to_string(),
        });
    }
    let (n, classes) = (n as usize, classes as usize);
    let order = shuffle.map_or_else(|| (0..n).collect(), |seed| Mt19937::new(seed).permutation(n));
    let logits: Vec<f32> = tensors::to_vec(logits)?;
    let scores: Vec<f64> = (0..splits)
        .map(|i| {
            let rows = &order[i * n / splits..(i + 1) * n / splits];
            score(rows.iter().map(|row| &logits[row * classes..(row + 1) * classes]), classes)
        })
        .collect();
    let count = splits as f64;
    let mean = scores.iter().sum::<f64>() / count;
    let sd = (scores.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / count).sqrt();
    Ok(InceptionScore { mean, sd })
}

/// `E KL = E_x sum_y p(y|x) ln p(y|x) - sum_y p(y) ln p(y)`.
fn score<'a>(rows: impl ExactSizeIterator<Item = &'a [f32]>, classes: usize) -> f64 {
    let n = rows.len() as f64;
    let mut marginal = vec![0.0; classes];
    let mut inner = 0.0;
    for row in rows {
        let max = f64::from(row.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        let log_sum = row.iter().map(|l| (f64::from(*l) - max).exp()).sum::<f64>().ln();
        for (logit, m) in row.iter().zip(&mut marginal) {
            let log_p = f64::from(*logit) - max - log_sum;
            let p = log_p.exp();
            inner += p * log_p / n;
            *m += p / n;
        }
    }
    // A class that no row gives any probability adds nothing: x ln x is 0 at 0.
    let outer: f64 = marginal.iter().filter(|m| **m > 0.0).map(|m| m * m.ln()).sum();
    (inner - outer).exp()
}
