//! `fewstep models`: what ships with the program, and what stands in a model folder.

use anyhow::Result;
use clap::Subcommand;
use fewstep_eval::sha256_hex;
use fewstep_models::{ModelFolder, zoo};
use serde_json::json;
use tch::{Device, Kind};

use super::{Exit, print};

/// List or describe models
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The built-in models
    List {
        /// Print one JSON line a model
        #[arg(long)]
        json: bool,
    },
    /// One model, built-in or in a folder
    Info {
        /// Name or folder
        model: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Prints the list or the description.
///
/// # Errors
/// If there is no such model, or its files are damaged.
pub(super) fn run(args: &Args) -> Result<Exit> {
    match &args.what {
        What::List { json } => {
            for name in zoo::names() {
                let spec = ModelFolder::open(name)?.spec;
                let [c, h, w] = spec.shape;
                let classes = spec.classes.map_or("unconditional".to_owned(), |n| format!("{n} classes"));
                if *json {
                    print(&json!({"name": name, "spec": spec}).to_string());
                } else {
                    print(&format!("{name:<14} {c}x{h}x{w}  {classes:<12}  trained on {}", spec.path));
                }
            }
        }
        What::Info { model, json } => {
            let folder = ModelFolder::open(model)?;
            // Loading finds whatever is wrong with the weights.
            let denoiser = folder.load(Device::Cpu, Kind::Float)?;
            let parameters = denoiser.parameters();
            let on_cpu = match denoiser.in_libtorch() {
                None => "our kernels".to_owned(),
                Some(reason) => format!("libtorch, as {reason}"),
            };
            let sha256 = sha256_hex(folder.weight_bytes());
            if *json {
                let description = json!({
                    "name": model, "spec": folder.spec, "network": folder.config.to_json(),
                    "parameters": parameters, "weights_sha256": sha256, "on_cpu": on_cpu,
                });
                print(&serde_json::to_string_pretty(&description)?);
            } else {
                let spec = serde_json::to_string_pretty(&folder.spec)?;
                print(&format!(
                    "{model}: UNet2DModel, {parameters} parameters\nweights sha256 {sha256}\non this CPU it runs in {on_cpu}\n{spec}"
                ));
                if let Some(builtin) = zoo::find(model) {
                    print(&format!("\n{}", builtin.card));
                }
            }
        }
    }
    Ok(Exit::Done)
}
