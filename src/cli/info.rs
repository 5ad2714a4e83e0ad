//! `fewstep info`: the program, its surroundings, and the solvers, grids and paths it knows.

use anyhow::Result;
use fewstep_samplers::{GridRule, Path, registry};
use serde_json::json;

use super::{Exit, print};
use crate::device::{DeviceChoice, machine};

/// Show versions, devices, and the known solvers, grids and paths
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Version of libtorch that this program is built for.
const LIBTORCH: &str = "2.13.0";

/// Prints what there is.
///
/// # Errors
/// None in practice.
pub(super) fn run(args: &Args) -> Result<Exit> {
    let cuda = match DeviceChoice::Cuda(0).resolve() {
        Ok(_) => format!("{} device(s)", tch::Cuda::device_count()),
        Err(reason) => reason.to_string(),
    };
    if args.json {
        let solvers: Vec<_> = registry()
            .iter()
            .map(|e| {
                json!({"name": e.name, "summary": e.summary, "params": e.params, "order": e.order,
                    "evals_per_step": e.evals_per_step, "deterministic": e.deterministic, "reference": e.reference})
            })
            .collect();
        let info = json!({
            "fewstep": env!("CARGO_PKG_VERSION"), "libtorch": LIBTORCH, "machine": machine(None), "cuda": cuda,
            "solvers": solvers, "grids": names(GridRule::NAMES), "paths": names(Path::NAMES),
        });
        print(&serde_json::to_string_pretty(&info)?);
        return Ok(Exit::Done);
    }
    print(&format!(
        "fewstep {} on libtorch {LIBTORCH}\nmachine  {}\ncuda     {cuda}\npaths    {}\ngrids    {}\n\nsolver      order  NFE/step",
        env!("CARGO_PKG_VERSION"),
        machine(None),
        names(Path::NAMES).join(", "),
        names(GridRule::NAMES).join(", "),
    ));
    for e in registry() {
        print(&format!("{:<12}{:<7}{:<10}{}", e.name, e.order, e.evals_per_step, e.summary));
        if !e.params.is_empty() {
            print(&format!("{:29}{}", "", e.params));
        }
    }
    Ok(Exit::Done)
}

fn names(list: &[(&'static str, &str)]) -> Vec<&'static str> {
    list.iter().map(|(name, _)| *name).collect()
}
