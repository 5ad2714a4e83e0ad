//! Sixteen numbers in an array: what the loops are tested with where the processor lacks a set, and the widest tiles.

use super::super::exp::SIXTEENTHS;
use super::super::gemm::{LANES, Tile, sizes};
use super::super::vector::Vector;
use super::Kernel;

#[derive(Clone, Copy)]
pub(super) struct Plain([f32; LANES]);

impl Plain {
    fn zip(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|i| f(self.0[i], other.0[i])))
    }
}

impl Vector for Plain {
    type Mask = usize;

    const MOST_ROWS: &'static [usize] = &[14, 14, 9];
    const STEPS: usize = 2;

    unsafe fn enter<K: Kernel>(kernel: K) -> K::Out {
        kernel.run::<Self>()
    }

    unsafe fn tile(size: (usize, usize), t: &Tile<'_>) {
        // SAFETY: passed on.
        unsafe {
            sizes!(Self, size, t, up to three blocks);
        }
    }

    fn splat(x: f32) -> Self {
        Self([x; LANES])
    }

    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: promised.
        Self(unsafe { from.cast::<[f32; LANES]>().read_unaligned() })
    }

    unsafe fn store(self, to: *mut f32) {
        // SAFETY: promised.
        unsafe { to.cast::<[f32; LANES]>().write_unaligned(self.0) }
    }

    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }

    fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }

    fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }

    fn max(self, other: Self) -> Self {
        self.zip(other, f32::max)
    }

    fn min(self, other: Self) -> Self {
        self.zip(other, f32::min)
    }

    fn fma(self, b: Self, c: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i].mul_add(b.0[i], c.0[i])))
    }

    fn fnma(self, b: Self, c: Self) -> Self {
        Self(std::array::from_fn(|i| (-self.0[i]).mul_add(b.0[i], c.0[i])))
    }

    fn inverse(self) -> Self {
        Self(self.0.map(|v| 1.0 / v))
    }

    fn times_power(self, shifted: Self, n: Self) -> Self {
        assert_eq!(shifted.sub(Self::splat(SIXTEENTHS)).0.map(f32::to_bits), n.0.map(f32::to_bits));
        self.zip(n, |p, n| ((1.0 + f64::from(p)) * f64::from(n).exp2()) as f32)
    }

    fn total(self) -> f32 {
        self.0.iter().sum()
    }

    fn largest(self) -> f32 {
        self.0.into_iter().fold(f32::NEG_INFINITY, f32::max)
    }

    fn first(count: usize) -> usize {
        count
    }

    fn select(self, mask: usize, other: Self) -> Self {
        Self(std::array::from_fn(|i| if i < mask { self.0[i] } else { other.0[i] }))
    }

    fn transpose(square: &[Self; LANES]) -> [Self; LANES] {
        std::array::from_fn(|i| Self(std::array::from_fn(|j| square[j].0[i])))
    }
}
