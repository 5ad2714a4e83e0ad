//! Bilinear interpolation between the nearest two pixels, in f32.

use super::super::{Picture, SIDE};

/// Where the outputs along one axis read: the pixel before, the pixel after, and how far towards the latter.
#[derive(Debug, Clone)]
pub(super) struct Places(Vec<(usize, usize, f32)>);

impl Places {
    /// Output `o` reads at `o * in / out`.
    pub(super) fn tf1(length: usize) -> Self {
        let scale = length as f32 / SIDE as f32;
        Self::at(length, |o| o as f32 * scale)
    }

    /// Output `o` reads at `(o + 1/2) * in / out - 1/2`, but not before the first pixel.
    pub(super) fn torch(length: usize) -> Self {
        let scale = length as f32 / SIDE as f32;
        Self::at(length, |o| (scale * (o as f32 + 0.5) - 0.5).max(0.0))
    }

    fn at(length: usize, source: impl Fn(usize) -> f32) -> Self {
        let place = |o| {
            let source = source(o);
            let before = (source as usize).min(length - 1);
            (before, (before + 1).min(length - 1), source - before as f32)
        };
        Self((0..SIDE).map(place).collect())
    }
}

/// `a` towards `b` as TensorFlow rounds it.
pub(super) fn lerp(a: f32, b: f32, towards: f32) -> f32 {
    a + (b - a) * towards
}

/// `a` towards `b` as PyTorch rounds it: two products, the second of which is added without being rounded.
pub(super) fn blend(a: f32, b: f32, towards: f32) -> f32 {
    let first = a * (1.0 - towards);
    // A fused multiply-add; through f64, as the instruction is not in the baseline of x86-64.
    (f64::from(b) * f64::from(towards) + f64::from(first)) as f32
}

/// One channel, `SIDE * SIDE` values: first along the rows, then between them.
pub(super) fn plane(
    picture: &Picture<'_>,
    c: usize,
    (y, x): (&Places, &Places),
    value: impl Fn(u8) -> f32,
    mix: impl Fn(f32, f32, f32) -> f32,
    out: &mut [f32],
) {
    let [_, width] = picture.size();
    let mut source = vec![0.0; width];
    // The last two rows of the picture that were interpolated; outputs ask for them in ascending order.
    let mut rows = [(usize::MAX, vec![0.0; SIDE]), (usize::MAX, vec![0.0; SIDE])];
    for ((before, after, towards), out) in y.0.iter().zip(out.chunks_exact_mut(SIDE)) {
        if rows[1].0 == *before {
            rows.swap(0, 1);
        }
        for (slot, want) in rows.iter_mut().zip([*before, *after]) {
            if slot.0 != want {
                picture.row(c, want, &value, &mut source);
                slot.0 = want;
                for (row, (left, right, towards)) in slot.1.iter_mut().zip(&x.0) {
                    *row = mix(source[*left], source[*right], *towards);
                }
            }
        }
        let [(_, top), (_, bottom)] = &rows;
        for (out, (top, bottom)) in out.iter_mut().zip(top.iter().zip(bottom)) {
            *out = mix(*top, *bottom, *towards);
        }
    }
}
