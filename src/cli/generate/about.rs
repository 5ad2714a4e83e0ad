//! What is to be known about a picture: in the file, in the manifest, and for a run that goes on.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result, bail};
use fewstep_eval::sha256_hex;
use fewstep_models::{ModelFolder, ModelSpec};
use serde_json::{Map, Value, json};

use super::Args;
use crate::bench::plan_hash;
use crate::guidance::{Rule, is_off};
use crate::output::Picture;
use crate::pipeline::{Job, Program};

/// What stands in every picture of the run. `beside` tells the network that `rule` works with from another.
pub(super) fn parameters(
    args: &Args,
    program: &Program,
    model: &ModelFolder,
    (rule, beside): (&Rule, Option<&str>),
) -> Result<Value> {
    let (path, grid, steps) = match program {
        Program::Plan(plan) => (&plan.path, &plan.grid[..], plan.steps),
        Program::Dynamic { grid, .. } => (grid.path(), grid.rule(), grid.steps()),
    };
    let mut text = json!({
        "model": args.model.model,
        "run_seed": args.run_seed,
        "solver": program.solver(),
        "steps": steps,
        "path": path.to_string(),
        "grid": grid,
        "dtype": format!("{:?}", args.model.dtype).to_lowercase(),
        "weights_sha256": sha256_hex(model.weight_bytes()),
        "model_sha256": sha256_hex(model.meaning()?.as_bytes()),
        "fewstep": env!("CARGO_PKG_VERSION"),
    });
    if let Program::Plan(plan) = program {
        text["plan_hash"] = plan_hash(plan).into();
    }
    if !is_off(args.cfg_scale) {
        text["guidance"] = rule.text().into();
        text["cfg_scale"] = args.cfg_scale.into();
        if let Some(weak) = &args.guiding.weak_model {
            text["weak_model"] = weak.clone().into();
        }
        if let Some(beside) = beside {
            text["beside"] = beside.into();
        }
    }
    if let Some(file) = &args.init_image {
        text["init_image"] = file.display().to_string().into();
        let bytes =
            fs::read(file).with_context(|| format!("cannot read the picture `{}`", file.display()))?;
        text["init_image_sha256"] = sha256_hex(&bytes).into();
        if args.plan.is_none() {
            text["strength"] = args.strength.into();
        }
    }
    Ok(text)
}

/// What is known of picture number `image` before it is made.
pub(super) fn before(parameters: &Value, image: u64, job: &Job, spec: &ModelSpec) -> Value {
    let mut text = parameters.clone();
    text["image"] = image.into();
    if let Some(classes) = spec.classes {
        let class = job.class_of(image, classes);
        text["class"] = class.into();
        if let Some(name) = spec.class_names.get(class as usize) {
            text["class_name"] = name.clone().into();
        }
    }
    text
}

/// What a line of the manifest says beyond [`before`].
const AFTER: [&str; 4] = ["nfe", "forwards", "file", "sha256"];

/// Lines of an earlier run whose pictures are still in `dir`, to the byte.
///
/// # Errors
/// If that run had other parameters: `expected` is what [`before`] says of a picture in this one.
pub(super) fn resume(dir: &Path, lines: &[Value], expected: impl Fn(u64) -> Value) -> Result<Vec<Value>> {
    let (mut kept, mut seen) = (Vec::new(), HashSet::new());
    for line in lines {
        let image = line["image"].as_u64();
        let want = expected(image.unwrap_or(0));
        let keys = line.as_object().into_iter().chain(want.as_object()).flat_map(Map::keys);
        if let Some(key) =
            keys.filter(|key| !AFTER.contains(&key.as_str())).find(|key| line[*key] != want[*key])
        {
            bail!(
                "`{}` holds pictures of another run: `{key}` is {} there and {} here; choose another folder, or replace \
                 them by --overwrite",
                dir.display(),
                line[key],
                want[key]
            );
        }
        let whole = |image: &u64| {
            let name = file_name(*image);
            // Of a picture that was being written when the power went, only the name may be there.
            line["file"] == name
                && fs::read(dir.join(name)).is_ok_and(|bytes| line["sha256"] == sha256_hex(&bytes))
        };
        if image.filter(whole).is_some_and(|image| seen.insert(image)) {
            kept.push(line.clone());
        }
    }
    Ok(kept)
}

/// The lines of a run that was gone on with, as if it had never been broken off, so that whoever takes the first few gets the
/// same ones: in the order `asked`, after those of `kept` that were not asked for this time.
pub(super) fn in_order(kept: &[u64], asked: &[u64], mut lines: BTreeMap<u64, Value>) -> Vec<Value> {
    let now: HashSet<u64> = asked.iter().copied().collect();
    let order = kept.iter().filter(|image| !now.contains(image)).chain(asked);
    order.filter_map(|image| lines.remove(image)).collect()
}

/// Removes the pictures that the manifest of an earlier run lists.
pub(super) fn remove(dir: &Path, lines: &[Value]) -> Result<()> {
    for image in lines.iter().filter_map(|line| line["image"].as_u64()) {
        let file = dir.join(file_name(image));
        match fs::remove_file(&file) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove `{}`", file.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The file of picture number `image`.
pub(super) fn file_name(image: u64) -> String {
    format!("{image:06}.png")
}

/// Writes one picture as `000042.png`; gives its line of the manifest.
pub(super) fn write(dir: &Path, picture: &Picture) -> Result<Value> {
    let file = file_name(picture.text["image"].as_u64().unwrap_or_default());
    let sha256 = picture.save(&dir.join(&file))?;
    let mut line = picture.text.clone();
    line["file"] = file.into();
    line["sha256"] = sha256.into();
    Ok(line)
}
