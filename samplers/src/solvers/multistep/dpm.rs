//! The multistep forms of DPM-Solver (on `eps`) and DPM-Solver++ (on `x0`): a polynomial in `lambda`.

use super::kernel::Variable;
use super::policy::FINALS;
use super::read::Reader;
use super::rule::{Curvature, Rule, Slope};
use super::{Multistep, entry};
use crate::spec::Params;
use crate::{Entry, Pred, Result};

pub(super) const SLOPES_PP: [(&str, Slope); 2] = [("midpoint", Slope::Midpoint), ("heun", Slope::Exact)];
const SLOPES: [(&str, Slope); 2] = [("midpoint", Slope::Midpoint), ("taylor", Slope::Exact)];
pub(super) const CURVATURES: [(&str, Curvature); 2] =
    [("published", Curvature::Halved), ("exact", Curvature::Exact)];

/// The slope of `eps` is weighted as if taken at the middle of the step, or (`taylor`) integrated exactly, which equals
/// `deis-logrho1`.
pub(crate) const ENTRY_2M: Entry = entry(
    "dpm-2m",
    "DPM-Solver",
    "DPM-Solver(2M): exponential two-step method on eps, linear in lambda",
    "type=midpoint (or taylor), lower_order_final=auto (below 10 steps; or true, false)",
    2,
    "Lu et al. 2022: the exact solution of arXiv 2206.00927, eq. 3.4, by the steps of arXiv 2211.01095, algorithm 2",
    |p| Ok(Box::new(two("dpm-2m", Pred::Eps, &SLOPES, p)?)),
);

/// As published the curvature term lacks a factor 2, so that the order is 2, often with smaller errors at ten steps or
/// fewer; `exact` has it, and order 3.
pub(crate) const ENTRY_3M: Entry = entry(
    "dpm-3m",
    "DPM-Solver",
    "DPM-Solver(3M): exponential three-step method on eps; type=exact has order 3",
    "type=published (or exact), lower_order_final=auto (below 10 steps; or true, false)",
    2,
    "Lu et al. 2022: the exact solution of arXiv 2206.00927, eq. 3.4, by the steps of arXiv 2211.01095, algorithm 2",
    |p| Ok(Box::new(three("dpm-3m", Pred::Eps, p)?)),
);

/// With `h` the step in `lambda`, `m0` and `m1` the newest `x0` and `r = h_before / h`, the step is
/// `x' = (sigma'/sigma) x - alpha' (e^-h - 1) m0 + alpha' w(h) (m0 - m1)/r`, where `w = (1 - e^-h)/2` for `midpoint` and
/// `w = h phi_2(-h)` for `heun`. Prefer it with guidance, where its `x0` form is robust.
pub(crate) const ENTRY_PP_2M: Entry = entry(
    "dpmpp-2m",
    "DPM-Solver++",
    "DPM-Solver++(2M): exponential two-step method on x0, linear in lambda",
    "type=midpoint (or heun), lower_order_final=auto (below 10 steps; or true, false)",
    2,
    "Lu et al. 2022, arXiv 2211.01095, algorithm 2",
    |p| Ok(Box::new(two("dpmpp-2m", Pred::X0, &SLOPES_PP, p)?)),
);

/// The remark at `dpm-3m` holds here too.
pub(crate) const ENTRY_PP_3M: Entry = entry(
    "dpmpp-3m",
    "DPM-Solver++",
    "DPM-Solver++(3M): exponential three-step method on x0; type=exact has order 3",
    "type=published (or exact), lower_order_final=auto (below 10 steps; or true, false)",
    2,
    "Lu et al. 2022, arXiv 2211.01095, algorithm 2 continued to three steps",
    |p| Ok(Box::new(three("dpmpp-3m", Pred::X0, p)?)),
);

/// The exact integral of a slope in `lambda`: DPM-Solver++(2M) of type `heun` that never lowers its order by itself.
pub(crate) const ENTRY_RES_2M: Entry = entry(
    "res-2m",
    "RES",
    "RES-2M: exponential multistep on x0 that keeps the stiff order conditions",
    "",
    2,
    "Zhang, Song, Chen 2023, arXiv 2308.02157, multistep scheme of order 2",
    |_| {
        let rule = Rule::Exact(Variable::Lambda);
        Ok(Box::new(Multistep::plain("res-2m".to_owned(), Pred::X0, rule, 2)))
    },
);

fn two(name: &str, pred: Pred, slopes: &[(&'static str, Slope)], p: &mut Params) -> Result<Multistep> {
    let mut r = Reader::new(name, p);
    let slope = r.choice("type", slopes)?;
    let lower_order_final = r.choice("lower_order_final", &FINALS)?;
    let rule = Rule::Published { slope, curvature: Curvature::Exact };
    Ok(Multistep { lower_order_final, ..Multistep::plain(r.name(), pred, rule, 2) })
}

fn three(name: &str, pred: Pred, p: &mut Params) -> Result<Multistep> {
    let mut r = Reader::new(name, p);
    let curvature = r.choice("type", &CURVATURES)?;
    let lower_order_final = r.choice("lower_order_final", &FINALS)?;
    let rule = Rule::Published { slope: Slope::Midpoint, curvature };
    Ok(Multistep { lower_order_final, ..Multistep::plain(r.name(), pred, rule, 3) })
}
