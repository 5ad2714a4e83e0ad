//! One measured combination of a report.

use super::blocks;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One measured combination.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cell {
    /// Name of the solver.
    pub solver: String,
    /// Name of the time grid.
    pub grid: String,
    /// Count of steps.
    pub steps: u32,
    /// Denoiser evaluations an image.
    pub nfe: u32,
    /// Network passes an image; guidance makes them more than `nfe`.
    pub forwards: u32,
    /// Images measured in each block.
    pub samples: u64,
    /// Metrics by name: `fd`, `fd_mean_term`, `fd_cov_term`, `rmse`, `accuracy`, ... Units: see
    /// [`super::Metric`]. Means over the blocks.
    pub metrics: BTreeMap<String, f64>,
    /// The metrics of each block, where there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocks: Vec<BTreeMap<String, f64>>,
    /// Wall-clock time of all blocks in seconds, each from its start to its last batch: sampling, and the features and sums
    /// over images that are taken meanwhile. Earlier versions left out what was spent on these. Answers of the network that were there
    /// from an earlier cell count as what they took there.
    pub seconds: f64,
    /// `seconds` by the images of all blocks.
    pub seconds_per_image: f64,
    /// Hash of the compiled plan, and of the guidance where there is some: two cells with the same hash did the same
    /// computation.
    pub plan_hash: String,
    /// How the predictions with and without the label were joined; none without guidance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guidance: Option<GuidanceInfo>,
}

/// The guidance of a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuidanceInfo {
    /// Specification of the rule.
    pub rule: String,
    /// The scale `w`; 1 would be no guidance.
    pub scale: f64,
    /// Mean over the images of all blocks of the network passes; [`Cell::forwards`] is this, rounded up.
    pub forwards: f64,
    /// Which network stood beside the model, by a hash of its weights; none under a rule that needs no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<String>,
    /// What the rule met at each noise level, from noise to data; of the first block.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<GuidanceLevel>,
}

/// What guidance did at a noise level: means over the images that were guided there.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuidanceLevel {
    /// Noise level `sigma / alpha`; the greatest float stands for infinity.
    pub rho: f64,
    /// Share of the images that were guided.
    pub guided: f64,
    /// Root mean square over the elements of `d`, the difference of the two predictions as clean images.
    pub d_rms: f64,
    /// Cosine between the two.
    pub cosine: f64,
    /// Share of images whose `d` was capped, under a rule that caps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capped: Option<f64>,
}

impl Cell {
    /// The solver, with the guidance where there is some.
    pub fn method(&self) -> String {
        match &self.guidance {
            None => self.solver.clone(),
            Some(g) => format!("{} · {} w={}", self.solver, g.rule, g.scale),
        }
    }

    /// Network passes an image, exactly: a whole number without guidance.
    pub fn passes(&self) -> f64 {
        self.guidance.as_ref().map_or(f64::from(self.forwards), |g| g.forwards)
    }

    /// Blocks measured so far.
    pub fn measured(&self) -> usize {
        blocks::measured(&self.metrics, &self.blocks)
    }

    /// The metrics of one block, if it was measured.
    pub fn block(&self, number: usize) -> Option<&BTreeMap<String, f64>> {
        blocks::block(&self.metrics, &self.blocks, number)
    }

    /// Takes the metrics of the next block, or further ones of a block that was measured before, and the time that it took,
    /// in seconds; of a block measured again the later time counts.
    pub fn take_block(&mut self, number: usize, metrics: BTreeMap<String, f64>, seconds: f64) {
        let before = self.measured();
        if number < before {
            self.seconds -= self.seconds / before as f64;
        }
        blocks::take(&mut self.metrics, &mut self.blocks, number, metrics);
        self.seconds += seconds;
        self.seconds_per_image = self.seconds / (self.samples * self.measured() as u64) as f64;
    }

    /// Standard deviation of a metric over the blocks (divided by their number less one); `None` below two.
    pub fn sd(&self, metric: &str) -> Option<f64> {
        let values: Vec<f64> = self.blocks.iter().filter_map(|block| block.get(metric).copied()).collect();
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        (values.len() > 1)
            .then(|| (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt())
    }
}
