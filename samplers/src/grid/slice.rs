//! Parts of a grid, for image-to-image and for samplers that hand over to each other.

use super::Grid;
use crate::{Error, Result};

impl Grid {
    /// The part of this grid between two of its nodes, both included.
    ///
    /// A solver that compiles it starts afresh at its first node: no step is cut in half, and a multistep method warms
    /// up again.
    ///
    /// # Errors
    /// [`Error::Slice`] unless `from < to <= steps`.
    pub fn slice(&self, from: usize, to: usize) -> Result<Self> {
        let steps = self.steps();
        let nodes = match self.nodes.get(from..=to) {
            Some(nodes) if nodes.len() > 1 => nodes.to_vec(),
            _ => return Err(Error::Slice { from, to, steps }),
        };
        let rule = if nodes.len() == self.nodes.len() {
            self.rule.clone()
        } else {
            format!("{}, nodes {from} to {to} of 0 to {steps}", self.rule)
        };
        Ok(Self { path: self.path.clone(), nodes, rule })
    }

    /// The grid without its first `k` steps.
    ///
    /// # Errors
    /// [`Error::Slice`] unless `k` is below the number of steps.
    pub fn from_step(&self, k: usize) -> Result<Self> {
        self.slice(k, self.steps())
    }

    /// The end of the grid that image-to-image runs: the last `strength * steps` steps, rounded down, at least one.
    ///
    /// The plan of such a grid starts at its first node, where the state is `alpha x0 + sigma noise`. Both factors
    /// stand in `Plan::nodes[0]`; to noise the given image `x0` is the caller's part.
    ///
    /// # Errors
    /// [`Error::Strength`] unless `strength` lies above 0 and at most at 1.
    pub fn for_strength(&self, strength: f64) -> Result<Self> {
        // Written so that NaN fails.
        if !(strength > 0.0 && strength <= 1.0) {
            return Err(Error::Strength { strength });
        }
        // 0.29 of 100 steps are 29, although 0.29 * 100 in binary is less.
        let run = (strength * self.steps() as f64 * (1.0 + 4.0 * f64::EPSILON)).floor() as usize;
        self.from_step(self.steps() - run.clamp(1, self.steps()))
    }
}
