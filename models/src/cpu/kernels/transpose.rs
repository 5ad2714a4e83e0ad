//! A square of sixteen registers, mirrored.

use core::arch::x86_64::{
    __m512, _mm512_castpd_ps, _mm512_castps_pd, _mm512_shuffle_f32x4, _mm512_unpackhi_pd, _mm512_unpackhi_ps,
    _mm512_unpacklo_pd, _mm512_unpacklo_ps,
};

use super::gemm::LANES;

/// Lane `j` of register `i` becomes lane `i` of register `j`.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn transpose(rows: &[__m512; LANES]) -> [__m512; LANES] {
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
