//! The two halves of a softmax: exponentials first, division after the product that they go into.

use super::exp::exp;
use super::gemm::LANES;
use super::isa::Kernel;
use super::vector::Vector;

/// Rows that go side by side, so that no operation waits for the one before.
const SIDE: usize = 4;

/// Replaces each of `rows` rows of `x: [block][row][16]`, `count` columns wide, by `exp(x - its largest)`, and fills the
/// last block up by 0; `inverse` becomes one over each row's sum.
///
/// # Panics
/// If `x` is no matrix of this size, or `inverse` has fewer rows.
pub(crate) struct Exponentials<'a> {
    pub(crate) x: &'a mut [f32],
    pub(crate) rows: usize,
    pub(crate) count: usize,
    pub(crate) inverse: &'a mut [f32],
}

impl Kernel for Exponentials<'_> {
    type Out = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let Self { x, rows, count, inverse } = self;
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
                    let sums = some::<V, SIDE>(at, plane, count);
                    for (to, sum) in inverse[row..].iter_mut().zip(sums) {
                        *to = 1.0 / sum;
                    }
                    row += SIDE;
                } else {
                    let [sum] = some::<V, 1>(at, plane, count);
                    inverse[row] = 1.0 / sum;
                    row += 1;
                }
            }
        }
    }
}

/// `N` neighbouring rows; their sums.
///
/// # Safety
/// `x` is readable and writable for `16 N` values in each block of `plane` values that has some of the `count` columns.
#[inline(always)]
unsafe fn some<V: Vector, const N: usize>(x: *mut f32, plane: usize, count: usize) -> [f32; N] {
    let (full, left) = (count / LANES, count % LANES);
    let mask = V::first(left);
    // SAFETY: as above.
    unsafe {
        let at = |block: usize, row: usize| x.add(block * plane + row * LANES);
        let lowest = V::splat(f32::NEG_INFINITY);
        let mut top = [lowest; N];
        for block in 0..full {
            for (row, top) in top.iter_mut().enumerate() {
                *top = top.max(V::load(at(block, row)));
            }
        }
        if left > 0 {
            for (row, top) in top.iter_mut().enumerate() {
                *top = top.max(V::load(at(full, row)).select(mask, lowest));
            }
        }
        let top = top.map(|top| V::splat(top.largest()));
        let mut sum = [V::splat(0.0); N];
        for block in 0..full {
            for row in 0..N {
                let e = exp(V::load(at(block, row)).sub(top[row]));
                sum[row] = sum[row].add(e);
                e.store(at(block, row));
            }
        }
        if left > 0 {
            for row in 0..N {
                let e = exp(V::load(at(full, row)).sub(top[row]));
                let e = e.select(mask, V::splat(0.0));
                sum[row] = sum[row].add(e);
                e.store(at(full, row));
            }
        }
        sum.map(V::total)
    }
}

/// Multiplies each row of `x: [block][row][16]`, blocks `plane` values apart, by its own factor.
///
/// # Panics
/// If a block is shorter than the factors.
pub(crate) struct ScaleRows<'a> {
    pub(crate) x: &'a mut [f32],
    pub(crate) plane: usize,
    pub(crate) factors: &'a [f32],
}

impl Kernel for ScaleRows<'_> {
    type Out = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        for block in self.x.chunks_mut(self.plane) {
            let rows = block[..self.factors.len() * LANES].as_chunks_mut::<LANES>().0;
            for (row, factor) in rows.iter_mut().zip(self.factors) {
                // SAFETY: sixteen values.
                unsafe { V::load(row.as_ptr()).mul(V::splat(*factor)).store(row.as_mut_ptr()) };
            }
        }
    }
}
