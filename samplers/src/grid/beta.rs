//! The regularised incomplete beta function `I_x(a, b)` and its inverse.
//!
//! Written here and not taken from a crate, because the two functions that a grid needs are shorter than the interface
//! of any statistics library, and this crate has no dependency that computes.

use std::f64::consts::PI;

/// Rounds of the continued fraction and of Newton's method after which the value has long stopped changing.
const ROUNDS: u32 = 300;

/// The `x` with `I_x(a, b) = p`, for `p` in [0, 1] and positive `a`, `b`; relative error below 1e-13 where `x` is
/// small, absolute near 1e-16 where it is close to 1.
pub(crate) fn inverse(p: f64, a: f64, b: f64) -> f64 {
    if p <= 0.0 {
        return 0.0;
    }
    if p >= 1.0 {
        return 1.0;
    }
    // The larger half is the complement of a smaller one, where no digits are lost.
    if p > 0.5 { 1.0 - lower_half(1.0 - p, b, a) } else { lower_half(p, a, b) }
}

/// [`inverse`] by Newton's method in `(ln x, ln I)`, which is straight in the tail, kept inside a bracket.
fn lower_half(p: f64, a: f64, b: f64) -> f64 {
    let ln_beta = ln_beta(a, b);
    // Start where the leading term x^a / (a B) alone would reach p.
    let mut x = (((p * a).ln() + ln_beta) / a).exp().clamp(f64::MIN_POSITIVE, 0.5);
    let (mut lo, mut hi) = (0.0, 1.0);
    for _ in 0..ROUNDS {
        let value = regularised(x, a, b, ln_beta);
        if value > p {
            hi = x;
        } else {
            lo = x;
        }
        let slope = (a * x.ln() + (b - 1.0) * (-x).ln_1p() - ln_beta).exp();
        let mut next = x * ((p / value).ln() * value / slope).exp();
        if !(next > lo && next < hi) {
            // In the tail a bisection must halve the exponent, not the number.
            next = if lo > 0.0 && hi > 4.0 * lo { (lo * hi).sqrt() } else { 0.5 * (lo + hi) };
        }
        let moved = (next - x).abs();
        x = next;
        if moved <= f64::EPSILON * x || hi - lo <= f64::EPSILON * hi {
            break;
        }
    }
    x
}

/// `I_x(a, b)` for `x` in (0, 1); `ln_beta` is [`ln_beta`] of the two.
fn regularised(x: f64, a: f64, b: f64, ln_beta: f64) -> f64 {
    let front = (a * x.ln() + b * (-x).ln_1p() - ln_beta).exp();
    // The fraction converges fast below the mean; above it, by symmetry.
    if x < (a + 1.0) / (a + b + 2.0) {
        front * fraction(x, a, b) / a
    } else {
        1.0 - front * fraction(1.0 - x, b, a) / b
    }
}

/// The continued fraction of `I_x(a, b)` (Abramowitz and Stegun, 26.5.8), from the front by Lentz's recurrence.
fn fraction(x: f64, a: f64, b: f64) -> f64 {
    // A zero is moved by less than rounding moves it.
    let kept = |v: f64| if v.abs() < 1e-300 { 1e-300 } else { v };
    let (mut value, mut c, mut d) = (1.0, 1.0, 0.0);
    for j in 1..=ROUNDS {
        let m = f64::from(j / 2);
        let term = if j % 2 == 0 {
            m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m))
        } else {
            -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0))
        };
        d = 1.0 / kept(1.0 + term * d);
        c = kept(1.0 + term / c);
        value *= c * d;
        if (c * d - 1.0).abs() <= 0.5 * f64::EPSILON {
            break;
        }
    }
    1.0 / value
}

/// `ln B(a, b)`.
fn ln_beta(a: f64, b: f64) -> f64 {
    ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b)
}

/// `ln Gamma(x)` for positive `x`: Stirling's series (Abramowitz and Stegun, 6.1.41) at an argument of at least 12.
fn ln_gamma(x: f64) -> f64 {
    let (mut shifted, mut product) = (x, 1.0);
    while shifted < 12.0 {
        product *= shifted;
        shifted += 1.0;
    }
    let squared = shifted * shifted;
    let series = [1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0, -691.0 / 360_360.0]
        .iter()
        .rev()
        .fold(0.0, |sum, c| sum / squared + c);
    (shifted - 0.5) * shifted.ln() - shifted + 0.5 * (2.0 * PI).ln() + series / shifted - product.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `(a, b, p, x)` with 50-digit solutions of `I_x(a, b) = p`.
    const INVERSES: [(f64, f64, f64, f64); 21] = [
        (0.6, 0.6, 0.001, 0.000_018_558_738_517_452_003),
        (0.6, 0.6, 0.05, 0.012_554_456_873_611_408),
        (0.6, 0.6, 0.25, 0.175_680_378_652_695),
        (0.6, 0.6, 0.5, 0.5),
        (0.6, 0.6, 0.8, 0.877_078_249_541_667_1),
        (0.6, 0.6, 0.99, 0.999_138_761_178_457_1),
        (0.5, 0.5, 0.05, 0.006_155_829_702_431_137),
        (0.5, 0.5, 0.25, 0.146_446_609_406_726_24),
        (2.0, 3.0, 0.001, 0.013_022_947_370_814_272),
        (2.0, 3.0, 0.5, 0.385_727_568_132_389_55),
        (2.0, 3.0, 0.99, 0.859_132_457_305_454),
        (0.6, 1.7, 0.25, 0.055_565_787_532_540_205),
        (0.6, 1.7, 0.99, 0.902_183_302_848_835_1),
        (8.0, 0.3, 0.001, 0.547_703_471_936_173_6),
        (8.0, 0.3, 0.5, 0.990_492_381_422_509_4),
        (8.0, 0.3, 0.99, 0.999_999_980_375_785_1),
        (0.1, 5.0, 0.001, 1.332_100_872_189_528e-31),
        (0.1, 5.0, 0.5, 0.000_130_149_552_409_197_5),
        (0.1, 5.0, 0.99, 0.293_506_942_195_702_43),
        (20.0, 20.0, 0.001, 0.268_325_567_599_936_23),
        (20.0, 20.0, 0.8, 0.566_653_471_055_718_5),
    ];

    #[test]
    fn inverses_match_high_precision() {
        for (a, b, p, x) in INVERSES {
            let got = inverse(p, a, b);
            assert!((got / x - 1.0).abs() < 1e-12, "I_x({a}, {b}) = {p}: {got:e} instead of {x:e}");
        }
    }

    #[test]
    fn values_match_high_precision() {
        for (a, b, x, value) in [
            (0.6, 0.6, 0.3, 0.352_526_511_772_143_7),
            (0.6, 0.6, 1e-8, 0.000_010_936_282_494_695_206),
            (5.0, 0.2, 0.9, 0.124_520_537_661_376_6),
            (20.0, 20.0, 0.45, 0.264_315_032_257_492_2),
        ] {
            let got = regularised(x, a, b, ln_beta(a, b));
            assert!((got / value - 1.0).abs() < 1e-13, "I_{x}({a}, {b}) = {got}");
        }
    }

    #[test]
    fn ln_gamma_matches_high_precision() {
        for (x, value) in [
            (0.1, 2.252_712_651_734_206),
            (0.6, 0.398_233_858_069_234_9),
            (1.0, 0.0),
            (1.2, -0.085_374_090_003_315_85),
            (3.7, 1.428_072_326_665_388),
            (20.5, 40.831_500_974_530_8),
        ] {
            let got = ln_gamma(x);
            // The terms that cancel near 1 have the size of ln 12!.
            assert!((got - value).abs() < 1e-14 * value.abs().max(1.0), "ln_gamma({x}) = {got}");
        }
    }

    #[test]
    fn values_of_inverses_are_the_probabilities() {
        for a in [0.1, 0.3, 0.6, 1.0, 2.5, 10.0] {
            for b in [0.1, 0.3, 0.6, 1.0, 2.5, 10.0] {
                for i in 1..40 {
                    let p = f64::from(i) / 40.0;
                    let x = inverse(p, a, b);
                    let back = regularised(x, a, b, ln_beta(a, b));
                    // A unit in the last place of x moves the value by the density, which is steep near 1.
                    let slope = (a * x.ln() + (b - 1.0) * (-x).ln_1p() - ln_beta(a, b)).exp();
                    let allowed = 1e-13 + 2.0 * f64::EPSILON * slope;
                    assert!((back - p).abs() < allowed, "I_{x}({a}, {b}) = {back} instead of {p}");
                }
            }
        }
    }

    #[test]
    fn the_arcsine_law_is_its_own_inverse() {
        // I_x(1/2, 1/2) = (2/pi) asin(sqrt x), exactly.
        for i in 1..200 {
            let p = f64::from(i) / 200.0;
            let want = (0.5 * PI * p).sin().powi(2);
            assert!((inverse(p, 0.5, 0.5) / want - 1.0).abs() < 1e-13, "p {p}");
        }
    }

    #[test]
    fn inverses_rise_from_0_to_1() {
        for a in [0.1, 0.6, 1.0, 3.0, 10.0] {
            for b in [0.1, 0.6, 1.0, 3.0, 10.0] {
                let xs: Vec<f64> = (0..=50).map(|i| inverse(f64::from(i) / 50.0, a, b)).collect();
                assert_eq!((xs[0], xs[50]), (0.0, 1.0));
                assert!(xs.windows(2).all(|pair| pair[0] <= pair[1]), "a {a}, b {b}: {xs:?}");
            }
        }
    }
}
