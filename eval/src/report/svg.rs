//! `fd_vs_nfe`: Fréchet distance over the count of network calls, one line a solver.

use super::axis::LogAxis;
use super::canvas::{Anchor, Canvas, PALETTE, Result as DrawResult};
use super::table::{Layout, Value};
use super::{Cell, Metric, Report, thousands};
use crate::{Error, Result};
use plotters::prelude::*;

/// Plot frame in pixels: left, top, right, bottom.
const FRAME: (i32, i32, i32, i32) = (70, 62, 620, 426);
/// Smallest height of the figure, and the height of a legend entry.
const HEIGHT: u32 = 480;
const ENTRY: i32 = 22;
const INK: RGBColor = RGBColor(30, 30, 30);
const MUTED: RGBColor = RGBColor(100, 100, 100);
const GRID: RGBColor = RGBColor(228, 228, 228);

/// A horizontal line for comparison.
struct Level {
    text: String,
    value: f64,
    /// Pixels drawn and pixels left out.
    dash: (i32, i32),
}

/// Chart as SVG text: logarithmic axes with ticks at the NFEs that were run, bars of one standard deviation where there are several
/// blocks, dashed lines for the teacher and for what as many real images would get. Text uses the viewer's sans-serif font; nothing is embedded or fetched. The
/// same report gives the same bytes.
///
/// # Errors
/// [`Error::Figure`] when no cell has a positive Fréchet distance.
pub fn fd_vs_nfe(report: &Report) -> Result<String> {
    let layout = Layout::new(report, Metric::FD);
    let rows = layout.rows.iter().map(|(label, _)| label.clone()).zip(series(&layout)).collect();
    let chart = Chart {
        figure: "fd_vs_nfe",
        ticks: layout.nfes.iter().map(|n| f64::from(*n)).collect(),
        titles: ["NFE (denoiser evaluations per image)", "Fréchet distance (lower is better)"],
        rows,
        levels: levels(report),
    };
    chart.draw(report, "no finished cell has a positive Fréchet distance; run `bench` first")
}

/// A metric over the guidance scale, one line for each solver, rule and NFE; unguided cells stand at 1 on every line of
/// their solver. `real` is what real images have of it, a dashed line. `None` when no guided cell has a positive value.
///
/// # Errors
/// [`Error::Figure`] when it cannot be drawn.
pub fn metric_vs_scale(report: &Report, metric: Metric<'_>, real: Option<f64>) -> Result<Option<String>> {
    let value = |cell: &Cell| {
        let mean = *cell.metrics.get(metric.key).filter(|v| **v > 0.0)?;
        Some((mean, cell.sd(metric.key).unwrap_or(0.0)))
    };
    let point =
        |x: f64, (mean, sd): (f64, f64)| (x, if mean > sd { mean - sd } else { mean }, mean, mean + sd);
    let several = report.cells.iter().any(|c| c.nfe != report.cells[0].nfe);
    let mut rows: Vec<(String, Vec<Point>)> = Vec::new();
    for cell in &report.cells {
        let (Some(guidance), Some(v)) = (&cell.guidance, value(cell)) else { continue };
        let nfe = if several { format!(", {} NFE", cell.nfe) } else { String::new() };
        let label = format!("{} · {}{nfe}", cell.solver, guidance.rule);
        let at = rows.iter().position(|(l, _)| *l == label).unwrap_or_else(|| {
            let same = |c: &&Cell| {
                c.guidance.is_none() && (&c.solver, &c.grid, c.nfe) == (&cell.solver, &cell.grid, cell.nfe)
            };
            let plain = report.cells.iter().find(same).and_then(value);
            rows.push((label, plain.map(|v| point(1.0, v)).into_iter().collect()));
            rows.len() - 1
        });
        rows[at].1.push(point(guidance.scale, v));
    }
    for (_, points) in &mut rows {
        points.retain(|p| p.0 > 0.0);
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    let mut ticks: Vec<f64> = rows.iter().flat_map(|(_, points)| points.iter().map(|p| p.0)).collect();
    ticks.sort_by(f64::total_cmp);
    ticks.dedup();
    if ticks.is_empty() {
        return Ok(None);
    }
    let real = real.filter(|v| *v > 0.0);
    let levels = real.map(|value| Level { text: "real images".to_owned(), value, dash: (2, 4) });
    let titles = ["guidance scale w (1: none)", metric.title()];
    let chart =
        Chart { figure: "metric_vs_scale", ticks, titles, rows, levels: levels.into_iter().collect() };
    chart.draw(report, "nothing to draw").map(Some)
}

/// Curves over an axis whose ticks stand where they were measured.
struct Chart<'a> {
    figure: &'static str,
    ticks: Vec<f64>,
    /// Of the x and the y axis.
    titles: [&'a str; 2],
    rows: Vec<(String, Vec<Point>)>,
    levels: Vec<Level>,
}

impl Chart<'_> {
    fn draw(&self, report: &Report, empty: &str) -> Result<String> {
        let Self { figure, rows, levels, .. } = self;
        let mut values: Vec<f64> = rows
            .iter()
            .flat_map(|(_, points)| points)
            .flat_map(|(_, low, fd, high)| [*low, *fd, *high])
            .collect();
        if values.is_empty() {
            return Err(Error::Figure { figure, problem: empty.to_owned() });
        }
        values.extend(levels.iter().map(|level| level.value));
        let (left, top, right, bottom) = FRAME;
        let x = LogAxis::with_ticks(self.ticks.clone(), (left, right));
        let y = LogAxis::for_values(&values, (bottom, top));

        let labels = rows.iter().map(|(label, _)| label).chain(levels.iter().map(|level| &level.text));
        let longest = labels.map(|label| label.chars().count()).max().unwrap_or(0);
        let width = right as u32 + 72 + 7 * longest.max(14) as u32;
        // A long legend stretches the figure rather than leaving it.
        let entries = (rows.len() + levels.len()) as u32;
        let height = HEIGHT.max(top as u32 + ENTRY as u32 * entries + 30);
        let mut svg = String::new();
        let mut draw = || -> DrawResult {
            let canvas = Canvas::new(&mut svg, (width, height))?;
            axes(&canvas, &x, &y, self.titles)?;
            titles(&canvas, report)?;
            for level in levels {
                let at = y.pixel(level.value);
                canvas.dashed((left, at), right - left, level.dash, MUTED)?;
            }
            for (i, (_, points)) in rows.iter().enumerate() {
                let pixels: Vec<(i32, i32)> =
                    points.iter().map(|(at, _, fd, _)| (x.pixel(*at), y.pixel(*fd))).collect();
                canvas.path(&pixels, PALETTE[i % PALETTE.len()], 2)?;
            }
            // Markers above all lines, so that none hides where another solver was measured.
            for (i, (_, points)) in rows.iter().enumerate() {
                for (at, low, fd, high) in points {
                    let at = x.pixel(*at);
                    if high > low {
                        let bar = [(at, y.pixel(*low)), (at, y.pixel(*high))];
                        canvas.path(&bar, PALETTE[i % PALETTE.len()], 2)?;
                    }
                    canvas.marker(i, (at, y.pixel(*fd)))?;
                }
            }
            legend(&canvas, rows, levels)?;
            canvas.finish()
        };
        draw().map_err(|e| Error::Figure { figure, problem: e.to_string() })?;
        Ok(svg)
    }
}

/// A point of a curve: where it stands, and of the value there the mean less its deviation over the blocks, the mean, the mean
/// plus it.
type Point = (f64, f64, f64, f64);

/// Points of each row; a logarithmic axis has no place for zero.
fn series(layout: &Layout<'_>) -> Vec<Vec<Point>> {
    let point = |nfe: u32, value: Value| {
        let sd = value.spread.map_or(0.0, |(sd, _)| sd);
        let low = if value.mean > sd { value.mean - sd } else { value.mean };
        (f64::from(nfe), low, value.mean, value.mean + sd)
    };
    let points = |row: &Vec<Option<Value>>| {
        let all = layout.nfes.iter().zip(row).filter_map(|(nfe, fd)| Some(point(*nfe, (*fd)?)));
        all.filter(|(_, _, fd, _)| fd.is_finite() && *fd > 0.0).collect()
    };
    layout.rows.iter().map(|(_, row)| points(row)).collect()
}

fn levels(report: &Report) -> Vec<Level> {
    let teacher = report.teacher.as_ref().and_then(|teacher| {
        let value = *teacher.metrics.get(Metric::FD.key)?;
        Some(Level { text: format!("teacher, {} NFE", teacher.nfe), value, dash: (8, 4) })
    });
    let floor = Level { text: "real images".to_owned(), value: report.reference.floor, dash: (2, 4) };
    teacher.into_iter().chain([floor]).filter(|level| level.value.is_finite() && level.value > 0.0).collect()
}

fn axes(canvas: &Canvas<'_>, x: &LogAxis, y: &LogAxis, [x_title, y_title]: [&str; 2]) -> DrawResult {
    let (left, top, right, bottom) = FRAME;
    for (at, text) in y.ticks() {
        canvas.path(&[(left, at), (right, at)], GRID, 1)?;
        canvas.text(&text, (left - 9, at), 12.0, INK, Anchor::Right)?;
    }
    let mut free_from = i32::MIN;
    for (at, text) in x.ticks() {
        canvas.path(&[(at, top), (at, bottom)], GRID, 1)?;
        canvas.path(&[(at, bottom), (at, bottom + 5)], INK, 1)?;
        // Crowded numbers are left out; their ticks stay.
        let half = 4 * text.len() as i32;
        if at - half >= free_from {
            canvas.text(&text, (at, bottom + 17), 12.0, INK, Anchor::Middle)?;
            free_from = at + half + 3;
        }
    }
    canvas.path(&[(left, top), (left, bottom), (right, bottom)], INK, 1)?;
    canvas.text(x_title, (i32::midpoint(left, right), bottom + 40), 13.0, INK, Anchor::Middle)?;
    canvas.upward_text(y_title, (18, i32::midpoint(top, bottom)), 13.0, INK)
}

fn titles(canvas: &Canvas<'_>, report: &Report) -> DrawResult {
    let left = FRAME.0;
    canvas.bold_text(&format!("{} along {}", report.model, report.path), (left, 22), 15.0, INK)?;
    let network = report.reference.extractor.split(':').next().unwrap_or_default();
    let sub = format!(
        "{}{} samples a point, features of {network}, {} reference images of {}",
        if report.blocks > 1 { format!("{} x ", report.blocks) } else { String::new() },
        thousands(report.samples),
        thousands(report.reference.n),
        report.reference.data
    );
    canvas.text(&sub, (left, 43), 12.0, MUTED, Anchor::Left)
}

fn legend(canvas: &Canvas<'_>, rows: &[(String, Vec<Point>)], levels: &[Level]) -> DrawResult {
    let (left, mut at) = (FRAME.2 + 18, FRAME.1 + 10);
    for (i, (label, _)) in rows.iter().enumerate() {
        canvas.path(&[(left, at), (left + 30, at)], PALETTE[i % PALETTE.len()], 2)?;
        canvas.marker(i, (left + 15, at))?;
        canvas.text(label, (left + 40, at), 12.5, INK, Anchor::Left)?;
        at += ENTRY;
    }
    at += 8;
    for level in levels {
        canvas.dashed((left, at), 30, level.dash, MUTED)?;
        canvas.text(&level.text, (left + 40, at), 12.5, MUTED, Anchor::Left)?;
        at += ENTRY;
    }
    Ok(())
}
