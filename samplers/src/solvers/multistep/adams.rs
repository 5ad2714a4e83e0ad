//! Adams-Bashforth methods on `eps` against `rho`: with the weights of the actual steps, or with those of equal ones.

use super::kernel::Variable;
use super::read::Reader;
use super::rule::Rule;
use super::warm_up::WarmUp;
use super::{Multistep, entry};
use crate::spec::Params;
use crate::{Entry, Pred, Result};

const ORDER: &str = "order=4 (evaluations combined, 1 to 4)";
const RHO: &str =
    "Zhang and Chen 2023, arXiv 2204.13902, eq. 15 (rhoAB); Hairer, Norsett, Wanner 1993, section III.5";
const PNDM: &str = "Liu et al. 2022, arXiv 2202.09778, pseudo linear multistep";

/// Adams-Bashforth of the order asked for, named by its users after Katherine Crowson's code.
pub(crate) const ENTRY_LMS: Entry = entry(
    "lms",
    "Adams",
    "Adams-Bashforth in rho for the actual steps; deis-rhoab of degree order - 1",
    ORDER,
    4,
    RHO,
    |p| Ok(Box::new(of_order("lms", Rule::Exact(Variable::Rho), p)?)),
);

/// The method that iPNDM becomes with the weights of the actual steps. diff-sampler's formulas for it have slips of the
/// pen that cost it its order; these are the right ones.
pub(crate) const ENTRY_IPNDM_V: Entry = entry(
    "ipndm-v",
    "Adams",
    "iPNDM with weights for the actual steps; the same numbers as lms",
    ORDER,
    4,
    RHO,
    |p| Ok(Box::new(of_order("ipndm-v", Rule::Exact(Variable::Rho), p)?)),
);

/// On steps that are unequal in `rho` the order is 2 whatever `order` says; it is still among the best at few steps.
pub(crate) const ENTRY_IPNDM: Entry = entry(
    "ipndm",
    "Adams",
    "DDIM steps with eps from the Adams-Bashforth weights of equal steps; order 2 where they are unequal",
    ORDER,
    2,
    PNDM,
    |p| Ok(Box::new(of_order("ipndm", Rule::Constant, p)?)),
);

/// iPNDM of order 4 whose history starts with Runge-Kutta steps, so that it costs more evaluations than steps.
pub(crate) const ENTRY_PNDM: Entry = entry(
    "pndm",
    "Adams",
    "iPNDM with a Runge-Kutta start: up to 9 evaluations more than steps (rk4), or 1 (plms)",
    "warm_up=rk4 (three steps of four evaluations; or plms: one of two)",
    2,
    PNDM,
    |p| Ok(Box::new(pndm(p)?)),
);

/// The general form behind the other names: any output, as a polynomial in any variable. `deis-tab` of degree `r` is
/// `exp-ab:order=r+1`, `dpmpp-2m:type=heun` is `exp-ab:order=2:pred=x0:in=lambda` with its own last step, `flow-ab2` is
/// `exp-ab:order=2:pred=flow:in=share`.
pub(crate) const ENTRY_EXP_AB: Entry = entry(
    "exp-ab",
    "Adams",
    "exponential Adams-Bashforth: any output, as a polynomial in any variable",
    "order=4 (evaluations combined, 1 to 4), pred=eps (or x0, flow), \
     in=t (or rho, lambda, share: sigma / (alpha + sigma))",
    4,
    "Zhang and Chen 2023, arXiv 2204.13902, eq. 14",
    |p| Ok(Box::new(exp_ab(p)?)),
);

fn exp_ab(p: &mut Params) -> Result<Multistep> {
    let mut r = Reader::new("exp-ab", p);
    let points = r.count("order", 4, 1..=4)?;
    let pred = r.choice("pred", &[("eps", Pred::Eps), ("x0", Pred::X0), ("flow", Pred::Flow)])?;
    let variables = [
        ("t", Variable::T),
        ("rho", Variable::Rho),
        ("lambda", Variable::Lambda),
        ("share", Variable::Share),
    ];
    let variable = r.choice("in", &variables)?;
    Ok(Multistep::plain(r.name(), pred, Rule::Exact(variable), points))
}

fn of_order(name: &str, rule: Rule, p: &mut Params) -> Result<Multistep> {
    let mut r = Reader::new(name, p);
    let points = r.count("order", 4, 1..=4)?;
    Ok(Multistep::plain(r.name(), Pred::Eps, rule, points))
}

fn pndm(p: &mut Params) -> Result<Multistep> {
    let mut r = Reader::new("pndm", p);
    let warm_up = r.choice("warm_up", &[("rk4", WarmUp::RK4), ("plms", WarmUp::HEUN)])?;
    let plain = Multistep::plain(r.name(), Pred::Eps, Rule::Constant, 4);
    Ok(Multistep { warm_up: Some(warm_up), ..plain })
}
