//! Group normalisation and SiLU.

use core::arch::x86_64::{
    __m512, _mm512_add_ps, _mm512_fmadd_ps, _mm512_fnmadd_ps, _mm512_loadu_ps, _mm512_mul_ps,
    _mm512_rcp14_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps, _mm512_sub_ps,
};

use super::exp::exp;
use super::gemm::LANES;

/// Mean of sixteen channels over the pixels of `x: [pixel][16]`, and the sum of squared distances from it.
///
/// One pass: sums of `d = x - center` and of `d^2`, whose difference loses nothing because `center` is the mean of some
/// pixels spread over the map.
///
/// # Panics
/// If there is no pixel.
#[target_feature(enable = "avx512f")]
pub(crate) fn moments(x: &[f32]) -> [[f64; LANES]; 2] {
    const WAYS: usize = 4;
    const SAMPLES: usize = 16;
    let pixels = x.as_chunks::<LANES>().0;
    assert!(!pixels.is_empty(), "a map has pixels");
    // SAFETY: sixteen values each.
    let load = |pixel: &[f32; LANES]| unsafe { _mm512_loadu_ps(pixel.as_ptr()) };
    let mut center = _mm512_setzero_ps();
    for i in 0..SAMPLES {
        center = _mm512_add_ps(center, load(&pixels[(2 * i + 1) * pixels.len() / (2 * SAMPLES)]));
    }
    let center = _mm512_mul_ps(center, _mm512_set1_ps(1.0 / SAMPLES as f32));
    let mut sums = [[_mm512_setzero_ps(); 2]; WAYS];
    let (groups, rest) = pixels.as_chunks::<WAYS>();
    for pixels in groups.iter().map(|group| &group[..]).chain([rest]) {
        for ([sum, square], pixel) in sums.iter_mut().zip(pixels) {
            let d = _mm512_sub_ps(load(pixel), center);
            *sum = _mm512_add_ps(*sum, d);
            *square = _mm512_fmadd_ps(d, d, *square);
        }
    }
    let values = |v: __m512| {
        let mut out = [0.0; LANES];
        // SAFETY: the array holds sixteen values.
        unsafe { _mm512_storeu_ps(out.as_mut_ptr(), v) };
        out
    };
    let total = |i: usize| {
        let pair = |a: usize| _mm512_add_ps(sums[a][i], sums[a + 1][i]);
        values(_mm512_add_ps(pair(0), pair(2)))
    };
    let (center, sum, square, n) = (values(center), total(0), total(1), pixels.len() as f64);
    let mean = |c: usize| f64::from(center[c]) + f64::from(sum[c]) / n;
    let rest = |c: usize| (f64::from(square[c]) - f64::from(sum[c]).powi(2) / n).max(0.0);
    [std::array::from_fn(mean), std::array::from_fn(rest)]
}

/// `out = a x + b` for each pixel of sixteen channels, then SiLU if `silu`; `a` and `b` have sixteen values.
///
/// # Panics
/// If the slices differ in length, or `a` or `b` is short.
#[target_feature(enable = "avx512f")]
pub(crate) fn apply(x: &[f32], a: &[f32], b: &[f32], silu: bool, out: &mut [f32]) {
    assert!(x.len() == out.len() && a.len() >= LANES && b.len() >= LANES, "slices do not match");
    // SAFETY: sixteen values each, as asserted.
    let (a, b) = unsafe { (_mm512_loadu_ps(a.as_ptr()), _mm512_loadu_ps(b.as_ptr())) };
    let (one, two) = (_mm512_set1_ps(1.0), _mm512_set1_ps(2.0));
    for (x, out) in x.as_chunks::<LANES>().0.iter().zip(out.as_chunks_mut::<LANES>().0) {
        // SAFETY: chunks of sixteen values.
        unsafe {
            let mut v = _mm512_fmadd_ps(_mm512_loadu_ps(x.as_ptr()), a, b);
            if silu {
                let e = exp(_mm512_sub_ps(_mm512_setzero_ps(), v));
                // An estimate of 14 bits and a step of Newton's instead of the slow division.
                let d = _mm512_add_ps(one, e);
                let r = _mm512_rcp14_ps(d);
                v = _mm512_mul_ps(v, _mm512_mul_ps(r, _mm512_fnmadd_ps(d, r, two)));
            }
            _mm512_storeu_ps(out.as_mut_ptr(), v);
        }
    }
}
