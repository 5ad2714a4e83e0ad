//! SA-Solver: stochastic Adams predictor and corrector on `x0`.

use super::policy::{LOWERED, Tau};
use super::read::Reader;
use super::rule::{Curvature, Rule, Slope};
use super::{Corrector, Multistep, Scheme, entry};
use crate::spec::Params;
use crate::{Entry, Pred, Result};

const SLOPES: [(&str, Slope); 2] = [("length", Slope::Length), ("exact", Slope::Exact)];
const MODES: [(&str, bool); 2] = [("pec", false), ("pece", true)];

/// SA-Solver: predictor and corrector share the step's noise; the last step has none (as in the authors' code).
///
/// `predictor` and `corrector` count the outputs combined, the corrector's with the one at the predicted state; the
/// paper's choices are 2 and 2 with guidance, 3 and 4 without. `tau` acts at noise levels from `s_min` to `s_max`, as
/// `s_churn` of `heun` does. With two outputs the authors' code weighs the slope by half the step's length (`slope=length`),
/// which differs from the integral in third order.
pub(crate) const ENTRY_SA: Entry = Entry {
    deterministic: false,
    ..entry(
        "sa-solver",
        "SDE",
        "SA-Solver: stochastic Adams predictor and corrector with noise of strength tau",
        "predictor=2 (1 to 4), corrector=2 (0: none, to 4), tau=1 (strength of the noise, 0 to 10), \
         s_min=0, s_max=inf (noise levels with noise), mode=pec (or pece: two evaluations a step), \
         slope=length (or exact), lower_order_final=true (or auto: below 10 steps, false)",
        2,
        "Xue et al. 2023, arXiv 2309.05019, algorithm 1",
        |p| Ok(Box::new(sa(p)?)),
    )
};

fn sa(p: &mut Params) -> Result<Multistep> {
    let mut r = Reader::new("sa-solver", p);
    let predictor = r.count("predictor", 2, 1..=4)?;
    let corrector = r.count("corrector", 2, 0..=4)?;
    let tau = r.number("tau", 1.0, 0.0..=10.0)?;
    let s_min = r.number("s_min", 0.0, 0.0..=1e6)?;
    let s_max = r.number("s_max", f64::INFINITY, 0.0..=f64::INFINITY)?;
    let evaluate = r.choice("mode", &MODES)?;
    let slope = r.choice("slope", &SLOPES)?;
    let lower_order_final = r.choice("lower_order_final", &LOWERED)?;
    let rule = Rule::Published { slope, curvature: Curvature::Exact };
    let scheme = Scheme { rule, points: corrector };
    Ok(Multistep {
        corrector: (corrector > 0).then_some(Corrector { scheme, from: 0, off: Vec::new(), evaluate }),
        lower_order_final,
        tau: Tau { strength: tau, s_min, s_max, last: false },
        ..Multistep::plain(r.name(), Pred::X0, rule, predictor)
    })
}
