//! UniPC: a predictor in `lambda` and a corrector that costs no evaluation.

use super::policy::LOWERED;
use super::read::Reader;
use super::rule::{Curvature, Rule, Slope};
use super::{Corrector, Multistep, Scheme, entry};
use crate::spec::Params;
use crate::{Entry, Pred, Result};

const VARIANTS: [(&str, Slope); 2] = [("bh2", Slope::Midpoint), ("bh1", Slope::Length)];
const PREDS: [(&str, Pred); 2] = [("x0", Pred::X0), ("eps", Pred::Eps)];

/// UniPC of order `p`: predictor with `p` outputs, corrector with the one at the predicted state besides, which serves as
/// the next step's newest output (PEC). A step has order `p + 1` with the corrector, `p` without.
///
/// Solving the paper's system for its `a` is interpolation; the variants `bh1` and `bh2` differ in the weight of a
/// slope between two outputs only. Defaults are those of diffusers (order 2, `bh2`, on `x0`); the authors' code
/// starts from order 3 and `bh1`. Both lower the order of the last steps at any number of steps, down to 1, so that the
/// result is of order 2 whatever `order` is; `lower_order_final=false` keeps it where `sigma` = 0 allows. With strong
/// guidance and few steps the corrector can hurt: `corrector_from` leaves it out of the first steps, `corrector_off` of
/// those that are named, `corrector=false` of all.
pub(crate) const ENTRY_UNIPC: Entry = entry(
    "unipc",
    "UniPC",
    "UniPC: exponential multistep predictor with a free corrector",
    "order=2 (1 to 3), variant=bh2 (or bh1), pred=x0 (or eps), corrector=true (or false), \
     corrector_from=0 (first step, from 0, with corrector), corrector_off= (steps without, as 0+2), \
     lower_order_final=true (or auto: below 10 steps, false)",
    2,
    "Zhao et al. 2023, arXiv 2302.04867, algorithms 1 and 2",
    |p| Ok(Box::new(unipc(p)?)),
);

fn unipc(p: &mut Params) -> Result<Multistep> {
    let mut r = Reader::new("unipc", p);
    let points = r.count("order", 2, 1..=3)?;
    let slope = r.choice("variant", &VARIANTS)?;
    let pred = r.choice("pred", &PREDS)?;
    let corrects = r.switch("corrector", true)?;
    let from = r.count("corrector_from", 0, 0..=100_000)?;
    let off = r.counts("corrector_off")?;
    let lower_order_final = r.choice("lower_order_final", &LOWERED)?;
    let rule = Rule::Published { slope, curvature: Curvature::Exact };
    let scheme = Scheme { rule, points: points + 1 };
    let corrector = corrects.then_some(Corrector { scheme, from, off, evaluate: false });
    Ok(Multistep { corrector, lower_order_final, ..Multistep::plain(r.name(), pred, rule, points) })
}
