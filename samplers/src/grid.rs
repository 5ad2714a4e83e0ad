//! Step grids: where the steps of a sampler stand on its path.

mod beta;
mod names;
mod rule;
mod shift;
mod slice;
mod tables;

pub(crate) use beta::inverse as inverse_beta;
pub use rule::{End, GridRule};
pub use shift::{Shift, ShiftCurve, Shifted};
pub use tables::AysTable;

use crate::{Error, Node, Path, Result};

/// Largest number of steps of a grid; far beyond use, only there so that a slip of the keyboard is caught.
pub(crate) const MAX_STEPS: usize = 100_000;

/// Nodes from noise to data, strictly decreasing in time and in noise level. Never changed once made.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    path: Path,
    nodes: Vec<Node>,
    rule: String,
}

impl Grid {
    /// Puts nodes at `times` (in the path's own time). `provenance` says where they come from; it is written into
    /// every plan made from the grid.
    ///
    /// # Errors
    /// When a time is not finite or outside [`Path::domain`], when two are equal, when one is not below the one
    /// before it, when two neighbours have the same noise level, or when there are fewer than two.
    pub fn new(path: &Path, times: &[f64], provenance: impl Into<String>) -> Result<Self> {
        path.validate()?;
        let rule = provenance.into();
        if times.len() < 2 {
            return Err(Error::TooFewNodes { found: times.len() });
        }
        if times.len() > MAX_STEPS + 1 {
            let hint = format!("ask for at most {MAX_STEPS}");
            return Err(Error::Steps { rule, steps: times.len() - 1, hint });
        }
        let (lo, hi) = path.domain();
        for (index, &t) in times.iter().enumerate() {
            if !t.is_finite() {
                return Err(Error::TimeNotFinite { index, t });
            }
            if t < lo || t > hi {
                return Err(Error::TimeOutside { t, path: path.to_string(), lo, hi });
            }
            let Some(&before) = index.checked_sub(1).and_then(|i| times.get(i)) else { continue };
            if t >= before {
                #[expect(clippy::float_cmp, reason = "a duplicate is the same number, not a near one")]
                let twin = times[..index].iter().position(|&earlier| earlier == t);
                return Err(match twin {
                    Some(first) => Error::DuplicateTime { first, second: index, t },
                    None => Error::NotDecreasing { index, t, before },
                });
            }
        }
        let nodes: Vec<Node> = times.iter().map(|&t| path.node(t)).collect();
        for (i, pair) in nodes.windows(2).enumerate() {
            // Solvers divide by steps of lambda and of rho; equality would be a division by zero there.
            if !(pair[1].lambda() > pair[0].lambda() && pair[1].rho() < pair[0].rho()) {
                return Err(Error::TooClose { index: i + 1, t: pair[1].t, before: pair[0].t });
            }
        }
        Ok(Self { path: path.clone(), nodes, rule })
    }

    /// The nodes, from noise to data; one more than there are steps.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Number of steps, at least 1.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.nodes.len() - 1
    }

    /// The path on which the nodes stand.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the times come from: the rule's text, or whatever was passed to [`Grid::new`].
    #[must_use]
    pub fn rule(&self) -> &str {
        &self.rule
    }

    /// The times of the nodes.
    pub fn times(&self) -> impl ExactSizeIterator<Item = f64> + '_ {
        self.nodes.iter().map(|node| node.t)
    }

    /// Whether the last node is clean data (`sigma` = 0).
    #[must_use]
    pub fn to_zero(&self) -> bool {
        self.nodes.last().is_some_and(|node| node.sigma == 0.0)
    }
}
