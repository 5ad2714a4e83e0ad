//! The exponential function of sixteen numbers.

use super::gemm::LANES;
use super::vector::Vector;

/// `2^(i / 16)`
pub(super) const POWERS: [f32; LANES] = [
    1.0,
    1.044_273_8,
    1.090_507_7,
    1.138_788_6,
    1.189_207_1,
    1.241_857_8,
    1.296_839_6,
    1.354_255_6,
    std::f32::consts::SQRT_2,
    1.476_826_1,
    1.542_210_8,
    1.610_490_3,
    1.681_792_9,
    1.756_252,
    1.834_008_1,
    1.915_206_6,
];

/// Adding it leaves a number rounded to sixteenths, whose count stands in the lowest bits.
pub(super) const SIXTEENTHS: f32 = 786_432.0;

/// `exp` to about one unit in the last place, for every lane; arguments are kept within ±87.
#[inline(always)]
pub(super) fn exp<V: Vector>(x: V) -> V {
    let set = |v: f32| V::splat(v);
    let x = x.max(set(-87.0)).min(set(87.0));
    // x = n ln 2 + r with n in sixteenths, so that |r| <= 0.0217.
    let shifted = x.fma(set(std::f32::consts::LOG2_E), set(SIXTEENTHS));
    let n = shifted.sub(set(SIXTEENTHS));
    // ln 2 in two parts: n times the first is exact.
    let r = n.fma(set(-0.693_359_4), x);
    let r = n.fma(set(2.121_944_4e-4), r);
    // Taylor to the third power: what is left out is below 1e-8 of the value.
    let p = r.fma(set(1.0 / 6.0), set(0.5));
    let p = p.fma(r, set(1.0));
    p.mul(r).times_power(shifted, n)
}
