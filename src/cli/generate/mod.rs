//! `fewstep generate`: pictures from noise.

mod about;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use fewstep_samplers::Plan;
use image::imageops::FilterType;
use indicatif::ProgressBar;
use rayon::prelude::*;
use serde_json::Value;
use tch::Tensor;

use super::options::{
    Budget, GridArgs, GuidanceArgs, ModelArgs, create_dir, parse_class, parse_count, parse_scale,
    parse_seeds, parse_strength, suit,
};
use super::solver::{AnySolver, note_unspent};
use super::watch::Watch;
use super::{Exit, bar, note, print};
use crate::guidance::{Needs, is_off};
use crate::output::{Manifest, Picture, read_grey_or_rgb, write_grid};
use crate::pipeline::{Batches, Job, Observer, Program, quantise};

/// Sample images from a model
///
/// Example: fewstep generate -m fmnist-edm --seeds 0-63 --solver deis-tab3 --steps 10 -o out
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// Which pictures to make, as 0-63,100: number 63 is 000063.png, and with --run-seed fixes its noise
    #[arg(short, long, default_value = "0-15", allow_hyphen_values = true, help_heading = "Sampling")]
    seeds: String,
    /// Seed of the whole run: another one gives every number other noise
    #[arg(long, default_value_t = 0, allow_negative_numbers = true, help_heading = "Sampling")]
    run_seed: u64,
    /// Class by name or number [default: image i gets class i mod classes]
    #[arg(long, allow_negative_numbers = true, help_heading = "Sampling")]
    class: Option<String>,
    /// Solver, as `deis-tab3` or `heun:s_churn=40` (`fewstep samplers` lists them) [default: deis-tab3; with --compat deis]
    #[arg(long, help_heading = "Sampling")]
    solver: Option<String>,
    /// Steps [default: 10, or those of a --grid that is a list]
    #[arg(long, conflicts_with = "nfe", value_parser = parse_count, allow_negative_numbers = true, help_heading = "Sampling")]
    steps: Option<usize>,
    /// Network evaluations to spend, in place of steps
    #[arg(long, value_parser = parse_count, allow_negative_numbers = true, help_heading = "Sampling")]
    nfe: Option<usize>,
    /// Replay a plan that `fewstep plan --json` wrote
    #[arg(long, conflicts_with_all = ["solver", "steps", "nfe", "path", "grid", "t_max", "t_min", "end", "compat"], help_heading = "Sampling")]
    plan: Option<PathBuf>,
    #[command(flatten)]
    grid: GridArgs,
    /// How the predictions with and without the label are joined, as `apg:eta=0+interval:hi=2` (`fewstep guidance`
    /// lists the rules)
    #[arg(long, default_value = "cfg", help_heading = "Guidance")]
    guidance: String,
    /// Guidance scale w, as in u + w (c - u); 1 means none
    #[arg(long, default_value_t = 1.0, value_parser = parse_scale, allow_negative_numbers = true, help_heading = "Guidance")]
    cfg_scale: f64,
    #[command(flatten)]
    guiding: GuidanceArgs,
    /// Start from this picture instead of pure noise
    #[arg(long, value_name = "FILE", help_heading = "Sampling")]
    init_image: Option<PathBuf>,
    /// Share of the steps to run on it: 1 forgets it, 0.1 hardly touches it
    #[arg(
        long,
        default_value_t = 0.6,
        value_parser = parse_strength,
        requires = "init_image",
        conflicts_with = "plan",
        help_heading = "Sampling"
    )]
    strength: f64,
    /// Folder for the pictures
    #[arg(short, long, default_value = "out", help_heading = "Output")]
    output: PathBuf,
    /// Go on with the run in the folder: pictures that are there are not made again
    #[arg(long, conflicts_with = "overwrite", help_heading = "Output")]
    resume: bool,
    /// Replace the pictures of an earlier run in the folder
    #[arg(long, help_heading = "Output")]
    overwrite: bool,
    /// Print one JSON line an image in place of the grid's path
    #[arg(long, help_heading = "Output")]
    json: bool,
}

/// Most pictures of `grid.png`.
const SHEET: usize = 1024;

/// The bar of a run whose steps are known.
const KNOWN: &str = "{prefix} {wide_bar} {percent}% · {eta} left";

/// Generates, writes, prints.
///
/// # Errors
/// If a name, file or number is unusable; what was written before stays.
pub(super) fn run(args: &Args) -> Result<Exit> {
    let images = parse_seeds(&args.seeds)?;
    let rule = args.guiding.rule(&args.guidance)?;
    if is_off(args.cfg_scale) {
        args.guiding.check(&[])?;
        if rule.text() != "cfg" && rule.guidance().needs() != Needs::Nothing {
            note(&format!("`{}` does nothing at a scale of 1; give --cfg-scale", rule.text()));
        }
    } else {
        args.guiding.check(std::slice::from_ref(&rule))?;
    }
    let folder = args.model.open()?;
    let spec = folder.spec.clone();
    let class = args.class.as_ref().map(|c| parse_class(c, spec.classes, &spec.class_names)).transpose()?;
    let mut program = compile(args, &spec.sample_path)?;
    if !is_off(args.cfg_scale) {
        program = suit(program, &rule, args.cfg_scale)?;
    }
    let init = args.init_image.as_ref().map(|file| read_image(file, spec.shape)).transpose()?;
    if init.is_some() {
        suits_a_picture(&program)?;
    }
    create_dir(&args.output)?;
    let earlier = Manifest::read(&args.output)?;
    if !args.resume && !args.overwrite {
        refuse_pictures(&args.output, &images, earlier.len())?;
    }
    let (denoiser, device, workers) = args.model.load(&folder)?;
    let guide = args.guiding.guide(&rule, args.cfg_scale, &denoiser, (&args.model, device))?;

    let batch = args.model.batch(&denoiser, guide.as_ref(), images.len(), workers);
    let mut job = Job { seed: args.run_seed, images, class, init, batch, workers, device, share: None };
    let beside = if guide.is_some() { args.guiding.identity(&rule)? } else { None };
    let parameters = about::parameters(args, &program, &folder, (&rule, beside.as_deref()))?;
    // After all that may be refused, which leaves an earlier run as it was, and before the work, so that an unusable folder is
    // found out at once.
    let kept = if args.resume {
        about::resume(&args.output, &earlier, |image| about::before(&parameters, image, &job, &spec))?
    } else {
        vec![]
    };
    let mut manifest = Manifest::begin(&args.output, &kept)?;
    if args.overwrite {
        about::remove(&args.output, &earlier)?;
    }
    let order: Vec<u64> = kept.iter().filter_map(|line| line["image"].as_u64()).collect();
    let mut there: BTreeMap<u64, Value> =
        kept.into_iter().filter_map(|line| Some((line["image"].as_u64()?, line))).collect();
    let all = job.images.clone();
    job.images.retain(|image| !there.contains_key(image));
    let say = |line: &Value| {
        if args.json {
            print(&line.to_string());
        }
    };
    all.iter().filter_map(|image| there.get(image)).for_each(say);

    let bar = progress(&program, &job);
    let watch: Arc<dyn Observer> = Arc::new(Watch(bar.clone()));
    let mut batches = Batches::guided(program, &denoiser, guide.as_ref(), &job, &watch);
    // The first pictures of the run, by their numbers.
    let shown = &all[..all.len().min(SHEET)];
    let mut sheet: BTreeMap<u64, Tensor> = BTreeMap::new();
    let mut made = Vec::new();
    for batch in &mut batches {
        let batch = batch?;
        let pixels = quantise(&batch.x);
        let pictures: Vec<Picture> = (0..batch.images.len())
            .map(|i| {
                let mut text = about::before(&parameters, batch.images[i], &job, &spec);
                text["nfe"] = batch.nfe[i].into();
                text["forwards"] = batch.forwards[i].into();
                Picture::new(&pixels.get(i as i64), text)
            })
            .collect::<Result<_>>()?;
        let lines: Vec<Value> =
            pictures.par_iter().map(|picture| about::write(&args.output, picture)).collect::<Result<_>>()?;
        manifest.add(&lines)?;
        lines.iter().for_each(say);
        if args.resume {
            made.extend(lines);
        }
        if sheet.len() < shown.len() {
            let images = batch.images.iter().zip(0..).map(|(image, i)| (*image, pixels.narrow(0, i, 1)));
            sheet.extend(images.filter(|(image, _)| shown.contains(image)));
        }
    }
    let cancelled = batches.cancelled();
    bar.finish_and_clear();
    for image in shown.iter().filter(|image| there.contains_key(image)) {
        sheet.insert(*image, read_grey_or_rgb(&args.output.join(about::file_name(*image)))?);
    }
    write_sheet(args, all.len(), &shown.iter().filter_map(|image| sheet.get(image)).collect::<Vec<_>>())?;
    if cancelled {
        let how = if args.overwrite { "with --resume in place of --overwrite" } else { "with --resume" };
        note(&format!(
            "stopped; the finished pictures are in `{}`, and the same command {how} makes the others",
            args.output.display()
        ));
        return Ok(Exit::Interrupted);
    }
    if !made.is_empty() {
        there.extend(made.into_iter().filter_map(|line: Value| Some((line["image"].as_u64()?, line))));
        Manifest::begin(&args.output, &about::in_order(&order, &all, there))?;
    }
    Ok(Exit::Done)
}

fn progress(program: &Program, job: &Job) -> ProgressBar {
    let steps = program.steps().map(|steps| (job.batches() * steps) as u64);
    let bar = bar(steps.unwrap_or(0), if steps.is_some() { KNOWN } else { "{prefix} {spinner} {elapsed}" });
    bar.set_prefix(match program {
        Program::Plan(plan) => format!("{} · NFE {}", plan.solver, plan.nfe()),
        Program::Dynamic { solver, .. } => solver.name(),
    });
    bar
}

/// Refuses a folder with pictures of an earlier run, listed or not.
fn refuse_pictures(dir: &FilePath, images: &[u64], listed: usize) -> Result<()> {
    let shown = dir.display();
    ensure!(
        listed == 0,
        "`{shown}` holds {listed} pictures of an earlier run; go on with that run by --resume, replace them by --overwrite, or \
         choose another folder"
    );
    if let Some(file) =
        images.iter().map(|image| about::file_name(*image)).find(|file| dir.join(file).exists())
    {
        bail!("`{shown}` holds a picture `{file}`; replace it by --overwrite, or choose another folder");
    }
    Ok(())
}

/// `grid.png`: the first pictures of a run of `count`.
fn write_sheet(args: &Args, count: usize, tiles: &[&Tensor]) -> Result<()> {
    if tiles.is_empty() {
        return Ok(());
    }
    if count > SHEET {
        note(&format!("grid.png shows the first {SHEET} pictures"));
    }
    let grid = args.output.join("grid.png");
    write_grid(&grid, &Tensor::cat(tiles, 0), columns(count.min(SHEET)))?;
    if !args.json {
        print(&grid.display().to_string());
    }
    Ok(())
}

/// Whether a run may begin with a picture in place of noise.
fn suits_a_picture(program: &Program) -> Result<()> {
    let solver = program.solver();
    ensure!(
        !solver.contains("afs=true"),
        "`{solver}` takes its first state for noise, and --init-image is none; leave `afs` out"
    );
    let rho = program.start().rho();
    if rho > 50.0 {
        note(&format!(
            "the run starts at a noise level of {rho:.0}, where next to nothing is left of --init-image; take a smaller \
             --strength, or a plan that starts lower"
        ));
    }
    Ok(())
}

fn compile(args: &Args, default: &fewstep_samplers::Path) -> Result<Program> {
    if let Some(file) = &args.plan {
        let name = file.display();
        // A file of any length, /dev/zero among them, is read no further than the limit at which a plan is refused.
        let mut text = String::new();
        File::open(file)
            .and_then(|file| file.take(Plan::MAX_BYTES as u64 + 1).read_to_string(&mut text))
            .with_context(|| format!("cannot read the plan `{name}`"))?;
        let plan = Plan::from_json(&text).with_context(|| format!("`{name}` is not a usable plan"))?;
        return Ok(Program::Plan(plan));
    }
    let path = args.grid.path(default);
    let strength = args.init_image.as_ref().map_or(1.0, |_| args.strength);
    let steps = args.steps.unwrap_or_else(|| args.grid.default_steps(&path));
    let budget = args.nfe.map_or(Budget::Steps(steps), Budget::Nfe);
    let solver = args.solver.as_deref().unwrap_or(args.grid.default_solver());
    let program = AnySolver::parse(solver, &args.grid)?.program(&args.grid, &path, budget, strength)?;
    if let Program::Plan(plan) = &program {
        note_unspent(plan, args.nfe);
    }
    Ok(program)
}

/// A picture as the model takes it, `[c, h, w]` in `[-1, 1]`; one of another size is resized.
fn read_image(file: &FilePath, [channels, height, width]: [i64; 3]) -> Result<Vec<f32>> {
    let name = file.display();
    let image = image::open(file).with_context(|| format!("cannot read the picture `{name}`; give a PNG"))?;
    let (width, height) = (width as u32, height as u32);
    let image = if (image.width(), image.height()) == (width, height) {
        image
    } else {
        note(&format!("`{name}` is resized from {}x{} to {width}x{height}", image.width(), image.height()));
        image.resize_exact(width, height, FilterType::Lanczos3)
    };
    let (pixels, channels) = match channels {
        1 => (image.into_luma8().into_raw(), 1),
        3 => (image.into_rgb8().into_raw(), 3),
        other => bail!("--init-image needs a model of 1 or 3 channels, and this one has {other}"),
    };
    let area = (width * height) as usize;
    let value = |i: usize| f32::from(pixels[i % area * channels + i / area]) / 127.5 - 1.0;
    Ok((0..area * channels).map(value).collect())
}

fn columns(count: usize) -> usize {
    ((count as f64).sqrt().ceil() as usize).clamp(1, 32)
}
