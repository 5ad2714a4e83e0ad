//! Gauss-Legendre quadrature with 16 nodes, and with 4 where the integrand hardly changes.

/// Nodes in (0, 1) and weights for the interval [-1, 1]; the other half mirrors them. (Roots of the Legendre
/// polynomial of degree 16; Abramowitz and Stegun, table 25.4.)
const SIXTEEN: [(f64, f64); 8] = [
    (0.095_012_509_837_637_44, 0.189_450_610_455_068_5),
    (0.281_603_550_779_258_9, 0.182_603_415_044_923_6),
    (0.458_016_777_657_227_4, 0.169_156_519_395_002_54),
    (0.617_876_244_402_643_7, 0.149_595_988_816_576_73),
    (0.755_404_408_355_003, 0.124_628_971_255_533_88),
    (0.865_631_202_387_831_7, 0.095_158_511_682_492_78),
    (0.944_575_023_073_232_6, 0.062_253_523_938_647_89),
    (0.989_400_934_991_649_9, 0.027_152_459_411_754_096),
];

/// The same for degree 4 (table 25.4).
const FOUR: [(f64, f64); 2] =
    [(0.339_981_043_584_856_3, 0.652_145_154_862_546_1), (0.861_136_311_594_052_6, 0.347_854_845_137_453_9)];

/// The integral of `f` from `a` to `b` by one panel: exact for polynomials up to degree 31.
pub(crate) fn panel<const N: usize>(a: f64, b: f64, f: &mut impl FnMut(f64) -> [f64; N]) -> [f64; N] {
    by_rule(&SIXTEEN, a, b, f)
}

/// The integral of `f` from `a` to `b` by one panel of four nodes: exact for polynomials up to degree 7.
pub(crate) fn narrow_panel<const N: usize>(a: f64, b: f64, f: &mut impl FnMut(f64) -> [f64; N]) -> [f64; N] {
    by_rule(&FOUR, a, b, f)
}

fn by_rule<const N: usize>(
    rule: &[(f64, f64)],
    a: f64,
    b: f64,
    f: &mut impl FnMut(f64) -> [f64; N],
) -> [f64; N] {
    let (mid, half) = (0.5 * (a + b), 0.5 * (b - a));
    let mut sum = [0.0; N];
    for &(node, weight) in rule {
        for x in [mid - half * node, mid + half * node] {
            for (s, v) in sum.iter_mut().zip(f(x)) {
                *s += weight * half * v;
            }
        }
    }
    sum
}

/// The integral of `f` from `a` to `b`, by as many panels as keep each at most `longest` wide (at most 1024).
pub(crate) fn integrate<const N: usize>(
    a: f64,
    b: f64,
    longest: f64,
    mut f: impl FnMut(f64) -> [f64; N],
) -> [f64; N] {
    let count = ((b - a).abs() / longest).ceil().clamp(1.0, 1024.0);
    let edge = |i: usize| a + (b - a) * (i as f64 / count);
    let mut sum = [0.0; N];
    for i in 0..count as usize {
        for (s, v) in sum.iter_mut().zip(panel(edge(i), edge(i + 1), &mut f)) {
            *s += v;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polynomials_up_to_degree_31_are_exact() {
        for degree in 0..=31 {
            let [got] = panel(-0.5, 2.0, &mut |x: f64| [x.powi(degree)]);
            let exact = (2f64.powi(degree + 1) - (-0.5f64).powi(degree + 1)) / f64::from(degree + 1);
            assert!((got / exact - 1.0).abs() < 2e-14, "degree {degree}: {got} against {exact}");
        }
    }

    #[test]
    fn four_nodes_are_exact_up_to_degree_7() {
        for degree in 0..=8 {
            let [got] = narrow_panel(-0.5, 2.0, &mut |x: f64| [x.powi(degree)]);
            let exact = (2f64.powi(degree + 1) - (-0.5f64).powi(degree + 1)) / f64::from(degree + 1);
            assert_eq!((got / exact - 1.0).abs() < 2e-14, degree < 8, "degree {degree}: {got}, {exact}");
        }
    }

    #[test]
    fn degree_32_is_not_exact() {
        let [got] = panel(-1.0, 1.0, &mut |x: f64| [x.powi(32)]);
        assert!((got - 2.0 / 33.0).abs() > 1e-12);
    }

    #[test]
    fn panels_integrate_a_steep_exponential() {
        let [got, length] = integrate(-4.0, 16.0, 1.0, |x| [(-x).exp(), 1.0]);
        let exact = 4f64.exp() - (-16f64).exp();
        assert!((got / exact - 1.0).abs() < 1e-14);
        assert!((length - 20.0).abs() < 1e-12);
    }
}
