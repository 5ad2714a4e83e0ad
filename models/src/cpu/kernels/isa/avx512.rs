//! Sixteen numbers in one register of AVX-512.

use core::arch::x86_64::{
    __m512, __mmask16, _mm512_add_ps, _mm512_castpd_ps, _mm512_castps_pd, _mm512_castps_si512,
    _mm512_fmadd_ps, _mm512_fnmadd_ps, _mm512_loadu_ps, _mm512_mask_mov_ps, _mm512_max_ps, _mm512_min_ps,
    _mm512_mul_ps, _mm512_permutexvar_ps, _mm512_rcp14_ps, _mm512_reduce_add_ps, _mm512_reduce_max_ps,
    _mm512_scalef_ps, _mm512_set1_ps, _mm512_shuffle_f32x4, _mm512_storeu_ps, _mm512_sub_ps,
    _mm512_unpackhi_pd, _mm512_unpackhi_ps, _mm512_unpacklo_pd, _mm512_unpacklo_ps,
};

use super::super::exp::POWERS;
use super::super::gemm::{LANES, Tile, sizes};
use super::super::vector::Vector;
use super::Kernel;

/// One register of thirty-two.
#[derive(Clone, Copy)]
pub(super) struct Avx512(__m512);

#[target_feature(enable = "avx512f")]
fn enter<K: Kernel>(kernel: K) -> K::Out {
    kernel.run::<Avx512>()
}

#[allow(
    clippy::undocumented_unsafe_blocks,
    reason = "of every method: the trait's rule gives the instructions, and a method that takes addresses has its own"
)]
impl Vector for Avx512 {
    type Mask = __mmask16;

    const MOST_ROWS: &'static [usize] = &[14, 14, 9];
    const STEPS: usize = 1;

    #[inline(always)]
    unsafe fn enter<K: Kernel>(kernel: K) -> K::Out {
        unsafe { enter(kernel) }
    }

    #[inline(always)]
    unsafe fn tile(size: (usize, usize), t: &Tile<'_>) {
        unsafe {
            sizes!(Self, size, t, up to three blocks);
        }
    }

    #[inline(always)]
    fn splat(x: f32) -> Self {
        Self(unsafe { _mm512_set1_ps(x) })
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        Self(unsafe { _mm512_loadu_ps(from) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { _mm512_storeu_ps(to, self.0) }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(unsafe { _mm512_add_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(unsafe { _mm512_sub_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self(unsafe { _mm512_mul_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Self(unsafe { _mm512_max_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        Self(unsafe { _mm512_min_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn fma(self, b: Self, c: Self) -> Self {
        Self(unsafe { _mm512_fmadd_ps(self.0, b.0, c.0) })
    }

    #[inline(always)]
    fn fnma(self, b: Self, c: Self) -> Self {
        Self(unsafe { _mm512_fnmadd_ps(self.0, b.0, c.0) })
    }

    #[inline(always)]
    fn inverse(self) -> Self {
        // An estimate of 14 bits and a step of Newton's: faster than the division.
        let r = Self(unsafe { _mm512_rcp14_ps(self.0) });
        r.mul(self.fnma(r, Self::splat(2.0)))
    }

    #[inline(always)]
    fn times_power(self, shifted: Self, n: Self) -> Self {
        unsafe {
            // The permutation looks at the lowest four bits, `scalef` rounds its exponent down.
            let table = _mm512_loadu_ps(POWERS.as_ptr());
            let power = _mm512_permutexvar_ps(_mm512_castps_si512(shifted.0), table);
            Self(_mm512_scalef_ps(_mm512_fmadd_ps(self.0, power, power), n.0))
        }
    }

    #[inline(always)]
    fn total(self) -> f32 {
        unsafe { _mm512_reduce_add_ps(self.0) }
    }

    #[inline(always)]
    fn largest(self) -> f32 {
        unsafe { _mm512_reduce_max_ps(self.0) }
    }

    #[inline(always)]
    fn first(count: usize) -> __mmask16 {
        ((1u32 << count) - 1) as __mmask16
    }

    #[inline(always)]
    fn select(self, mask: __mmask16, other: Self) -> Self {
        Self(unsafe { _mm512_mask_mov_ps(other.0, mask, self.0) })
    }

    #[inline(always)]
    fn transpose(square: &[Self; LANES]) -> [Self; LANES] {
        unsafe { transpose(&square.map(|v| v.0)) }.map(Self)
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn transpose(rows: &[__m512; LANES]) -> [__m512; LANES] {
    // Within each quarter of a register: pairs of two rows, then of four.
    let pairs: [__m512; LANES] = std::array::from_fn(|i| {
        let (a, b) = (rows[i & !3 | (i & 1) << 1], rows[i & !3 | (i & 1) << 1 | 1]);
        if i & 2 == 0 { _mm512_unpacklo_ps(a, b) } else { _mm512_unpackhi_ps(a, b) }
    });
    // pairs[4g + 0..4]: low of rows 0 and 1, low of 2 and 3, high of 0 and 1, high of 2 and 3.
    let fours: [__m512; LANES] = std::array::from_fn(|i| {
        let at = i & !3 | i & 2;
        let (a, b) = (_mm512_castps_pd(pairs[at]), _mm512_castps_pd(pairs[at | 1]));
        _mm512_castpd_ps(if i & 1 == 0 { _mm512_unpacklo_pd(a, b) } else { _mm512_unpackhi_pd(a, b) })
    });
    // fours[4g + c], quarter q: rows 4g to 4g + 3 of column 4q + c. Now quarters change places.
    let halves: [__m512; LANES] = std::array::from_fn(|i| {
        let (c, high) = (i & 3, i >> 3);
        let (a, b) = (fours[8 * high + c], fours[8 * high + 4 + c]);
        if i & 4 == 0 { _mm512_shuffle_f32x4::<0x88>(a, b) } else { _mm512_shuffle_f32x4::<0xdd>(a, b) }
    });
    // halves[8h + 4o + c]: columns 4o + c and 4(o + 2) + c of rows 8h to 8h + 7, in the order a, a, b, b.
    std::array::from_fn(|column| {
        let (quarter, c) = (column >> 2, column & 3);
        let (a, b) = (halves[(quarter & 1) << 2 | c], halves[8 | (quarter & 1) << 2 | c]);
        if quarter & 2 == 0 { _mm512_shuffle_f32x4::<0x88>(a, b) } else { _mm512_shuffle_f32x4::<0xdd>(a, b) }
    })
}
