//! A small counter-based generator: SplitMix64 (Steele, Lea & Flood, OOPSLA 2014).
//!
//! It serves initial weights and corruption noise, where values must follow from (seed, stream) alone. libtorch's
//! generator is process-global and would make them depend on whoever drew before.

/// SplitMix64 stream.
#[derive(Debug, Clone)]
pub(crate) struct SplitMix64 {
    state: u64,
}

/// Increment of the Weyl sequence: the odd integer next to 2^64 / golden ratio.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

impl SplitMix64 {
    /// The stream with number `stream` of `seed`; streams of one seed are far apart.
    pub(crate) fn keyed(seed: u64, stream: u64) -> Self {
        // Two rounds of mixing keep (seed, stream) and (seed + 1, stream - 1) from meeting.
        Self { state: mix(mix(seed.wrapping_add(GAMMA)) ^ stream.wrapping_mul(GAMMA)) }
    }

    /// The sequence as the reference generator has it from this state on.
    pub(crate) fn from_state(state: u64) -> Self {
        Self { state }
    }

    /// Next 64 random bits.
    pub(crate) fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GAMMA);
        mix(self.state)
    }

    /// Uniform in (0, 1), never an end point, 52 bits.
    pub(crate) fn uniform(&mut self) -> f64 {
        ((self.next_u64() >> 12) as f64 + 0.5) * (1.0 / (1_u64 << 52) as f64)
    }

    /// Two independent standard normal numbers (Box & Muller, 1958).
    pub(crate) fn normal_pair(&mut self) -> [f64; 2] {
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * self.uniform()).sin_cos();
        [radius * cos, radius * sin]
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_outputs_from_state_zero_match_the_reference_generator() {
        // From the published C reference `splitmix64.c` started at state 0.
        let mut rng = SplitMix64 { state: 0 };
        assert_eq!(rng.next_u64(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(rng.next_u64(), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn normals_have_unit_moments_and_streams_differ() {
        let mut rng = SplitMix64::keyed(7, 3);
        let draws: Vec<f64> = (0..50_000).flat_map(|_| rng.normal_pair()).collect();
        let n = draws.len() as f64;
        let mean = draws.iter().sum::<f64>() / n;
        let var = draws.iter().map(|x| x * x).sum::<f64>() / n;
        assert!(mean.abs() < 0.015 && (var - 1.0).abs() < 0.02, "mean {mean}, variance {var}");
        assert_ne!(SplitMix64::keyed(7, 3).next_u64(), SplitMix64::keyed(7, 4).next_u64());
        assert_ne!(SplitMix64::keyed(7, 3).next_u64(), SplitMix64::keyed(8, 2).next_u64());
    }
}
