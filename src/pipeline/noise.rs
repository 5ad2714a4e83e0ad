//! Counter-based noise: a pure function of (seed, image, draw), so that a picture never depends on the batch it was
//! made in, on the order of batches, on threads or on the device.

mod normal;

/// Multipliers and key increments of Philox 4x32.
const MUL: [u64; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// Standard normal noise from Philox 4x32-10 (Salmon et al., SC 2011) and the Box–Muller transform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoiseSource {
    seed: u64,
}

impl NoiseSource {
    /// A source of its own for every seed.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// Fills `out` with the noise of `image` and `draw` (0 is the initial noise, later ones belong to the plan).
    pub fn fill(&self, image: u64, draw: u32, out: &mut [f32]) {
        normal::fill([draw, image as u32, (image >> 32) as u32], self.key(), out);
    }

    /// Noise of several images, `size` numbers each, one after the other.
    pub fn batch(&self, images: &[u64], draw: u32, size: usize) -> Vec<f32> {
        let mut values = vec![0f32; size * images.len()];
        for (chunk, &image) in values.chunks_mut(size).zip(images) {
            self.fill(image, draw, chunk);
        }
        values
    }

    /// 128 uniform bits; also used where a training step needs randomness that a resume can repeat.
    pub fn bits(&self, block: u32, draw: u32, image: u64) -> [u32; 4] {
        philox([block, draw, image as u32, (image >> 32) as u32], self.key())
    }

    fn key(self) -> [u32; 2] {
        [self.seed as u32, (self.seed >> 32) as u32]
    }
}

/// Philox 4x32-10: 128 random bits for a counter.
#[expect(clippy::inline_always, reason = "it takes on the vector width of its caller")]
#[inline(always)]
fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for round in 0..10 {
        if round > 0 {
            key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
        }
        let p0 = MUL[0] * u64::from(counter[0]);
        let p1 = MUL[1] * u64::from(counter[2]);
        counter = [
            (p1 >> 32) as u32 ^ counter[1] ^ key[0],
            p1 as u32,
            (p0 >> 32) as u32 ^ counter[3] ^ key[1],
            p0 as u32,
        ];
    }
    counter
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers published with Random123 (`kat_vectors`, philox4x32 10).
    #[test]
    fn philox_known_answers() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        let ones = u32::MAX;
        assert_eq!(philox([ones; 4], [ones; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        assert_eq!(
            philox([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn noise_depends_on_the_image_alone() {
        let source = NoiseSource::new(7);
        let all = source.batch(&[3, 4, 5], 0, 25);
        let one = source.batch(&[4], 0, 25);
        assert_eq!(all[25..50], one);
        assert_ne!(all[..25], all[25..50]);
        assert_ne!(source.batch(&[4], 1, 25), one);
        assert_ne!(NoiseSource::new(8).batch(&[4], 0, 25), one);
    }

    #[test]
    fn noise_is_standard_normal() {
        let n = 400_000;
        let mut x = vec![0f32; n];
        NoiseSource::new(1).fill(0, 0, &mut x);
        let moment = |p: i32| x.iter().map(|&v| f64::from(v).powi(p)).sum::<f64>() / n as f64;
        // Five standard errors of each moment.
        let bound = |var: f64| 5.0 * (var / n as f64).sqrt();
        assert!(moment(1).abs() < bound(1.0));
        assert!((moment(2) - 1.0).abs() < bound(2.0));
        assert!(moment(3).abs() < bound(15.0));
        assert!((moment(4) - 3.0).abs() < bound(96.0));
        let lag = x.windows(2).map(|w| f64::from(w[0] * w[1])).sum::<f64>() / n as f64;
        assert!(lag.abs() < bound(1.0));
    }
}
