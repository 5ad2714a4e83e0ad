//! The exponential function of sixteen numbers.

use core::arch::x86_64::{
    __m512, _mm512_castps_si512, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_max_ps, _mm512_min_ps,
    _mm512_mul_ps, _mm512_permutexvar_ps, _mm512_scalef_ps, _mm512_set1_ps, _mm512_sub_ps,
};

use super::gemm::LANES;

/// `2^(i / 16)`
const POWERS: [f32; LANES] = [
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
const SIXTEENTHS: f32 = 786_432.0;

/// `exp` to about one unit in the last place, for every lane; arguments are kept within ±87.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn exp(x: __m512) -> __m512 {
    let set = |v: f32| _mm512_set1_ps(v);
    let x = _mm512_min_ps(_mm512_max_ps(x, set(-87.0)), set(87.0));
    // x = n ln 2 + r with n in sixteenths, so that |r| <= 0.0217.
    let shifted = _mm512_fmadd_ps(x, set(std::f32::consts::LOG2_E), set(SIXTEENTHS));
    let n = _mm512_sub_ps(shifted, set(SIXTEENTHS));
    // ln 2 in two parts: n times the first is exact.
    let r = _mm512_fmadd_ps(n, set(-0.693_359_4), x);
    let r = _mm512_fmadd_ps(n, set(2.121_944_4e-4), r);
    // Taylor to the third power: what is left out is below 1e-8 of the value.
    let p = _mm512_fmadd_ps(r, set(1.0 / 6.0), set(0.5));
    let p = _mm512_fmadd_ps(p, r, set(1.0));
    let p = _mm512_mul_ps(p, r);
    // SAFETY: the table holds sixteen values.
    let table = unsafe { _mm512_loadu_ps(POWERS.as_ptr()) };
    // The permutation looks at the lowest four bits, `scalef` rounds its exponent down.
    let fraction = _mm512_permutexvar_ps(_mm512_castps_si512(shifted), table);
    _mm512_scalef_ps(_mm512_fmadd_ps(p, fraction, fraction), n)
}
