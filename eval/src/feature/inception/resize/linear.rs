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
        Self::at(length, |o| fused(scale, o as f32 + 0.5, -0.5).max(0.0))
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

/// `a * b + c` with one rounding at the end, as the libtorch of PyTorch's wheels has it on processors with such an
/// instruction. It is not in the baseline of x86-64; the product is exact in f64.
fn fused(a: f32, b: f32, c: f32) -> f32 {
    (f64::from(a) * f64::from(b) + f64::from(c)) as f32
}

/// One channel by TensorFlow's rule, `SIDE * SIDE` grey levels: first along the rows, then between them.
pub(super) fn tf1(picture: &Picture<'_>, c: usize, (y, x): (&Places, &Places), out: &mut [f32]) {
    let [_, width] = picture.size();
    let mut source = vec![0.0; width];
    let mix = |a: f32, b: f32, towards: f32| a + (b - a) * towards;
    let mut rows = Rows::new(SIDE);
    for ((before, after, towards), out) in y.0.iter().zip(out.chunks_exact_mut(SIDE)) {
        let [top, bottom] = rows.get([*before, *after], |at, row| {
            picture.row(c, at, f32::from, &mut source);
            for (value, (left, right, towards)) in row.iter_mut().zip(&x.0) {
                *value = mix(source[*left], source[*right], *towards);
            }
        });
        for (out, (top, bottom)) in out.iter_mut().zip(top.iter().zip(bottom)) {
            *out = mix(*top, *bottom, *towards);
        }
    }
}

/// One channel by PyTorch's rule, `SIDE * SIDE` values of [0, 1]: a weighted sum of four pixels, in the order and with
/// the roundings of its CPU kernel.
pub(super) fn torch(picture: &Picture<'_>, c: usize, (y, x): (&Places, &Places), out: &mut [f32]) {
    let [_, width] = picture.size();
    let mut source = vec![0.0; width];
    let across: Vec<f32> = x.0.iter().map(|(_, _, towards)| *towards).collect();
    // A row is kept as what its outputs read: all their left pixels, then all their right ones.
    let mut rows = Rows::new(2 * SIDE);
    for ((before, after, down), out) in y.0.iter().zip(out.chunks_exact_mut(SIDE)) {
        let [top, bottom] = rows.get([*before, *after], |at, row| {
            picture.row(c, at, |level| f32::from(level) / 255.0, &mut source);
            let (lefts, rights) = row.split_at_mut(SIDE);
            for ((left, right), (before, after, _)) in lefts.iter_mut().zip(rights).zip(&x.0) {
                (*left, *right) = (source[*before], source[*after]);
            }
        });
        let up = 1.0 - down;
        let (top, bottom) = (top.split_at(SIDE), bottom.split_at(SIDE));
        let pixels = top.0.iter().zip(top.1).zip(bottom.0.iter().zip(bottom.1));
        for ((out, across), ((a, b), (c, d))) in out.iter_mut().zip(&across).zip(pixels) {
            let back = 1.0 - across;
            let sum = fused(*a, up * back, b * (up * across));
            *out = fused(*d, down * across, fused(*c, down * back, sum));
        }
    }
}

/// The last two rows that were asked for; they are asked for in ascending order.
struct Rows([(usize, Vec<f32>); 2]);

impl Rows {
    fn new(width: usize) -> Self {
        Self([(); 2].map(|()| (usize::MAX, vec![0.0; width])))
    }

    /// Rows `want`; `fill` makes those that are not at hand.
    fn get(&mut self, want: [usize; 2], mut fill: impl FnMut(usize, &mut [f32])) -> [&[f32]; 2] {
        if self.0[1].0 == want[0] {
            self.0.swap(0, 1);
        }
        for (slot, want) in self.0.iter_mut().zip(want) {
            if slot.0 != want {
                fill(want, &mut slot.1);
                slot.0 = want;
            }
        }
        self.0.each_ref().map(|(_, row)| row.as_slice())
    }
}
