//! Runs what the record lacks, block by block.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use fewstep_eval::report::{Cell, GuidanceInfo, GuidanceLevel};
use fewstep_models::NetDenoiser;
use fewstep_samplers::Plan;
use tch::Device;

use super::Args;
use super::failures::Failures;
use super::tasks::{Task, Wanted};
use crate::bench::{Judge, Levels, Measured, Paired, Record, Teacher, Twin, plan_hash};
use crate::cli::watch::{Watch, Watching};
use crate::cli::{bar, note};
use crate::guidance::{Guide, any_batch};
use crate::pipeline::{Job, Observer, Share};

/// Memory for answers of the network that several cells need, 512 MB.
const SHARED_BYTES: usize = 512 << 20;

/// What a plan is measured with.
struct With<'a> {
    guide: Option<&'a Guide>,
    share: Option<Arc<Share>>,
    paired: Paired<'a>,
}

/// Everything that the cells share.
pub(super) struct Bench<'a> {
    pub(super) args: &'a Args,
    pub(super) judge: Judge,
    /// By rule, at any scale.
    pub(super) guides: BTreeMap<String, Guide>,
    pub(super) denoiser: NetDenoiser,
    pub(super) device: Device,
    pub(super) workers: usize,
}

impl Bench<'_> {
    /// Block by block, so that every cell has a figure early: the teacher, then each plan that the record lacks;
    /// `false` if the user stopped it. A cell that fails goes to `failures`, and the others are measured.
    ///
    /// # Errors
    /// If a file cannot be written, or the teacher fails, with which all others are compared.
    pub(super) fn run(
        &self,
        tasks: &[Task<'_>],
        teacher: Option<&Plan>,
        record: &mut Record,
        failures: &mut Failures,
    ) -> Result<bool> {
        let (cells, names) = self.wanted(teacher).lacking(tasks, &record.report);
        if cells > 0 {
            let names = names.into_iter().collect::<Vec<_>>().join("`, `");
            note(&format!("finished cells that lack `{names}` and are measured again: {cells}"));
        }
        for task in tasks {
            record.report.rename(&task.hash, &task.solver);
        }
        // A run that went on to more blocks before has further metrics measured in all of them.
        for block in 0..record.report.blocks {
            if !self.block(block, tasks, teacher, record, failures)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn wanted(&self, teacher: Option<&Plan>) -> Wanted<'_> {
        Wanted { choice: self.judge.choice(), blocks: self.args.blocks, pairs: teacher.is_some() }
    }

    fn block(
        &self,
        block: u32,
        tasks: &[Task<'_>],
        teacher: Option<&Plan>,
        record: &mut Record,
        failures: &mut Failures,
    ) -> Result<bool> {
        let samples = self.args.samples;
        // The next block of a cell that failed would be taken for the one that it lacks.
        let wanted =
            |task: &&Task<'_>| !failures.has(task) && self.wanted(teacher).by(task, block, &record.report);
        let todo: Vec<&Task<'_>> = tasks.iter().filter(wanted).collect();
        if todo.is_empty() {
            return Ok(true);
        }
        let target = match teacher.filter(|_| todo.iter().any(|task| task.pairs())) {
            Some(plan) => match self.teacher(block, plan, record)? {
                Some(target) => Some(target),
                None => return Ok(false),
            },
            None => None,
        };
        let features = target.as_ref().map(|target| self.judge.twin_features(&target.images)).transpose()?;
        let paired = target.as_ref().map_or(Paired::No, |target| {
            Paired::With(Twin {
                images: &target.images,
                features: features.as_ref().and_then(Option::as_ref),
            })
        });
        let plain: Vec<&Plan> = todo.iter().filter(|task| task.pairs()).map(|task| &task.plan).collect();
        let shares = Share::among(&plain, SHARED_BYTES);
        let (asked, different) = Share::calls(&shares);
        if different < asked {
            note(&format!(
                "of {asked} network calls an image, {} are answered by earlier cells",
                asked - different
            ));
        }
        let mut shares = shares.into_iter();
        for (i, task) in todo.iter().enumerate() {
            let (plan, hash) = (&task.plan, &task.hash);
            let prefix = format!("{}/{} {}", i + 1, todo.len(), task.label());
            let guide = task.guidance.and_then(|(rule, w)| Some(self.guides.get(rule.text())?.at(w)));
            let with = if task.pairs() {
                With { guide: None, share: shares.next(), paired }
            } else {
                With { guide: guide.as_ref(), share: None, paired: Paired::No }
            };
            let (measured, levels) = match self.measure(block, plan, with, &prefix) {
                Ok(Some(found)) => found,
                Ok(None) => return Ok(false),
                Err(error) => {
                    failures.add(task, error);
                    continue;
                }
            };
            let mut cell = record.report.finished(hash, samples).cloned().unwrap_or_else(|| Cell {
                solver: task.solver.clone(),
                grid: plan.grid.clone(),
                steps: plan.steps as u32,
                nfe: plan.nfe() as u32,
                forwards: measured.forwards.ceil() as u32,
                samples,
                metrics: BTreeMap::new(),
                blocks: Vec::new(),
                seconds: 0.0,
                seconds_per_image: 0.0,
                plan_hash: hash.clone(),
                guidance: task.guidance.map(|(rule, scale)| GuidanceInfo {
                    rule: rule.text().to_owned(),
                    scale,
                    forwards: measured.forwards,
                    beside: task.beside.clone(),
                    levels,
                }),
            });
            let before = cell.measured();
            if let Some(guidance) = &mut cell.guidance
                && block as usize >= before
            {
                guidance.forwards += (measured.forwards - guidance.forwards) / (before + 1) as f64;
                cell.forwards = guidance.forwards.ceil() as u32;
            }
            cell.take_block(block as usize, measured.metrics, measured.seconds);
            if block == 0 {
                record.keep_shown(hash, &measured.shown)?;
            }
            record.add(cell)?;
        }
        Ok(true)
    }

    /// The teacher's images of a block, from the folder or made now.
    fn teacher(&self, block: u32, plan: &Plan, record: &mut Record) -> Result<Option<Teacher>> {
        let hash = plan_hash(plan);
        let number = block as usize;
        let known = record.report.teacher.as_ref().and_then(|t| t.block(number)).cloned();
        if let Some(known) = known
            && let Some(teacher) = Teacher::load(&self.args.output, block, &hash, self.args.samples)?
        {
            if !self.judge.choice().lacking(&known, false).is_empty()
                && let Some(info) = &mut record.report.teacher
            {
                info.take_block(number, self.judge.review(&teacher.images)?);
                record.save()?;
            }
            return Ok(Some(teacher));
        }
        let prefix = format!("teacher {} · NFE {}", plan.solver, plan.nfe());
        let with = With { guide: None, share: None, paired: Paired::Teacher };
        let measured = self.measure(block, plan, with, &prefix)?;
        let Some((measured, _)) = measured else { return Ok(None) };
        let Some(images) = measured.images else { return Ok(None) };
        let teacher = Teacher { images };
        teacher.save(&self.args.output, block, &hash)?;
        if block == 0 {
            record.keep_shown(&hash, &measured.shown)?;
        }
        if let Some(info) = &mut record.report.teacher
            && info.measured() >= number
        {
            info.take_block(number, measured.metrics);
        }
        record.save()?;
        Ok(Some(teacher))
    }

    /// Measures a block, and what guidance did in it.
    fn measure(
        &self,
        block: u32,
        plan: &Plan,
        With { guide, share, paired }: With<'_>,
        prefix: &str,
    ) -> Result<Option<(Measured, Vec<GuidanceLevel>)>> {
        let first = u64::from(block) * self.args.samples;
        let job = Job {
            seed: self.args.seed,
            images: (first..first + self.args.samples).collect(),
            class: None,
            init: None,
            batch: self.args.model.batch(&self.denoiser, guide, self.args.samples as usize, self.workers),
            workers: self.workers,
            device: self.device,
            share,
        };
        let steps = job.images.len().div_ceil(job.batch) * plan.steps;
        let bar = bar(steps as u64, "{prefix} {wide_bar} {percent}% · {eta} left");
        let of = if self.args.blocks > 1 { format!("block {} · ", block + 1) } else { String::new() };
        bar.set_prefix(format!("{of}{prefix}"));
        let watching = Arc::new(Watching { watch: Watch(bar.clone()), levels: Levels::default() });
        let watch: Arc<dyn Observer> = Arc::clone(&watching) as Arc<dyn Observer>;
        let measured = self.judge.measure(plan, (&self.denoiser, guide), &job, paired, &watch);
        bar.finish_and_clear();
        // Outside of our engine the last batch is filled up.
        let any = any_batch(&self.denoiser, guide);
        let images = if any { job.images.len() } else { job.batches() * job.batch };
        let levels = watching.levels.means(images, plan);
        Ok(measured?.map(|measured| (measured, levels)))
    }
}
