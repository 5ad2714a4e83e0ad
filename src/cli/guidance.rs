//! Everything that stands after `--guidance`, and `fewstep guidance`: the list of rules.

use std::fmt::Write as _;

use anyhow::{Result, bail, ensure};
use fewstep_eval::sha256_hex;
use fewstep_models::{Denoiser, ModelFolder};
use serde_json::json;
use tch::Device;

use super::options::ModelArgs;
use super::{Exit, print, warn};
use crate::guidance::{Beside, BuiltIn, Guide, Kind, Needs, Rule, is_off, registry};
use crate::pipeline::Program;

/// List the guidance rules: what each does, its parameters, and where it comes from
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print one JSON line a rule
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print the tables of docs/guidance.md
    #[arg(long)]
    markdown: bool,
}

/// Prints the list.
pub(super) fn run(args: &Args) -> Exit {
    if args.json {
        for e in registry() {
            let line = json!({
                "name": e.name, "kind": e.kind.title().to_lowercase(), "summary": e.summary, "params": e.params,
                "reference": e.reference,
            });
            print(&line.to_string());
        }
    } else if args.markdown {
        print(&markdown());
    } else {
        let mut text = String::new();
        for e in registry() {
            let _ = writeln!(text, "{:<11}{}", e.name, e.summary);
            if !e.params.is_empty() {
                let _ = writeln!(text, "{:11}  {}", "", e.params);
            }
        }
        print(&text);
    }
    Exit::Done
}

/// One table a kind.
fn markdown() -> String {
    let mut text = String::new();
    for kind in Kind::ALL {
        let _ = write!(text, "### {}\n\n| rule | what it does | reference |\n|---|---|---|\n", kind.title());
        for e in registry().iter().filter(|e| e.kind == kind) {
            let params = if e.params.is_empty() { String::new() } else { format!("<br>`{}`", e.params) };
            let reference = if e.reference.is_empty() { "–" } else { e.reference };
            let _ = writeln!(text, "| `{}` | {}{params} | {reference} |", e.name, e.summary);
        }
        text.push('\n');
    }
    text
}

/// What guidance rules work with beside the model.
#[derive(Debug, clap::Args)]
pub(super) struct WeakArgs {
    /// Weaker network of `auto`: a built-in model or a folder
    #[arg(long, value_name = "MODEL", help_heading = "Guidance")]
    pub weak_model: Option<String>,
}

impl WeakArgs {
    /// Refuses a weaker network that none of `rules` has a use for, and a rule that lacks one.
    pub(super) fn check(&self, rules: &[Rule]) -> Result<()> {
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

    /// What tells the network that `rule` works with from another: a hash of its weights.
    pub(super) fn identity(&self, rule: &Rule) -> Result<Option<String>> {
        Ok(match (rule.guidance().needs(), &self.weak_model) {
            (Needs::Weak, Some(name)) => Some(sha256_hex(ModelFolder::open(name)?.weight_bytes())),
            (Needs::Classifier, _) => Some(BuiltIn::new(Device::Cpu)?.id()?),
            _ => None,
        })
    }

    /// `rule` at `scale` for a model; nothing at a scale of 1.
    pub(super) fn guide(
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

/// The program in the form that `rule` needs; warns of what goes badly together.
pub(super) fn suit(program: Program, rule: &Rule) -> Result<Program> {
    let guidance = rule.guidance();
    match program {
        Program::Plan(plan) => {
            if let Some(text) = rule.warning(plan.steps, plan.has_memory()) {
                warn(&text);
            }
            Ok(Program::Plan(if guidance.renoises() { plan.renoised()? } else { plan }))
        }
        Program::Dynamic { solver, grid } => {
            ensure!(
                !guidance.stepwise() && !guidance.renoises(),
                "guidance `{}` goes by steps, and `{}` chooses its steps as it goes; take another solver, or a rule \
                 without memory",
                rule.text(),
                solver.name()
            );
            Ok(Program::Dynamic { solver, grid })
        }
    }
}

/// A guidance scale.
pub(super) fn parse_scale(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(scale) if scale.is_finite() && scale.abs() <= 1e4 => Ok(scale),
        _ => Err(format!("`{text}` is not a guidance scale; give a number, 1 for no guidance")),
    }
}

/// A comma list of scales.
pub(super) fn parse_scales(list: &str) -> Result<Vec<f64>> {
    let scales: Vec<f64> =
        list.split(',').map(|text| parse_scale(text).map_err(anyhow::Error::msg)).collect::<Result<_>>()?;
    if let Some((_, twice)) = scales.iter().enumerate().find(|(i, w)| scales[..*i].contains(w)) {
        bail!("the guidance scale {twice} is listed twice; keep one");
    }
    Ok(scales)
}

/// A comma list of rules.
pub(super) fn parse_rules(list: &str) -> Result<Vec<Rule>> {
    let rules: Vec<Rule> = list.split(',').map(Rule::parse).collect::<Result<_>>()?;
    if let Some(twice) =
        rules.iter().enumerate().find(|(i, r)| rules[..*i].iter().any(|o| o.text() == r.text()))
    {
        bail!("guidance `{}` is listed twice; keep one", twice.1.text());
    }
    Ok(rules)
}
