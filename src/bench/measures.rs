//! What the metrics of a block are made of, and how they come of it.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use fewstep_eval::feature::{Classifier, Output};
use fewstep_eval::metrics::{
    Colour, ConditionalAccuracy, Overshoot, PairedFeatures, PairedRmse, PairedSimilarity, fd_infinity,
};
use fewstep_eval::stats::files::About;
use fewstep_eval::stats::{Reference, ShardedMoments};
use tch::Tensor;

use super::choice::{Choice, Group};
use super::real::Real;
use crate::measure::{Metric, Settings, Side, measure};
use crate::pipeline::quantise;

/// Images that are taken together, and what the network says about them.
pub(super) struct Seen<'a> {
    /// As the sampler made them, `[n, c, h, w]` f32.
    pub(super) x: &'a Tensor,
    /// The same in 8 bits.
    pub(super) pixels: &'a Tensor,
    pub(super) out: &'a Output,
    /// The classes that were asked for; empty if none were.
    pub(super) classes: &'a [usize],
}

/// The teacher's images of the same noise: f32 as the sampler made them, and their features where those are compared.
#[derive(Clone, Copy, Debug)]
pub struct Twin<'a> {
    /// `[n, c, h, w]`
    pub images: &'a Tensor,
    /// `[n, d]`
    pub features: Option<&'a Tensor>,
}

impl Twin<'_> {
    /// Calls `then` with those from number `first` on, `n` of them.
    fn narrow<T>(self, first: i64, n: i64, then: impl FnOnce(Twin<'_>) -> T) -> T {
        let images = self.images.narrow(0, first, n);
        let features = self.features.map(|features| features.narrow(0, first, n));
        then(Twin { images: &images, features: features.as_ref() })
    }
}

/// Sums and sets over the images of a block, which come in order.
pub(super) struct Measures<'a> {
    choice: &'a Choice,
    moments: ShardedMoments,
    accuracy: ConditionalAccuracy,
    rmse: PairedRmse,
    colour: Colour,
    overshoot: Overshoot,
    similarity: PairedSimilarity,
    distance: PairedFeatures,
    /// Features `[n, d]` and logits `[n, classes]`, where they are kept.
    rows: Vec<f32>,
    logits: Vec<f32>,
    n: u64,
}

impl<'a> Measures<'a> {
    pub(super) fn new(choice: &'a Choice) -> Self {
        Self {
            choice,
            moments: ShardedMoments::new(Classifier::DIM),
            accuracy: ConditionalAccuracy::new(Classifier::CLASSES),
            rmse: PairedRmse::new(),
            colour: Colour::new(),
            overshoot: Overshoot::new(),
            similarity: PairedSimilarity::new(),
            distance: PairedFeatures::new(),
            rows: Vec::new(),
            logits: Vec::new(),
            n: 0,
        }
    }

    /// Takes the next images, with those of `twin` that have their numbers.
    pub(super) fn push(&mut self, seen: &Seen<'_>, twin: Option<Twin<'_>>) -> Result<()> {
        let Seen { x, pixels, out, classes } = *seen;
        self.moments.push_features(&out.features, self.n)?;
        if !classes.is_empty() {
            self.accuracy.push(&out.logits, classes)?;
        }
        if self.choice.has(Group::Colour) {
            self.colour.push(pixels)?;
        }
        if self.choice.has(Group::Overshoot) {
            self.overshoot.push(x)?;
        }
        if self.choice.rows() {
            self.rows.extend(values(&out.features)?);
        }
        if self.choice.has(Group::Score) {
            self.logits.extend(values(&out.logits)?);
        }
        let n = x.size()[0];
        if let Some(twin) = twin {
            twin.narrow(self.n as i64, n, |twin| self.compare(seen, twin))?;
        }
        self.n += n as u64;
        Ok(())
    }

    fn compare(&mut self, seen: &Seen<'_>, twin: Twin<'_>) -> Result<()> {
        self.rmse.push(seen.x, twin.images)?;
        if self.choice.has(Group::Similarity) {
            self.similarity.push(seen.pixels, &quantise(twin.images))?;
        }
        if let (true, Some(features)) = (self.choice.has(Group::PairedFeatures), twin.features) {
            self.distance.push(&seen.out.features, features)?;
        }
        Ok(())
    }

    /// All metrics by name.
    ///
    /// # Errors
    /// If there are too few images for one, or real images were not read that it needs.
    pub(super) fn metrics(self, reference: &Reference, real: &Real) -> Result<BTreeMap<String, f64>> {
        let mut metrics = BTreeMap::new();
        let mut put = |name: &str, value: Option<f64>| {
            metrics.extend(value.map(|value| (name.to_owned(), value)));
        };
        let distance = reference.distance(&self.moments.moments()?)?;
        put("fd", Some(distance.fd));
        put("fd_mean_term", Some(distance.mean_term));
        put("fd_cov_term", Some(distance.cov_term));
        put("accuracy", self.accuracy.value());
        put("rmse", self.rmse.mean());
        put("psnr", self.similarity.psnr());
        put("ssim", self.similarity.ssim());
        put("feature_distance", self.distance.distance());
        put("saturation", self.colour.saturation());
        put("contrast", self.colour.contrast());
        put("clip_rate", self.colour.clip_rate());
        put("white_rate", self.colour.white_rate());
        put("overshoot", self.overshoot.value());
        for (name, value) in self.of_sets(reference, real)? {
            put(name, Some(value));
        }
        Ok(metrics)
    }

    /// Metrics of all features or logits at once. Those that `fewstep eval` has are its own.
    fn of_sets(self, reference: &Reference, real: &Real) -> Result<Vec<(&'static str, f64)>> {
        let choice = self.choice;
        let mut found = Vec::new();
        if choice.has(Group::Infinity) || choice.has(Group::Nearer) {
            let rows = Tensor::f_from_slice(&self.rows)?.f_view([self.n as i64, -1])?;
            if choice.has(Group::Infinity) {
                found.push(("fd_infinity", fd_infinity(&rows, reference, Settings::default().seed)?.fd));
            }
            if choice.has(Group::Nearer) {
                let training = real.training.as_ref().context("`nearer` needs the training set")?;
                found.push(("nearer", training.memorisation(&rows)?.nearer));
            }
        }
        let groups = [
            (Group::Kernel, Metric::Kid),
            (Group::Score, Metric::Is),
            (Group::Fidelity, Metric::Pr),
            (Group::Density, Metric::Dc),
        ];
        let asked: Vec<Metric> =
            groups.into_iter().filter(|(group, _)| choice.has(*group)).map(|(_, metric)| metric).collect();
        let samples = Side {
            name: "samples".to_owned(),
            about: About { n: Some(self.n), extractor: Some(real.extractor.clone()), ..About::default() },
            rows: Some(self.rows),
            logits: Some(self.logits),
            ..Side::default()
        };
        for value in measure(&asked, &samples, real.reference.as_ref(), Settings::default())? {
            // Reports have one name for a formula, whatever the network; `eval` tells them apart.
            let name = match value.name {
                "kd" => "kid",
                "cs" => "is",
                name => name,
            };
            found.push((name, value.value));
        }
        Ok(found)
    }
}

fn values(t: &Tensor) -> Result<Vec<f32>> {
    Ok(Vec::<f32>::try_from(t.f_contiguous()?.f_view(-1)?)?)
}
