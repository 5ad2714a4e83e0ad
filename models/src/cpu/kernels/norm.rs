//! Group normalisation and SiLU.

use super::exp::exp;
use super::gemm::LANES;
use super::isa::Kernel;
use super::vector::Vector;

/// Mean of sixteen channels over the pixels of a map `[pixel][16]`, and the sum of squared distances from it.
///
/// One pass: sums of `d = x - center` and of `d^2`, whose difference loses nothing because `center` is the mean of some
/// pixels spread over the map.
///
/// # Panics
/// If there is no pixel.
pub(crate) struct Moments<'a>(pub(crate) &'a [f32]);

impl Kernel for Moments<'_> {
    type Out = [[f64; LANES]; 2];

    #[inline(always)]
    fn run<V: Vector>(self) -> Self::Out {
        const WAYS: usize = 4;
        const SAMPLES: usize = 16;
        let pixels = self.0.as_chunks::<LANES>().0;
        assert!(!pixels.is_empty(), "a map has pixels");
        // SAFETY: sixteen values each.
        let load = |pixel: &[f32; LANES]| unsafe { V::load(pixel.as_ptr()) };
        let mut center = V::splat(0.0);
        for i in 0..SAMPLES {
            center = center.add(load(&pixels[(2 * i + 1) * pixels.len() / (2 * SAMPLES)]));
        }
        let center = center.mul(V::splat(1.0 / SAMPLES as f32));
        let mut sums = [[V::splat(0.0); 2]; WAYS];
        let (groups, rest) = pixels.as_chunks::<WAYS>();
        for pixels in groups.iter().map(|group| &group[..]).chain([rest]) {
            for ([sum, square], pixel) in sums.iter_mut().zip(pixels) {
                let d = load(pixel).sub(center);
                *sum = sum.add(d);
                *square = d.fma(d, *square);
            }
        }
        let total = |i: usize| {
            let pair = |a: usize| sums[a][i].add(sums[a + 1][i]);
            pair(0).add(pair(2)).values()
        };
        let (center, sum, square, n) = (center.values(), total(0), total(1), pixels.len() as f64);
        let mean = |c: usize| f64::from(center[c]) + f64::from(sum[c]) / n;
        let rest = |c: usize| (f64::from(square[c]) - f64::from(sum[c]).powi(2) / n).max(0.0);
        [std::array::from_fn(mean), std::array::from_fn(rest)]
    }
}

/// `out = factor x + shift` for each pixel of sixteen channels, then SiLU if `silu`.
///
/// # Panics
/// If `x` and `out` differ in length, or `factor` or `shift` has less than sixteen values.
pub(crate) struct Apply<'a> {
    pub(crate) x: &'a [f32],
    pub(crate) factor: &'a [f32],
    pub(crate) shift: &'a [f32],
    pub(crate) silu: bool,
    pub(crate) out: &'a mut [f32],
}

impl Kernel for Apply<'_> {
    type Out = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let Self { x, factor, shift, silu, out } = self;
        assert!(x.len() == out.len() && factor.len() >= LANES && shift.len() >= LANES, "slices do not match");
        // SAFETY: sixteen values each, as asserted.
        let (a, b) = unsafe { (V::load(factor.as_ptr()), V::load(shift.as_ptr())) };
        for (x, out) in x.as_chunks::<LANES>().0.iter().zip(out.as_chunks_mut::<LANES>().0) {
            // SAFETY: chunks of sixteen values.
            unsafe {
                let mut v = V::load(x.as_ptr()).fma(a, b);
                if silu {
                    let e = exp(V::splat(0.0).sub(v));
                    v = v.mul(V::splat(1.0).add(e).inverse());
                }
                v.store(out.as_mut_ptr());
            }
        }
    }
}
