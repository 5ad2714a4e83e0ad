//! `fewstep bench`: image quality against step count, as a table, a plot and a record.

mod cells;
mod data;
mod failures;
mod tasks;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use fewstep_eval::report::{Report, SCHEMA, Style, TeacherInfo, table};
use fewstep_eval::sha256_hex;
use fewstep_models::ModelFolder;
use fewstep_samplers::{Path, Plan};
use tch::Device;

use super::options::{GridArgs, GuidanceArgs, ModelArgs, create_dir, parse_scales};
use super::{Exit, note, print};
use crate::bench::{Choice, Existing, Judge, Record, plan_hash};
use crate::device::machine_on;
use crate::guidance::is_off;
use cells::Bench;
use data::RealImages;
use failures::Failures;
use tasks::{Task, Wanted, plans, tasks, teacher};

/// Measure image quality against step count
///
/// Example: fewstep bench -m fmnist-edm --solver ddim,dpmpp-2m,deis-tab3 --nfe 5,10,20 -o bench
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// Solvers, with commas between (`fewstep samplers` lists them) [default: ddim,heun,dpmpp-2m,deis-tab3; with --compat
    /// ddim,heun,dpmsolver-multistep,deis]
    #[arg(long, help_heading = "Sampling")]
    solver: Option<String>,
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
    guiding: GuidanceArgs,
    /// Many-step run for the paired error, as solver@nfe, or none
    #[arg(long, default_value = "deis-tab3@100", help_heading = "Metrics")]
    teacher: String,
    /// Metrics to measure, tabulate and draw, with commas between; each has its definition in report.html [default: fd, rmse
    /// where pictures are compared with a teacher's, and accuracy where the model has the feature network's classes]
    ///
    /// At no cost: fd, fd_mean_term, fd_cov_term, rmse, accuracy (recorded wherever they apply). Of all features: fd_infinity,
    /// kid, is, pr (precision, recall), dc (density, coverage), nearer. To the teacher, of cells without guidance: psnr, ssim,
    /// feature_distance. Of images: saturation, contrast, clip_rate, white_rate, overshoot. kid, pr, dc and nearer read --data;
    /// all but those that cost nothing and those to the teacher are compared with held-out images from there. kid and is are
    /// the formulas of KID and the Inception Score on the built-in network, which `eval` calls KD and CS.
    #[arg(long, help_heading = "Metrics")]
    metrics: Option<String>,
    /// Folder with the data set behind the feature network (`make data`)
    #[arg(long, default_value = "data/fashion-mnist", value_name = "DIR", help_heading = "Metrics")]
    data: PathBuf,
    /// Folder for report.json, what is made of it (.html, .md, .tex, .csv, figures as .svg) and grid.png
    #[arg(short, long, default_value = "bench", help_heading = "Output")]
    output: PathBuf,
    /// Go on with the report in the folder; finished cells are not run again, unless --metrics asks for more
    #[arg(long, help_heading = "Output")]
    resume: bool,
    /// Print the report as JSON in place of tables
    #[arg(long, help_heading = "Output")]
    json: bool,
}

/// Measures every cell that is not finished yet, then prints the tables.
///
/// # Errors
/// If a name or number is unusable, a file cannot be written, or a cell failed; finished cells stay.
pub(super) fn run(args: &Args) -> Result<Exit> {
    ensure!(
        (2..=10_000_000).contains(&args.samples),
        "--samples {} must be between 2 and 10000000",
        args.samples
    );
    let folder = args.model.open()?;
    let path = args.grid.path(&folder.spec.sample_path);
    let rules = args.guiding.rules(&args.guidance)?;
    let scales = parse_scales(&args.cfg_scale)?;
    let guided = scales.iter().any(|w| !is_off(*w));
    args.guiding.check(if guided { &rules } else { &[] })?;
    if !guided && args.guidance != "cfg" {
        note("no rule of --guidance does anything at a scale of 1; give --cfg-scale");
    }
    let tasks = tasks(plans(args, &path)?, &rules, &scales, &args.guiding)?;
    let teacher = teacher(args, &path)?;
    let pairs = teacher.is_some() && tasks.iter().any(Task::pairs);
    let default = match (pairs, Choice::knows(folder.spec.classes)) {
        (true, true) => "fd,rmse,accuracy",
        (true, false) => "fd,rmse",
        (false, true) => "fd,accuracy",
        (false, false) => "fd",
    };
    let choice = Choice::parse(args.metrics.as_deref().unwrap_or(default))?;
    choice.check(&folder.spec, pairs, args.samples)?;
    let mut judge = Judge::for_shape(folder.spec.shape, choice)?;
    let device = args.model.device.resolve()?;
    create_dir(&args.output)?;
    let fresh = describe(args, &folder, &path, &judge, teacher.as_ref(), device)?;
    let existing = if args.resume { Existing::Resume } else { Existing::Refuse };
    let mut record = Record::open(&args.output, fresh, existing)?;
    let wanted = Wanted { choice: judge.choice(), blocks: args.blocks, pairs: teacher.is_some() };
    let real = RealImages::open(args, &tasks, wanted, &folder, &record.report)?;
    let (denoiser, device, workers) = args.model.load(&folder)?;
    let mut guides = BTreeMap::new();
    for (rule, _) in tasks.iter().filter_map(|task| task.guidance) {
        if !guides.contains_key(rule.text())
            // Any scale but 1: that of each task is set later.
            && let Some(guide) = args.guiding.guide(rule, 2.0, &denoiser, (&args.model, device))?
        {
            guides.insert(rule.text().to_owned(), guide);
        }
    }
    record.save()?; // a folder that cannot be written is found out before the work starts
    if let Some(real) = real {
        judge.see(real.train.as_ref(), real.test.as_ref(), args.samples)?;
        let earlier = std::mem::replace(&mut record.report.reference, judge.info(args.samples));
        record.report.reference.keep(&earlier);
        record.save()?;
    }
    let bench = Bench { args, judge: judge.threads(workers), guides, denoiser, device, workers };
    let mut failures = Failures::default();
    let finished = bench.run(&tasks, teacher.as_ref(), &mut record, &mut failures)?;
    let shown = bench.judge.choice().shown();
    // However many commands it took, the one that names all cells has them in its order.
    record.report.arrange(&tasks.iter().map(|task| task.hash.as_str()).collect::<Vec<_>>());
    record.save()?;
    record.draw(shown)?;
    if args.json {
        print(&record.report.to_json()?);
    } else if !record.report.cells.is_empty() {
        for metric in shown {
            print(&format!("{}\n{}", metric.title(), table(&record.report, *metric, Style::Plain)));
        }
        note(&format!("report: {}", args.output.join("report.html").display()));
    }
    if !finished {
        note("stopped; the same command with --resume goes on from here");
        return Ok(Exit::Interrupted);
    }
    failures.end(tasks.len())?;
    Ok(Exit::Done)
}

/// The report before its first cell.
fn describe(
    args: &Args,
    folder: &ModelFolder,
    path: &Path,
    judge: &Judge,
    teacher: Option<&Plan>,
    device: Device,
) -> Result<Report> {
    Ok(Report {
        schema: SCHEMA,
        created_by: format!("fewstep {}", env!("CARGO_PKG_VERSION")),
        machine: machine_on(device, args.model.threads),
        model: args.model.model.clone(),
        path: path.to_string(),
        seed: args.seed,
        samples: args.samples,
        blocks: args.blocks,
        reference: judge.info(args.samples),
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
            ("model_sha256".to_owned(), sha256_hex(folder.meaning()?.as_bytes())),
            ("weights_sha256".to_owned(), sha256_hex(folder.weight_bytes())),
        ]),
        cells: Vec::new(),
    })
}
