//! 3x3 convolution by Winograd's F(4x4, 3x3) (1509.09308): 36 products for 16 outputs instead of 144.
//!
//! The points are 0, ±1/sqrt 2, ±sqrt 2 and infinity: their powers grow least, which keeps f32 rounding lowest
//! (1803.10986).

use core::arch::x86_64::{
    __m512, _mm512_add_ps, _mm512_fmadd_ps, _mm512_fnmadd_ps, _mm512_loadu_ps, _mm512_mul_ps, _mm512_set1_ps,
    _mm512_setzero_ps, _mm512_storeu_ps, _mm512_sub_ps,
};

use super::gemm::{LANES, Packed};

/// Output pixels of a tile's edge.
pub(crate) const OUT: usize = 4;
/// Input pixels of a tile's edge.
pub(crate) const IN: usize = 6;
/// Products of a tile.
pub(crate) const POINTS: usize = IN * IN;

const A2: f64 = 0.5;
const B2: f64 = 2.0;
const A: f64 = std::f64::consts::FRAC_1_SQRT_2;
const B: f64 = std::f64::consts::SQRT_2;

/// The kernel at the 36 points: `G g G^T`, where a row of `G` is `[1, p, p^2] / prod(p - q)` over the other points `q`.
///
/// `value(tap, row, column)`, tap = 3 y + x, of `rows` inputs (a multiple of 16) and `16 * blocks` outputs.
pub(crate) fn pack(rows: usize, blocks: usize, value: impl Fn(usize, usize, usize) -> f32) -> Vec<Packed> {
    let points = [0.0, A, -A, B, -B];
    let mut g = [[0.0f64; 3]; IN];
    for (i, p) in points.iter().enumerate() {
        let norm: f64 = points.iter().enumerate().filter(|(k, _)| *k != i).map(|(_, q)| p - q).product();
        g[i] = [1.0 / norm, p / norm, p * p / norm];
    }
    g[IN - 1][2] = 1.0;
    let at = |y: usize, x: usize, row, column| {
        let tap = |t: usize| g[y][t / 3] * g[x][t % 3] * f64::from(value(t, row, column));
        (0..9).map(tap).sum::<f64>() as f32
    };
    (0..POINTS).map(|i| Packed::new(rows, blocks, |row, column| at(i / IN, i % IN, row, column))).collect()
}

#[target_feature(enable = "avx512f")]
fn input6(x: &[__m512; IN]) -> [__m512; IN] {
    let set = |v: f64| _mm512_set1_ps(v as f32);
    let (a, b, a2, b2, sum) = (set(A), set(B), set(A2), set(B2), set(A2 + B2));
    let even_a = _mm512_fnmadd_ps(b2, x[2], x[4]);
    let odd_a = _mm512_mul_ps(a, _mm512_fnmadd_ps(b2, x[1], x[3]));
    let even_b = _mm512_fnmadd_ps(a2, x[2], x[4]);
    let odd_b = _mm512_mul_ps(b, _mm512_fnmadd_ps(a2, x[1], x[3]));
    [
        _mm512_fnmadd_ps(sum, x[2], _mm512_add_ps(x[0], x[4])), // a^2 b^2 = 1
        _mm512_add_ps(even_a, odd_a),
        _mm512_sub_ps(even_a, odd_a),
        _mm512_add_ps(even_b, odd_b),
        _mm512_sub_ps(even_b, odd_b),
        _mm512_fnmadd_ps(sum, x[3], _mm512_add_ps(x[1], x[5])),
    ]
}

#[target_feature(enable = "avx512f")]
fn output4(m: &[__m512; IN]) -> [__m512; OUT] {
    let set = |v: f64| _mm512_set1_ps(v as f32);
    let (sum_a, diff_a) = (_mm512_add_ps(m[1], m[2]), _mm512_sub_ps(m[1], m[2]));
    let (sum_b, diff_b) = (_mm512_add_ps(m[3], m[4]), _mm512_sub_ps(m[3], m[4]));
    let odd = |a, b, rest| _mm512_fmadd_ps(set(a), diff_a, _mm512_fmadd_ps(set(b), diff_b, rest));
    [
        _mm512_add_ps(m[0], _mm512_add_ps(sum_a, sum_b)),
        _mm512_fmadd_ps(set(A), diff_a, _mm512_mul_ps(set(B), diff_b)),
        _mm512_fmadd_ps(set(A2), sum_a, _mm512_mul_ps(set(B2), sum_b)),
        odd(A * A2, B * B2, m[5]),
    ]
}

/// One row of `tiles` tiles of one block: `padded` are six rows of `pitch >= 4 tiles + 2` pixels, `points[i]` goes to
/// `out[i * point + 16 tile]`. `columns` is scratch of `6 * pitch` pixels.
///
/// # Panics
/// If a slice is too short.
#[target_feature(enable = "avx512f")]
pub(crate) fn input(
    padded: &[f32],
    pitch: usize,
    tiles: usize,
    columns: &mut [f32],
    out: &mut [f32],
    point: usize,
) {
    let wide = tiles * OUT + 2;
    assert!(tiles > 0 && wide <= pitch, "{tiles} tiles do not fit in {pitch} pixels");
    assert!(padded.len() >= IN * pitch * LANES, "the padded image is too short");
    assert!(columns.len() >= IN * pitch * LANES, "the scratch is too short");
    assert!(out.len() >= (POINTS - 1) * point + tiles * LANES, "the transformed image is too short");
    let (src, mid, dst) = (padded.as_ptr(), columns.as_mut_ptr(), out.as_mut_ptr());
    // SAFETY: rows < 6, columns < pitch, tiles and points as asserted.
    unsafe {
        for x in 0..wide {
            let mut v = [_mm512_setzero_ps(); IN];
            for (y, v) in v.iter_mut().enumerate() {
                *v = _mm512_loadu_ps(src.add((y * pitch + x) * LANES));
            }
            for (y, v) in input6(&v).into_iter().enumerate() {
                _mm512_storeu_ps(mid.add((y * pitch + x) * LANES), v);
            }
        }
        for tile in 0..tiles {
            for y in 0..IN {
                let mut v = [_mm512_setzero_ps(); IN];
                for (x, v) in v.iter_mut().enumerate() {
                    *v = _mm512_loadu_ps(mid.add((y * pitch + tile * OUT + x) * LANES));
                }
                for (x, v) in input6(&v).into_iter().enumerate() {
                    _mm512_storeu_ps(dst.add((y * IN + x) * point + tile * LANES), v);
                }
            }
        }
    }
}

/// What is done to the outputs of a block: `(value + bias + residual) * scale`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tail<'a> {
    /// Sixteen values.
    pub(crate) bias: &'a [f32],
    /// Pixels as the output's; `None` for none.
    pub(crate) residual: Option<&'a [f32]>,
    /// The output is added to itself.
    pub(crate) accumulate: bool,
    /// The last factor.
    pub(crate) scale: f32,
}

/// One row of `tiles` tiles of one block back to up to four rows of `width` pixels each.
///
/// `points[i * point + 16 tile]`; `out` (and the residual) holds `rows * width` pixels.
///
/// # Panics
/// If a slice is too short.
#[target_feature(enable = "avx512f")]
pub(crate) fn output(
    points: &[f32],
    point: usize,
    tiles: usize,
    out: &mut [f32],
    width: usize,
    rows: usize,
    tail: Tail<'_>,
) {
    assert!(points.len() >= (POINTS - 1) * point + tiles * LANES, "the transformed image is too short");
    assert!(rows <= OUT && out.len() >= rows * width * LANES, "the output is too short");
    assert!(tail.bias.len() >= LANES, "the bias is too short");
    assert!(tail.residual.is_none_or(|r| r.len() >= rows * width * LANES), "the residual is too short");
    let (src, dst) = (points.as_ptr(), out.as_mut_ptr());
    let residual = if tail.accumulate {
        dst.cast_const()
    } else {
        tail.residual.map_or(core::ptr::null(), <[f32]>::as_ptr)
    };
    // SAFETY: points and tiles as asserted; pixels are kept below rows and width.
    unsafe {
        let bias = _mm512_loadu_ps(tail.bias.as_ptr());
        let scale = _mm512_set1_ps(tail.scale);
        for tile in 0..tiles {
            let mut mid = [[_mm512_setzero_ps(); IN]; OUT];
            for x in 0..IN {
                let mut v = [_mm512_setzero_ps(); IN];
                for (y, v) in v.iter_mut().enumerate() {
                    *v = _mm512_loadu_ps(src.add((y * IN + x) * point + tile * LANES));
                }
                for (row, v) in mid.iter_mut().zip(output4(&v)) {
                    row[x] = v;
                }
            }
            let count = OUT.min(width.saturating_sub(tile * OUT));
            for (y, row) in mid.into_iter().enumerate().take(rows) {
                for (x, v) in output4(&row).into_iter().enumerate().take(count) {
                    let at = (y * width + tile * OUT + x) * LANES;
                    let mut v = _mm512_add_ps(v, bias);
                    if !residual.is_null() {
                        v = _mm512_add_ps(v, _mm512_loadu_ps(residual.add(at)));
                    }
                    _mm512_storeu_ps(dst.add(at), _mm512_mul_ps(v, scale));
                }
            }
        }
    }
}
