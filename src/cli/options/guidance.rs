//! Everything that stands after `--guidance`.

use anyhow::{Result, bail, ensure};
use fewstep_eval::sha256_hex;
use fewstep_models::{Denoiser, ModelFolder};
use tch::Device;

use super::ModelArgs;
use crate::cli::warn;
use crate::guidance::{Beside, BuiltIn, Guide, Needs, Rule, is_off};
use crate::pipeline::Program;

/// What rules take beside their specification.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Guidance")]
pub(in crate::cli) struct GuidanceArgs {
    /// The same as `apg:eta=X` in --guidance: the share of the parallel part that is kept
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    apg_eta: Option<f64>,
    /// The same as `apg:r=X`: the longest difference
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    apg_r: Option<f64>,
    /// The same as `apg:r_rms=X`: the same over sqrt of the image's size
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    apg_r_rms: Option<f64>,
    /// The same as `apg:beta=X`: momentum
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    apg_beta: Option<f64>,
    /// Weaker network of `auto`: a built-in model or a folder
    #[arg(long, value_name = "MODEL")]
    pub weak_model: Option<String>,
}

impl GuidanceArgs {
    /// The rule that `text` names.
    pub(in crate::cli) fn rule(&self, text: &str) -> Result<Rule> {
        let given = self.apg();
        if let (Some((key, _)), false) = (given.first(), text.split('+').any(is_apg)) {
            let option = format!("--apg-{}", key.replace('_', "-"));
            bail!(
                "{option} has no use: `{text}` has no `apg` in it; take --guidance apg, or leave {option} out"
            );
        }
        Rule::parse(&with_apg(text, &given))
    }

    /// The rules of a comma list, of which one at least is `apg` where its parameters stand in options of their own.
    pub(in crate::cli) fn rules(&self, list: &str) -> Result<Vec<Rule>> {
        let some = list.split(',').any(|rule| rule.split('+').any(is_apg));
        let rule = |text| if some { Rule::parse(&with_apg(text, &self.apg())) } else { self.rule(text) };
        let rules: Vec<Rule> = list.split(',').map(rule).collect::<Result<_>>()?;
        if let Some((_, twice)) =
            rules.iter().enumerate().find(|(i, r)| rules[..*i].iter().any(|o| o.text() == r.text()))
        {
            bail!("guidance `{}` is listed twice; keep one", twice.text());
        }
        Ok(rules)
    }

    /// Parameters of `apg` that stand in options of their own.
    fn apg(&self) -> Vec<(&'static str, f64)> {
        let all =
            [("eta", self.apg_eta), ("r", self.apg_r), ("r_rms", self.apg_r_rms), ("beta", self.apg_beta)];
        all.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
    }

    /// Refuses a weaker network that none of `rules` has a use for, and a rule that lacks one.
    pub(in crate::cli) fn check(&self, rules: &[Rule]) -> Result<()> {
        let needy = rules.iter().find(|rule| rule.guidance().needs() == Needs::Weak);
        match (needy, &self.weak_model) {
            (None, Some(name)) => bail!(
                "--weak-model {name} has no use here; leave it out, or take a guidance rule with `auto` and a --cfg-scale other \
                 than 1"
            ),
            (Some(rule), None) => {
                bail!("guidance `{}` needs a second, weaker network; name it with --weak-model", rule.text())
            }
            _ => Ok(()),
        }
    }

    /// What tells the network that `rule` works with from another: a hash of its weights. Of nothing else, as it is part of what
    /// cells of earlier reports are known by.
    pub(in crate::cli) fn identity(&self, rule: &Rule) -> Result<Option<String>> {
        Ok(match (rule.guidance().needs(), &self.weak_model) {
            (Needs::Weak, Some(name)) => Some(sha256_hex(ModelFolder::open(name)?.weight_bytes())),
            (Needs::Classifier, _) => Some(BuiltIn::new(Device::Cpu)?.id()?),
            _ => None,
        })
    }

    /// `rule` at `scale` for a model; nothing at a scale of 1.
    pub(in crate::cli) fn guide(
        &self,
        rule: &Rule,
        scale: f64,
        denoiser: &dyn Denoiser,
        (model, device): (&ModelArgs, Device),
    ) -> Result<Option<Guide>> {
        if is_off(scale) {
            return Ok(None);
        }
        let beside = match (rule.guidance().needs(), &self.weak_model) {
            (Needs::Weak, Some(name)) => {
                Beside::Weak(Box::new(ModelFolder::open(name)?.load(device, model.dtype.kind())?))
            }
            (Needs::Classifier, _) => Beside::Classifier(Box::new(BuiltIn::new(device)?)),
            _ => Beside::Nothing,
        };
        Guide::new(rule, scale, denoiser, beside).map(Some)
    }
}

/// The program in the form that `rule` needs; warns of what goes badly together at scales up to `scale`.
pub(in crate::cli) fn suit(program: Program, rule: &Rule, scale: f64) -> Result<Program> {
    let guidance = rule.guidance();
    match program {
        Program::Plan(plan) => {
            if let Some(text) = rule.warning(scale, plan.steps, plan.looks_back()) {
                warn(&text);
            }
            Ok(Program::Plan(if guidance.renoises() { plan.renoised()? } else { plan }))
        }
        Program::Dynamic { solver, grid } => {
            ensure!(
                !guidance.stepwise() && !guidance.renoises(),
                "guidance `{}` goes by steps, and `{}` chooses its steps as it goes; take another solver, or a rule \
                 that does not",
                rule.text(),
                solver.name()
            );
            Ok(Program::Dynamic { solver, grid })
        }
    }
}

/// A guidance scale.
pub(in crate::cli) fn parse_scale(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(scale) if scale.is_finite() && scale.abs() <= 1e4 => Ok(scale),
        _ => Err(format!("`{text}` is not a guidance scale; give a number, 1 for no guidance")),
    }
}

/// A comma list of scales.
pub(in crate::cli) fn parse_scales(list: &str) -> Result<Vec<f64>> {
    let scales: Vec<f64> =
        list.split(',').map(|text| parse_scale(text).map_err(anyhow::Error::msg)).collect::<Result<_>>()?;
    if let Some((_, twice)) = scales.iter().enumerate().find(|(i, w)| scales[..*i].contains(w)) {
        bail!("the guidance scale {twice} is listed twice; keep one");
    }
    Ok(scales)
}

/// Whether a piece of a rule is `apg`, with or without parameters.
fn is_apg(piece: &str) -> bool {
    piece.split(':').next().is_some_and(|name| name.trim() == "apg")
}

/// `rule` with `params` at the end of its `apg`, if it has one.
fn with_apg(rule: &str, params: &[(&str, f64)]) -> String {
    let mut pieces: Vec<String> = rule.split('+').map(str::to_owned).collect();
    for piece in pieces.iter_mut().filter(|piece| is_apg(piece)) {
        for (key, value) in params {
            *piece = format!("{}:{key}={value}", piece.trim_end());
        }
    }
    pieces.join("+")
}
