//! Which metrics a run measures, and what they need.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail, ensure};
use fewstep_eval::feature::Classifier;
use fewstep_eval::metrics::{Neighbours, POINTS};
use fewstep_eval::report::Metric;
use fewstep_models::ModelSpec;

use crate::measure::Settings;

/// Metrics that are measured together: what one of them needs, the others need too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Group {
    /// Sums over features, logits and pairs of images: they cost nothing.
    Always,
    /// Over 8-bit images.
    Colour,
    /// Over images that are not clipped yet.
    Overshoot,
    /// Over pairs of 8-bit images.
    Similarity,
    /// Over pairs of features.
    PairedFeatures,
    /// Over all features of a block at once, and the reference's moments.
    Infinity,
    /// Over all logits of a block at once.
    Score,
    /// Over all features of a block and of as many reference images.
    Kernel,
    /// The same.
    Fidelity,
    /// The same.
    Density,
    /// Over all features of a block, of the training set and of the held-out images.
    Nearer,
}

/// Groups that compare single features of both sides.
const COMPARED: [Group; 3] = [Group::Kernel, Group::Fidelity, Group::Density];

/// What can be asked for, in the order of the help.
const METRICS: [(&str, Group); 21] = [
    ("fd", Group::Always),
    ("fd_mean_term", Group::Always),
    ("fd_cov_term", Group::Always),
    ("rmse", Group::Always),
    ("accuracy", Group::Always),
    ("fd_infinity", Group::Infinity),
    ("kid", Group::Kernel),
    ("is", Group::Score),
    ("precision", Group::Fidelity),
    ("recall", Group::Fidelity),
    ("density", Group::Density),
    ("coverage", Group::Density),
    ("psnr", Group::Similarity),
    ("ssim", Group::Similarity),
    ("feature_distance", Group::PairedFeatures),
    ("saturation", Group::Colour),
    ("contrast", Group::Colour),
    ("clip_rate", Group::Colour),
    ("white_rate", Group::Colour),
    ("overshoot", Group::Overshoot),
    ("nearer", Group::Nearer),
];

/// Names for two metrics at once, as `fewstep eval` has them.
const PAIRS: [(&str, [&str; 2]); 2] = [("pr", ["precision", "recall"]), ("dc", ["density", "coverage"])];

/// The metrics that a run measures and shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    shown: Vec<Metric<'static>>,
    groups: BTreeSet<Group>,
}

impl Choice {
    /// Reads names with commas between; `pr` is precision and recall, `dc` density and coverage.
    ///
    /// # Errors
    /// If a name is unknown; the message lists those that are known.
    pub fn parse(list: &str) -> Result<Self> {
        let mut choice = Self::default();
        for name in list.split(',').map(str::trim) {
            let pair = PAIRS.iter().find(|(short, _)| *short == name).map(|(_, both)| &both[..]);
            for name in pair.unwrap_or(&[name]) {
                let Some((key, group)) = METRICS.iter().find(|(key, _)| key == name) else {
                    bail!("no metric `{name}`; metrics are {}", Self::names())
                };
                choice.groups.insert(*group);
                if !choice.shown.contains(&Metric::named(key)) {
                    choice.shown.push(Metric::named(key));
                }
            }
        }
        Ok(choice)
    }

    /// All that can be asked for, with commas between.
    pub fn names() -> String {
        METRICS.map(|(key, _)| key).join(", ")
    }

    /// What is shown, in the order in which it was asked for.
    pub fn shown(&self) -> &[Metric<'static>] {
        &self.shown
    }

    /// Whether the classes of a model that has so many may be those of the feature network; else it has no accuracy.
    pub fn knows(classes: Option<i64>) -> bool {
        classes == Some(Classifier::CLASSES as i64)
    }

    /// Whether everything has a meaning for `samples` images of a model, with or without pairs: unguided cells and a teacher.
    ///
    /// # Errors
    /// If something has none; the message names it.
    pub fn check(&self, model: &ModelSpec, pairs: bool, samples: u64) -> Result<()> {
        let colour = self.shown.contains(&Metric::SATURATION);
        ensure!(
            model.shape[0] == 3 || !colour,
            "`saturation` has no meaning in grey images; leave it out of --metrics"
        );
        let accuracy = self.shown.contains(&Metric::ACCURACY);
        ensure!(
            Self::knows(model.classes) || !accuracy,
            "`accuracy` goes by the {} classes of the feature network, and the model has {}; leave it out of \
             --metrics",
            Classifier::CLASSES,
            model.classes.map_or_else(|| "none".to_owned(), |n| n.to_string())
        );
        let rmse = self.shown.iter().find(|metric| metric.key == "rmse").map(|metric| metric.key);
        let paired = [self.first(Group::Similarity), self.first(Group::PairedFeatures), rmse];
        if let (Some(name), false) = (paired.into_iter().flatten().next(), pairs) {
            bail!(
                "`{name}` compares pictures without guidance with a teacher's; name one by --teacher and 1 among \
                 --cfg-scale, or leave it out of --metrics"
            );
        }
        let Neighbours { precision, density } = Settings::default().neighbours;
        let least = [
            (Group::Infinity, 10 * POINTS as u64),
            (Group::Score, Settings::default().splits as u64),
            (Group::Fidelity, u64::from(precision.max(density)) + 1),
            (Group::Density, u64::from(precision.max(density)) + 1),
        ];
        for (group, least) in least {
            if let Some(name) = self.first(group) {
                ensure!(samples >= least, "`{name}` needs --samples {least} or more, got {samples}");
            }
        }
        Ok(())
    }

    /// A metric that cannot be measured without single real images, if one was asked for.
    pub fn needs_data(&self) -> Option<&'static str> {
        COMPARED.into_iter().chain([Group::Nearer]).find_map(|group| self.first(group))
    }

    /// Metrics which real images have too.
    pub fn of_real(&self) -> impl Iterator<Item = &'static str> {
        let paired = [Group::Always, Group::Similarity, Group::PairedFeatures];
        self.shown.iter().filter(move |m| group(m.key).is_some_and(|g| !paired.contains(&g))).map(|m| m.key)
    }

    /// Metrics asked for of which `metrics` of a block has nothing; pairs count if there was a teacher.
    pub fn lacking(&self, metrics: &BTreeMap<String, f64>, pairs: bool) -> Vec<&'static str> {
        let has = |group: Group| METRICS.iter().any(|(key, g)| *g == group && metrics.contains_key(*key));
        // The PSNR of equal images is infinite and not recorded: a group is there if any of it is.
        let lacks = |group: Group| {
            let paired = matches!(group, Group::Similarity | Group::PairedFeatures);
            group != Group::Always && (pairs || !paired) && !has(group)
        };
        self.shown.iter().filter(|m| group(m.key).is_some_and(lacks)).map(|m| m.key).collect()
    }

    pub(super) fn has(&self, group: Group) -> bool {
        self.groups.contains(&group)
    }

    /// Whether all features of a block are kept.
    pub(super) fn rows(&self) -> bool {
        self.compares() || self.has(Group::Infinity) || self.has(Group::Nearer)
    }

    /// Whether they are compared with those of reference images.
    pub(super) fn compares(&self) -> bool {
        COMPARED.iter().any(|group| self.has(*group))
    }

    /// The part whose values depend on the count of images, and the other one.
    pub(super) fn sets_and_sums(&self) -> (Self, Self) {
        let sets =
            [Group::Infinity, Group::Score, Group::Kernel, Group::Fidelity, Group::Density, Group::Nearer];
        let (sets, sums) = self.groups.iter().partition(|group| sets.contains(group));
        (Self { shown: Vec::new(), groups: sets }, Self { shown: Vec::new(), groups: sums })
    }

    /// Without what is compared with reference images.
    pub(super) fn without_comparisons(mut self) -> Self {
        self.groups.retain(|group| !COMPARED.contains(group));
        self
    }

    /// Takes the nearness to the training set out; whether it was there.
    pub(super) fn remove_nearer(&mut self) -> bool {
        self.groups.remove(&Group::Nearer)
    }

    fn first(&self, wanted: Group) -> Option<&'static str> {
        self.shown.iter().find(|metric| group(metric.key) == Some(wanted)).map(|metric| metric.key)
    }
}

fn group(key: &str) -> Option<Group> {
    METRICS.iter().find(|(known, _)| *known == key).map(|(_, group)| *group)
}
