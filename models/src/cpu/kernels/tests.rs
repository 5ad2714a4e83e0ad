//! Every loop against the plainest code for the same thing, in f64.

use super::buffer::Buffer;
use super::exp::exp;
use super::gemm::{Finish, LANES, Packed, Product};
use super::isa::{Isa, Kernel};
use super::vector::Vector;
use super::{norm, softmax, winograd};

/// Numbers in -1..1 that look random.
fn noise(seed: u64, count: usize) -> Vec<f32> {
    let mut s = seed;
    let mut next = || {
        s = s.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (s >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn largest(pairs: impl Iterator<Item = (f64, f64)>) -> f64 {
    let (error, size) = pairs.fold((0f64, 0f64), |(e, s), (a, b)| (e.max((a - b).abs()), s.max(b.abs())));
    error / size
}

#[test]
fn product_of_every_tile_size() {
    for isa in Isa::all_and_plain() {
        for blocks in 1..=7 {
            for rows in (1..=15).chain([23, 49]) {
                let inner = 3; // blocks of the inner dimension
                let (k, n) = (inner * LANES, blocks * LANES);
                let a = noise(1, rows * k);
                let w = noise(2, k * n);
                let bias = noise(3, n);
                let before = noise(4, rows * n);
                let packed = Packed::new(isa, k, blocks, |row, column| w[row * n + column]);
                let offsets: Vec<usize> = (0..inner).map(|i| i * rows * LANES).collect();
                let mut c = Buffer::from_slice(&before);
                let fin = Finish { bias: Some(&bias), accumulate: true, scale: 0.5, next: Some(&packed) };
                isa.run(Product {
                    a: &a,
                    offsets: &offsets,
                    w: &packed,
                    c: &mut c,
                    c_block: rows * LANES,
                    rows,
                    fin,
                });
                let at = |r: usize, c: usize| c / LANES * rows * LANES + r * LANES + c % LANES;
                let error = largest((0..rows * n).map(|i| {
                    let (r, col) = (i / n, i % n);
                    let dot: f64 = (0..k).map(|j| f64::from(a[at(r, j)]) * f64::from(w[j * n + col])).sum();
                    let want = 0.5 * (dot + f64::from(bias[col]) + f64::from(before[at(r, col)]));
                    (f64::from(c[at(r, col)]), want)
                }));
                assert!(error < 1e-6, "{rows} rows, {blocks} blocks: {error:.1e}");
            }
        }
    }
}

#[test]
fn packing_by_rows_and_by_columns() {
    for isa in Isa::all_and_plain() {
        for tokens in [1, 16, 49, 70] {
            let blocks = 2;
            let planes = noise(5, blocks * tokens * LANES);
            let padded = tokens.next_multiple_of(LANES);
            let at = |token: usize, c: usize| {
                if token < tokens { planes[(c / LANES * tokens + token) * LANES + c % LANES] } else { 0.0 }
            };
            // What was packed before must not show through.
            let mut by_rows = Packed::new(isa, 80, 7, |_, _| 9.0);
            let mut by_columns = by_rows.clone();
            by_rows.fill_rows(isa, &planes, tokens, blocks);
            by_columns.fill_columns(isa, &planes, tokens, blocks);
            let same = |got: &Packed, want: &Packed, count: usize| {
                assert_eq!(got.values()[..count], want.values()[..count], "{tokens} tokens");
            };
            let count = padded * blocks * LANES;
            same(&by_rows, &Packed::new(isa, padded, blocks, at), count);
            let across = |c: usize, token: usize| at(token, c);
            same(&by_columns, &Packed::new(isa, blocks * LANES, padded / LANES, across), count);
        }
    }
}

#[test]
fn winograd_is_a_convolution() {
    for isa in Isa::all_and_plain() {
        // One tile row is cut on the right and one below.
        for (height, width) in [(4, 4), (7, 7), (14, 10), (5, 1)] {
            let (w, x) = (noise(6, 9 * LANES * LANES), noise(7, height * width * LANES));
            let residual = noise(8, height * width * LANES);
            let bias = noise(9, LANES);
            let points = winograd::pack(isa, LANES, 1, |tap, i, o| w[(tap * LANES + i) * LANES + o]);
            let (down, across) = (height.div_ceil(winograd::OUT), width.div_ceil(winograd::OUT));
            let (tiles, pitch) = (down * across, across * winograd::OUT + 2);
            let mut padded = Buffer::default();
            padded.reserve((down * winograd::OUT + 2) * pitch * LANES);
            for y in 0..height {
                let to = ((y + 1) * pitch + 1) * LANES;
                padded[to..to + width * LANES]
                    .copy_from_slice(&x[y * width * LANES..(y + 1) * width * LANES]);
            }
            let (mut columns, mut there, mut back) =
                (Buffer::default(), Buffer::default(), Buffer::default());
            columns.reserve(winograd::IN * pitch * LANES);
            let point = (tiles + 1) * LANES;
            there.reserve(winograd::POINTS * point);
            back.reserve(winograd::POINTS * point);
            let mut out = vec![0f32; height * width * LANES];
            for r in 0..down {
                isa.run(winograd::Input {
                    padded: &padded[r * winograd::OUT * pitch * LANES..],
                    pitch,
                    tiles: across,
                    columns: &mut columns,
                    out: &mut there[r * across * LANES..],
                    point,
                });
            }
            for (p, w) in points.iter().enumerate() {
                let (a, c) = (&there[p * point..], &mut back[p * point..]);
                let c_block = tiles * LANES;
                isa.run(Product { a, offsets: &[0], w, c, c_block, rows: tiles, fin: Finish::PLAIN });
            }
            for r in 0..down {
                let start = r * winograd::OUT * width * LANES;
                let tail = winograd::Tail {
                    bias: &bias,
                    residual: Some(&residual[start..]),
                    accumulate: false,
                    scale: 2.0,
                };
                let rows = winograd::OUT.min(height - r * winograd::OUT);
                isa.run(winograd::Output {
                    points: &back[r * across * LANES..],
                    point,
                    tiles: across,
                    out: &mut out[start..],
                    width,
                    rows,
                    tail,
                });
            }
            let error = largest((0..out.len()).map(|i| {
                let (y, x0, o) = (i / LANES / width, i / LANES % width, i % LANES);
                let mut sum = f64::from(bias[o]) + f64::from(residual[i]);
                for tap in 0..9 {
                    let (Some(y), Some(x0)) = ((y + tap / 3).checked_sub(1), (x0 + tap % 3).checked_sub(1))
                    else {
                        continue;
                    };
                    if y < height && x0 < width {
                        for k in 0..LANES {
                            let value = f64::from(x[(y * width + x0) * LANES + k]);
                            sum += value * f64::from(w[(tap * LANES + k) * LANES + o]);
                        }
                    }
                }
                (f64::from(out[i]), 2.0 * sum)
            }));
            assert!(error < 3e-6, "{height} x {width}: {error:.1e}");
        }
    }
}

#[test]
fn silu_and_moments() {
    for isa in Isa::all_and_plain() {
        let pixels = 531;
        let x: Vec<f32> = noise(10, pixels * LANES).iter().map(|v| v * 100.0).collect();
        let (a, b) = (noise(11, LANES), noise(12, LANES));
        let mut out = vec![0f32; x.len()];
        isa.run(norm::Apply { x: &x, factor: &a, shift: &b, silu: true, out: &mut out });
        let [means, squares] = isa.run(norm::Moments(&x));
        for (i, got) in out.iter().enumerate() {
            let v = f64::from(x[i]) * f64::from(a[i % LANES]) + f64::from(b[i % LANES]);
            let want = v / (1.0 + (-v).exp());
            assert!((f64::from(*got) - want).abs() < 1e-6 * v.abs() + 1e-6, "silu({v}) = {got}, not {want}");
        }
        for lane in 0..LANES {
            let column = || x.iter().skip(lane).step_by(LANES).map(|v| f64::from(*v));
            let mean = column().sum::<f64>() / pixels as f64;
            assert!((means[lane] - mean).abs() < 1e-4, "mean {} for {mean}", means[lane]);
            let want: f64 = column().map(|v| (v - mean).powi(2)).sum();
            assert!((squares[lane] / want - 1.0).abs() < 1e-5);
        }
    }
}

/// A mean far from zero must not eat the spread, nor one wild pixel that of the others.
#[test]
fn moments_of_a_shifted_map() {
    for isa in Isa::all_and_plain() {
        for (pixels, wild) in [(1, None), (49, None), (784, Some(500)), (784, Some(24)), (3, Some(2))] {
            let mut x: Vec<f32> = noise(14, pixels * LANES).iter().map(|v| 1000.0 + v).collect();
            if let Some(wild) = wild {
                x[wild * LANES..(wild + 1) * LANES].fill(1100.0);
            }
            let [means, squares] = isa.run(norm::Moments(&x));
            for lane in 0..LANES {
                let column = || x.iter().skip(lane).step_by(LANES).map(|v| f64::from(*v));
                let mean = column().sum::<f64>() / pixels as f64;
                let want: f64 = column().map(|v| (v - mean).powi(2)).sum();
                assert!((means[lane] - mean).abs() < 1e-5, "mean {} for {mean}", means[lane]);
                assert!((squares[lane] - want).abs() <= 1e-5 * want + 1e-7, "{} for {want}", squares[lane]);
            }
        }
    }
}

#[test]
fn softmax_of_ragged_rows() {
    for isa in Isa::all_and_plain() {
        for (count, rows) in (1..=48usize).map(|count| (count, 1 + count % 6)) {
            let blocks = count.div_ceil(LANES);
            let at = |row: usize, c: usize| (c / LANES * rows + row) * LANES + c % LANES;
            // Differences of up to 180 leave the range of `exp`, and what stands behind the last column is no number.
            let mut x: Vec<f32> = noise(13, rows * blocks * LANES).iter().map(|v| v * 90.0).collect();
            (0..rows).for_each(|row| (count..blocks * LANES).for_each(|c| x[at(row, c)] = f32::NAN));
            let (mut got, mut inverse) = (x.clone(), vec![0.0; rows]);
            isa.run(softmax::Exponentials { x: &mut got, rows, count, inverse: &mut inverse });
            for row in 0..rows {
                let largest = (0..count).map(|c| got[at(row, c)]).fold(0.0, f32::max);
                let exact = largest.to_bits() == 1f32.to_bits();
                assert!(exact, "row {row} of {count} columns does not start from its largest value");
            }
            isa.run(softmax::ScaleRows { x: &mut got, plane: rows * LANES, factors: &inverse });
            for row in 0..rows {
                let top = (0..count).map(|c| x[at(row, c)]).fold(f32::NEG_INFINITY, f32::max);
                let power = |c: usize| f64::from((x[at(row, c)] - top).max(-87.0)).exp();
                let total: f64 = (0..count).map(power).sum();
                for c in 0..blocks * LANES {
                    let want = if c < count { power(c) / total } else { 0.0 };
                    let error = (f64::from(got[at(row, c)]) - want).abs();
                    assert!(
                        error <= 1e-6 * want,
                        "row {row}, column {c} of {count}: {error:.1e} of {want:.1e}"
                    );
                }
            }
        }
    }
}

/// `exp` of every value.
struct Exp<'a>(&'a mut [[f32; LANES]]);

impl Kernel for Exp<'_> {
    type Out = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        for x in self.0 {
            // SAFETY: sixteen values.
            unsafe { exp(V::load(x.as_ptr())).store(x.as_mut_ptr()) };
        }
    }
}

#[test]
fn exp_over_its_range() {
    for isa in Isa::all_and_plain() {
        let x: Vec<f32> = (-90_000..=90_000).map(|i| i as f32 * 1e-3).collect();
        let mut got = x.clone();
        got.resize(x.len().next_multiple_of(LANES), 0.0);
        isa.run(Exp(got.as_chunks_mut::<LANES>().0));
        for (x, got) in x.iter().zip(got) {
            let want = f64::from(x.clamp(-87.0, 87.0)).exp();
            let error = (f64::from(got) / want - 1.0).abs();
            assert!(error < 1.5e-7, "exp({x}) = {got}, off by {error:.1e}");
        }
    }
}

#[test]
#[should_panic(expected = "packed for other instructions")]
fn a_matrix_of_another_set_is_refused() {
    let widths: Vec<Isa> = Isa::all_and_plain().collect();
    let (one, other) = (widths[0], widths.iter().find(|isa| isa.widest() != widths[0].widest()));
    // Without a set of another width there is nothing to mix up.
    let other = other.copied().unwrap_or_else(|| panic!("packed for other instructions"));
    let w = Packed::new(one, LANES, 1, |_, _| 1.0);
    let (a, mut c) = ([0.0; LANES], [0.0; LANES]);
    other.run(Product {
        a: &a,
        offsets: &[0],
        w: &w,
        c: &mut c,
        c_block: LANES,
        rows: 1,
        fin: Finish::PLAIN,
    });
}
