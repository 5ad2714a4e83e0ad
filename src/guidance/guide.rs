//! A rule by its specification, and with all that it needs to run.

use anyhow::{Result, bail, ensure};
use fewstep_models::Denoiser;
use fewstep_samplers::{Params, unknown};

use super::registry::Build;
use super::rules::{CFG, Scaled, Shape};
use super::{Guidance, GuidanceEntry, registry};

/// Fewest steps at which a solver with a memory of its own takes momentum well.
const MOMENTUM_STEPS: usize = 20;

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

    /// What may be wrong with this rule on a solver that takes `steps` steps and, with `memory`, looks back at earlier
    /// predictions or has several evaluations a step.
    pub fn warning(&self, steps: usize, memory: bool) -> Option<String> {
        let beta = self.guidance.momentum();
        (beta != 0.0 && memory && steps < MOMENTUM_STEPS).then(|| {
            format!(
                "`{}` has momentum (beta={beta}) and the solver looks back too: on a known distribution 10 such steps at w = 16 \
                 end at seven times the size of the data; use beta=0, at least {MOMENTUM_STEPS} steps, or ddim or euler",
                self.text
            )
        })
    }
}

/// A rule at a scale, with the weaker network if it needs one.
pub struct Guide {
    rule: Box<dyn Guidance>,
    scale: f64,
    weak: Option<Box<dyn Denoiser>>,
}

impl Guide {
    /// `rule` at `scale` for `denoiser`.
    ///
    /// # Errors
    /// If the scale is not finite, if the model has no labels to leave out, or if the weaker network is missing, not
    /// needed, or makes other images.
    pub fn new(
        rule: &Rule,
        scale: f64,
        denoiser: &dyn Denoiser,
        weak: Option<Box<dyn Denoiser>>,
    ) -> Result<Self> {
        let text = rule.text();
        let guidance = rule.guidance.fresh();
        ensure!(scale.is_finite(), "the guidance scale {scale} is not finite; 1 means no guidance");
        match &weak {
            None if guidance.weak() => {
                bail!("guidance `{text}` needs a second, weaker network; name it with --weak-model")
            }
            Some(_) if !guidance.weak() => {
                bail!(
                    "guidance `{text}` has no use for a weaker network; leave --weak-model out, or use `auto`"
                )
            }
            Some(weak) => {
                let (a, b) = (denoiser.spec(), weak.spec());
                ensure!(
                    a.shape == b.shape && a.classes == b.classes,
                    "the weaker network makes {:?} images of {} classes, the model {:?} of {}; take one like it",
                    b.shape,
                    b.classes.unwrap_or(0),
                    a.shape,
                    a.classes.unwrap_or(0)
                );
            }
            None => ensure!(
                denoiser.spec().classes.is_some(),
                "guidance `{text}` needs a model with classes, and this one has none; leave --cfg-scale out"
            ),
        }
        Ok(Self { rule: guidance, scale, weak })
    }

    /// Another instance over the same weights, for another thread, with nothing remembered.
    #[must_use]
    pub fn share(&self) -> Self {
        Self { rule: self.rule.fresh(), scale: self.scale, weak: self.weak.as_ref().map(|weak| weak.share()) }
    }

    /// The scale `w`.
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// The weaker network.
    pub fn weak(&self) -> Option<&dyn Denoiser> {
        self.weak.as_deref()
    }

    /// An instance of the rule with nothing remembered.
    pub fn rule(&self) -> Box<dyn Guidance> {
        self.rule.fresh()
    }
}

impl std::fmt::Debug for Guide {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guide").field("rule", &self.rule).field("scale", &self.scale).finish_non_exhaustive()
    }
}
