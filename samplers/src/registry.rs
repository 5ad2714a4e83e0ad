//! The list of solvers: one entry each. Help texts, order tests and benchmarks read it.

use crate::Result;
use crate::entry::Entry;
use crate::solvers::afs::Afs;
use crate::solvers::{
    Solver, ancestral, consistency, ddim, exponential, heun, multistep, restart, runge_kutta,
};
use crate::spec::{Params, unknown};

/// All solvers, simplest first.
#[must_use]
pub fn registry() -> &'static [Entry] {
    const ENTRIES: &[Entry] = &[
        ddim::ENTRY,
        runge_kutta::ENTRY_EULER,
        heun::ENTRY,
        runge_kutta::ENTRY_MIDPOINT,
        runge_kutta::ENTRY_DPM_2,
        runge_kutta::ENTRY_HEUN_2,
        runge_kutta::ENTRY_KUTTA_3,
        runge_kutta::ENTRY_HEUN_3,
        runge_kutta::ENTRY_RALSTON_3,
        runge_kutta::ENTRY_SSP_3,
        runge_kutta::ENTRY_HOUWEN_3,
        runge_kutta::ENTRY_CLASSICAL_4,
        exponential::ENTRY_DPM_2S,
        exponential::ENTRY_DPM_3S,
        exponential::ENTRY_DPM_FAST,
        exponential::ENTRY_DPMPP_2S,
        exponential::ENTRY_DPMPP_3S,
        exponential::ENTRY_DPMPP_FAST,
        multistep::ENTRY_PP_2M,
        multistep::ENTRY_TAB0,
        multistep::ENTRY_TAB1,
        multistep::ENTRY_TAB2,
        multistep::ENTRY_TAB3,
        multistep::ENTRY_RHOAB1,
        multistep::ENTRY_RHOAB2,
        multistep::ENTRY_RHOAB3,
        multistep::ENTRY_LOGRHO1,
        multistep::ENTRY_LOGRHO2,
        multistep::ENTRY_LOGRHO3,
        multistep::ENTRY_LMS,
        multistep::ENTRY_IPNDM,
        multistep::ENTRY_IPNDM_V,
        multistep::ENTRY_PNDM,
        multistep::ENTRY_EXP_AB,
        multistep::ENTRY_2M,
        multistep::ENTRY_3M,
        multistep::ENTRY_PP_3M,
        exponential::ENTRY_RES_2S,
        multistep::ENTRY_RES_2M,
        multistep::ENTRY_UNIPC,
        multistep::ENTRY_SA,
        multistep::ENTRY_FLOW_AB2,
        ancestral::ENTRY_EULER_A,
        ancestral::ENTRY_DDPM,
        ancestral::ENTRY_DPMPP_2S_A,
        ancestral::ENTRY_DPMPP_SDE,
        multistep::ENTRY_SDE_1,
        multistep::ENTRY_SDE_2M,
        multistep::ENTRY_SDE_3M,
        restart::ENTRY,
        consistency::ENTRY,
    ];
    ENTRIES
}

/// Builds a solver from its specification, for example `heun` or `heun:s_churn=40:s_noise=1.003`. Besides its own
/// parameters every solver takes `afs=true`, which wraps it in [`Afs`].
///
/// # Errors
/// [`UnknownName`](crate::Error::UnknownName) and [`UnknownParam`](crate::Error::UnknownParam) with the nearest known name, [`BadParam`](crate::Error::BadParam) for a value
/// out of range, [`BadSpec`](crate::Error::BadSpec) and [`RepeatedParam`](crate::Error::RepeatedParam) for malformed text.
pub fn solver(spec: &str) -> Result<Box<dyn Solver>> {
    let (name, mut params) = Params::parse("solver", spec)?;
    let Some(entry) = registry().iter().find(|entry| entry.name == name) else {
        return Err(unknown("solver", name, registry().iter().map(|entry| entry.name)));
    };
    let solver = (entry.build)(&mut params)?;
    let afs = params.flag("afs", false)?;
    params.finish()?;
    Ok(if afs { Box::new(Afs::new(solver)) } else { solver })
}
