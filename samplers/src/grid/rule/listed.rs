//! Rules whose nodes are a list: the user's, or a published one.

use super::GridRule;
use super::span::Span;
use crate::grid::tables::{gits_levels, resampled};
use crate::{Error, Path, Result};

/// How far a list may overshoot the end of the path, relative to the noise level: printed values are rounded.
const OVERSHOOT: f64 = 1e-6;

/// How near to an end of the path a published level counts as that end. GITS printed 0.02916753 for 0.02916716.
const SAME_END: f64 = 1e-4;

/// The times of a list that the user wrote; nothing for other rules.
pub(super) fn own(rule: &GridRule, path: &Path) -> Result<Vec<f64>> {
    let noisiest = path.domain().1;
    match rule {
        GridRule::Times(times) => Ok(times.clone()),
        GridRule::Sigmas(sigmas) => {
            let flow = *path == Path::Flow;
            let top = if flow { noisiest } else { path.rho(noisiest) };
            let time = |sigma: f64| if flow { sigma } else { path.t_of_rho(sigma) };
            read("sigma", sigmas, path, (0.0, top), |sigma| sigma / top - 1.0, time)
        }
        GridRule::Lambdas(lambdas) => {
            let least = path.lambda(noisiest);
            let range = (least, f64::INFINITY);
            read("lambda", lambdas, path, range, |lambda| least - lambda, |lambda| path.t_of_lambda(lambda))
        }
        _ => Ok(Vec::new()),
    }
}

/// Turns values of `quantity` from `lo` to `hi` into times; `beyond` says how far one lies past the noisy end.
fn read(
    quantity: &'static str,
    values: &[f64],
    path: &Path,
    (lo, hi): (f64, f64),
    beyond: impl Fn(f64) -> f64,
    time: impl Fn(f64) -> f64,
) -> Result<Vec<f64>> {
    let noisiest = path.domain().1;
    let one = |(index, &value): (usize, &f64)| match beyond(value) {
        _ if value >= lo && value <= hi => Ok(time(value).min(noisiest)),
        d if d > 0.0 && d <= OVERSHOOT => Ok(noisiest),
        _ => Err(Error::LevelOutside { quantity, index, value, path: path.to_string(), lo, hi }),
    };
    values.iter().enumerate().map(one).collect()
}

/// `count` times of a published list.
pub(super) fn published(rule: &GridRule, span: &Span<'_>, count: usize) -> Result<Vec<f64>> {
    let levels = match rule {
        GridRule::Ays { table } => table.levels(),
        _ => gits_levels(count - 1),
    };
    let (t_lo, t_hi) = span.path.range();
    let (lo, hi) = (span.path.rho(t_lo), span.path.rho(t_hi));
    let [first, .., last] = levels else { return Ok(Vec::new()) };
    if hi.is_infinite() {
        return Err(span.unsuitable(format!(
            "its list starts at the level {first}, the path at pure noise; use `uniform-t:shift=3`, or `sigmas=` \
             with a list of your own"
        )));
    }
    if *last < lo * (1.0 - SAME_END) || *first > hi * (1.0 + SAME_END) {
        return Err(span.unsuitable(format!(
            "its list goes from the level {first} to {last}, the path only from {hi} to {lo}; use another table, or a \
             wider path"
        )));
    }
    let time = |level: f64| {
        if (level / hi - 1.0).abs() <= SAME_END {
            t_hi
        } else if (level / lo - 1.0).abs() <= SAME_END {
            t_lo
        } else {
            span.path.t_of_rho(level)
        }
    };
    Ok(resampled(levels, count).into_iter().map(time).collect())
}
