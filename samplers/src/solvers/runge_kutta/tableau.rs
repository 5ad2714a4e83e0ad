//! Butcher tableaus.

use super::super::stages::{Stage, Tableau};

/// A Butcher tableau; the weights of a stage sum to its `c`, those of the end to 1.
pub(crate) type Butcher = Tableau<'static, f64>;

const fn at(c: f64, weights: &'static [f64]) -> Stage<'static, f64> {
    Stage { c, weights }
}

/// Explicit Euler.
pub(in super::super) const EULER: Butcher = Tableau { stages: &[], end: &[1.0] };

/// The midpoint rule.
pub(in super::super) const MIDPOINT: Butcher = Tableau { stages: &[at(0.5, &[0.5])], end: &[0.0, 1.0] };

/// Heun's second-order method, the trapezoidal rule.
pub(in super::super) const HEUN_2: Butcher = Tableau { stages: &[at(1.0, &[1.0])], end: &[0.5, 0.5] };

/// Kutta's third-order method.
pub(super) const KUTTA_3: Butcher =
    Tableau { stages: &[at(0.5, &[0.5]), at(1.0, &[-1.0, 2.0])], end: &[1.0 / 6.0, 4.0 / 6.0, 1.0 / 6.0] };

/// Heun's third-order method.
pub(in super::super) const HEUN_3: Butcher = Tableau {
    stages: &[at(1.0 / 3.0, &[1.0 / 3.0]), at(2.0 / 3.0, &[0.0, 2.0 / 3.0])],
    end: &[0.25, 0.0, 0.75],
};

/// Ralston's third-order method, of the least error bound.
pub(super) const RALSTON_3: Butcher =
    Tableau { stages: &[at(0.5, &[0.5]), at(0.75, &[0.0, 0.75])], end: &[2.0 / 9.0, 1.0 / 3.0, 4.0 / 9.0] };

/// The third-order method that preserves strong stability.
pub(super) const SSP_3: Butcher =
    Tableau { stages: &[at(1.0, &[1.0]), at(0.5, &[0.25, 0.25])], end: &[1.0 / 6.0, 1.0 / 6.0, 2.0 / 3.0] };

/// Van der Houwen's third-order method.
pub(super) const HOUWEN_3: Butcher = Tableau {
    stages: &[at(8.0 / 15.0, &[8.0 / 15.0]), at(2.0 / 3.0, &[0.25, 5.0 / 12.0])],
    end: &[0.25, 0.0, 0.75],
};

/// The classical fourth-order method.
pub(super) const CLASSICAL_4: Butcher = Tableau {
    stages: &[at(0.5, &[0.5]), at(0.5, &[0.0, 0.5]), at(1.0, &[0.0, 0.0, 1.0])],
    end: &[1.0 / 6.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 6.0],
};

#[cfg(test)]
mod tests {
    use super::*;

    /// Every tableau with its order.
    const ALL: [(Butcher, u32); 9] = [
        (EULER, 1),
        (MIDPOINT, 2),
        (HEUN_2, 2),
        (KUTTA_3, 3),
        (HEUN_3, 3),
        (RALSTON_3, 3),
        (SSP_3, 3),
        (HOUWEN_3, 3),
        (CLASSICAL_4, 4),
    ];

    #[test]
    fn order_conditions() {
        for (tableau, order) in ALL {
            let s = tableau.evals();
            let mut c = vec![0.0; s];
            let mut a = vec![vec![0.0; s]; s];
            for (i, stage) in tableau.stages.iter().enumerate() {
                c[i + 1] = stage.c;
                a[i + 1][..stage.weights.len()].copy_from_slice(stage.weights);
                assert!((stage.weights.iter().sum::<f64>() - stage.c).abs() < 1e-15, "{tableau:?}");
            }
            let b = tableau.end;
            let times = |v: &[f64]| -> Vec<f64> {
                a.iter().map(|row| row.iter().zip(v).map(|(x, y)| x * y).sum()).collect()
            };
            let each = |f: &dyn Fn(usize) -> f64| -> Vec<f64> { (0..s).map(f).collect() };
            let (c2, c3) = (each(&|i| c[i].powi(2)), each(&|i| c[i].powi(3)));
            let ac = times(&c);
            let (cac, ac2, aac) = (each(&|i| c[i] * ac[i]), times(&c2), times(&ac));
            // One line for each rooted tree (Hairer, Norsett, Wanner, table II.2.1): order, sum, value.
            let trees: [(u32, &[f64], f64); 8] = [
                (1, &vec![1.0; s], 1.0),
                (2, &c, 1.0 / 2.0),
                (3, &c2, 1.0 / 3.0),
                (3, &ac, 1.0 / 6.0),
                (4, &c3, 1.0 / 4.0),
                (4, &cac, 1.0 / 8.0),
                (4, &ac2, 1.0 / 12.0),
                (4, &aac, 1.0 / 24.0),
            ];
            for (of, v, want) in trees {
                let sum: f64 = b.iter().zip(v).map(|(x, y)| x * y).sum();
                if of <= order {
                    assert!((sum - want).abs() < 1e-15, "{tableau:?}: {sum} instead of {want}");
                }
            }
            // The declared order is the highest.
            let misses = trees
                .iter()
                .filter(|(of, _, _)| *of == order + 1)
                .any(|(_, v, want)| (b.iter().zip(*v).map(|(x, y)| x * y).sum::<f64>() - want).abs() > 1e-3);
            assert!(misses || order == 4, "{tableau:?} has a higher order than {order}");
        }
    }
}
