//! The record of a bench run: `report.json`, schema 1.

use super::{Cell, ReferenceInfo, TeacherInfo};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the layout; it rises with every change that an old reader would misread.
pub const SCHEMA: u32 = 1;

/// Settings that earlier versions did not write: a report without one may be of the same run.
const LATER: [&str; 1] = ["model_sha256"];

/// Everything measured in one run: one model, one path, the same images, many (solver, grid, steps) cells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Layout version, [`SCHEMA`].
    pub schema: u32,
    /// Program and version that made it, e.g. `fewstep 0.1.0`.
    pub created_by: String,
    /// Machine and threads, in the caller's words; times mean nothing without it. Where cells were measured on several, all of
    /// them with `; ` between.
    pub machine: String,
    /// Name of the model.
    pub model: String,
    /// Noise path that the sampler followed, e.g. `vp-linear`.
    pub path: String,
    /// Seed of the run; with the number of an image it fixes its noise.
    pub seed: u64,
    /// Images in each block of a cell: block `k` has the image numbers from `k * samples` on.
    pub samples: u64,
    /// Blocks of different images asked for, each measured on its own: what a metric varies by from one to the next. A cell
    /// may have fewer while the run goes on.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub blocks: u32,
    /// What the Fréchet distance was measured against.
    pub reference: ReferenceInfo,
    /// The many-step run that paired errors refer to, if there was one.
    pub teacher: Option<TeacherInfo>,
    /// Further settings and hashes worth keeping, e.g. weights, model, dtype. Part of the run's identity.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub config: BTreeMap<String, String>,
    /// Results, in the order in which they were finished.
    pub cells: Vec<Cell>,
}

fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_one(blocks: &u32) -> bool {
    *blocks == 1
}

impl Report {
    /// Reads `report.json`.
    ///
    /// # Errors
    /// [`Error::Report`] naming the line for foreign text, unknown or missing fields, another schema version, and
    /// numbers that make no sense.
    pub fn from_json(text: &str) -> Result<Self> {
        /// Read first: in another version the other fields may well have changed.
        #[derive(Deserialize)]
        struct Version {
            schema: u32,
        }
        let Version { schema } =
            serde_json::from_str(text).map_err(|e| refuse(format!("not a bench report ({e})")))?;
        if schema != SCHEMA {
            return Err(refuse(format!("it has schema {schema}, this program reads {SCHEMA}")));
        }
        let report: Self = serde_json::from_str(text).map_err(refuse)?;
        report.check()?;
        Ok(report)
    }

    /// Pretty-printed JSON with a final newline; reading it back gives equal numbers to the bit.
    ///
    /// # Errors
    /// [`Error::Report`] when a number is not finite, which JSON cannot hold.
    pub fn to_json(&self) -> Result<String> {
        self.check()?;
        Ok(serde_json::to_string_pretty(self).map_err(refuse)? + "\n")
    }

    /// Whether the cells differ in their guidance scale, which is 1 without guidance.
    pub fn sweeps(&self) -> bool {
        let scale = |cell: &Cell| cell.guidance.as_ref().map_or(1.0, |g| g.scale).to_bits();
        self.cells.iter().any(|cell| scale(cell) != scale(&self.cells[0]))
    }

    /// The finished cell with this plan and count of samples, if there is one.
    pub fn finished(&self, plan_hash: &str, samples: u64) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.plan_hash == plan_hash && cell.samples == samples)
    }

    /// Calls the solver of the cells with this plan `solver`, as a table with another set of rows may want it.
    pub fn rename(&mut self, plan_hash: &str, solver: &str) {
        for cell in self.cells.iter_mut().filter(|cell| cell.plan_hash == plan_hash) {
            solver.clone_into(&mut cell.solver);
        }
    }

    /// Stores a cell, in the place of an older one with the same solver, grid, steps, plan and count of samples.
    pub fn record(&mut self, cell: Cell) {
        let same = |old: &&mut Cell| {
            (&old.solver, &old.grid, old.steps, &old.plan_hash, old.samples)
                == (&cell.solver, &cell.grid, cell.steps, &cell.plan_hash, cell.samples)
        };
        match self.cells.iter_mut().find(same) {
            Some(old) => *old = cell,
            None => self.cells.push(cell),
        }
    }

    /// Puts the cells into the order of these plans, if all of them are among these.
    pub fn arrange(&mut self, plan_hashes: &[&str]) {
        let place = |cell: &Cell| plan_hashes.iter().position(|hash| *hash == cell.plan_hash);
        if self.cells.iter().all(|cell| place(cell).is_some()) {
            self.cells.sort_by_key(place);
        }
    }

    /// Names the machine of a cell that is measured now, beside those of earlier cells.
    pub fn measured_on(&mut self, machine: &str) {
        if self.machine.split("; ").all(|known| known != machine) {
            self.machine = format!("{}; {machine}", self.machine);
        }
    }

    /// Fails unless cells of `other` may stand beside cells of this report: same model, path, seed, samples,
    /// reference, teacher plan and config. Program version, machine and the count of blocks may differ, and settings that
    /// earlier versions did not write may be missing on one side.
    ///
    /// # Errors
    /// [`Error::Mismatch`] with the first field that differs.
    pub fn same_run(&self, other: &Self) -> Result<()> {
        let teacher =
            |report: &Self| report.teacher.as_ref().map(|t| t.plan_hash.clone()).unwrap_or_default();
        let pairs = [
            ("models", self.model.clone(), other.model.clone()),
            ("paths", self.path.clone(), other.path.clone()),
            ("seeds", self.seed.to_string(), other.seed.to_string()),
            ("sample counts", self.samples.to_string(), other.samples.to_string()),
            ("feature networks", self.reference.extractor.clone(), other.reference.extractor.clone()),
            ("reference data", self.reference.data.clone(), other.reference.data.clone()),
            ("reference counts", self.reference.n.to_string(), other.reference.n.to_string()),
            ("teacher plans", teacher(self), teacher(other)),
            ("settings", self.settings(other), other.settings(self)),
        ];
        let differing = pairs.into_iter().find(|(_, left, right)| left != right);
        differing.map_or(Ok(()), |(what, left, right)| Err(Error::Mismatch { what, left, right }))
    }

    /// The config, as far as it can be compared with that of `other`.
    fn settings(&self, other: &Self) -> String {
        let known = |key: &String| !LATER.contains(&key.as_str()) || other.config.contains_key(key);
        format!("{:?}", self.config.iter().filter(|(key, _)| known(key)).collect::<BTreeMap<_, _>>())
    }

    fn check(&self) -> Result<()> {
        let mut numbers = vec![("the reference".to_owned(), "floor", self.reference.floor)];
        if let Some(real) = &self.reference.real {
            numbers
                .extend(real.metrics.iter().map(|(name, v)| ("real images".to_owned(), name.as_str(), *v)));
        }
        if let Some(teacher) = &self.teacher {
            numbers.extend(
                teacher.metrics.iter().map(|(name, v)| ("the teacher".to_owned(), name.as_str(), *v)),
            );
        }
        for cell in &self.cells {
            let owner = format!("{} at {} NFE", cell.solver, cell.nfe);
            if cell.nfe == 0 || cell.samples == 0 {
                return Err(refuse(format!("{owner} claims {} samples", cell.samples)));
            }
            let listed = cell.blocks.len();
            if listed == 1 || listed > self.blocks as usize {
                return Err(refuse(format!("{owner} lists {listed} blocks in a report of {}", self.blocks)));
            }
            if let Some(g) = &cell.guidance {
                numbers.extend(
                    [("scale", g.scale), ("forwards", g.forwards)].map(|(n, v)| (owner.clone(), n, v)),
                );
            }
            let times = [("seconds", cell.seconds), ("seconds_per_image", cell.seconds_per_image)];
            let metrics =
                cell.blocks.iter().chain([&cell.metrics]).flatten().map(|(name, v)| (name.as_str(), *v));
            numbers.extend(metrics.chain(times).map(|(name, v)| (owner.clone(), name, v)));
        }
        let bad = numbers.iter().find(|(_, _, v)| !v.is_finite());
        bad.map_or(Ok(()), |(owner, name, v)| Err(refuse(format!("`{name}` of {owner} is {v}"))))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`, which hands over the value")]
fn refuse(problem: impl ToString) -> Error {
    Error::Report { problem: problem.to_string() }
}
