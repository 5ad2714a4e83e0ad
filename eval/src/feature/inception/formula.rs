//! Weights from a formula, so that tests and other implementations have the same ones without a file of 95 MB.

use super::layout;
use super::weights::Weights;
use crate::Result;
use crate::rng::SplitMix64;

/// Random weights that follow from names and indices alone; the values they lead to mean nothing. Kernels are uniform
/// within `sqrt(6 / fan-in)` (He et al., 2015, eq. 10), so that activations keep their scale; the statistics of the
/// normalisations differ from channel to channel. `scripts/parity/inception_weights.py` writes the same bits as a
/// PyTorch checkpoint.
///
/// Value `i` of weight `name` is `centre + width * (2 u - 1)`, computed in f64 and rounded to f32, where `u` is made of the
/// upper 24 bits of the `i`-th number of SplitMix64 (Steele et al., 2014), which starts from the 64-bit FNV-1a hash of
/// the name.
///
/// # Errors
/// When the weights cannot be serialised, which their hash needs.
pub fn formula_weights() -> Result<Weights> {
    let values = layout::weights().into_iter().map(|(name, shape)| {
        let count = shape.iter().product::<i64>();
        let (centre, width) = range(&name, &shape);
        let mut rng = SplitMix64::from_state(fnv1a(name.as_bytes()));
        let mut value = || {
            let unit = (rng.next_u64() >> 40) as f64 / f64::from(1 << 24);
            (centre + width * (2.0 * unit - 1.0)) as f32
        };
        (name, (0..count).map(|_| value()).collect())
    });
    Weights::of_values(values.collect())
}

/// Middle and half width of the values of a weight.
fn range(name: &str, shape: &[i64]) -> (f64, f64) {
    let fan_in = shape[1..].iter().product::<i64>() as f64;
    match name.rsplit_once('.') {
        Some((_, "running_mean" | "bias")) => (0.0, 0.5),
        Some((_, "weight")) if shape.len() > 1 => (0.0, (6.0 / fan_in).sqrt()),
        _ => (1.0, 0.5),
    }
}

fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}
