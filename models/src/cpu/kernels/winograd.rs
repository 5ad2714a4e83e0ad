//! 3x3 convolution by Winograd's F(4x4, 3x3) (1509.09308): 36 products for 16 outputs instead of 144.
//!
//! The points are 0, ±1/sqrt 2, ±sqrt 2 and infinity: their powers grow least, which keeps f32 rounding lowest
//! (1803.10986).

use super::gemm::{LANES, Packed};
use super::isa::{Isa, Kernel};
use super::vector::Vector;

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
pub(crate) fn pack(
    isa: Isa,
    rows: usize,
    blocks: usize,
    value: impl Fn(usize, usize, usize) -> f32,
) -> Vec<Packed> {
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
    (0..POINTS)
        .map(|i| Packed::new(isa, rows, blocks, |row, column| at(i / IN, i % IN, row, column)))
        .collect()
}

#[inline(always)]
fn input6<V: Vector>(x: &[V; IN]) -> [V; IN] {
    let set = |v: f64| V::splat(v as f32);
    let (a, b, a2, b2, sum) = (set(A), set(B), set(A2), set(B2), set(A2 + B2));
    let even_a = b2.fnma(x[2], x[4]);
    let odd_a = a.mul(b2.fnma(x[1], x[3]));
    let even_b = a2.fnma(x[2], x[4]);
    let odd_b = b.mul(a2.fnma(x[1], x[3]));
    [
        sum.fnma(x[2], x[0].add(x[4])), // a^2 b^2 = 1
        even_a.add(odd_a),
        even_a.sub(odd_a),
        even_b.add(odd_b),
        even_b.sub(odd_b),
        sum.fnma(x[3], x[1].add(x[5])),
    ]
}

#[inline(always)]
fn output4<V: Vector>(m: &[V; IN]) -> [V; OUT] {
    let set = |v: f64| V::splat(v as f32);
    let (sum_a, diff_a) = (m[1].add(m[2]), m[1].sub(m[2]));
    let (sum_b, diff_b) = (m[3].add(m[4]), m[3].sub(m[4]));
    [
        m[0].add(sum_a.add(sum_b)),
        set(A).fma(diff_a, set(B).mul(diff_b)),
        set(A2).fma(sum_a, set(B2).mul(sum_b)),
        set(A * A2).fma(diff_a, set(B * B2).fma(diff_b, m[5])),
    ]
}

/// One row of `tiles` tiles of one block: `padded` are six rows of `pitch >= 4 tiles + 2` pixels, `points[i]` goes to
/// `out[i * point + 16 tile]`. `columns` is scratch of `6 * pitch` pixels.
///
/// # Panics
/// If a slice is too short.
pub(crate) struct Input<'a> {
    pub(crate) padded: &'a [f32],
    pub(crate) pitch: usize,
    pub(crate) tiles: usize,
    pub(crate) columns: &'a mut [f32],
    pub(crate) out: &'a mut [f32],
    pub(crate) point: usize,
}

impl Kernel for Input<'_> {
    type Out = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let Self { padded, pitch, tiles, columns, out, point } = self;
        let wide = tiles * OUT + 2;
        assert!(tiles > 0 && wide <= pitch, "{tiles} tiles do not fit in {pitch} pixels");
        assert!(padded.len() >= IN * pitch * LANES, "the padded image is too short");
        assert!(columns.len() >= IN * pitch * LANES, "the scratch is too short");
        assert!(out.len() >= (POINTS - 1) * point + tiles * LANES, "the transformed image is too short");
        let (src, mid, dst) = (padded.as_ptr(), columns.as_mut_ptr(), out.as_mut_ptr());
        // SAFETY: rows < 6, columns < pitch, tiles and points as asserted.
        unsafe {
            for x in 0..wide {
                let mut v = [V::splat(0.0); IN];
                for (y, v) in v.iter_mut().enumerate() {
                    *v = V::load(src.add((y * pitch + x) * LANES));
                }
                for (y, v) in input6(&v).into_iter().enumerate() {
                    v.store(mid.add((y * pitch + x) * LANES));
                }
            }
            for tile in 0..tiles {
                for y in 0..IN {
                    let mut v = [V::splat(0.0); IN];
                    for (x, v) in v.iter_mut().enumerate() {
                        *v = V::load(mid.add((y * pitch + tile * OUT + x) * LANES));
                    }
                    for (x, v) in input6(&v).into_iter().enumerate() {
                        v.store(dst.add((y * IN + x) * point + tile * LANES));
                    }
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
pub(crate) struct Output<'a> {
    pub(crate) points: &'a [f32],
    pub(crate) point: usize,
    pub(crate) tiles: usize,
    pub(crate) out: &'a mut [f32],
    pub(crate) width: usize,
    pub(crate) rows: usize,
    pub(crate) tail: Tail<'a>,
}

impl Kernel for Output<'_> {
    type Out = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let Self { points, point, tiles, out, width, rows, tail } = self;
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
            let bias = V::load(tail.bias.as_ptr());
            let scale = V::splat(tail.scale);
            for tile in 0..tiles {
                let mut mid = [[V::splat(0.0); IN]; OUT];
                for x in 0..IN {
                    let mut v = [V::splat(0.0); IN];
                    for (y, v) in v.iter_mut().enumerate() {
                        *v = V::load(src.add((y * IN + x) * point + tile * LANES));
                    }
                    for (row, v) in mid.iter_mut().zip(output4(&v)) {
                        row[x] = v;
                    }
                }
                let count = OUT.min(width.saturating_sub(tile * OUT));
                for (y, row) in mid.into_iter().enumerate().take(rows) {
                    for (x, v) in output4(&row).into_iter().enumerate().take(count) {
                        let at = (y * width + tile * OUT + x) * LANES;
                        let mut v = v.add(bias);
                        if !residual.is_null() {
                            v = v.add(V::load(residual.add(at)));
                        }
                        v.mul(scale).store(dst.add(at));
                    }
                }
            }
        }
    }
}
