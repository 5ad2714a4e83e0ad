//! Brownian paths, one an image, that can be asked for any increment: the noise of stochastic solvers. With more steps the
//! same path is seen in more detail, so that a picture is refined where fresh noise would make another one.

use super::noise::NoiseSource;

/// Halvings of an octave of the clock before the two ends of the piece settle what is between them.
const DEPTH: u32 = 10;

/// Octaves below this far under the asked one are left out: they add 2^-48 of the variance.
const OCTAVES: i32 = 48;

/// Set in the number of every stream used here, so that none is a stream of a plan.
const FLAG: u32 = 1 << 31;

/// Brownian paths `W` of a batch of images, from `W(0) = 0`.
///
/// The clock is cut into octaves `[2^k, 2^(k+1))` with independent increments, each octave is halved ten times, and
/// every number in it comes from its place alone: a value never depends on what was asked before. Two values in the same
/// piece (a thousandth of an octave) are drawn independently of each other given the ends of the piece.
#[derive(Debug)]
pub struct Brownian<'a> {
    source: NoiseSource,
    images: &'a [u64],
    size: usize,
    /// The newest end point: the next step usually starts there.
    last: Option<Point>,
}

/// `W` at a clock value, counted from the start of its octave.
#[derive(Clone, Debug)]
struct Point {
    clock: f64,
    octave: i32,
    rise: Vec<f64>,
}

impl<'a> Brownian<'a> {
    /// The paths of `images`, `size` numbers each.
    pub fn new(source: NoiseSource, images: &'a [u64], size: usize) -> Self {
        Self { source, images, size, last: None }
    }

    /// Numbers in an image.
    pub fn size(&self) -> usize {
        self.size
    }

    /// `(W(to) - W(from)) / sqrt(to - from)`, standard normal unless both lie within one piece, where it has a greater
    /// variance: steps that short are taken from about 4,000 on. Image after image, `size` numbers each. Needs
    /// `0 <= from < to`, both finite.
    pub fn increment(&mut self, from: f64, to: f64) -> Vec<f32> {
        let start = match self.last.take() {
            Some(point) if point.clock.to_bits() == from.to_bits() => point,
            _ => self.point(from),
        };
        let end = self.point(to);
        let mut sum = end.rise.clone();
        for (s, v) in sum.iter_mut().zip(&start.rise) {
            *s -= v;
        }
        for octave in start.octave.max(end.octave - OCTAVES)..end.octave {
            self.add(&mut sum, octave, 0, power(octave));
        }
        self.last = Some(end);
        let scale = (to - from).sqrt();
        sum.into_iter().map(|v| (v / scale) as f32).collect()
    }

    fn point(&self, clock: f64) -> Point {
        let mut rise = vec![0.0; self.size * self.images.len()];
        if clock <= 0.0 {
            return Point { clock, octave: i32::MIN, rise };
        }
        let octave = clock.log2().floor() as i32;
        // The logarithm rounds: 1 <= u < 2 is what counts.
        let octave = octave + i32::from(clock >= f64::exp2(f64::from(octave) + 1.0));
        let octave = octave - i32::from(clock < f64::exp2(f64::from(octave)));
        let u = clock / f64::exp2(f64::from(octave));
        let (mut lo, mut hi, mut cell) = (1.0, 2.0, 1);
        let mut right = vec![0.0; rise.len()]; // W at `hi`; `rise` is W at `lo`
        self.add(&mut right, octave, 0, power(octave));
        for _ in 0..DEPTH {
            if u <= lo {
                break;
            }
            let middle = 0.5 * (lo + hi);
            let spread = power(octave) * (0.25 * (hi - lo)).sqrt();
            let upper = u >= middle;
            // The middle of a bridge: the mean of its ends, plus noise. It replaces the end that is left behind.
            let mut between: Vec<f64> = rise.iter().zip(&right).map(|(l, r)| 0.5 * (l + r)).collect();
            self.add(&mut between, octave, cell, spread);
            *(if upper { &mut rise } else { &mut right }) = between;
            cell = 2 * cell + u32::from(upper);
            if upper { lo = middle } else { hi = middle }
        }
        if u > lo {
            let share = (u - lo) / (hi - lo);
            for (r, end) in rise.iter_mut().zip(&right) {
                *r += share * (end - *r);
            }
            // The 23 bits below the place in the octave tell the points of one piece apart.
            let key = 1 << 23 | ((u.to_bits() >> (52 - DEPTH - 23)) as u32 & 0x007f_ffff);
            self.add(&mut rise, octave, key, power(octave) * ((u - lo) * (hi - u) / (hi - lo)).sqrt());
        }
        Point { clock, octave, rise }
    }

    /// Adds `scale` times the normal numbers that belong to a place in an octave.
    fn add(&self, to: &mut [f64], octave: i32, place: u32, scale: f64) {
        let stream = FLAG | (octave.rem_euclid(128) as u32) << 24 | place;
        let mut z = vec![0f32; self.size];
        for (chunk, &image) in to.chunks_mut(self.size).zip(self.images) {
            self.source.fill(image, stream, &mut z);
            for (v, z) in chunk.iter_mut().zip(&z) {
                *v += scale * f64::from(*z);
            }
        }
    }
}

/// Standard deviation of an octave's increment: `2^(k/2)`.
fn power(octave: i32) -> f64 {
    f64::exp2(0.5 * f64::from(octave))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: usize = 60_000;

    fn mean(x: &[f32], y: &[f32]) -> f64 {
        x.iter().zip(y).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>() / x.len() as f64
    }

    /// Increments at places of every kind: octave ends, powers, inside one piece, from zero.
    const CLOCKS: [f64; 9] = [0.0, 1e-4, 0.37, 0.5, 1.0, 1.75, 1.750_3, 40.0, 1e4];

    #[test]
    fn increments_are_standard_normal_and_independent() {
        let source = NoiseSource::new(3);
        let mut w = Brownian::new(source, &[5], SIZE);
        let steps: Vec<Vec<f32>> = CLOCKS.windows(2).map(|c| w.increment(c[0], c[1])).collect();
        let bound = 5.0 / (SIZE as f64).sqrt();
        for (i, x) in steps.iter().enumerate() {
            for (j, y) in steps.iter().enumerate().take(i + 1) {
                let want = f64::from(u8::from(i == j));
                assert!((mean(x, y) - want).abs() < 1.5 * bound, "{i} and {j}: {}", mean(x, y));
            }
        }
    }

    #[test]
    fn a_finer_grid_sees_the_same_path() {
        let source = NoiseSource::new(3);
        for pair in [[0.0, 1e4], [1e-4, 40.0], [0.37, 1.75]] {
            let mut fine = Brownian::new(source, &[5, 9], 50);
            let mut sum = vec![0f64; 100];
            let inside: Vec<f64> =
                CLOCKS.iter().copied().filter(|c| *c >= pair[0] && *c <= pair[1]).collect();
            for c in inside.windows(2) {
                for (s, z) in sum.iter_mut().zip(fine.increment(c[0], c[1])) {
                    *s += f64::from(z) * (c[1] - c[0]).sqrt();
                }
            }
            let whole = Brownian::new(source, &[5, 9], 50).increment(pair[0], pair[1]);
            for (s, z) in sum.iter().zip(whole) {
                let want = f64::from(z) * (pair[1] - pair[0]).sqrt();
                assert!((s - want).abs() < 1e-4 * pair[1].sqrt(), "{pair:?}: {s} {want}");
            }
        }
    }

    #[test]
    fn a_path_belongs_to_its_image() {
        let source = NoiseSource::new(3);
        let both = Brownian::new(source, &[5, 9], 40).increment(0.2, 3.0);
        assert_eq!(both[40..], Brownian::new(source, &[9], 40).increment(0.2, 3.0));
        assert_ne!(both[..40], both[40..]);
    }

    #[test]
    #[ignore = "measures time"]
    fn speed() {
        let images: Vec<u64> = (0..16).collect();
        let mut w = Brownian::new(NoiseSource::new(3), &images, 784);
        let clock = std::time::Instant::now();
        let mut at = 1e-4;
        for _ in 0..40 {
            w.increment(at, at * 1.37);
            at *= 1.37;
        }
        let us = clock.elapsed().as_secs_f64() * 1e6 / 40.0 / 16.0;
        #[expect(clippy::print_stderr, reason = "this test is for its figures")]
        {
            eprintln!("{us:.1} us an image and step of 784 numbers");
        }
    }
}
