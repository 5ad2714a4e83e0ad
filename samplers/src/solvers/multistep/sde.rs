//! Stochastic DPM-Solver++: the same polynomials in `lambda`, against the weight of the reverse diffusion.
//!
//! `tau` = 1 is the reverse diffusion, 0 the probability flow; k-diffusion's `eta` is its square. The noise of every step
//! is an increment of one Brownian path, which for `tau` = 1 is the exact noise of the equation, so that more steps
//! refine the same sample.

use super::dpm::{CURVATURES, SLOPES_PP};
use super::kernel::Variable;
use super::policy::{FINALS, Tau};
use super::read::Reader;
use super::rule::{Curvature, Rule, Slope};
use super::{Multistep, entry};
use crate::{Entry, Pred, Result};

const REFERENCE: &str = "Lu et al. 2022, arXiv 2211.01095, SDE-DPM-Solver++; tau: arXiv 2309.05019";
const REFERENCE_3M: &str =
    "Lu et al. 2022, arXiv 2211.01095, SDE-DPM-Solver++ continued to three steps; tau: arXiv 2309.05019";

const fn sde(
    name: &'static str,
    summary: &'static str,
    params: &'static str,
    order: u32,
    build: crate::entry::Build,
) -> Entry {
    Entry { deterministic: false, ..entry(name, "SDE", summary, params, order, REFERENCE, build) }
}

/// Order 1 in law and along the path; for `tau` = 1 the same numbers as DDIM with `eta` = 1 and as ancestral Euler.
pub(crate) const ENTRY_SDE_1: Entry = sde(
    "sde-dpmpp-1",
    "SDE-DPM-Solver++(1): exact for a constant x0; the same as ddim:eta=1",
    "tau=1 (strength of the noise, 0 to 10; its square is k-diffusion's eta)",
    1,
    |p| {
        let mut r = Reader::new("sde-dpmpp-1", p);
        let tau = Tau::constant(r.number("tau", 1.0, 0.0..=10.0)?);
        let rule = Rule::Exact(Variable::Lambda);
        Ok(Box::new(Multistep { tau, ..Multistep::plain(r.name(), Pred::X0, rule, 1) }))
    },
);

/// Order 2 in law, 1 along the path.
pub(crate) const ENTRY_SDE_2M: Entry = sde(
    "sde-dpmpp-2m",
    "SDE-DPM-Solver++(2M): two-step method with noise",
    "tau=1 (strength of the noise, 0 to 10), type=midpoint (or heun), lower_order_final=auto (below 10 steps; or true, false)",
    2,
    |p| {
        let mut r = Reader::new("sde-dpmpp-2m", p);
        let tau = Tau::constant(r.number("tau", 1.0, 0.0..=10.0)?);
        let slope = r.choice("type", &SLOPES_PP)?;
        Ok(Box::new(with_noise(tau, Rule::Published { slope, curvature: Curvature::Exact }, 2, r)?))
    },
);

/// The remark on the curvature at `dpm-3m` holds here too.
pub(crate) const ENTRY_SDE_3M: Entry = Entry { reference: REFERENCE_3M, ..SDE_3M };
const SDE_3M: Entry = sde(
    "sde-dpmpp-3m",
    "SDE-DPM-Solver++(3M): three-step method with noise",
    "tau=1 (strength of the noise, 0 to 10), type=published (or exact), lower_order_final=auto (below 10 steps; or true, false)",
    2,
    |p| {
        let mut r = Reader::new("sde-dpmpp-3m", p);
        let tau = Tau::constant(r.number("tau", 1.0, 0.0..=10.0)?);
        let curvature = r.choice("type", &CURVATURES)?;
        Ok(Box::new(with_noise(tau, Rule::Published { slope: Slope::Midpoint, curvature }, 3, r)?))
    },
);

fn with_noise(tau: Tau, rule: Rule, points: usize, mut r: Reader) -> Result<Multistep> {
    let lower_order_final = r.choice("lower_order_final", &FINALS)?;
    Ok(Multistep { lower_order_final, tau, ..Multistep::plain(r.name(), Pred::X0, rule, points) })
}
