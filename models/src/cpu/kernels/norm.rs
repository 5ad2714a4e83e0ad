//! Group normalisation and SiLU.

use core::arch::x86_64::{
    __m512, _mm512_add_ps, _mm512_fmadd_ps, _mm512_fnmadd_ps, _mm512_loadu_ps, _mm512_mul_ps,
    _mm512_rcp14_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps, _mm512_sub_ps,
};

use super::exp::exp;
use super::gemm::LANES;

/// Sums of sixteen channels over the pixels of `x: [pixel][16]`.
#[target_feature(enable = "avx512f")]
pub(crate) fn sums(x: &[f32]) -> [f32; LANES] {
    reduce(x, |v| v)
}

/// Sums of `(x - mean)^2` for each channel; `mean` has sixteen values.
#[target_feature(enable = "avx512f")]
pub(crate) fn squares(x: &[f32], mean: &[f32; LANES]) -> [f32; LANES] {
    // SAFETY: the array holds sixteen values.
    let mean = unsafe { _mm512_loadu_ps(mean.as_ptr()) };
    reduce(x, |v| {
        let d = _mm512_sub_ps(v, mean);
        _mm512_mul_ps(d, d)
    })
}

#[inline]
#[target_feature(enable = "avx512f")]
fn reduce(x: &[f32], f: impl Fn(__m512) -> __m512) -> [f32; LANES] {
    const WAYS: usize = 4;
    let mut acc = [_mm512_setzero_ps(); WAYS];
    let (groups, rest) = x.as_chunks::<{ WAYS * LANES }>();
    for group in groups {
        for (i, acc) in acc.iter_mut().enumerate() {
            // SAFETY: `group` holds four times sixteen values.
            *acc = _mm512_add_ps(*acc, f(unsafe { _mm512_loadu_ps(group.as_ptr().add(i * LANES)) }));
        }
    }
    for one in rest.as_chunks::<LANES>().0 {
        // SAFETY: `one` holds sixteen values.
        acc[0] = _mm512_add_ps(acc[0], f(unsafe { _mm512_loadu_ps(one.as_ptr()) }));
    }
    let total = _mm512_add_ps(_mm512_add_ps(acc[0], acc[1]), _mm512_add_ps(acc[2], acc[3]));
    let mut out = [0.0; LANES];
    // SAFETY: the array holds sixteen values.
    unsafe { _mm512_storeu_ps(out.as_mut_ptr(), total) };
    out
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
