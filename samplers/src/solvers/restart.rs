//! Restart sampling: Heun with loops back to a noisier level.

use std::fmt;

use super::Solver;
use super::ancestral::raise;
use super::runge_kutta::{HEUN_2, step};
use crate::spec::Params;
use crate::{Entry, Error, Grid, Node, Plan, PlanBuilder, Result, Slot};

/// Registry entry.
pub(crate) const ENTRY: Entry = Entry {
    name: "restart",
    family: "Restart",
    summary: "heun that goes back to a noisier level and down again, several times in chosen ranges",
    params: "segments=3x2@0.14-0.3 (nodes x repeats @ lowest - highest level, joined by +, or none), s_noise=1 (0 to 2)",
    order: 2,
    evals_per_step: 2,
    deterministic: false,
    reference: "Xu et al. 2023, arXiv 2306.14878, section 3.1 and appendix on configurations",
    build: |p| Ok(Box::new(Restart::from_params(p)?)),
};

/// Most segments, nodes of one and repeats of one: far beyond use.
const MOST: usize = 1000;

/// Most evaluations of a plan.
const MOST_EVALS: usize = 400_000;

/// Exponent of the grid inside a segment, that of EDM.
const RHO: f64 = 7.0;

/// One range of noise levels that is gone through again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Segment {
    /// Nodes of the way down, at least 2: one more than it has steps.
    pub nodes: usize,
    /// How often the range is gone through again, at least 1.
    pub repeats: usize,
    /// Lowest noise level (`sigma / alpha`), positive; the grid node nearest to it is taken.
    pub low: f64,
    /// Highest noise level.
    pub high: f64,
}

impl Segment {
    fn parse(text: &str) -> Option<Self> {
        let (counts, range) = text.split_once('@')?;
        let (nodes, repeats) = counts.split_once('x')?;
        let (nodes, repeats): (usize, usize) = (nodes.parse().ok()?, repeats.parse().ok()?);
        // Not the first dash: there may be one in an exponent.
        let (low, high) = range.match_indices('-').find_map(|(i, _)| {
            Some((range[..i].parse::<f64>().ok()?, range[i + 1..].parse::<f64>().ok()?))
        })?;
        let counts = (2..=MOST).contains(&nodes) && (1..=MOST).contains(&repeats);
        (counts && low > 0.0 && high > low && high.is_finite()).then_some(Self { nodes, repeats, low, high })
    }

    /// Network evaluations of all repeats.
    fn evals(&self) -> usize {
        2 * (self.nodes - 1) * self.repeats
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}@{}-{}", self.nodes, self.repeats, self.low, self.high)
    }
}

/// Restart: order 2 without segments, stochastic with them.
///
/// [`Heun`](super::heun::Heun) on the grid. At the node nearest to a segment's lowest level (by `sigma / alpha`, among
/// those above 0) noise raises the state to the highest level, and Heun steps on EDM's grid between the two bring it
/// down again, `repeats` times. N steps to zero cost `2N - 1 + sum of 2 (nodes - 1) repeats` evaluations.
#[derive(Clone, Debug, PartialEq)]
pub struct Restart {
    /// Where and how often to restart.
    pub segments: Vec<Segment>,
    /// Standard deviation of the fresh noise, about 1.
    pub s_noise: f64,
}

impl Default for Restart {
    /// The configuration for CIFAR-10 with 18 steps: 43 evaluations.
    fn default() -> Self {
        Self { segments: vec![Segment { nodes: 3, repeats: 2, low: 0.14, high: 0.3 }], s_noise: 1.0 }
    }
}

impl Restart {
    fn from_params(p: &mut Params) -> Result<Self> {
        let d = Self::default();
        let expected = "none, or ranges like 3x2@0.14-0.3 joined by + (nodes from 2, repeats from 1)";
        let segments = p.parsed("segments", d.segments, expected, |text| {
            if text == "none" {
                return Some(Vec::new());
            }
            let segments: Option<Vec<Segment>> = text.split('+').map(Segment::parse).collect();
            segments.filter(|s| s.len() <= MOST)
        })?;
        Ok(Self { segments, s_noise: p.number("s_noise", d.s_noise, 0.0..=2.0)? })
    }

    /// For each segment the grid node at which it begins.
    fn places(&self, grid: &Grid) -> Result<Vec<usize>> {
        let far = |node: &Node, segment: &Segment| (node.rho() - segment.low).abs();
        let place = |segment: &Segment| {
            let nodes = grid.nodes().iter().enumerate().skip(1).filter(|(_, node)| node.sigma > 0.0);
            let nearest = nodes.min_by(|a, b| far(a.1, segment).total_cmp(&far(b.1, segment)));
            let unsuited = |found: &str| Error::Unsuited {
                solver: self.name(),
                reason: format!("segment `{segment}` {found}; use more steps or other levels"),
            };
            let (index, node) = nearest.ok_or_else(|| unsuited("finds no node above sigma = 0"))?;
            let top = grid.nodes()[0].rho();
            if segment.high <= node.rho() {
                return Err(unsuited(&format!("lies below the nearest node, of level {}", node.rho())));
            }
            if segment.high > top {
                return Err(unsuited(&format!("reaches above the first node, of level {top}")));
            }
            Ok(index)
        };
        self.segments.iter().map(place).collect()
    }

    /// Adds all repeats of a segment that begins with the state `x` at grid node `index`.
    fn restart(
        &self,
        b: &mut PlanBuilder,
        grid: &Grid,
        segment: &Segment,
        index: usize,
        mut x: Slot,
    ) -> Slot {
        let (path, end) = (grid.path(), grid.nodes()[index]);
        let root = |rho: f64| rho.powf(1.0 / RHO);
        let (top, bottom) = (root(segment.high), root(end.rho()));
        let mut nodes: Vec<(Node, usize)> = (0..segment.nodes - 1)
            .map(|j| {
                let share = j as f64 / (segment.nodes - 1) as f64;
                let node = path.node(path.t_of_rho((top + share * (bottom - top)).powf(RHO)));
                (node, b.node(node))
            })
            .collect();
        nodes.push((end, index));
        for _ in 0..segment.repeats {
            x = raise(b, x, &end, &nodes[0].0, self.s_noise);
            for pair in nodes.windows(2) {
                x = step(b, path, &HEUN_2, x, (&pair[0].0, pair[0].1), (&pair[1].0, pair[1].1));
            }
        }
        x
    }
}

impl Solver for Restart {
    fn name(&self) -> String {
        let segments: Vec<String> = self.segments.iter().map(ToString::to_string).collect();
        let name = if self.segments == Self::default().segments {
            "restart".to_owned()
        } else if segments.is_empty() {
            "restart:segments=none".to_owned()
        } else {
            format!("restart:segments={}", segments.join("+"))
        };
        crate::spec::spec_text(&name, &[("s_noise", self.s_noise, 1.0)])
    }

    fn plan(&self, grid: &Grid) -> Result<Plan> {
        let evals = self.evals(grid.steps(), grid.to_zero());
        if evals > MOST_EVALS {
            let reason = format!("it takes {evals} evaluations; have fewer repeats, nodes or steps");
            return Err(Error::Unsuited { solver: self.name(), reason });
        }
        let places = self.places(grid)?;
        let mut b = PlanBuilder::new(self.name(), grid);
        let mut x = b.state();
        for (i, pair) in grid.nodes().windows(2).enumerate() {
            x = step(&mut b, grid.path(), &HEUN_2, x, (&pair[0], i), (&pair[1], i + 1));
            for (segment, _) in self.segments.iter().zip(&places).filter(|(_, place)| **place == i + 1) {
                x = self.restart(&mut b, grid, segment, i + 1, x);
            }
            b.end_step(x);
        }
        b.finish()
    }

    fn evals(&self, steps: usize, to_zero: bool) -> usize {
        let main = 2 * steps - usize::from(to_zero);
        main + self.segments.iter().map(Segment::evals).sum::<usize>()
    }
}
