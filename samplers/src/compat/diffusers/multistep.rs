//! The step that DEIS, DPM-Solver and DPM-Solver++ share in diffusers, and the weights of polynomials.
//!
//! With `h` the step in `lambda`, `m0`, `m1`, `m2` the newest model values at distances `h0`, `h1`, and
//! `u = (lambda - lambda_s)/h`, all of them are
//! `x' = c x - K (w0 m0 + w1 D1 + w2 D2)`, where `D1` is the slope and `D2` the second divided difference in `u`.
//! `K` and `c` depend on what the model predicts; what tells the methods apart is `w1` and `w2`.

use crate::{Node, PlanBuilder, Slot};

/// A model value and the `lambda` to which it belongs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    pub(super) m: Slot,
    pub(super) lambda: f64,
}

/// What multiplies the state and the polynomial.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    /// `c`.
    pub(super) keep: f64,
    /// `K`.
    pub(super) scale: f64,
    /// Of the noise; 0 in a deterministic step.
    pub(super) noise: f64,
}

/// Adds a step from `from` to `to` with as many of `history` (newest first) as there are `weights` (1 to 3).
pub(super) fn step(
    b: &mut PlanBuilder,
    (from, to): (&Node, &Node),
    x: Slot,
    history: &[Point],
    frame: Frame,
    weights: &[f64],
) -> Slot {
    let h = to.lambda() - from.lambda();
    let mut sums = [weights[0], 0.0, 0.0];
    let gap = |j: usize| history[j].lambda - history[j + 1].lambda;
    if let [_, w1, rest @ ..] = weights {
        let first = [h / gap(0), -h / gap(0), 0.0];
        let (mut slope, mut second) = (first, [0.0; 3]);
        if !rest.is_empty() {
            let before = [0.0, h / gap(1), -h / gap(1)];
            let both = gap(0) + gap(1);
            for (j, bend) in first.iter().zip(before).map(|(new, old)| new - old).enumerate() {
                slope[j] += gap(0) / both * bend;
                second[j] = h / both * bend;
            }
        }
        let w2 = rest.first().copied().unwrap_or(0.0);
        for (sum, (d1, d2)) in sums.iter_mut().zip(slope.iter().zip(second)) {
            *sum += w1 * d1 + w2 * d2;
        }
    }
    let mut terms = vec![(frame.keep, x)];
    terms.extend(history.iter().zip(sums).map(|(point, sum)| (-frame.scale * sum, point.m)));
    if frame.noise != 0.0 {
        terms.push((frame.noise, b.brownian(from, to)));
    }
    b.lin(&terms)
}

/// The order of step `i` of `steps`: it rises from 1, and falls again in the last two steps where `last` and `second`
/// say so.
pub(super) fn order(i: usize, steps: usize, most: usize, last: bool, second: bool) -> usize {
    let room = match steps - i {
        1 if last => 1,
        2 if second => 2,
        _ => most,
    };
    room.min(most).min(i + 1)
}

/// What a linear functional makes of the Lagrange polynomials on `points`, if it makes `moments[k]` of `u^k`: the
/// weights of the values at the points, without solving a system.
pub(super) fn functional(points: &[f64], moments: &[f64]) -> Vec<f64> {
    let polynomial = |m: usize| {
        let mut coefficients = vec![1.0];
        for (_, other) in points.iter().enumerate().filter(|(j, _)| *j != m) {
            let gap = points[m] - other;
            coefficients.push(0.0);
            for i in (0..coefficients.len()).rev() {
                let below = if i > 0 { coefficients[i - 1] } else { 0.0 };
                coefficients[i] = (below - other * coefficients[i]) / gap;
            }
        }
        coefficients
    };
    (0..points.len()).map(|m| polynomial(m).iter().zip(moments).map(|(c, moment)| c * moment).sum()).collect()
}
