//! DEIS: exponential Adams-Bashforth on `eps`, with a polynomial in time, in `rho` or in `ln rho`.
//!
//! A name ends in the degree of the polynomial; degree `r` has order `r + 1`. The polynomial in time is the paper's
//! best at few steps. `deis-logrho` is what diffusers calls DEIS, and the same method as DPM-Solver's multistep form with
//! exactly integrated slopes.

use super::kernel::Variable;
use super::rule::Rule;
use super::{Multistep, entry};
use crate::solvers::Solver;
use crate::{Entry, Pred, Result};

/// The paper's polynomial in `t`; it goes on in `rho`.
const PAPER: &str = "Zhang and Chen 2023, arXiv 2204.13902, eq. 14 and 15";
/// A polynomial that the paper does not have.
const LOG_RHO: &str = "Zhang and Chen 2023, arXiv 2204.13902, eq. 14 with a polynomial in ln rho, as DEISMultistepScheduler of diffusers";

const fn deis(name: &'static str, summary: &'static str, order: u32, build: crate::entry::Build) -> Entry {
    entry(name, "DEIS", summary, "", order, PAPER, build)
}

const fn logrho(name: &'static str, summary: &'static str, order: u32, build: crate::entry::Build) -> Entry {
    Entry { reference: LOG_RHO, ..deis(name, summary, order, build) }
}

#[expect(clippy::unnecessary_wraps, reason = "the signature of a builder")]
fn ab(name: &str, variable: Variable, points: usize) -> Result<Box<dyn Solver>> {
    Ok(Box::new(Multistep::plain(name.to_owned(), Pred::Eps, Rule::Exact(variable), points)))
}

pub(crate) const ENTRY_TAB0: Entry =
    deis("deis-tab0", "DEIS with a constant eps; the same numbers as ddim", 1, |_| {
        ab("deis-tab0", Variable::T, 1)
    });
pub(crate) const ENTRY_TAB1: Entry =
    deis("deis-tab1", "DEIS with eps linear in t", 2, |_| ab("deis-tab1", Variable::T, 2));
pub(crate) const ENTRY_TAB2: Entry =
    deis("deis-tab2", "DEIS with eps quadratic in t", 3, |_| ab("deis-tab2", Variable::T, 3));
pub(crate) const ENTRY_TAB3: Entry =
    deis("deis-tab3", "DEIS with eps cubic in t", 4, |_| ab("deis-tab3", Variable::T, 4));
pub(crate) const ENTRY_RHOAB1: Entry =
    deis("deis-rhoab1", "DEIS with eps linear in rho", 2, |_| ab("deis-rhoab1", Variable::Rho, 2));
pub(crate) const ENTRY_RHOAB2: Entry =
    deis("deis-rhoab2", "DEIS with eps quadratic in rho", 3, |_| ab("deis-rhoab2", Variable::Rho, 3));
pub(crate) const ENTRY_RHOAB3: Entry =
    deis("deis-rhoab3", "DEIS with eps cubic in rho", 4, |_| ab("deis-rhoab3", Variable::Rho, 4));
pub(crate) const ENTRY_LOGRHO1: Entry =
    logrho("deis-logrho1", "DEIS with eps linear in ln rho", 2, |_| ab("deis-logrho1", Variable::Lambda, 2));
pub(crate) const ENTRY_LOGRHO2: Entry =
    logrho("deis-logrho2", "DEIS with eps quadratic in ln rho", 3, |_| {
        ab("deis-logrho2", Variable::Lambda, 3)
    });
pub(crate) const ENTRY_LOGRHO3: Entry =
    logrho("deis-logrho3", "DEIS with eps cubic in ln rho", 4, |_| ab("deis-logrho3", Variable::Lambda, 4));
