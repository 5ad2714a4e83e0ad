//! What the cells of a report are compared with: real images, and the teacher.

use super::blocks;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The fixed side of the Fréchet distance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferenceInfo {
    /// Images behind the statistics, e.g. `fashion-mnist/train`.
    pub data: String,
    /// Count of reference images.
    pub n: u64,
    /// Id of the feature network: name and SHA-256 of its weights.
    pub extractor: String,
    /// Distance to expect from as many real images as a cell has samples.
    pub floor: f64,
    /// Reference images whose single features were compared with those of the samples, where a metric needs them: the
    /// kernel distance, precision, recall, density, coverage. They are the first of `data`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// The metrics of real images that are not in `data`, where they were measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub real: Option<RealInfo>,
}

/// Real images measured as if they were samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RealInfo {
    /// Which images, e.g. `fashion-mnist/test`.
    pub data: String,
    /// Count of images behind sums over images: saturation, contrast, accuracy, ...
    pub n: u64,
    /// Count of images behind metrics of sets, whose value depends on it: as many as a cell has samples, if there are.
    pub set: u64,
    /// Metrics by name.
    pub metrics: BTreeMap<String, f64>,
}

impl ReferenceInfo {
    /// What real images have of a metric: for the Fréchet distance, what is to be expected of as many as a cell has samples.
    pub fn real(&self, metric: &str) -> Option<f64> {
        if metric == "fd" {
            return (self.floor > 0.0).then_some(self.floor);
        }
        self.real.as_ref()?.metrics.get(metric).copied()
    }

    /// Takes over what an earlier part of the same run measured and this one did not.
    pub fn keep(&mut self, earlier: &Self) {
        self.rows = self.rows.or(earlier.rows);
        match (&mut self.real, &earlier.real) {
            (Some(real), Some(earlier)) => {
                for (name, value) in &earlier.metrics {
                    real.metrics.entry(name.clone()).or_insert(*value);
                }
            }
            (real, earlier) => *real = real.take().or_else(|| earlier.clone()),
        }
    }
}

/// The run that serves as ground truth for paired errors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TeacherInfo {
    /// Name of the solver.
    pub solver: String,
    /// Name of the time grid.
    pub grid: String,
    /// Count of steps.
    pub steps: u32,
    /// Denoiser evaluations an image.
    pub nfe: u32,
    /// Hash of the compiled plan.
    pub plan_hash: String,
    /// The teacher's own metrics by name. Means over its blocks.
    pub metrics: BTreeMap<String, f64>,
    /// The metrics of each block, where there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocks: Vec<BTreeMap<String, f64>>,
}

impl TeacherInfo {
    /// Blocks measured so far.
    pub fn measured(&self) -> usize {
        blocks::measured(&self.metrics, &self.blocks)
    }

    /// The metrics of one block, if it was measured.
    pub fn block(&self, number: usize) -> Option<&BTreeMap<String, f64>> {
        blocks::block(&self.metrics, &self.blocks, number)
    }

    /// Takes the metrics of the next block, or further ones of a block that was measured before.
    pub fn take_block(&mut self, number: usize, metrics: BTreeMap<String, f64>) {
        blocks::take(&mut self.metrics, &mut self.blocks, number, metrics);
    }
}
