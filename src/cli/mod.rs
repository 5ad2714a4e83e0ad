//! The command line: one file a verb. stdout is data, stderr is talk.

#![expect(clippy::print_stderr, reason = "the only place that prints")]

mod bench;
mod completions;
mod eval;
mod generate;
mod grids;
mod guidance;
mod info;
mod models;
mod options;
mod plan;
mod samplers;
mod solver;
mod train;
mod watch;

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use crate::interrupt;

/// Fast samplers for diffusion and flow models: pictures, step schedules, and quality against step count.
#[derive(Debug, Parser)]
#[command(name = "fewstep", version, about, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Generate(generate::Args),
    Bench(bench::Args),
    Plan(plan::Args),
    Samplers(samplers::Args),
    Grids(grids::Args),
    Guidance(guidance::Args),
    Train(train::Args),
    Eval(eval::Args),
    Models(models::Args),
    Info(info::Args),
    Completions(completions::Args),
}

/// How a command ended, if not by an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// What was to be checked is not so.
    CheckFailed,
    /// Stopped by Ctrl-C; what was made so far is on disk.
    Interrupted,
}

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match interrupt::install().and_then(|()| run(cli)) {
        Ok(_) if LOST.load(Ordering::Relaxed) => ExitCode::from(2),
        Ok(Exit::Done) => ExitCode::SUCCESS,
        Ok(Exit::CheckFailed) => ExitCode::from(1),
        Ok(Exit::Interrupted) => ExitCode::from(interrupt::EXIT_CODE),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(cli: Cli) -> Result<Exit> {
    use Command::{Bench, Eval, Generate, Train};
    // These stop where nothing is lost.
    if matches!(cli.command, Generate(_) | Bench(_) | Train(_) | Eval(_)) {
        interrupt::heed();
    }
    match cli.command {
        Command::Generate(args) => generate::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Plan(args) => plan::run(&args),
        Command::Samplers(args) => samplers::run(&args),
        Command::Grids(args) => grids::run(&args),
        Command::Guidance(args) => Ok(guidance::run(&args)),
        Command::Train(args) => train::run(&args),
        Command::Eval(args) => eval::run(&args),
        Command::Models(args) => models::run(&args),
        Command::Info(args) => info::run(&args),
        Command::Completions(args) => completions::run(&args),
    }
}

/// Whether data was lost on its way to stdout.
static LOST: AtomicBool = AtomicBool::new(false);

/// A line of data. Whoever reads may stop reading, as `head` does: that is no error. Where it cannot be written for another
/// reason, work that writes files goes on, and the program fails at its end.
fn print(text: &str) {
    if let Err(error) = writeln!(io::stdout(), "{}", text.trim_end())
        && error.kind() != io::ErrorKind::BrokenPipe
        && !LOST.swap(true, Ordering::Relaxed)
    {
        eprintln!("error: cannot write to stdout: {error}; give it a place with room");
    }
}

/// Something that the user should know.
fn note(text: &str) {
    eprintln!("{text}");
}

/// Something that may be wrong.
fn warn(text: &str) {
    eprintln!("warning: {text}");
}

/// A progress bar on stderr; silent if that is not a terminal.
fn bar(length: u64, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length).with_style(style)
}

/// Most threads; beyond, the system runs out of something.
const MOST_THREADS: usize = 1024;

/// Sets the threads of libtorch's kernels and of rayon together; gives their number.
fn set_threads(threads: Option<usize>) -> Result<usize> {
    let threads = match threads {
        Some(n) if !(1..=MOST_THREADS).contains(&n) => {
            bail!("--threads {n} must be between 1 and {MOST_THREADS}")
        }
        Some(n) => n,
        None => std::thread::available_parallelism().map_or(1, usize::from),
    };
    tch::set_num_threads(i32::try_from(threads).unwrap_or(i32::MAX));
    // Fails only where a pool exists already, which then stays.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    Ok(threads)
}
