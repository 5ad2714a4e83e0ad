//! `fewstep plan`: shows a sampler as data. Nothing here calls libtorch.

use anyhow::{Result, ensure};
use fewstep_samplers::Path;

use super::options::{Budget, GridArgs, parse_count, parse_strength};
use super::solver::{AnySolver, note_unspent};
use super::{Exit, print};
use crate::output::steps_svg;

/// Print the plan that a solver compiles to: times, noise levels and coefficients
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Solver, as `deis-tab3` or `heun:s_churn=40` (`fewstep samplers` lists them) [default: deis-tab3; with --compat deis]
    #[arg(long)]
    solver: Option<String>,
    /// Steps of the grid [default: 10, or those of a --grid that is a list]
    #[arg(long, conflicts_with = "nfe", value_parser = parse_count, allow_negative_numbers = true)]
    steps: Option<usize>,
    /// Network evaluations to spend, in place of steps
    #[arg(long, value_parser = parse_count, allow_negative_numbers = true)]
    nfe: Option<usize>,
    #[command(flatten)]
    grid: GridArgs,
    /// Share of the steps, the last ones: what `generate --init-image --strength` runs
    #[arg(long, default_value_t = 1.0, value_parser = parse_strength)]
    strength: f64,
    /// Print JSON (docs/plan-schema.md)
    #[arg(long, conflicts_with = "svg")]
    json: bool,
    /// Print a figure of where the steps stand, as SVG
    #[arg(long)]
    svg: bool,
}

/// Prints the plan.
///
/// # Errors
/// If solver, path or grid are unknown or do not go together.
pub(super) fn run(args: &Args) -> Result<Exit> {
    let path = args.grid.path(&Path::vp_linear());
    let steps = args.steps.unwrap_or_else(|| args.grid.default_steps(&path));
    let budget = args.nfe.map_or(Budget::Steps(steps), Budget::Nfe);
    let solver = args.solver.as_deref().unwrap_or(args.grid.default_solver());
    let plan = AnySolver::parse(solver, &args.grid)?.plan(&args.grid, &path, budget, args.strength)?;
    note_unspent(&plan, args.nfe);
    ensure!(plan.validate().is_ok(), "the compiled plan is not valid; please report this");
    print(&if args.json {
        plan.to_json()
    } else if args.svg {
        steps_svg(&plan)?
    } else {
        plan.table()
    });
    Ok(Exit::Done)
}
