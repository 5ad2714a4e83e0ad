//! Real images: what samples are compared with one by one, and the values that they themselves have.

use std::collections::BTreeMap;

use anyhow::Result;
use fewstep_eval::data::Split;
use fewstep_eval::feature::{Classifier, Output};
use fewstep_eval::metrics::TrainingSet;
use fewstep_eval::report::RealInfo;
use fewstep_eval::stats::Reference;
use fewstep_eval::stats::files::About;
use tch::Tensor;

use super::choice::{Choice, Group};
use super::measures::{Measures, Seen};
use crate::measure::Side;

/// As far as the metrics of a run need them.
#[derive(Debug, Default)]
pub(super) struct Real {
    /// Id of the network behind the features.
    pub(super) extractor: String,
    /// The first training images, as many as a block has samples.
    pub(super) reference: Option<Side>,
    /// All of them.
    pub(super) training: Option<TrainingSet>,
    /// What held-out images have.
    pub(super) info: Option<RealInfo>,
}

/// A feature network, and the moments of its training images.
#[derive(Clone, Copy)]
pub(super) struct Eye<'a> {
    pub(super) net: &'a Classifier,
    pub(super) reference: &'a Reference,
    pub(super) extractor: &'a str,
}

impl Real {
    /// Looks at the splits that there are: those of the data set behind the network's moments. A metric that needs a missing
    /// one fails later.
    pub(super) fn see(
        eye: Eye<'_>,
        choice: &Choice,
        train: Option<&Split>,
        test: Option<&Split>,
        samples: u64,
    ) -> Result<Self> {
        let mut real = Self { extractor: eye.extractor.to_owned(), ..Self::default() };
        let held =
            test.map(|test| Ok::<_, anyhow::Error>((test, infer(eye, test, test.len())?))).transpose()?;
        if let Some(train) = train {
            let few = (samples.min(train.len() as u64)) as usize;
            let nearer = choice.has(Group::Nearer);
            if nearer || choice.compares() {
                let features = infer(eye, train, if nearer { train.len() } else { few })?.features;
                if choice.compares() {
                    real.reference = Some(side(eye, train, &features.narrow(0, 0, few as i64))?);
                }
                if let (true, Some((_, out))) = (nearer, &held) {
                    real.training = Some(TrainingSet::new(&features, &out.features)?);
                }
            }
        }
        if let Some((test, out)) = held {
            real.info = Some(real.held_out(eye, choice, test, &out, samples)?);
        }
        Ok(real)
    }

    /// The metrics of held-out images: sums of all, sets of as many as a block has samples.
    fn held_out(
        &self,
        eye: Eye<'_>,
        choice: &Choice,
        test: &Split,
        out: &Output,
        samples: u64,
    ) -> Result<RealInfo> {
        let n = test.len();
        let set = (samples as usize).min(n);
        let (mut sets, sums) = choice.sets_and_sums();
        if self.reference.is_none() {
            sets = sets.without_comparisons();
        }
        // Among held-out images the chance to be nearer than a held-out image is a half, without a computation.
        let nearer = sets.remove_nearer();
        let labels: Vec<usize> = test.labels.iter().map(|label| usize::from(*label)).collect();
        let mut metrics = BTreeMap::new();
        for (choice, count) in [(&sums, n), (&sets, set)] {
            let pixels = test.tensor(0, count)?;
            let narrow = |t: &Tensor| t.narrow(0, 0, count as i64);
            let out = Output { features: narrow(&out.features), logits: narrow(&out.logits) };
            let x = pixels.to_kind(tch::Kind::Float) / 127.5 - 1.0;
            let mut measures = Measures::new(choice);
            measures.push(&Seen { x: &x, pixels: &pixels, out: &out, classes: &labels[..count] }, None)?;
            for (name, value) in measures.metrics(eye.reference, self)? {
                metrics.entry(name).or_insert(value);
            }
        }
        // What is to be expected at a cell's count is the reference's floor.
        metrics.retain(|name, _| !["fd", "fd_mean_term", "fd_cov_term"].contains(&name.as_str()));
        metrics.extend(nearer.then(|| ("nearer".to_owned(), 0.5)));
        Ok(RealInfo { data: test.name(), n: n as u64, set: set as u64, metrics })
    }
}

/// The first `count` images.
fn infer(eye: Eye<'_>, split: &Split, count: usize) -> Result<Output> {
    Ok(eye.net.infer(&split.tensor(0, count)?)?)
}

fn side(eye: Eye<'_>, split: &Split, features: &Tensor) -> Result<Side> {
    let n = features.size()[0] as u64;
    let about = About {
        n: Some(n),
        extractor: Some(eye.extractor.to_owned()),
        protocol: None,
        data: Some(split.name()),
        data_sha256: Some(split.sha256.to_owned()),
    };
    let rows = Vec::<f32>::try_from(features.f_contiguous()?.f_view(-1)?)?;
    Ok(Side { name: split.name(), about, rows: Some(rows), ..Side::default() })
}
