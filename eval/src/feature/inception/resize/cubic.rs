//! Antialiased bicubic interpolation as Pillow computes it in mode F: weights and sums in f64, each of the two passes
//! rounded to f32.

use super::super::{Picture, SIDE};

/// The pixels that each output along one axis reads, and their weights.
#[derive(Debug, Clone)]
pub(super) struct Spans(Vec<(usize, Vec<f64>)>);

/// Keys' cubic (1981) with a = -1/2, zero beyond 2.
fn kernel(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

impl Spans {
    pub(super) fn new(length: usize) -> Self {
        let scale = length as f64 / SIDE as f64;
        // When shrinking, the kernel is widened so that it covers every pixel.
        let stretch = scale.max(1.0);
        let support = 2.0 * stretch;
        let span = |o: usize| {
            let centre = (o as f64 + 0.5) * scale;
            let first = (centre - support + 0.5).max(0.0) as usize;
            let last = ((centre + support + 0.5) as usize).min(length);
            let mut weights: Vec<f64> =
                (first..last).map(|i| kernel((i as f64 - centre + 0.5) * (1.0 / stretch))).collect();
            let sum: f64 = weights.iter().sum();
            for weight in &mut weights {
                *weight /= sum;
            }
            (first, weights)
        };
        Self((0..SIDE).map(span).collect())
    }
}

/// One channel, `SIDE * SIDE` values before clipping.
pub(super) fn plane(picture: &Picture<'_>, c: usize, (y, x): (&Spans, &Spans), out: &mut [f32]) {
    let [height, width] = picture.size();
    let mut source = vec![0.0; width];
    let mut narrow = vec![0.0_f32; height * SIDE];
    for (at, row) in narrow.chunks_exact_mut(SIDE).enumerate() {
        picture.row(c, at, f32::from, &mut source);
        for (value, (first, weights)) in row.iter_mut().zip(&x.0) {
            let pixels = source[*first..].iter().zip(weights);
            *value = pixels.fold(0.0, |sum, (pixel, weight)| sum + f64::from(*pixel) * weight) as f32;
        }
    }
    let mut sums = vec![0.0_f64; SIDE];
    for ((first, weights), out) in y.0.iter().zip(out.chunks_exact_mut(SIDE)) {
        sums.fill(0.0);
        for (row, weight) in narrow[first * SIDE..].chunks_exact(SIDE).zip(weights) {
            sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value) * weight);
        }
        out.iter_mut().zip(&sums).for_each(|(out, sum)| *out = *sum as f32);
    }
}
