//! Sixteen numbers in two registers of AVX2.

use core::arch::x86_64::{
    __m128, __m256, _mm_add_ps, _mm_add_ss, _mm_cvtss_f32, _mm_max_ps, _mm_max_ss, _mm_movehl_ps,
    _mm_shuffle_ps, _mm256_add_epi32, _mm256_add_ps, _mm256_blendv_ps, _mm256_castpd_ps, _mm256_castps_pd,
    _mm256_castps_si256, _mm256_castps256_ps128, _mm256_castsi256_ps, _mm256_cmpgt_epi32, _mm256_div_ps,
    _mm256_extractf128_ps, _mm256_fmadd_ps, _mm256_fnmadd_ps, _mm256_loadu_ps, _mm256_max_ps, _mm256_min_ps,
    _mm256_mul_ps, _mm256_permute2f128_ps, _mm256_permutevar8x32_ps, _mm256_set1_epi32, _mm256_set1_ps,
    _mm256_setr_epi32, _mm256_slli_epi32, _mm256_srai_epi32, _mm256_storeu_ps, _mm256_sub_epi32,
    _mm256_sub_ps, _mm256_unpackhi_pd, _mm256_unpackhi_ps, _mm256_unpacklo_pd, _mm256_unpacklo_ps,
};

use super::super::exp::{POWERS, SIXTEENTHS};
use super::super::gemm::{LANES, Tile, sizes};
use super::super::vector::Vector;
use super::Kernel;

/// Two registers of sixteen.
#[derive(Clone, Copy)]
pub(super) struct Avx2([__m256; 2]);

#[target_feature(enable = "avx2,fma")]
fn enter<K: Kernel>(kernel: K) -> K::Out {
    kernel.run::<Avx2>()
}

#[allow(
    clippy::undocumented_unsafe_blocks,
    reason = "of every method: the trait's rule gives the instructions, and a method that takes addresses has its own"
)]
impl Vector for Avx2 {
    type Mask = [__m256; 2];

    // Six rows of two registers each, two of weights, one of the input: fifteen of sixteen.
    const MOST_ROWS: &'static [usize] = &[6];
    const STEPS: usize = 4;

    #[inline(always)]
    unsafe fn enter<K: Kernel>(kernel: K) -> K::Out {
        unsafe { enter(kernel) }
    }

    #[inline(always)]
    unsafe fn tile(size: (usize, usize), t: &Tile<'_>) {
        unsafe { sizes!(Self, size, t, 1 1, 2 1, 3 1, 4 1, 5 1, 6 1) }
    }

    #[inline(always)]
    fn splat(x: f32) -> Self {
        Self(unsafe { [_mm256_set1_ps(x); 2] })
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        Self(unsafe { [_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(LANES / 2))] })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe {
            _mm256_storeu_ps(to, self.0[0]);
            _mm256_storeu_ps(to.add(LANES / 2), self.0[1]);
        }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        let ([a, b], [c, d]) = (self.0, other.0);
        Self(unsafe { [_mm256_add_ps(a, c), _mm256_add_ps(b, d)] })
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        let ([a, b], [c, d]) = (self.0, other.0);
        Self(unsafe { [_mm256_sub_ps(a, c), _mm256_sub_ps(b, d)] })
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        let ([a, b], [c, d]) = (self.0, other.0);
        Self(unsafe { [_mm256_mul_ps(a, c), _mm256_mul_ps(b, d)] })
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        let ([a, b], [c, d]) = (self.0, other.0);
        Self(unsafe { [_mm256_max_ps(a, c), _mm256_max_ps(b, d)] })
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        let ([a, b], [c, d]) = (self.0, other.0);
        Self(unsafe { [_mm256_min_ps(a, c), _mm256_min_ps(b, d)] })
    }

    #[inline(always)]
    fn fma(self, b: Self, c: Self) -> Self {
        let (a, b, c) = (self.0, b.0, c.0);
        Self(unsafe { [_mm256_fmadd_ps(a[0], b[0], c[0]), _mm256_fmadd_ps(a[1], b[1], c[1])] })
    }

    #[inline(always)]
    fn fnma(self, b: Self, c: Self) -> Self {
        let (a, b, c) = (self.0, b.0, c.0);
        Self(unsafe { [_mm256_fnmadd_ps(a[0], b[0], c[0]), _mm256_fnmadd_ps(a[1], b[1], c[1])] })
    }

    #[inline(always)]
    fn inverse(self) -> Self {
        // The estimate has 12 bits here, of which Newton makes 23: division is as fast as two steps and exact.
        let one = Self::splat(1.0).0[0];
        Self(self.0.map(|v| unsafe { _mm256_div_ps(one, v) }))
    }

    #[inline(always)]
    fn times_power(self, shifted: Self, n: Self) -> Self {
        let _ = n; // `shifted` says it too
        let ([a, b], [c, d]) = (self.0, shifted.0);
        Self(unsafe { [times_power(a, c), times_power(b, d)] })
    }

    #[inline(always)]
    fn total(self) -> f32 {
        unsafe {
            let v = halves(_mm256_add_ps(self.0[0], self.0[1]));
            let v = _mm_add_ps(v[0], v[1]);
            let v = _mm_add_ps(v, _mm_movehl_ps(v, v));
            _mm_cvtss_f32(_mm_add_ss(v, _mm_shuffle_ps::<1>(v, v)))
        }
    }

    #[inline(always)]
    fn largest(self) -> f32 {
        unsafe {
            let v = halves(_mm256_max_ps(self.0[0], self.0[1]));
            let v = _mm_max_ps(v[0], v[1]);
            let v = _mm_max_ps(v, _mm_movehl_ps(v, v));
            _mm_cvtss_f32(_mm_max_ss(v, _mm_shuffle_ps::<1>(v, v)))
        }
    }

    #[inline(always)]
    fn first(count: usize) -> [__m256; 2] {
        [0, LANES / 2].map(|start| unsafe {
            let places = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
            _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(count as i32 - start as i32), places))
        })
    }

    #[inline(always)]
    fn select(self, mask: [__m256; 2], other: Self) -> Self {
        let ([a, b], [c, d]) = (self.0, other.0);
        Self(unsafe { [_mm256_blendv_ps(c, a, mask[0]), _mm256_blendv_ps(d, b, mask[1])] })
    }

    #[inline(always)]
    fn transpose(square: &[Self; LANES]) -> [Self; LANES] {
        // Quarters of eight by eight: each is mirrored, and the two off the diagonal change places.
        let quarter = |rows: usize, half: usize| unsafe {
            transpose(&std::array::from_fn(|i| square[rows + i].0[half]))
        };
        let [a, b, c, d] = [quarter(0, 0), quarter(0, 1), quarter(8, 0), quarter(8, 1)];
        std::array::from_fn(|i| Self(if i < 8 { [a[i], c[i]] } else { [b[i - 8], d[i - 8]] }))
    }
}

/// [`Vector::times_power`] of eight numbers.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn times_power(p: __m256, shifted: __m256) -> __m256 {
    let bits = _mm256_castps_si256(shifted);
    // SAFETY: the table holds sixteen values.
    let (low, high) =
        unsafe { (_mm256_loadu_ps(POWERS.as_ptr()), _mm256_loadu_ps(POWERS.as_ptr().add(LANES / 2))) };
    // A permutation looks at the lowest three bits; the fourth, moved to the sign, chooses between the halves.
    let (a, b) = (_mm256_permutevar8x32_ps(low, bits), _mm256_permutevar8x32_ps(high, bits));
    let power = _mm256_blendv_ps(a, b, _mm256_castsi256_ps(_mm256_slli_epi32::<28>(bits)));
    let value = _mm256_castps_si256(_mm256_fmadd_ps(p, power, power));
    // In units of its last place, `shifted` is 16 n away from `SIXTEENTHS`.
    let count = _mm256_sub_epi32(bits, _mm256_set1_epi32(SIXTEENTHS.to_bits() as i32));
    let exponent = _mm256_slli_epi32::<23>(_mm256_srai_epi32::<4>(count));
    _mm256_castsi256_ps(_mm256_add_epi32(value, exponent))
}

#[inline]
#[target_feature(enable = "avx2")]
fn halves(v: __m256) -> [__m128; 2] {
    [_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v)]
}

/// Lane `j` of register `i` becomes lane `i` of register `j`.
#[inline]
#[target_feature(enable = "avx2")]
fn transpose(rows: &[__m256; 8]) -> [__m256; 8] {
    // Within each half of a register: pairs of two rows, then of four.
    let pairs: [__m256; 8] = std::array::from_fn(|i| {
        let (a, b) = (rows[i & 4 | (i & 1) << 1], rows[i & 4 | (i & 1) << 1 | 1]);
        if i & 2 == 0 { _mm256_unpacklo_ps(a, b) } else { _mm256_unpackhi_ps(a, b) }
    });
    // pairs[4g + 0..4]: low of rows 0 and 1, low of 2 and 3, high of 0 and 1, high of 2 and 3.
    let fours: [__m256; 8] = std::array::from_fn(|i| {
        let at = i & 4 | i & 2;
        let (a, b) = (_mm256_castps_pd(pairs[at]), _mm256_castps_pd(pairs[at | 1]));
        _mm256_castpd_ps(if i & 1 == 0 { _mm256_unpacklo_pd(a, b) } else { _mm256_unpackhi_pd(a, b) })
    });
    // fours[4g + c], half h: rows 4g to 4g + 3 of column 4h + c.
    std::array::from_fn(|column| {
        let (a, b) = (fours[column & 3], fours[4 | column & 3]);
        if column < 4 { _mm256_permute2f128_ps::<0x20>(a, b) } else { _mm256_permute2f128_ps::<0x31>(a, b) }
    })
}
