//! Group normalisation and SiLU.

use core::arch::x86_64::{
    __m512, __mmask16, _MM_FROUND_NO_EXC, _MM_FROUND_TO_NEAREST_INT, _mm512_add_ps, _mm512_fmadd_ps,
    _mm512_fnmadd_ps, _mm512_loadu_ps, _mm512_mask_loadu_ps, _mm512_maskz_mov_ps, _mm512_max_ps,
    _mm512_min_ps, _mm512_mul_ps, _mm512_rcp14_ps, _mm512_reduce_add_ps, _mm512_reduce_max_ps,
    _mm512_roundscale_ps, _mm512_scalef_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
    _mm512_sub_ps,
};

use super::gemm::LANES;

/// `exp` to about one unit in the last place, for every lane; arguments are kept within ±87.
#[target_feature(enable = "avx512f")]
pub(crate) fn exp(x: __m512) -> __m512 {
    let set = |v: f32| _mm512_set1_ps(v);
    let x = _mm512_min_ps(_mm512_max_ps(x, set(-87.0)), set(87.0));
    let n = _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(_mm512_mul_ps(
        x,
        set(std::f32::consts::LOG2_E),
    ));
    // ln 2 in two parts: n times the first is exact.
    let r = _mm512_fmadd_ps(n, set(-0.693_359_4), x);
    let r = _mm512_fmadd_ps(n, set(2.121_944_4e-4), r);
    // Taylor to the seventh power: |r| <= 0.347, so that the rest is below 2e-9... of the value.
    let mut p = set(1.0 / 5040.0);
    for c in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        p = _mm512_fmadd_ps(p, r, set(c));
    }
    _mm512_scalef_ps(p, n)
}

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

/// Softmax of each of `rows` rows over the first `count` columns of `x: [block][row][16]`; later columns become 0.
///
/// # Panics
/// If `x` is not so many rows of whole blocks, or has fewer columns.
#[target_feature(enable = "avx512f")]
pub(crate) fn softmax(x: &mut [f32], rows: usize, count: usize) {
    let plane = rows * LANES;
    let blocks = x.len() / plane.max(1);
    assert!(blocks * plane == x.len() && count > 0 && count <= blocks * LANES, "no matrix of {rows} rows");
    let masked = |block: usize| -> __mmask16 {
        let left = count.saturating_sub(block * LANES).min(LANES);
        ((1u32 << left) - 1) as __mmask16
    };
    for row in 0..rows {
        // SAFETY: `blocks` blocks of `rows` rows of sixteen values.
        unsafe {
            let base = x.as_mut_ptr();
            let at = |block: usize| base.add(block * plane + row * LANES);
            let lowest = _mm512_set1_ps(f32::NEG_INFINITY);
            let mut top = lowest;
            for b in 0..blocks {
                top = _mm512_max_ps(top, _mm512_mask_loadu_ps(lowest, masked(b), at(b)));
            }
            let top = _mm512_set1_ps(_mm512_reduce_max_ps(top));
            let mut sum = _mm512_setzero_ps();
            for b in 0..blocks {
                let e = _mm512_maskz_mov_ps(masked(b), exp(_mm512_sub_ps(_mm512_loadu_ps(at(b)), top)));
                sum = _mm512_add_ps(sum, e);
                _mm512_storeu_ps(at(b), e);
            }
            let inverse = _mm512_set1_ps(1.0 / _mm512_reduce_add_ps(sum));
            for b in 0..blocks {
                _mm512_storeu_ps(at(b), _mm512_mul_ps(_mm512_loadu_ps(at(b)), inverse));
            }
        }
    }
}
