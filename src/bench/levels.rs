//! What guidance met at each noise level, over the images of a block; a cell keeps those of its first.

use std::collections::BTreeMap;
use std::sync::Mutex;

use fewstep_eval::report::GuidanceLevel;
use fewstep_samplers::{Op, Plan};

use crate::pipeline::Look;

/// Sums over batches that run side by side.
#[derive(Debug, Default)]
pub struct Levels(Mutex<BTreeMap<u64, Sums>>);

#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    images: f64,
    d_rms: f64,
    cosine: f64,
    capped: Option<f64>,
}

impl Levels {
    /// Takes one evaluation of one batch.
    pub fn push(&self, look: &Look) {
        let Ok(mut all) = self.0.lock() else { return };
        let sums = all.entry(look.rho.to_bits()).or_default();
        let n = look.images as f64;
        sums.images += n;
        sums.d_rms += n * look.d_rms;
        sums.cosine += n * look.cosine;
        sums.capped = look.capped.map(|capped| sums.capped.unwrap_or(0.0) + n * capped);
    }

    /// Means, from noise to data, over the evaluations of `plan` for `images` images (those that pad a batch counted).
    pub fn means(&self, images: usize, plan: &Plan) -> Vec<GuidanceLevel> {
        let Ok(all) = self.0.lock() else { return Vec::new() };
        let mut evals = BTreeMap::<u64, usize>::new();
        for op in &plan.ops {
            if let Op::Eval { node, .. } = op {
                *evals.entry(plan.nodes[*node].rho().to_bits()).or_default() += 1;
            }
        }
        // Positive floats are in the order of their bits.
        let levels = all.iter().rev().map(|(rho, sums)| GuidanceLevel {
            rho: f64::from_bits(*rho).min(f64::MAX),
            guided: sums.images / (images * evals.get(rho).copied().unwrap_or(1)) as f64,
            d_rms: sums.d_rms / sums.images,
            cosine: sums.cosine / sums.images,
            capped: sums.capped.map(|capped| capped / sums.images),
        });
        levels.collect()
    }
}
