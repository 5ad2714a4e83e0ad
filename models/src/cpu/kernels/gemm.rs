//! Matrix product over rows of sixteen channels: the one inner loop of every convolution and linear layer.
//!
//! Activations lie in blocks of 16 channels, `[block][pixel][16]`, so that neighbouring rows (pixels, tiles, tokens) are a
//! constant 64 bytes apart whatever the layer, and the addresses of a register tile are constants of the instruction.

use core::arch::x86_64::{
    _MM_HINT_T1, _mm_prefetch, _mm512_add_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_mul_ps,
    _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
};

use super::buffer::Buffer;
use super::transpose::transpose;

/// Channels of a block, and lanes of a register.
pub(crate) const LANES: usize = 16;

/// A matrix `[k, n]` cut into strips of up to three column blocks, each `[k][16 * blocks]`, one after the other.
#[derive(Debug, Default, Clone)]
pub(crate) struct Packed {
    data: Buffer,
    /// Rows, a multiple of 16.
    rows: usize,
    /// Column blocks.
    blocks: usize,
}

impl Packed {
    /// Packs `value(row, column)` of a matrix of `rows` (a multiple of 16) by `16 * blocks`.
    pub(crate) fn new(rows: usize, blocks: usize, value: impl Fn(usize, usize) -> f32) -> Self {
        let mut packed = Self::default();
        packed.resize(rows, blocks);
        let (mut column, mut to) = (0, 0);
        while column < blocks {
            let wide = strip(blocks - column);
            for row in 0..rows {
                for (j, out) in packed.data[to..to + wide * LANES].iter_mut().enumerate() {
                    *out = value(row, column * LANES + j);
                }
                to += wide * LANES;
            }
            column += wide;
        }
        packed
    }

    /// The matrix with `rows` as its rows: `planes` is `[block][row][16]`, filled up by zeros to a multiple of 16 rows.
    pub(crate) fn fill_rows(&mut self, planes: &[f32], rows: usize, blocks: usize) {
        let padded = rows.next_multiple_of(LANES);
        self.resize(padded, blocks);
        let (mut block, mut to) = (0, 0);
        while block < blocks {
            let wide = strip(blocks - block);
            for row in 0..padded {
                for b in block..block + wide {
                    let out = &mut self.data[to..to + LANES];
                    if row < rows {
                        out.copy_from_slice(&planes[(b * rows + row) * LANES..][..LANES]);
                    } else {
                        out.fill(0.0);
                    }
                    to += LANES;
                }
            }
            block += wide;
        }
    }

    /// The matrix with `columns` as its columns: `planes` is `[block][column][16]`, and columns are filled up likewise.
    ///
    /// # Panics
    /// If `planes` is too short.
    #[target_feature(enable = "avx512f")]
    pub(crate) fn fill_columns(&mut self, planes: &[f32], columns: usize, blocks: usize) {
        let rows = blocks * LANES;
        let across = columns.div_ceil(LANES);
        self.resize(rows, across);
        assert!(planes.len() >= blocks * columns * LANES, "planes are too short");
        let (mut first, mut to) = (0, 0);
        while first < across {
            let wide = strip(across - first);
            for b in 0..wide {
                let start = (first + b) * LANES;
                let some = (columns - start).min(LANES);
                for block in 0..blocks {
                    let from = &planes[(block * columns + start) * LANES..][..some * LANES];
                    let mut square = [_mm512_setzero_ps(); LANES];
                    for (to, from) in square.iter_mut().zip(from.as_chunks::<LANES>().0) {
                        // SAFETY: sixteen values.
                        *to = unsafe { _mm512_loadu_ps(from.as_ptr()) };
                    }
                    let out = &mut self.data[to + (block * LANES * wide + b) * LANES..];
                    for (row, values) in transpose(&square).into_iter().enumerate() {
                        let out = &mut out[row * wide * LANES..][..LANES];
                        // SAFETY: sixteen values.
                        unsafe { _mm512_storeu_ps(out.as_mut_ptr(), values) };
                    }
                }
            }
            to += rows * wide * LANES;
            first += wide;
        }
    }

    /// All strips.
    #[cfg(test)]
    pub(super) fn values(&self) -> &[f32] {
        &self.data
    }

    fn resize(&mut self, rows: usize, blocks: usize) {
        assert!(rows.is_multiple_of(LANES), "{rows} rows are no multiple of 16");
        (self.rows, self.blocks) = (rows, blocks);
        self.data.reserve(rows * blocks * LANES);
    }
}

/// Blocks of the next strip: never a strip of one where a wider one can be had.
fn strip(left: usize) -> usize {
    match left {
        1 => 1,
        2 | 4 => 2,
        _ => 3,
    }
}

/// What a product starts from and what is done to it at the end: `(bias + a w + residual) * scale`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Finish<'a> {
    /// One value for each output channel; 0 if absent.
    pub(crate) bias: Option<&'a [f32]>,
    /// What the output holds already is added.
    pub(crate) accumulate: bool,
    /// The last factor.
    pub(crate) scale: f32,
    /// The matrix of the next product, fetched from the L3 cache meanwhile.
    pub(crate) next: Option<&'a Packed>,
}

impl Finish<'_> {
    /// The product alone.
    pub(crate) const PLAIN: Self = Finish { bias: None, accumulate: false, scale: 1.0, next: None };
}

/// `c[block][row] = finish(sum over offsets and k of a[offset + 16 row + k] * w)` for `rows` rows.
///
/// `offsets` says where each 16 of the inner dimension begin in `a`; `c_block` is the distance of the output's blocks.
///
/// # Panics
/// If a slice is too short.
#[target_feature(enable = "avx512f")]
pub(crate) fn gemm(
    a: &[f32],
    offsets: &[usize],
    w: &Packed,
    c: &mut [f32],
    c_block: usize,
    rows: usize,
    fin: Finish<'_>,
) {
    if rows == 0 || w.blocks == 0 {
        return;
    }
    let reach = offsets.iter().copied().max().unwrap_or(0) + rows * LANES;
    assert!(reach <= a.len(), "the product reads {reach} of {} values", a.len());
    assert_eq!(offsets.len() * LANES, w.rows, "inner dimension");
    assert!((w.blocks - 1) * c_block + rows * LANES <= c.len(), "the output is too short");
    assert!(fin.bias.is_none_or(|b| b.len() >= w.blocks * LANES), "the bias is too short");
    // Lines of the next matrix for each row of this one that a tile goes through.
    let lines = fin.next.map_or(0, |next| next.data.len() / LANES);
    let mut fetched = 0;
    let mut block = 0;
    let mut weights = &w.data[..];
    while block < w.blocks {
        let wide = strip(w.blocks - block);
        let (now, later) = weights.split_at(wide * LANES * w.rows);
        let most = if wide == 3 { 9 } else { 14 };
        // Tiles of nearly one size are better than full ones and a small rest.
        let (tiles, mut row) = (rows.div_ceil(most), 0);
        for i in 0..tiles {
            let p = (rows - row).div_ceil(tiles - i);
            let left = lines - fetched;
            let fetch = left.div_ceil(w.rows * (tiles - i)).min(wide);
            let ahead = fin
                .next
                .filter(|_| left > 0)
                .map_or(core::ptr::null(), |next| next.data[fetched * LANES..].as_ptr());
            fetched = lines.min(fetched + fetch * w.rows);
            let bias = fin.bias.map(|b| &b[block * LANES..]);
            // SAFETY: the assertions above hold for every row below `rows` and every block of `w`.
            unsafe {
                dispatch(
                    (p, wide),
                    &Tile {
                        a: a.as_ptr().add(row * LANES),
                        offsets,
                        w: now.as_ptr(),
                        c: c.as_mut_ptr().add(block * c_block + row * LANES),
                        c_block,
                        bias: bias.map_or(core::ptr::null(), <[f32]>::as_ptr),
                        accumulate: fin.accumulate,
                        scale: fin.scale,
                        ahead,
                        fetch,
                    },
                );
            }
            row += p;
        }
        weights = later;
        block += wide;
    }
}

struct Tile<'a> {
    a: *const f32,
    offsets: &'a [usize],
    w: *const f32,
    c: *mut f32,
    c_block: usize,
    bias: *const f32,
    accumulate: bool,
    scale: f32,
    ahead: *const f32,
    fetch: usize,
}

macro_rules! sizes {
    ($size:expr, $t:expr, $($p:literal $n:literal),*) => {
        match $size {
            $(($p, $n) => tile::<$p, $n>($t),)*
            (p, n) => unreachable!("no tile of {p} rows and {n} blocks"),
        }
    };
}

/// # Safety
/// As [`tile`], for `size` rows and blocks.
#[target_feature(enable = "avx512f")]
unsafe fn dispatch(size: (usize, usize), t: &Tile<'_>) {
    // SAFETY: passed on.
    unsafe {
        sizes!(
            size, t, 1 1, 2 1, 3 1, 4 1, 5 1, 6 1, 7 1, 8 1, 9 1, 10 1, 11 1, 12 1, 13 1, 14 1, 1 2, 2 2, 3 2, 4 2, 5 2,
            6 2, 7 2, 8 2, 9 2, 10 2, 11 2, 12 2, 13 2, 14 2, 1 3, 2 3, 3 3, 4 3, 5 3, 6 3, 7 3, 8 3, 9 3
        );
    }
}

/// `P` rows by `N` blocks, all in registers.
///
/// # Safety
/// `a` is readable at every offset for `16 P` values, `w` for `16 * offsets` rows of `16 N`, `bias` (unless null) for `16 N`,
/// and `c` is readable and writable for `16 P` values in each of `N` blocks.
#[target_feature(enable = "avx512f")]
unsafe fn tile<const P: usize, const N: usize>(t: &Tile<'_>) {
    // SAFETY: all addresses are in the ranges named above.
    unsafe {
        let mut acc = [[_mm512_setzero_ps(); N]; P];
        let (mut w, mut ahead) = (t.w, t.ahead);
        for &offset in t.offsets {
            let a = t.a.add(offset);
            for k in 0..LANES {
                let mut wide = [_mm512_setzero_ps(); N];
                for (n, v) in wide.iter_mut().enumerate() {
                    *v = _mm512_loadu_ps(w.add(n * LANES));
                }
                for (p, row) in acc.iter_mut().enumerate() {
                    let x = _mm512_set1_ps(*a.add(p * LANES + k));
                    for (v, w) in row.iter_mut().zip(&wide) {
                        *v = _mm512_fmadd_ps(x, *w, *v);
                    }
                }
                w = w.add(N * LANES);
                for _ in 0..t.fetch {
                    _mm_prefetch::<_MM_HINT_T1>(ahead.cast()); // past the end it does nothing
                    ahead = ahead.wrapping_add(LANES);
                }
            }
        }
        let scale = _mm512_set1_ps(t.scale);
        for n in 0..N {
            let bias =
                if t.bias.is_null() { _mm512_setzero_ps() } else { _mm512_loadu_ps(t.bias.add(n * LANES)) };
            for (p, row) in acc.iter().enumerate() {
                let c = t.c.add(n * t.c_block + p * LANES);
                let mut v = _mm512_add_ps(row[n], bias);
                if t.accumulate {
                    v = _mm512_add_ps(v, _mm512_loadu_ps(c));
                }
                _mm512_storeu_ps(c, _mm512_mul_ps(v, scale));
            }
        }
    }
}
