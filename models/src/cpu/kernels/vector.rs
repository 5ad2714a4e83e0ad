//! Sixteen numbers, and what is done to them at once.

use super::gemm::{LANES, Tile};
use super::isa::Kernel;

/// Sixteen f32 in one register or in several.
///
/// A method may be called only on a processor with the instructions. [`super::isa::Isa::run`] alone can name the types, and
/// starts a [`Kernel`] with them. All are `#[inline(always)]`, or they would be calls.
pub(crate) trait Vector: Copy {
    /// Some of the sixteen.
    type Mask: Copy;

    /// The most rows of a tile of 1, 2, ... column blocks whose sums fit into the registers.
    const MOST_ROWS: &'static [usize];

    /// Steps along the inner dimension that a tile's loop takes at a time, a divisor of 16: more, where a step has few
    /// instructions.
    const STEPS: usize;

    /// Runs `kernel` compiled for these instructions.
    ///
    /// # Safety
    /// The processor has them.
    unsafe fn enter<K: Kernel>(kernel: K) -> K::Out;

    /// One tile of a product: `(rows, column blocks)` within [`Self::MOST_ROWS`].
    ///
    /// # Safety
    /// As for [`super::gemm::tile`].
    unsafe fn tile(size: (usize, usize), tile: &Tile<'_>);

    /// Sixteen times `x`.
    fn splat(x: f32) -> Self;

    /// # Safety
    /// Sixteen values can be read.
    unsafe fn load(from: *const f32) -> Self;

    /// # Safety
    /// Sixteen values can be written.
    unsafe fn store(self, to: *mut f32);

    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn max(self, other: Self) -> Self;
    fn min(self, other: Self) -> Self;

    /// `self * b + c`, rounded once.
    fn fma(self, b: Self, c: Self) -> Self;

    /// `c - self * b`, rounded once.
    fn fnma(self, b: Self, c: Self) -> Self;

    /// `1 / self` to about one unit in the last place.
    fn inverse(self) -> Self;

    /// `(1 + self) * 2^n` for `self` near 0; `n` is a whole number of sixteenths within ±125.6, rounded by adding
    /// [`super::exp::SIXTEENTHS`], and `shifted` that sum.
    fn times_power(self, shifted: Self, n: Self) -> Self;

    /// The sum of all lanes: halves first, then quarters, and so on.
    fn total(self) -> f32;

    /// The largest lane.
    fn largest(self) -> f32;

    /// The first `count` of sixteen.
    fn first(count: usize) -> Self::Mask;

    /// `self` where the mask is set, `other` elsewhere.
    fn select(self, mask: Self::Mask, other: Self) -> Self;

    /// Lane `j` of vector `i` becomes lane `i` of vector `j`.
    fn transpose(square: &[Self; LANES]) -> [Self; LANES];

    /// All lanes.
    #[inline(always)]
    fn values(self) -> [f32; LANES] {
        let mut out = [0.0; LANES];
        // SAFETY: the array holds sixteen values.
        unsafe { self.store(out.as_mut_ptr()) };
        out
    }
}
