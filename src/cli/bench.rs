//! `fewstep bench`: image quality against step count, as a table, a plot and a record.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use fewstep_eval::report::{
    Cell, GuidanceInfo, GuidanceLevel, Metric, Report, SCHEMA, Style, TeacherInfo, table,
};
use fewstep_eval::sha256_hex;
use fewstep_models::{ModelFolder, NetDenoiser};
use fewstep_samplers::{Path, Plan, solver};
use tch::Device;

use super::guidance::{WeakArgs, parse_rules, parse_scales, suit};
use super::options::{Budget, GridArgs, ModelArgs, create_dir, parse_list};
use super::solver::AnySolver;
use super::watch::{Watch, Watching};
use super::{Exit, bar, note, print};
use crate::bench::{Judge, Levels, Measured, Paired, Record, Settings, Teacher, cell_hash, plan_hash};
use crate::device::machine;
use crate::guidance::{Guide, Rule, is_off};
use crate::pipeline::{Job, Observer, Program};

/// Measure image quality against step count
///
/// Example: fewstep bench -m fmnist-edm --solver ddim,dpmpp-2m,deis-tab3 --nfe 5,10,20 -o bench
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// Solvers, with commas between (`fewstep samplers` lists them)
    #[arg(long, default_value = "ddim,heun,dpmpp-2m,deis-tab3", help_heading = "Sampling")]
    solver: String,
    /// Step counts, with commas between
    #[arg(long, conflicts_with = "nfe", help_heading = "Sampling")]
    steps: Option<String>,
    /// Network evaluations an image, with commas between; what a solver cannot spend exactly is left out
    #[arg(long, default_value = "5,10,20", help_heading = "Sampling")]
    nfe: String,
    /// Images a cell, or a block of it
    #[arg(long, default_value_t = 5000, help_heading = "Sampling")]
    samples: u64,
    /// Measure so many blocks of different images, for a standard deviation; with --resume more than before, too
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100), help_heading = "Sampling")]
    blocks: u32,
    /// Seed of the whole run
    #[arg(long, default_value_t = 0, help_heading = "Sampling")]
    seed: u64,
    #[command(flatten)]
    grid: GridArgs,
    /// Guidance rules, with commas between (`fewstep guidance` lists them)
    #[arg(long, default_value = "cfg", help_heading = "Guidance")]
    guidance: String,
    /// Guidance scales, with commas between; 1 means none
    #[arg(long, default_value = "1", allow_hyphen_values = true, help_heading = "Guidance")]
    cfg_scale: String,
    #[command(flatten)]
    weak: WeakArgs,
    /// Many-step run for the paired error, as solver@nfe, or none
    #[arg(long, default_value = "deis-tab3@100", help_heading = "Metrics")]
    teacher: String,
    /// Metrics to tabulate, of fd, rmse, accuracy, fd_mean_term, fd_cov_term
    #[arg(long, default_value = "fd,rmse,accuracy", help_heading = "Metrics")]
    metrics: String,
    /// Folder for report.json, report.html, fd_vs_nfe.svg and grid.png
    #[arg(short, long, default_value = "bench", help_heading = "Output")]
    output: PathBuf,
    /// Go on with the report in the folder; finished cells are not run again
    #[arg(long, help_heading = "Output")]
    resume: bool,
    /// Print the report as JSON in place of tables
    #[arg(long, help_heading = "Output")]
    json: bool,
}

const METRICS: [Metric<'static>; 5] =
    [Metric::FD, Metric::RMSE, Metric::ACCURACY, Metric::FD_MEAN, Metric::FD_COV];

/// Measures every cell that is not finished yet, then prints the tables.
///
/// # Errors
/// If a name or number is unusable, or a file cannot be written; finished cells stay.
pub(super) fn run(args: &Args) -> Result<Exit> {
    ensure!(
        (2..=10_000_000).contains(&args.samples),
        "--samples {} must be between 2 and 10000000",
        args.samples
    );
    let shown = metrics(&args.metrics)?;
    let folder = args.model.open()?;
    let path = args.grid.path(&folder.spec.sample_path);
    let rules = parse_rules(&args.guidance)?;
    let tasks = tasks(plans(args, &path)?, &rules, &parse_scales(&args.cfg_scale)?)?;
    let teacher = teacher(args, &path)?;
    let judge = Judge::new()?;
    ensure!(
        judge.takes(folder.spec.shape),
        "the built-in feature network looks at 1x28x28 images; `{}` makes {:?}",
        args.model.model,
        folder.spec.shape
    );
    create_dir(&args.output)?;
    let fresh = describe(args, &folder, &path, &judge, teacher.as_ref())?;
    let mut record = Record::open(&args.output, fresh, Settings { resume: args.resume })?;
    let (denoiser, device, workers) = args.model.load(&folder)?;
    let bench = Bench { args, judge, denoiser, device, workers };
    let finished = bench.run(&tasks, teacher.as_ref(), &mut record)?;
    record.draw()?;
    if args.json {
        print(&record.report.to_json()?);
    } else {
        for metric in shown {
            print(&format!("{}\n{}", metric.title(), table(&record.report, metric, Style::Plain)));
        }
        note(&format!("report: {}", args.output.join("report.html").display()));
    }
    if finished {
        return Ok(Exit::Done);
    }
    note("stopped; the same command with --resume goes on from here");
    Ok(Exit::Interrupted)
}

fn metrics(list: &str) -> Result<Vec<Metric<'static>>> {
    list.split(',')
        .map(|name| {
            METRICS.into_iter().find(|m| m.key == name.trim()).with_context(|| {
                format!("no metric `{name}`; metrics are {}", METRICS.map(|m| m.key).join(", "))
            })
        })
        .collect()
}

/// All cells to measure, in the order of the report.
fn plans(args: &Args, path: &Path) -> Result<Vec<Plan>> {
    let mut plans = Vec::new();
    for spec in args.solver.split(',') {
        let solver = AnySolver::parse(spec, &args.grid)?;
        ensure!(
            !matches!(solver, AnySolver::Dynamic(_)),
            "`{spec}` spends another number of evaluations on each image; bench compares fixed ones"
        );
        if let Some(steps) = &args.steps {
            for n in parse_list(steps, "a step count")? {
                plans.push(solver.plan(&args.grid, path, Budget::Steps(n), 1.0)?);
            }
            continue;
        }
        for nfe in parse_list(&args.nfe, "a count of network evaluations")? {
            match solver.exactly(&args.grid, path, nfe)? {
                Some(plan) => plans.push(plan),
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
struct Task<'a> {
    plan: Plan,
    /// Rule and scale, if that is not 1.
    guidance: Option<(&'a Rule, f64)>,
    hash: String,
}

impl Task<'_> {
    fn label(&self) -> String {
        let guidance = self.guidance.map(|(rule, w)| format!(" · {} w={w}", rule.text())).unwrap_or_default();
        format!("{}{guidance} · NFE {}", self.plan.solver, self.plan.nfe())
    }
}

/// Every plan at every scale under every rule; at a scale of 1 rules do not differ.
fn tasks<'a>(plans: Vec<Plan>, rules: &'a [Rule], scales: &[f64]) -> Result<Vec<Task<'a>>> {
    let mut tasks = Vec::new();
    for plan in plans {
        for &scale in scales {
            if is_off(scale) {
                tasks.push(Task { hash: plan_hash(&plan), plan: plan.clone(), guidance: None });
                continue;
            }
            for rule in rules {
                let Program::Plan(plan) = suit(Program::Plan(plan.clone()), rule)? else { continue };
                let hash = cell_hash(&plan, Some((rule.text(), scale)));
                tasks.push(Task { plan, guidance: Some((rule, scale)), hash });
            }
        }
    }
    Ok(tasks)
}

fn teacher(args: &Args, path: &Path) -> Result<Option<Plan>> {
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

/// The report before its first cell.
fn describe(
    args: &Args,
    folder: &ModelFolder,
    path: &Path,
    judge: &Judge,
    teacher: Option<&Plan>,
) -> Result<Report> {
    Ok(Report {
        schema: SCHEMA,
        created_by: format!("fewstep {}", env!("CARGO_PKG_VERSION")),
        machine: machine(args.model.threads),
        model: args.model.model.clone(),
        path: path.to_string(),
        seed: args.seed,
        samples: args.samples,
        blocks: args.blocks,
        reference: judge.info(args.samples)?,
        teacher: teacher.map(|plan| TeacherInfo {
            solver: plan.solver.clone(),
            grid: plan.grid.clone(),
            steps: plan.steps as u32,
            nfe: plan.nfe() as u32,
            plan_hash: plan_hash(plan),
            metrics: BTreeMap::new(),
            blocks: Vec::new(),
        }),
        config: BTreeMap::from([
            ("batch".to_owned(), args.model.batch.to_string()),
            ("dtype".to_owned(), format!("{:?}", args.model.dtype).to_lowercase()),
            ("guidance".to_owned(), args.weak.weak_model.clone().unwrap_or_else(|| "none".to_owned())),
            ("weights_sha256".to_owned(), sha256_hex(folder.weight_bytes())),
        ]),
        cells: Vec::new(),
    })
}

/// Everything that the cells share.
struct Bench<'a> {
    args: &'a Args,
    judge: Judge,
    denoiser: NetDenoiser,
    device: Device,
    workers: usize,
}

impl Bench<'_> {
    /// Block by block, so that every cell has a figure early: the teacher, then each plan that the record lacks;
    /// `false` if the user stopped it.
    fn run(&self, tasks: &[Task<'_>], teacher: Option<&Plan>, record: &mut Record) -> Result<bool> {
        for block in 0..self.args.blocks {
            if !self.block(block, tasks, teacher, record)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn block(
        &self,
        block: u32,
        tasks: &[Task<'_>],
        teacher: Option<&Plan>,
        record: &mut Record,
    ) -> Result<bool> {
        let samples = self.args.samples;
        let lacks = |task: &&Task<'_>| {
            let cell = record.report.finished(&task.hash, samples);
            cell.is_none_or(|cell| cell.measured() <= block as usize)
        };
        let todo: Vec<&Task<'_>> = tasks.iter().filter(lacks).collect();
        if todo.is_empty() {
            return Ok(true);
        }
        let target = match teacher {
            Some(plan) => match self.teacher(block, plan, record)? {
                Some(target) => Some(target),
                None => return Ok(false),
            },
            None => None,
        };
        let paired = target.as_ref().map_or(Paired::No, |target| Paired::With(&target.images));
        for (i, task) in todo.iter().enumerate() {
            let (plan, hash) = (&task.plan, &task.hash);
            let prefix = format!("{}/{} {}", i + 1, todo.len(), task.label());
            let guide = match task.guidance {
                Some((rule, w)) => {
                    self.args.weak.guide(rule, w, &self.denoiser, (&self.args.model, self.device))?
                }
                None => None,
            };
            let Some((measured, levels)) = self.measure(block, plan, guide.as_ref(), paired, &prefix)? else {
                return Ok(false);
            };
            let mut cell = record.report.finished(hash, samples).cloned().unwrap_or_else(|| Cell {
                solver: plan.solver.clone(),
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
                    levels,
                }),
            });
            cell.push_block(measured.metrics, measured.seconds);
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
        let known = record.report.teacher.as_ref().is_some_and(|t| t.measured() > block as usize);
        if known && let Some(teacher) = Teacher::load(&self.args.output, block, &hash, self.args.samples)? {
            return Ok(Some(teacher));
        }
        let prefix = format!("teacher {} · NFE {}", plan.solver, plan.nfe());
        let measured = self.measure(block, plan, None, Paired::Teacher, &prefix)?;
        let Some((measured, _)) = measured else { return Ok(None) };
        let Some(images) = measured.images else { return Ok(None) };
        let teacher = Teacher { images };
        teacher.save(&self.args.output, block, &hash)?;
        if block == 0 {
            record.keep_shown(&hash, &measured.shown)?;
        }
        if let Some(info) = &mut record.report.teacher
            && info.measured() == block as usize
        {
            info.push_block(measured.metrics);
        }
        record.save()?;
        Ok(Some(teacher))
    }

    /// Measures a block, and what guidance did in it.
    fn measure(
        &self,
        block: u32,
        plan: &Plan,
        guide: Option<&Guide>,
        paired: Paired<'_>,
        prefix: &str,
    ) -> Result<Option<(Measured, Vec<GuidanceLevel>)>> {
        let first = u64::from(block) * self.args.samples;
        let job = Job {
            seed: self.args.seed,
            images: (first..first + self.args.samples).collect(),
            class: None,
            init: None,
            batch: self.args.model.batch(&self.denoiser, self.args.samples as usize, self.workers),
            workers: self.workers,
            device: self.device,
        };
        let steps = job.images.len().div_ceil(job.batch) * plan.steps;
        let bar = bar(steps as u64, "{prefix} {wide_bar} {percent}% · {eta} left");
        let of = if self.args.blocks > 1 { format!("block {} · ", block + 1) } else { String::new() };
        bar.set_prefix(format!("{of}{prefix}"));
        let watching = Arc::new(Watching { watch: Watch(bar.clone()), levels: Levels::default() });
        let watch: Arc<dyn Observer> = Arc::clone(&watching) as Arc<dyn Observer>;
        let measured = self.judge.measure(plan, (&self.denoiser, guide), &job, paired, &watch);
        bar.finish_and_clear();
        let levels = watching.levels.means(job.batches() * job.batch);
        Ok(measured?.map(|measured| (measured, levels)))
    }
}
