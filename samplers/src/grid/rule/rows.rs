//! Rules that count rows of a discrete table.

use super::GridRule;
use super::spaced;
use super::span::Span;
use crate::Result;

/// `count` rows from the noisy end; a rule of [`GridRule::replaces_last`] ends its list at the last limit.
pub(super) fn times(rule: &GridRule, span: &Span<'_>, count: usize) -> Result<Vec<f64>> {
    let rows = span.rows()?;
    Ok(match rule {
        GridRule::Trailing => {
            let n = (count - 1) as f64;
            let row = |i: usize| (rows as f64 - i as f64 * rows as f64 / n).round_ties_even() - 1.0;
            (0..count - 1).map(row).chain([span.t_min]).collect()
        }
        GridRule::Leading { offset } => {
            let stride = rows / count;
            if (count - 1) * stride + offset >= rows {
                let hint =
                    format!("row {} is not in the table: lower the offset", (count - 1) * stride + offset);
                return Err(span.steps(count, hint));
            }
            (0..count).rev().map(|i| (i * stride + offset) as f64).collect()
        }
        _ => spaced::times(rule, span, count)?.into_iter().map(f64::round_ties_even).collect(),
    })
}
