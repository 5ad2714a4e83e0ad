//! A rule by its specification, and with all that it needs to run.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail, ensure};
use fewstep_models::Denoiser;
use fewstep_samplers::{Params, unknown};
use tch::Device;

use super::registry::Build;
use super::rules::{CFG, Scaled, Shape};
use super::{Guidance, GuidanceEntry, LevelClassifier, Needs, registry};

/// Fewest steps that take momentum well, under a solver that looks at one step at a time and under one that reads what earlier
/// steps were told; the table in docs/guidance.md has the sizes on both sides.
const MOMENTUM_STEPS: [usize; 2] = [20, 30];

/// At so few steps momentum asks for a scale no larger than this.
const FEW_STEPS: usize = 10;
const MODEST_SCALE: f64 = 8.0;

/// A guidance rule, put together from its specification.
#[derive(Debug)]
pub struct Rule {
    text: String,
    guidance: Box<dyn Guidance>,
}

impl Rule {
    /// Reads a specification: pieces `name:key=value:key=value` with `+` between them, of which at most one is a combiner
    /// (`cfg` if there is none). Their order does not matter.
    ///
    /// # Errors
    /// If a name or parameter is unknown or unusable, if a piece stands twice or if there are two combiners.
    pub fn parse(text: &str) -> Result<Self> {
        let mut pieces: Vec<(&'static GuidanceEntry, Params)> = Vec::new();
        for piece in text.split('+') {
            let (name, params) = Params::parse("guidance rule", piece)?;
            let Some(entry) = registry().iter().find(|entry| entry.name == name) else {
                return Err(unknown("guidance rule", name, registry().iter().map(|e| e.name)).into());
            };
            if pieces.iter().any(|(other, _)| other.name == name) {
                bail!("guidance `{text}` has `{name}` twice; keep one");
            }
            pieces.push((entry, params));
        }
        let (mut middle, mut shape) = (None, Shape::Constant);
        let mut around = Vec::new();
        for (entry, mut params) in pieces {
            match entry.build {
                Build::Combiner(build) => {
                    if let Some((_, other)) = middle.replace((build(&mut params)?, entry.name)) {
                        let name = entry.name;
                        bail!("guidance `{text}` has two combiners, `{other}` and `{name}`; keep one");
                    }
                    params.finish()?;
                }
                Build::Schedule(build) => {
                    shape = build(&mut params)?;
                    params.finish()?;
                }
                Build::Around(rank, build) => around.push((rank, build, params)),
            }
        }
        let mut guidance = match (middle, CFG.build) {
            (Some((combiner, _)), _) => combiner,
            (None, Build::Combiner(build)) => build(&mut Params::parse("guidance rule", "cfg")?.1)?,
            (None, _) => unreachable!("cfg is a combiner"),
        };
        around.sort_by_key(|(rank, ..)| *rank);
        for (_, build, mut params) in around {
            guidance = build(&mut params, guidance)?;
            params.finish()?;
        }
        let guidance = Box::new(Scaled { shape, inner: guidance });
        Ok(Self { text: text.trim().to_owned(), guidance })
    }

    /// The specification.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it comes to.
    pub fn guidance(&self) -> &dyn Guidance {
        &*self.guidance
    }

    /// What may be wrong with this rule at `scale` on a solver that takes `steps` steps and may read what earlier ones were
    /// told.
    pub fn warning(&self, scale: f64, steps: usize, looks_back: bool) -> Option<String> {
        let (text, beta) = (&self.text, self.guidance.momentum());
        let [alone, back] = MOMENTUM_STEPS;
        let enough = if looks_back { back } else { alone };
        if beta == 0.0 || steps >= enough {
            return None;
        }
        let mut warning = if steps < alone {
            format!(
                "`{text}` has momentum (beta={beta}), which overshoots in few steps: on a known distribution at w = 16, 10 \
                 steps of euler end a third larger than the data, of dpmpp-2m seven times as large; use beta=0 or at least \
                 {enough} steps"
            )
        } else {
            format!(
                "`{text}` has momentum (beta={beta}), which solvers that read earlier predictions take badly: on a known \
                 distribution at w = 16, 20 steps of dpmpp-2m end up to a sixth too large; use beta=0, at least {enough} \
                 steps, or ddim, euler or heun"
            )
        };
        if steps <= FEW_STEPS && scale > MODEST_SCALE {
            let _ = write!(warning, ", and at {FEW_STEPS} steps or fewer a scale of {MODEST_SCALE} at most");
        }
        Some(warning)
    }
}

/// What a rule works with beside the network.
#[derive(Default)]
pub enum Beside {
    /// Nothing.
    #[default]
    Nothing,
    /// The weaker network of autoguidance.
    Weak(Box<dyn Denoiser>),
    /// The classifier of classifier guidance.
    Classifier(Box<dyn LevelClassifier>),
}

/// A rule at a scale, with what it works with.
pub struct Guide {
    rule: Box<dyn Guidance>,
    scale: f64,
    beside: Beside,
    together: Option<bool>,
    /// Whether the memory was once too small for both branches in one call; shared by all that work on a run.
    cramped: Arc<AtomicBool>,
}

impl Guide {
    /// `rule` at `scale` for `denoiser`.
    ///
    /// # Errors
    /// If the scale is not finite, if the model has no labels to leave out, or if the weaker network or the classifier is
    /// missing, not needed, or made for other images.
    pub fn new(rule: &Rule, scale: f64, denoiser: &dyn Denoiser, beside: Beside) -> Result<Self> {
        let (text, spec) = (rule.text(), denoiser.spec());
        let guidance = rule.guidance.fresh();
        ensure!(scale.is_finite(), "the guidance scale {scale} is not finite; 1 means no guidance");
        match (guidance.needs(), &beside) {
            (Needs::Weak, Beside::Weak(weak)) => {
                let weak = weak.spec();
                ensure!(
                    spec.shape == weak.shape && spec.classes == weak.classes,
                    "the weaker network makes {:?} images of {} classes, the model {:?} of {}; take one like it",
                    weak.shape,
                    weak.classes.unwrap_or(0),
                    spec.shape,
                    spec.classes.unwrap_or(0)
                );
            }
            (Needs::Weak, _) => {
                bail!("guidance `{text}` needs a second, weaker network; name it with --weak-model")
            }
            (_, Beside::Weak(_)) => bail!(
                "guidance `{text}` has no use for a weaker network; leave --weak-model out, or use `auto`"
            ),
            (Needs::Nothing, _) => {}
            _ => ensure!(
                spec.classes.is_some(),
                "guidance `{text}` needs a model with classes, and this one has none; leave --cfg-scale out"
            ),
        }
        match (guidance.needs(), &beside) {
            (Needs::Classifier, Beside::Classifier(classifier)) => {
                classifier.check(spec).with_context(|| format!("guidance `{text}`"))?;
            }
            (Needs::Classifier, _) => bail!("guidance `{text}` needs a classifier of noisy images"),
            (_, Beside::Classifier(_)) => bail!("guidance `{text}` has no use for a classifier"),
            _ => {}
        }
        Ok(Self { rule: guidance, scale, beside, together: None, cramped: Arc::default() })
    }

    /// The same at another scale.
    #[must_use]
    pub fn at(&self, scale: f64) -> Self {
        Self { scale, ..self.share() }
    }

    /// Whether the branches with and without the label go through the network in one call of twice the batch; otherwise the
    /// device decides.
    #[must_use]
    pub fn together(self, together: bool) -> Self {
        Self { together: Some(together), ..self }
    }

    /// Another instance over the same weights, for another thread, with nothing remembered.
    #[must_use]
    pub fn share(&self) -> Self {
        let beside = match &self.beside {
            Beside::Nothing => Beside::Nothing,
            Beside::Weak(weak) => Beside::Weak(weak.share()),
            Beside::Classifier(classifier) => Beside::Classifier(classifier.share()),
        };
        let cramped = Arc::clone(&self.cramped);
        Self { rule: self.rule.fresh(), scale: self.scale, beside, together: self.together, cramped }
    }

    /// The scale `w`.
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// Whether both branches go in one call on `device`: on a GPU, where small batches leave it idle. On a CPU an image costs
    /// about the same in any batch of some size, and two calls need half the memory; `cargo bench --bench guidance` compares
    /// the two. Never again after the memory was too small for it once.
    pub fn is_together(&self, device: Device) -> bool {
        self.together.unwrap_or(device != Device::Cpu) && !self.cramped.load(Ordering::Relaxed)
    }

    /// Has both branches go one after the other from now on.
    pub(crate) fn part(&self) {
        self.cramped.store(true, Ordering::Relaxed);
    }

    /// What the rule works with.
    pub fn beside(&self) -> &Beside {
        &self.beside
    }

    /// Whether what the rule works with gives an image the same result in a batch of any size.
    fn any_batch(&self) -> bool {
        match &self.beside {
            Beside::Nothing => true,
            Beside::Weak(weak) => weak.any_batch(),
            Beside::Classifier(_) => false, // it runs in libtorch
        }
    }

    /// An instance of the rule with nothing remembered.
    pub fn rule(&self) -> Box<dyn Guidance> {
        self.rule.fresh()
    }
}

/// Whether an image comes out the same to the bit in a batch of any size; then no batch needs padding.
pub fn any_batch(denoiser: &dyn Denoiser, guide: Option<&Guide>) -> bool {
    denoiser.any_batch() && guide.is_none_or(Guide::any_batch)
}

impl std::fmt::Debug for Guide {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guide").field("rule", &self.rule).field("scale", &self.scale).finish_non_exhaustive()
    }
}
