//! Matrix product over rows of sixteen channels: the one inner loop of every convolution and linear layer.
//!
//! Activations lie in blocks of 16 channels, `[block][pixel][16]`, so that neighbouring rows (pixels, tiles, tokens) are a
//! constant 64 bytes apart whatever the layer, and the addresses of a register tile are constants of the instruction.

use core::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};

use super::buffer::Buffer;
use super::isa::{Isa, Kernel};
use super::vector::Vector;

/// Channels of a block, and lanes of a register.
pub(crate) const LANES: usize = 16;

/// A matrix `[k, n]` cut into strips of as many column blocks as a tile can have, each `[k][16 * blocks]`, one after the
/// other.
#[derive(Debug, Default, Clone)]
pub(crate) struct Packed {
    data: Buffer,
    /// Rows, a multiple of 16.
    rows: usize,
    /// Column blocks.
    blocks: usize,
    /// [`Isa::widest`] of the instructions that it is packed for.
    widest: usize,
}

impl Packed {
    /// Packs `value(row, column)` of a matrix of `rows` (a multiple of 16) by `16 * blocks`.
    pub(crate) fn new(isa: Isa, rows: usize, blocks: usize, value: impl Fn(usize, usize) -> f32) -> Self {
        let mut packed = Self::default();
        packed.resize(isa, rows, blocks);
        let (mut column, mut to) = (0, 0);
        while column < blocks {
            let wide = packed.strip(column);
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
    pub(crate) fn fill_rows(&mut self, isa: Isa, planes: &[f32], rows: usize, blocks: usize) {
        let padded = rows.next_multiple_of(LANES);
        self.resize(isa, padded, blocks);
        let (mut block, mut to) = (0, 0);
        while block < blocks {
            let wide = self.strip(block);
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
    pub(crate) fn fill_columns(&mut self, isa: Isa, planes: &[f32], columns: usize, blocks: usize) {
        self.resize(isa, blocks * LANES, columns.div_ceil(LANES));
        assert!(planes.len() >= blocks * columns * LANES, "planes are too short");
        isa.run(FillColumns { to: self, planes, columns });
    }

    /// All strips.
    #[cfg(test)]
    pub(super) fn values(&self) -> &[f32] {
        &self.data
    }

    fn resize(&mut self, isa: Isa, rows: usize, blocks: usize) {
        assert!(rows.is_multiple_of(LANES), "{rows} rows are no multiple of 16");
        (self.rows, self.blocks, self.widest) = (rows, blocks, isa.widest());
        self.data.reserve(rows * blocks * LANES);
    }

    /// Blocks of the strip that begins at block `first`: never a strip of one where a wider one can be had.
    fn strip(&self, first: usize) -> usize {
        let left = self.blocks - first;
        if left == self.widest + 1 { left.div_ceil(2).min(self.widest) } else { left.min(self.widest) }
    }
}

/// Transposes blocks of sixteen columns each into strips.
struct FillColumns<'a> {
    to: &'a mut Packed,
    planes: &'a [f32],
    columns: usize,
}

impl Kernel for FillColumns<'_> {
    type Out = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let Self { to: packed, planes, columns } = self;
        let (across, blocks) = (packed.blocks, packed.rows / LANES);
        let (mut first, mut to) = (0, 0);
        while first < across {
            let wide = packed.strip(first);
            for b in 0..wide {
                let start = (first + b) * LANES;
                let some = (columns - start).min(LANES);
                for block in 0..blocks {
                    let from = &planes[(block * columns + start) * LANES..][..some * LANES];
                    let mut square = [V::splat(0.0); LANES];
                    for (to, from) in square.iter_mut().zip(from.as_chunks::<LANES>().0) {
                        // SAFETY: sixteen values.
                        *to = unsafe { V::load(from.as_ptr()) };
                    }
                    let out = &mut packed.data[to + (block * LANES * wide + b) * LANES..];
                    for (row, values) in V::transpose(&square).into_iter().enumerate() {
                        let out = &mut out[row * wide * LANES..][..LANES];
                        // SAFETY: sixteen values.
                        unsafe { values.store(out.as_mut_ptr()) };
                    }
                }
            }
            to += packed.rows * wide * LANES;
            first += wide;
        }
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
/// # Panics
/// If a slice is too short, or the matrix is packed for other instructions.
pub(crate) struct Product<'a> {
    pub(crate) a: &'a [f32],
    /// Where each 16 of the inner dimension begin in `a`.
    pub(crate) offsets: &'a [usize],
    pub(crate) w: &'a Packed,
    pub(crate) c: &'a mut [f32],
    /// The distance of the output's blocks.
    pub(crate) c_block: usize,
    pub(crate) rows: usize,
    pub(crate) fin: Finish<'a>,
}

impl Kernel for Product<'_> {
    type Out = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let Self { a, offsets, w, c, c_block, rows, fin } = self;
        if rows == 0 || w.blocks == 0 {
            return;
        }
        let reach = offsets.iter().copied().max().unwrap_or(0) + rows * LANES;
        assert!(reach <= a.len(), "the product reads {reach} of {} values", a.len());
        assert_eq!(offsets.len() * LANES, w.rows, "inner dimension");
        assert_eq!(w.widest, V::MOST_ROWS.len(), "the matrix is packed for other instructions");
        assert!((w.blocks - 1) * c_block + rows * LANES <= c.len(), "the output is too short");
        assert!(fin.bias.is_none_or(|b| b.len() >= w.blocks * LANES), "the bias is too short");
        // Lines of the next matrix for each row of this one that a tile goes through.
        let lines = fin.next.map_or(0, |next| next.data.len() / LANES);
        let mut fetched = 0;
        let mut block = 0;
        let mut weights = &w.data[..];
        while block < w.blocks {
            let wide = w.strip(block);
            let (now, later) = weights.split_at(wide * LANES * w.rows);
            // Tiles of nearly one size are better than full ones and a small rest.
            let (tiles, mut row) = (rows.div_ceil(V::MOST_ROWS[wide - 1]), 0);
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
                    V::tile(
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
}

/// A piece of a product that is summed in registers.
pub(crate) struct Tile<'a> {
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

/// Calls the tile of `$size` rows and blocks; each of the listed ones is compiled. `up to three blocks` are those of
/// `MOST_ROWS` 14, 14 and 9.
macro_rules! sizes {
    ($vector:ty, $size:expr, $t:expr, up to three blocks) => {
        sizes!(
            $vector, $size, $t, 1 1, 2 1, 3 1, 4 1, 5 1, 6 1, 7 1, 8 1, 9 1, 10 1, 11 1, 12 1, 13 1, 14 1, 1 2, 2 2, 3 2, 4 2,
            5 2, 6 2, 7 2, 8 2, 9 2, 10 2, 11 2, 12 2, 13 2, 14 2, 1 3, 2 3, 3 3, 4 3, 5 3, 6 3, 7 3, 8 3, 9 3
        )
    };
    ($vector:ty, $size:expr, $t:expr, $($p:literal $n:literal),*) => {
        match $size {
            $(($p, $n) => <$vector>::enter($crate::cpu::kernels::gemm::TileOf::<$p, $n>::new($t)),)*
            (p, n) => unreachable!("no tile of {p} rows and {n} blocks"),
        }
    };
}
pub(super) use sizes;

/// A tile of `P` rows by `N` blocks; a function of its own.
pub(super) struct TileOf<'a, const P: usize, const N: usize>(&'a Tile<'a>);

impl<'a, const P: usize, const N: usize> TileOf<'a, P, N> {
    /// # Safety
    /// As [`tile`].
    pub(super) unsafe fn new(tile: &'a Tile<'a>) -> Self {
        Self(tile)
    }
}

impl<const P: usize, const N: usize> Kernel for TileOf<'_, P, N> {
    type Out = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        // SAFETY: promised to `new`.
        unsafe { tile::<V, P, N>(self.0) }
    }
}

/// # Safety
/// `a` is readable at every offset for `16 P` values, `w` for `16 * offsets` rows of `16 N`, `bias` (unless null) for `16 N`,
/// and `c` is readable and writable for `16 P` values in each of `N` blocks.
#[inline(always)]
unsafe fn tile<V: Vector, const P: usize, const N: usize>(t: &Tile<'_>) {
    const { assert!(LANES.is_multiple_of(V::STEPS)) };
    // SAFETY: all addresses are in the ranges named above.
    unsafe {
        let mut acc = [[V::splat(0.0); N]; P];
        let (mut w, mut ahead) = (t.w, t.ahead);
        for &offset in t.offsets {
            let a = t.a.add(offset);
            for turn in 0..LANES / V::STEPS {
                for k in turn * V::STEPS..(turn + 1) * V::STEPS {
                    let mut wide = [V::splat(0.0); N];
                    for (n, v) in wide.iter_mut().enumerate() {
                        *v = V::load(w.add(n * LANES));
                    }
                    for (p, row) in acc.iter_mut().enumerate() {
                        let x = V::splat(*a.add(p * LANES + k));
                        for (v, w) in row.iter_mut().zip(&wide) {
                            *v = x.fma(*w, *v);
                        }
                    }
                    w = w.add(N * LANES);
                }
                for _ in 0..V::STEPS * t.fetch {
                    _mm_prefetch::<_MM_HINT_T1>(ahead.cast()); // past the end it does nothing
                    ahead = ahead.wrapping_add(LANES);
                }
            }
        }
        let scale = V::splat(t.scale);
        for n in 0..N {
            let bias = if t.bias.is_null() { V::splat(0.0) } else { V::load(t.bias.add(n * LANES)) };
            for (p, row) in acc.iter().enumerate() {
                let c = t.c.add(n * t.c_block + p * LANES);
                let mut v = row[n].add(bias);
                if t.accumulate {
                    v = v.add(V::load(c));
                }
                v.mul(scale).store(c);
            }
        }
    }
}
