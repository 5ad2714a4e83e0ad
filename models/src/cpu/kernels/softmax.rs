//! The two halves of a softmax: exponentials first, division after the product that they go into.

use core::arch::x86_64::{
    __m512, __mmask16, _mm512_add_ps, _mm512_loadu_ps, _mm512_mask_loadu_ps, _mm512_maskz_mov_ps,
    _mm512_max_ps, _mm512_mul_ps, _mm512_reduce_add_ps, _mm512_reduce_max_ps, _mm512_set1_ps,
    _mm512_setzero_ps, _mm512_storeu_ps, _mm512_sub_ps,
};

use super::exp::exp;
use super::gemm::LANES;

/// Rows that go side by side, so that no operation waits for the one before.
const SIDE: usize = 4;

/// Replaces each of `rows` rows of `x: [block][row][16]`, `count` columns wide, by `exp(x - its largest)`, and fills the
/// last block up by 0; `inverse` becomes one over each row's sum.
///
/// # Panics
/// If `x` is no matrix of this size, or `inverse` has fewer rows.
#[target_feature(enable = "avx512f")]
pub(crate) fn exponentials(x: &mut [f32], rows: usize, count: usize, inverse: &mut [f32]) {
    let plane = rows * LANES;
    assert!(
        count > 0 && x.len() == count.div_ceil(LANES) * plane,
        "no matrix of {rows} rows, {count} columns"
    );
    assert!(inverse.len() >= rows, "no room for {rows} sums");
    let mut row = 0;
    while row < rows {
        let at = x[row * LANES..].as_mut_ptr();
        // SAFETY: all blocks have `rows` rows of sixteen values, of which `SIDE` or one are left.
        unsafe {
            if rows - row >= SIDE {
                let sums = some::<SIDE>(at, plane, count);
                for (to, sum) in inverse[row..].iter_mut().zip(sums) {
                    *to = 1.0 / sum;
                }
                row += SIDE;
            } else {
                let [sum] = some::<1>(at, plane, count);
                inverse[row] = 1.0 / sum;
                row += 1;
            }
        }
    }
}

/// `N` neighbouring rows; their sums.
///
/// # Safety
/// `x` is readable and writable for `16 N` values in each block of `plane` values that has some of the `count` columns.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn some<const N: usize>(x: *mut f32, plane: usize, count: usize) -> [f32; N] {
    let (full, left) = (count / LANES, count % LANES);
    let mask = ((1u32 << left) - 1) as __mmask16;
    // SAFETY: as above.
    unsafe {
        let at = |block: usize, row: usize| x.add(block * plane + row * LANES);
        let lowest = _mm512_set1_ps(f32::NEG_INFINITY);
        let mut top: [__m512; N] = [lowest; N];
        for block in 0..full {
            for (row, top) in top.iter_mut().enumerate() {
                *top = _mm512_max_ps(*top, _mm512_loadu_ps(at(block, row)));
            }
        }
        if left > 0 {
            for (row, top) in top.iter_mut().enumerate() {
                *top = _mm512_max_ps(*top, _mm512_mask_loadu_ps(lowest, mask, at(full, row)));
            }
        }
        let top = top.map(|top| _mm512_set1_ps(_mm512_reduce_max_ps(top)));
        let mut sum: [__m512; N] = [_mm512_setzero_ps(); N];
        for block in 0..full {
            for row in 0..N {
                let e = exp(_mm512_sub_ps(_mm512_loadu_ps(at(block, row)), top[row]));
                sum[row] = _mm512_add_ps(sum[row], e);
                _mm512_storeu_ps(at(block, row), e);
            }
        }
        if left > 0 {
            for row in 0..N {
                let e = exp(_mm512_sub_ps(_mm512_loadu_ps(at(full, row)), top[row]));
                let e = _mm512_maskz_mov_ps(mask, e);
                sum[row] = _mm512_add_ps(sum[row], e);
                _mm512_storeu_ps(at(full, row), e);
            }
        }
        sum.map(|sum| _mm512_reduce_add_ps(sum))
    }
}

/// Multiplies each row of `x: [block][row][16]`, blocks `plane` values apart, by its own factor.
///
/// # Panics
/// If a block is shorter than the factors.
#[target_feature(enable = "avx512f")]
pub(crate) fn scale_rows(x: &mut [f32], plane: usize, factors: &[f32]) {
    for block in x.chunks_mut(plane) {
        let rows = block[..factors.len() * LANES].as_chunks_mut::<LANES>().0;
        for (row, factor) in rows.iter_mut().zip(factors) {
            // SAFETY: sixteen values.
            unsafe {
                let v = _mm512_mul_ps(_mm512_loadu_ps(row.as_ptr()), _mm512_set1_ps(*factor));
                _mm512_storeu_ps(row.as_mut_ptr(), v);
            }
        }
    }
}
