//! `fd_vs_nfe`: Fréchet distance over the count of network calls, one line a solver.

use super::axis::LogAxis;
use super::canvas::{Anchor, Canvas, PALETTE, Result as DrawResult};
use super::table::{Layout, Value};
use super::{Metric, Report, thousands};
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
    let levels = levels(report);
    let series = series(&layout);
    let mut values: Vec<f64> =
        series.iter().flatten().flat_map(|(_, low, fd, high)| [*low, *fd, *high]).collect();
    if values.is_empty() {
        let problem = "no finished cell has a positive Fréchet distance; run `bench` first".to_owned();
        return Err(Error::Figure { figure: "fd_vs_nfe", problem });
    }
    values.extend(levels.iter().map(|level| level.value));
    let (left, top, right, bottom) = FRAME;
    let x = LogAxis::for_nfe(&layout.nfes, (left, right));
    let y = LogAxis::for_values(&values, (bottom, top));

    let labels = layout.rows.iter().map(|(label, _)| label).chain(levels.iter().map(|level| &level.text));
    let longest = labels.map(|label| label.chars().count()).max().unwrap_or(0);
    let width = right as u32 + 72 + 7 * longest.max(14) as u32;
    // A long legend stretches the figure rather than leaving it.
    let entries = (layout.rows.len() + levels.len()) as u32;
    let height = HEIGHT.max(top as u32 + ENTRY as u32 * entries + 30);
    let mut svg = String::new();
    let mut draw = || -> DrawResult {
        let canvas = Canvas::new(&mut svg, (width, height))?;
        axes(&canvas, &x, &y)?;
        titles(&canvas, report)?;
        for level in &levels {
            let at = y.pixel(level.value);
            canvas.dashed((left, at), right - left, level.dash, MUTED)?;
        }
        for (i, points) in series.iter().enumerate() {
            let pixels: Vec<(i32, i32)> =
                points.iter().map(|(nfe, _, fd, _)| (x.pixel(*nfe), y.pixel(*fd))).collect();
            canvas.path(&pixels, PALETTE[i % PALETTE.len()], 2)?;
        }
        // Markers above all lines, so that none hides where another solver was measured.
        for (i, points) in series.iter().enumerate() {
            for (nfe, low, fd, high) in points {
                if high > low {
                    let at = x.pixel(*nfe);
                    canvas.path(
                        &[(at, y.pixel(*low)), (at, y.pixel(*high))],
                        PALETTE[i % PALETTE.len()],
                        2,
                    )?;
                }
                canvas.marker(i, (x.pixel(*nfe), y.pixel(*fd)))?;
            }
        }
        legend(&canvas, &layout, &levels)?;
        canvas.finish()
    };
    draw().map_err(|e| Error::Figure { figure: "fd_vs_nfe", problem: e.to_string() })?;
    Ok(svg)
}

/// A point of a curve: NFE, FD less its deviation over the blocks, FD, FD plus it.
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

fn axes(canvas: &Canvas<'_>, x: &LogAxis, y: &LogAxis) -> DrawResult {
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
    canvas.text(
        "NFE (denoiser evaluations per image)",
        (i32::midpoint(left, right), bottom + 40),
        13.0,
        INK,
        Anchor::Middle,
    )?;
    canvas.upward_text("Fréchet distance (lower is better)", (18, i32::midpoint(top, bottom)), 13.0, INK)
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

fn legend(canvas: &Canvas<'_>, layout: &Layout<'_>, levels: &[Level]) -> DrawResult {
    let (left, mut at) = (FRAME.2 + 18, FRAME.1 + 10);
    for (i, (label, _)) in layout.rows.iter().enumerate() {
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
