//! The functions of exponential integrators.

/// `phi_1(z) = (e^z - 1) / z`, 1 at 0.
pub(crate) fn phi_1(z: f64) -> f64 {
    if z == 0.0 { 1.0 } else { z.exp_m1() / z }
}

/// `phi_2(z) = (e^z - 1 - z) / z^2`, one half at 0.
pub(crate) fn phi_2(z: f64) -> f64 {
    // The recurrence loses digits to cancellation near 0; there the series sum z^n / (n + 2)! is used.
    if z.abs() >= 0.5 {
        return (phi_1(z) - 1.0) / z;
    }
    let (mut term, mut sum) = (0.5, 0.0);
    for n in 1..=18 {
        sum += term;
        term *= z / f64::from(n + 2);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_match_high_precision() {
        // 40-digit evaluations of (e^z - 1)/z and (e^z - 1 - z)/z^2.
        for (z, one, two) in [
            (-3.0, 0.316_737_643_877_378_7, 0.227_754_118_707_540_44),
            (-0.1, 0.951_625_819_640_404_3, 0.483_741_803_595_957_1),
            (1e-9, 1.000_000_000_5, 0.500_000_000_166_666_7),
            (0.49, 1.290_441_265_215_059, 0.592_737_275_949_100_2),
        ] {
            assert!((phi_1(z) / one - 1.0).abs() < 1e-13, "phi_1({z}) = {}", phi_1(z));
            assert!((phi_2(z) / two - 1.0).abs() < 1e-13, "phi_2({z}) = {}", phi_2(z));
        }
        assert_eq!((phi_1(0.0), phi_2(0.0)), (1.0, 0.5));
    }

    #[test]
    fn series_and_recurrence_meet() {
        for z in [-0.5_f64, 0.5] {
            let below = phi_2(z * (1.0 - 1e-12));
            assert!((phi_2(z) - below).abs() < 1e-12);
        }
    }
}
