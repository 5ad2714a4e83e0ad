//! What a bench has to run.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use fewstep_eval::report::Report;
use fewstep_samplers::{Path, Plan, solver};

use super::Args;
use crate::bench::{Choice, guided_hash, plan_hash};
use crate::cli::note;
use crate::cli::options::{Budget, GridArgs, GuidanceArgs, parse_list, suit};
use crate::cli::solver::AnySolver;
use crate::guidance::{Needs, Rule, is_off};
use crate::pipeline::Program;

/// A plan under the name by which it was asked for. The plan's own may say more: what a budget chose, the last orders of
/// `dpm-fast` for instance, which differs from cell to cell of a row.
pub(super) struct Asked {
    solver: String,
    plan: Plan,
}

/// All cells to measure, in the order of the report.
pub(super) fn plans(args: &Args, path: &Path) -> Result<Vec<Asked>> {
    let mut plans = Vec::new();
    for spec in args.solver.as_deref().unwrap_or(args.grid.default_solvers()).split(',') {
        let solver = AnySolver::parse(spec, &args.grid)?;
        ensure!(
            !matches!(solver, AnySolver::Dynamic(_)),
            "`{spec}` spends another number of evaluations on each image; bench compares fixed ones"
        );
        let asked = |plan| Asked { solver: solver.name(), plan };
        if let Some(steps) = &args.steps {
            for n in parse_list(steps, "a step count")? {
                plans.push(asked(solver.plan(&args.grid, path, Budget::Steps(n), 1.0)?));
            }
            continue;
        }
        for nfe in parse_list(&args.nfe, "a count of network evaluations")? {
            match solver.exactly(&args.grid, path, nfe)? {
                Some(plan) => plans.push(asked(plan)),
                None => note(&format!(
                    "`{}` cannot spend exactly {nfe} evaluations on this grid: left out",
                    solver.name()
                )),
            }
        }
    }
    ensure!(!plans.is_empty(), "nothing to measure: no solver can spend what --nfe asks for");
    Ok(plans)
}

/// A cell to measure.
pub(super) struct Task<'a> {
    /// What the report calls the solver.
    pub(super) solver: String,
    pub(super) plan: Plan,
    /// Rule and scale, if that is not 1.
    pub(super) guidance: Option<(&'a Rule, f64)>,
    /// Identity of the network that the rule has beside the model.
    pub(super) beside: Option<String>,
    /// Identity of what makes its images.
    pub(super) hash: String,
}

impl Task<'_> {
    /// Whether its images are compared one by one with the teacher's, which is not guided: only without guidance do they come
    /// to the same as the steps become many.
    pub(super) fn pairs(&self) -> bool {
        self.guidance.is_none()
    }

    pub(super) fn label(&self) -> String {
        let guidance = self.guidance.map(|(rule, w)| format!(" · {} w={w}", rule.text())).unwrap_or_default();
        format!("{}{guidance} · NFE {}", self.plan.solver, self.plan.nfe())
    }
}

/// What is to be there of every task.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) choice: &'a Choice,
    pub(super) blocks: u32,
    /// Whether there is a teacher to compare with.
    pub(super) pairs: bool,
}

impl Wanted<'_> {
    /// Whether a task lacks a block, or has one that lacks a metric.
    pub(super) fn by(&self, task: &Task<'_>, block: u32, report: &Report) -> bool {
        let cell = report.finished(&task.hash, report.samples);
        match cell.and_then(|cell| cell.block(block as usize)) {
            None => block < self.blocks,
            Some(metrics) => !self.choice.lacking(metrics, self.pairs && task.pairs()).is_empty(),
        }
    }

    /// Whether anything is to be measured.
    pub(super) fn any(&self, tasks: &[Task<'_>], report: &Report) -> bool {
        tasks.iter().any(|task| (0..report.blocks).any(|block| self.by(task, block, report)))
    }

    /// How many cells have a block that lacks a metric, and which these are.
    pub(super) fn lacking(&self, tasks: &[Task<'_>], report: &Report) -> (usize, BTreeSet<&'static str>) {
        let of = |task: &Task<'_>| {
            let cell = report.finished(&task.hash, report.samples)?;
            let blocks = (0..cell.measured()).filter_map(|block| cell.block(block));
            let pairs = self.pairs && task.pairs();
            let names = blocks.flat_map(|metrics| self.choice.lacking(metrics, pairs));
            Some(names.collect::<BTreeSet<_>>()).filter(|names| !names.is_empty())
        };
        let lacking: Vec<_> = tasks.iter().filter_map(of).collect();
        (lacking.len(), lacking.into_iter().flatten().collect())
    }
}

/// Every plan at every scale under every rule; at a scale of 1, and under a rule that guides nowhere, there is one task.
pub(super) fn tasks<'a>(
    plans: Vec<Asked>,
    rules: &'a [Rule],
    scales: &[f64],
    guiding: &GuidanceArgs,
) -> Result<Vec<Task<'a>>> {
    let guides = |rule: &Rule| rule.guidance().needs() != Needs::Nothing;
    let guided: Vec<&Rule> =
        if scales.iter().all(|w| is_off(*w)) { vec![] } else { rules.iter().filter(|r| guides(r)).collect() };
    let beside: Vec<Option<String>> =
        guided.iter().map(|rule| guiding.identity(rule)).collect::<Result<_>>()?;
    let strongest = scales.iter().copied().fold(1.0, f64::max);
    let mut tasks = Vec::new();
    for Asked { solver, plan } in plans {
        let suited = guided.iter().map(|rule| match suit(Program::Plan(plan.clone()), rule, strongest)? {
            Program::Plan(plan) => Ok(Some(plan)),
            Program::Dynamic { .. } => Ok(None),
        });
        let suited: Vec<Option<Plan>> = suited.collect::<Result<_>>()?;
        let plain = scales.iter().any(|w| is_off(*w)) || guided.len() < rules.len();
        if plain {
            let (solver, hash) = (solver.clone(), plan_hash(&plan));
            tasks.push(Task { solver, hash, plan, guidance: None, beside: None });
        }
        for &scale in scales.iter().filter(|w| !is_off(**w)) {
            for ((rule, beside), plan) in guided.iter().zip(&beside).zip(&suited) {
                let Some(plan) = plan else { continue };
                tasks.push(Task {
                    solver: solver.clone(),
                    hash: guided_hash(plan, rule.text(), scale, beside.as_deref()),
                    plan: plan.clone(),
                    guidance: Some((rule, scale)),
                    beside: beside.clone(),
                });
            }
        }
    }
    Ok(tasks)
}

/// The plan of the many-step run.
pub(super) fn teacher(args: &Args, path: &Path) -> Result<Option<Plan>> {
    if args.teacher == "none" {
        return Ok(None);
    }
    let (name, nfe) = args
        .teacher
        .split_once('@')
        .and_then(|(name, nfe)| Some((name, nfe.parse().ok()?)))
        .with_context(|| format!("--teacher {}: write as deis-tab3@100, or none", args.teacher))?;
    // The teacher's steps stand by the same rule, unless that is a list of times, which has one length only.
    let rule = args.grid.grid.clone().filter(|g| g.fixed_steps(path, args.grid.end).is_none());
    let grid = GridArgs { compat: None, path: args.grid.path.clone(), grid: rule, ..args.grid };
    Ok(Some(grid.plan(&*solver(name)?, path, Budget::Nfe(nfe), 1.0)?))
}
