//! Reads `fewstep.json` and checks every value: no file makes a run panic or ask for all memory.

use fewstep_samplers::Path;
use serde_json::Value;

use super::{ModelSpec, TimeInput};
use crate::error::{Error, Result};
use crate::prediction::Prediction;
use crate::text::{listed, printable, steers};
use crate::unet2d::UNet2dConfig;

// Bounds that no real model comes near.
const MAX_CHANNELS: i64 = 4096;
const MAX_EDGE: i64 = 16_384;
const MAX_VALUES: i64 = 1 << 26;
/// Values of a feature map of one image.
const MAX_MAP: i64 = 1 << 28;
const MAX_CLASSES: i64 = 1_000_000;
const MAX_FACTOR: f64 = 1e6;

impl ModelSpec {
    /// Reads `fewstep.json`. `name` is the file in error messages.
    ///
    /// # Errors
    /// [`Error::Config`] for broken JSON, and for values that [`ModelSpec::validate`] refuses.
    pub fn from_json(name: &str, text: &str) -> Result<Self> {
        let failed = |reason: String| Error::Config { name: name.to_owned(), reason };
        let syntax = |e: serde_json::Error| failed(printable(&e.to_string()));
        let spec: Self = serde_json::from_str(text).map_err(syntax)?;
        let given: Value = serde_json::from_str(text).map_err(syntax)?;
        let known = serde_json::to_value(&spec).map_err(syntax)?;
        for field in ["path", "sample_path", "prediction", "time"] {
            if let Some(key) = unknown_key(&given[field], &known[field]) {
                return Err(failed(format!("`{field}` has no field `{}`; take it out", printable(key))));
            }
        }
        spec.validate().map_err(failed)?;
        Ok(spec)
    }

    /// Checks every value by itself; whether a network goes with them is told by [`ModelSpec::fits`].
    ///
    /// # Errors
    /// All problems, each with its field, its value and what is allowed.
    pub fn validate(&self) -> std::result::Result<(), String> {
        if self.version != 1 {
            return Err(format!("`version`: {} is not known; this program reads 1", self.version));
        }
        let mut problems = self.shape_problems();
        for (field, path) in [("path", &self.path), ("sample_path", &self.sample_path)] {
            problems.extend(path.validate().err().map(|e| format!("`{field}`: {e}")));
        }
        if let Prediction::Edm { sigma_data } = self.prediction {
            problems.extend(factor_problem("prediction.sigma_data", sigma_data));
            if !matches!(self.path, Path::Edm { .. }) {
                let path = self.path.name();
                problems.push(format!("`prediction`: `edm` needs the path `edm`, not `{path}`"));
            }
        }
        let (TimeInput::Scaled { scale } | TimeInput::LogSigma { scale }) = self.time;
        problems.extend(factor_problem("time.scale", scale));
        problems.extend(self.class_problems());
        answer(&problems)
    }

    /// Checks that the network of `config` takes images of this shape and knows these labels.
    ///
    /// # Errors
    /// Everything in which the two disagree.
    pub fn fits(&self, config: &UNet2dConfig) -> std::result::Result<(), String> {
        let [channels, height, width] = self.shape;
        let mut problems = Vec::new();
        if config.in_channels != channels || config.out_channels != channels {
            problems.push(format!(
                "`shape`: {channels} channels do not fit the network, which has {} in and {} out",
                config.in_channels, config.out_channels
            ));
        }
        let fold = config.fold();
        if height % fold != 0 || width % fold != 0 {
            problems.push(format!(
                "`shape`: height {height} and width {width} do not fit the network; give multiples of {fold}"
            ));
        }
        // Of a level, and of the upsampling into it, which keeps the channels of the one below; in blocks of sixteen.
        let wide = &config.block_out_channels;
        let map = |level: usize| {
            let channels = wide[level].max(*wide.get(level + 1).unwrap_or(&0));
            (channels + 15) / 16 * 16 * (height >> level) * (width >> level)
        };
        if let Some(values) = (0..wide.len()).map(map).find(|values| *values > MAX_MAP) {
            problems.push(format!(
                "`shape`: {height}x{width} pixels make feature maps of {values} values; at most {MAX_MAP} are allowed"
            ));
        }
        let labels = self.classes.map(|n| n.saturating_add(1));
        if config.num_class_embeds != labels {
            problems.push(format!(
                "`classes`: {} labels, the null label included, do not fit the network, which has {}",
                labels.unwrap_or(0),
                config.num_class_embeds.unwrap_or(0)
            ));
        }
        answer(&problems)
    }

    fn shape_problems(&self) -> Vec<String> {
        let [channels, height, width] = self.shape;
        let sizes =
            [("channels", channels, MAX_CHANNELS), ("height", height, MAX_EDGE), ("width", width, MAX_EDGE)];
        let mut problems: Vec<String> = sizes
            .iter()
            .filter(|(_, size, most)| !(1..=*most).contains(size))
            .map(|(what, size, most)| format!("`shape`: {what} {size} is not allowed; give 1 to {most}"))
            .collect();
        // Within those bounds the product cannot overflow.
        if problems.is_empty() && channels * height * width > MAX_VALUES {
            problems.push(format!(
                "`shape`: {channels}x{height}x{width} is {} values an image; at most {MAX_VALUES} are allowed",
                channels * height * width
            ));
        }
        problems
    }

    fn class_problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if let Some(n) = self.classes.filter(|n| !(1..=MAX_CLASSES).contains(n)) {
            problems
                .push(format!("`classes`: {n} is not allowed; give 1 to {MAX_CLASSES}, or null for none"));
        }
        let count = self.class_names.len();
        if count > 0 && self.classes != Some(count as i64) {
            let allowed =
                self.classes.map_or("none, as `classes` is null".to_owned(), |n| format!("{n} or none"));
            problems.push(format!("`class_names`: {count} names are not allowed; give {allowed}"));
        }
        // They are shown as they are, in help and in errors.
        if let Some(name) = self.class_names.iter().find(|name| name.contains(steers)) {
            problems
                .push(format!("`class_names`: `{}` holds a control character; take it out", printable(name)));
        }
        problems
    }
}

/// A key of the object `given` that was not read: the fields of an enum's variants are not checked by their parser.
fn unknown_key<'a>(given: &'a Value, known: &Value) -> Option<&'a str> {
    given.as_object()?.keys().find(|key| known.get(key.as_str()).is_none()).map(String::as_str)
}

fn factor_problem(field: &str, value: f64) -> Option<String> {
    let allowed = value > 0.0 && value <= MAX_FACTOR;
    (!allowed).then(|| {
        format!("`{field}`: {value:?} is not allowed; give a number above 0 and at most {MAX_FACTOR}")
    })
}

fn answer(problems: &[String]) -> std::result::Result<(), String> {
    if problems.is_empty() { Ok(()) } else { Err(listed(problems)) }
}
