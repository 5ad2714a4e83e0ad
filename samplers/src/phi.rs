//! The functions of exponential integrators.

/// `phi_1(z) = (e^z - 1) / z`, 1 at 0.
pub(crate) fn phi_1(z: f64) -> f64 {
    if z == 0.0 { 1.0 } else { z.exp_m1() / z }
}

/// `phi_2(z) = (e^z - 1 - z) / z^2`, one half at 0.
pub(crate) fn phi_2(z: f64) -> f64 {
    phi(2, z)
}

/// `phi_k(z)`, the sum of `z^n / (n + k)!` over `n`, for `k` from 1; `phi_{k+1} = (phi_k - 1/k!) / z`.
pub(crate) fn phi(k: u32, z: f64) -> f64 {
    // Each turn of the recurrence divides a difference by z; near 0 that loses digits and the series is used.
    if z.abs() >= 2.0 || k == 1 {
        let mut reciprocal = 1.0;
        return (1..k).fold(phi_1(z), |value, j| {
            reciprocal /= f64::from(j);
            (value - reciprocal) / z
        });
    }
    let mut term = (1..=k).fold(1.0, |t, j| t / f64::from(j));
    let mut sum = 0.0;
    for n in 1..=30 {
        sum += term;
        term *= z / f64::from(n + k);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_match_high_precision() {
        // From scripts/parity/golden_gains.py: 50-digit evaluations of (e^z - 1)/z and (e^z - 1 - z)/z^2.
        for (z, one, two) in [
            (-3.0, 0.316_737_643_877_378_7, 0.227_754_118_707_540_44),
            (-0.1, 0.951_625_819_640_404_3, 0.483_741_803_595_957_3),
            (1e-9, 1.000_000_000_5, 0.500_000_000_166_666_7),
            (0.49, 1.290_441_265_215_059, 0.592_737_275_949_100_2),
        ] {
            assert!((phi_1(z) / one - 1.0).abs() < 1e-13, "phi_1({z}) = {}", phi_1(z));
            assert!((phi_2(z) / two - 1.0).abs() < 1e-13, "phi_2({z}) = {}", phi_2(z));
        }
        // From the same script: phi_3 and phi_4 by the recurrence, which loses none of their digits there.
        for (z, three, four) in [
            (-3.0, 0.090_748_627_097_486_52, 0.025_306_013_189_726_716),
            (-1.9, 0.110_137_247_525_494_24, 0.029_752_325_863_774_964),
            (-0.1, 0.162_581_964_040_426_82, 0.040_847_026_262_398_306),
            (1.9, 0.288_802_222_230_539_36, 0.064_281_871_349_406_67),
        ] {
            assert!((phi(3, z) / three - 1.0).abs() < 1e-14, "phi_3({z}) = {}", phi(3, z));
            assert!((phi(4, z) / four - 1.0).abs() < 1e-14, "phi_4({z}) = {}", phi(4, z));
        }
        assert_eq!((phi_1(0.0), phi_2(0.0), phi(3, 0.0)), (1.0, 0.5, 1.0 / 6.0));
    }

    #[test]
    fn series_and_recurrence_meet() {
        for k in 2..=4 {
            for z in [-2.0_f64, 2.0] {
                let (at, below) = (phi(k, z), phi(k, z * (1.0 - 1e-14)));
                assert!((at / below - 1.0).abs() < 1e-13, "phi_{k}({z}) = {at}, {below}");
            }
        }
    }
}
