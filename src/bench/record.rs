//! The bench's folder: `report.json`, what is drawn from it, and how a run finds its way back into it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use fewstep_eval::report::{
    Cell, Figure, Metric, Report, csv, guidance_figures, html, latex, markdown, metric_figures,
};
use fewstep_eval::sha256_hex;
use fewstep_samplers::Plan;
use tch::Tensor;

use super::judge::SHOWN;
use crate::output::{read_grey_or_rgb, write_grid, write_whole};

/// Identity of a compiled plan: the first half of the SHA-256 of its JSON.
pub fn plan_hash(plan: &Plan) -> String {
    sha256_hex(plan.to_json().as_bytes())[..16].to_owned()
}

/// Identity of what makes a guided cell's images: that of the plan, the rule, the scale and the network beside the model, if
/// the rule has one.
pub fn guided_hash(plan: &Plan, rule: &str, scale: f64, beside: Option<&str>) -> String {
    let beside = beside.map(|id| format!("\n{id}")).unwrap_or_default();
    sha256_hex(format!("{}\n{rule}\n{scale}{beside}", plan.to_json()).as_bytes())[..16].to_owned()
}

/// What to do with a folder that holds a report already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Go on with it, if it is the same run.
    Resume,
    /// Leave it as it is.
    Refuse,
}

/// A report on disk.
#[derive(Debug)]
pub struct Record {
    dir: PathBuf,
    /// The report as it stands.
    pub report: Report,
    /// Where this part of the run is.
    machine: String,
}

impl Record {
    /// Opens `dir` for a run that `fresh` describes; to resume is to take its finished cells over. Nothing is written yet
    /// but the folder.
    ///
    /// # Errors
    /// If a report is there and is not to be resumed, is damaged, or belongs to another run.
    pub fn open(dir: &Path, mut fresh: Report, existing: Existing) -> Result<Self> {
        let thumbs = dir.join("cells");
        fs::create_dir_all(&thumbs)
            .with_context(|| format!("cannot create the folder `{}`", thumbs.display()))?;
        let path = dir.join("report.json");
        let name = path.display();
        let machine = fresh.machine.clone();
        if path.exists() {
            if existing == Existing::Refuse {
                bail!("`{name}` exists; go on with it by --resume, or choose another folder");
            }
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read `{name}`"))?;
            let old = Report::from_json(&text).with_context(|| format!("cannot resume from `{name}`"))?;
            fresh
                .same_run(&old)
                .with_context(|| format!("`{name}` belongs to another run; choose another folder"))?;
            if !old.cells.is_empty() {
                fresh.machine = old.machine; // that of their times
            }
            fresh.cells = old.cells;
            fresh.teacher = old.teacher.or(fresh.teacher);
            fresh.blocks = fresh.blocks.max(old.blocks);
            fresh.reference.keep(&old.reference);
        }
        Ok(Self { dir: dir.to_owned(), report: fresh, machine })
    }

    /// Takes a cell with one more block, or more of one, and is on disk again when it returns.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn add(&mut self, cell: Cell) -> Result<()> {
        self.report.record(cell);
        self.report.measured_on(&self.machine);
        self.save()
    }

    /// Keeps the pictures of a plan for the sheet.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn keep_shown(&self, plan_hash: &str, shown: &Tensor) -> Result<()> {
        write_grid(&self.thumb(plan_hash), shown, 5)
    }

    /// Writes `report.json`.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self) -> Result<()> {
        write_whole(&self.dir.join("report.json"), self.report.to_json()?.as_bytes())
    }

    /// Writes everything that is made of the report, showing these metrics: a figure each over NFE and guidance scale, those
    /// of what guidance met, `grid.png`, `report.html`, `report.md`, `report.tex`, `report.csv`.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn draw(&self, shown: &[Metric<'_>]) -> Result<()> {
        let report = &self.report;
        if report.cells.is_empty() {
            return Ok(());
        }
        let write = |name: &str, bytes: &[u8]| write_whole(&self.dir.join(name), bytes);
        let mut figures = guidance_figures(report)?;
        for metric in shown {
            figures.extend(metric_figures(report, *metric)?);
        }
        for drawn in figures {
            write(&drawn.file, drawn.svg.as_bytes())?;
        }
        write("report.md", markdown(report, shown).as_bytes())?;
        write("report.tex", latex(report, shown).as_bytes())?;
        write("report.csv", csv(report).as_bytes())?;
        let caption = self.sheet()?;
        let sheet = self.dir.join("grid.png");
        let bytes = fs::read(&sheet).with_context(|| format!("cannot read `{}`", sheet.display()))?;
        write("report.html", html(report, shown, &[(&caption, Figure::Png(&bytes))])?.as_bytes())
    }

    /// `grid.png`: the same images from every cell, a row a solver, a column an NFE. Gives its caption.
    fn sheet(&self) -> Result<String> {
        let cells = &self.report.cells;
        let mut nfes: Vec<u32> = cells.iter().map(|c| c.nfe).collect();
        nfes.sort_unstable();
        nfes.dedup();
        let labels: Vec<String> = cells.iter().map(|cell| self.report.label(cell)).collect();
        let mut rows: Vec<&String> = Vec::new();
        for label in &labels {
            if !rows.contains(&label) {
                rows.push(label);
            }
        }
        let teacher = self.report.teacher.as_ref().filter(|teacher| teacher.measured() > 0);
        let teacher = teacher.map(|t| read_grey_or_rgb(&self.thumb(&t.plan_hash))).transpose()?;
        let mut tiles: Vec<Option<Tensor>> = Vec::new();
        for row in &rows {
            for &nfe in &nfes {
                let cell = cells.iter().zip(&labels).find(|(cell, label)| label == row && cell.nfe == nfe);
                let thumb = cell.map(|(cell, _)| self.thumb(&cell.plan_hash));
                tiles.push(thumb.map(|thumb| read_grey_or_rgb(&thumb)).transpose()?);
            }
            if let Some(teacher) = &teacher {
                tiles.push(Some(teacher.shallow_clone()));
            }
        }
        let Some(size) = tiles.iter().flatten().next().map(Tensor::size) else {
            bail!("no pictures to show")
        };
        let blank = || Tensor::full(size.as_slice(), 255, (tch::Kind::Uint8, tch::Device::Cpu));
        let tiles: Vec<Tensor> = tiles.into_iter().map(|t| t.unwrap_or_else(blank)).collect();
        let columns = nfes.len() + usize::from(teacher.is_some());
        write_grid(&self.dir.join("grid.png"), &Tensor::cat(&tiles, 0), columns)?;
        let list = |items: Vec<String>| items.join(", ");
        Ok(format!(
            "Images 0 to {} of every cell, from the same noise. Rows: {}. Columns: NFE {}{}.",
            (SHOWN as u64).min(self.report.samples).saturating_sub(1),
            list(rows.into_iter().cloned().collect()),
            list(nfes.iter().map(ToString::to_string).collect()),
            if teacher.is_some() { ", teacher" } else { "" }
        ))
    }

    fn thumb(&self, plan_hash: &str) -> PathBuf {
        self.dir.join("cells").join(format!("{plan_hash}.png"))
    }
}
