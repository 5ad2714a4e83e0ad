//! `fewstep info`: the program, its surroundings, and the grids and paths it knows.

use anyhow::Result;
use fewstep_samplers::{GridRule, Path, registry};
use serde_json::json;

use super::{Exit, print};
use crate::device::{DeviceChoice, machine};

/// Show versions, devices, and the known grids and paths
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
        let info = json!({
            "fewstep": env!("CARGO_PKG_VERSION"), "libtorch": LIBTORCH, "machine": machine(None), "cuda": cuda,
            "grids": names(GridRule::NAMES), "paths": names(Path::NAMES),
        });
        print(&serde_json::to_string_pretty(&info)?);
        return Ok(Exit::Done);
    }
    print(&format!(
        "fewstep {} on libtorch {LIBTORCH}\nmachine  {}\ncuda     {cuda}\npaths    {}\ngrids    {}\nsolvers  {} (`fewstep samplers` describes them)",
        env!("CARGO_PKG_VERSION"),
        machine(None),
        names(Path::NAMES).join(", "),
        names(GridRule::NAMES).join(", "),
        registry().iter().map(|e| e.name).collect::<Vec<_>>().join(", "),
    ));
    Ok(Exit::Done)
}

fn names(list: &[(&'static str, &str)]) -> Vec<&'static str> {
    list.iter().map(|(name, _)| *name).collect()
}
