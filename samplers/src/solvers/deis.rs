//! DEIS: exponential Adams-Bashforth with a polynomial in time.

use super::Solver;
use super::ddim::step_through_x0;
use crate::quadrature::integrate;
use crate::{Entry, Grid, Node, Path, Plan, PlanBuilder, Pred, Result, Slot};

const REFERENCE: &str = "Zhang and Chen 2023, arXiv 2204.13902, eq. 14 and 15 (tAB)";

const fn entry(name: &'static str, summary: &'static str, order: u32, build: crate::entry::Build) -> Entry {
    Entry {
        name,
        family: "DEIS",
        summary,
        params: "",
        order,
        evals_per_step: 1,
        deterministic: true,
        reference: REFERENCE,
        build,
    }
}

/// Registry entry of degree 0.
pub(crate) const ENTRY_TAB0: Entry =
    entry("deis-tab0", "DEIS with a constant eps; the same numbers as ddim", 1, |_| {
        Ok(Box::new(DeisTab::<0>))
    });
/// Registry entry of degree 1.
pub(crate) const ENTRY_TAB1: Entry =
    entry("deis-tab1", "DEIS with eps linear in t", 2, |_| Ok(Box::new(DeisTab::<1>)));
/// Registry entry of degree 2.
pub(crate) const ENTRY_TAB2: Entry =
    entry("deis-tab2", "DEIS with eps quadratic in t", 3, |_| Ok(Box::new(DeisTab::<2>)));
/// Registry entry of degree 3.
pub(crate) const ENTRY_TAB3: Entry =
    entry("deis-tab3", "DEIS with eps cubic in t", 4, |_| Ok(Box::new(DeisTab::<3>)));

/// Most points of the interpolating polynomial.
const POINTS: usize = 4;

/// DEIS tAB of polynomial degree `R` (0 to 3): order `R + 1` after an accurate start, one evaluation per step,
/// deterministic.
///
/// The step is `x' = (alpha'/alpha) x + sum_j C_j eps_j` over the newest evaluations, where
/// `C_j = alpha' * integral of L_j(t) drho` and `L_j` are the Lagrange polynomials on their times. The degree rises
/// from 0 step by step until it reaches `R`, and is 0 in the step into `sigma` = 0. A start at `alpha` = 0 goes through
/// `x0`; the noise there is the state itself, so that it serves as a history point like any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeisTab<const R: usize>;

/// Coefficients `C_j` of the step from `from` to `to`, newest first; `times` are those of the evaluations, of which
/// the first is `from.t`.
pub(crate) fn coefficients(path: &Path, from: &Node, to: &Node, times: &[f64]) -> [f64; POINTS] {
    if times.len() < 2 {
        // Degree 0 has a closed form, which is also finite at sigma' = 0.
        return [to.sigma - to.alpha / from.alpha * from.sigma, 0.0, 0.0, 0.0];
    }
    // drho = -e^-lambda dlambda. In lambda the integrand is smooth; in t it is singular near the data.
    let integrand = |lambda: f64| {
        let basis = lagrange(times, path.t_of_lambda(lambda));
        basis.map(|v| -to.alpha * (-lambda).exp() * v)
    };
    let mut edges = vec![from.lambda()];
    edges.extend(path.kinks(from.t, to.t).into_iter().map(|t| path.lambda(t)));
    edges.push(to.lambda());
    let mut sum = [0.0; POINTS];
    for pair in edges.windows(2) {
        for (s, v) in sum.iter_mut().zip(integrate(pair[0], pair[1], 1.0, integrand)) {
            *s += v;
        }
    }
    sum
}

/// Values at `t` of the Lagrange polynomials on `times`.
fn lagrange(times: &[f64], t: f64) -> [f64; POINTS] {
    let mut basis = [0.0; POINTS];
    for (j, value) in basis.iter_mut().enumerate().take(times.len()) {
        *value = times
            .iter()
            .enumerate()
            .filter(|(k, _)| *k != j)
            .map(|(_, other)| (t - other) / (times[j] - other))
            .product();
    }
    basis
}

impl<const R: usize> Solver for DeisTab<R> {
    fn name(&self) -> String {
        format!("deis-tab{R}")
    }

    fn plan(&self, grid: &Grid) -> Result<Plan> {
        const { assert!(R < POINTS, "tAB is defined here up to degree 3") };
        let mut b = PlanBuilder::new(self.name(), grid);
        let mut x = b.state();
        // Newest first: the time of each evaluation and its eps.
        let mut history: Vec<(f64, Slot)> = Vec::new();
        for (i, pair) in grid.nodes().windows(2).enumerate() {
            let (from, to) = (&pair[0], &pair[1]);
            if from.alpha == 0.0 {
                let x0 = b.eval(x, i, Pred::X0);
                let next = step_through_x0(&mut b, from, to, x, x0);
                // The step into sigma = 0 looks at no history.
                if R > 0 && grid.nodes().get(i + 2).is_some_and(|next| next.sigma > 0.0) {
                    let eps = b.lin(&[(1.0 / from.sigma, x)]);
                    history.insert(0, (from.t, eps));
                }
                x = next;
            } else {
                let eps = b.eval(x, i, Pred::Eps);
                history.insert(0, (from.t, eps));
                history.truncate(if to.sigma == 0.0 { 1 } else { R + 1 });
                let times: Vec<f64> = history.iter().map(|(t, _)| *t).collect();
                let c = coefficients(grid.path(), from, to, &times);
                let mut terms = vec![(to.alpha / from.alpha, x)];
                terms.extend(c.into_iter().zip(&history).map(|(c, (_, eps))| (c, *eps)));
                x = b.lin(&terms);
            }
            b.end_step(x);
        }
        b.finish()
    }

    fn evals(&self, steps: usize, _to_zero: bool) -> usize {
        steps
    }
}
