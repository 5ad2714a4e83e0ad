//! Figures of a report: its metrics over the count of network calls and over the guidance scale, and what guidance did at
//! each noise level.

use super::blocks::Count;
use super::layout::Layout;
use super::table::Show;
use super::{Cell, GuidanceLevel, Level, Metric, Plot, Point, Report, Scale, Series, Ticks, thousands};
use crate::{Error, Result};

/// A figure with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawn {
    /// File name, e.g. `fd_vs_nfe.svg`.
    pub file: String,
    /// What it shows, in a sentence.
    pub caption: String,
    /// SVG text.
    pub svg: String,
}

/// The figures of a metric: `<key>_vs_nfe.svg` unless all cells have one NFE and differ in their scale, `<key>_vs_scale.svg`
/// if they differ in their scale. None where no value can be drawn.
///
/// # Errors
/// [`Error::Figure`] when one cannot be drawn.
pub fn metric_figures(report: &Report, metric: Metric<'_>) -> Result<Vec<Drawn>> {
    let mut figures = Vec::new();
    let holds = |v: &f64| metric.scale().holds(*v);
    if !report.cells.iter().filter_map(|cell| cell.metrics.get(metric.key)).any(holds) {
        return Ok(figures);
    }
    let real =
        if report.reference.real(metric.key).is_some() { " Dashed: what real images have." } else { "" };
    if !report.sweeps() || report.cells.iter().any(|cell| cell.nfe != report.cells[0].nfe) {
        figures.push(Drawn {
            file: format!("{}_vs_nfe.svg", metric.key),
            caption: format!("{} against cost.{real}", metric.title()),
            svg: metric_vs_nfe(report, metric)?,
        });
    }
    if let Some(svg) = metric_vs_scale(report, metric)? {
        figures.push(Drawn {
            file: format!("{}_vs_scale.svg", metric.key),
            caption: format!("{} against the guidance scale.{real}", metric.title()),
            svg,
        });
    }
    Ok(figures)
}

/// Fréchet distance over NFE, [`metric_vs_nfe`] with a level for what as many real images would get.
///
/// # Errors
/// [`Error::Figure`] when no cell has a positive Fréchet distance.
pub fn fd_vs_nfe(report: &Report) -> Result<String> {
    metric_vs_nfe(report, Metric::FD)
}

/// A metric over NFE as SVG text: logarithmic axes (a linear one for values of both signs and for shares) with ticks at the
/// NFEs that were run, bands of one standard deviation where there are several blocks, dashed lines for the teacher and
/// for what real images have.
///
/// # Errors
/// [`Error::Figure`] when no cell has a value that the axes can hold.
pub fn metric_vs_nfe(report: &Report, metric: Metric<'_>) -> Result<String> {
    let plot = Plot {
        x: ("NFE (denoiser evaluations per image)".to_owned(), Scale::Log, Ticks::AtData),
        series: series(&Layout::by_nfe(report, metric, Show::Mean)),
        levels: teacher(report, metric).into_iter().chain(real(report, metric)).collect(),
        ..frame(report, metric)
    };
    let figure = if metric == Metric::FD { "fd_vs_nfe" } else { "metric_vs_nfe" };
    plot.svg(figure).map_err(|error| match error {
        Error::Figure { figure, problem } => {
            Error::Figure { figure, problem: format!("{problem}; run `bench` first") }
        }
        other => other,
    })
}

/// A metric over the guidance scale, one line for each solver, rule and NFE; unguided cells stand at 1 on every line of
/// their solver. Its axis is logarithmic unless a scale is 0 or less. Bands and a dashed line for real images as in
/// [`metric_vs_nfe`]. `None` when the cells do not differ in their scale, or no guided one has a value that the axes can hold.
///
/// # Errors
/// [`Error::Figure`] when it cannot be drawn.
pub fn metric_vs_scale(report: &Report, metric: Metric<'_>) -> Result<Option<String>> {
    let scale = |cell: &Cell| cell.guidance.as_ref().map(|g| g.scale);
    let linear = report.cells.iter().filter_map(scale).any(|w| w <= 0.0);
    let axis = if linear { Scale::Linear } else { Scale::Log };
    let holds = |cell: &&Cell| {
        let value = cell.metrics.get(metric.key);
        scale(cell).is_some_and(|w| axis.holds(w)) && value.is_some_and(|v| metric.scale().holds(*v))
    };
    if !report.sweeps() || !report.cells.iter().any(|cell| holds(&cell)) {
        return Ok(None);
    }
    let plot = Plot {
        x: ("guidance scale w (1: none)".to_owned(), axis, Ticks::AtData),
        series: series(&Layout::by_scale(report, metric, Show::Mean)),
        levels: real(report, metric).into_iter().collect(),
        ..frame(report, metric)
    };
    plot.svg("metric_vs_scale").map(Some)
}

/// A way to read a number off a level.
type Reading = fn(&GuidanceLevel) -> Option<f64>;

/// Diagnostics of guidance over the noise level: size of the difference of both predictions, the cosine between them, and
/// the share of images whose difference was capped. A line for each guided cell at the lowest, middle and highest scale, at
/// the highest NFE. Only those that have values.
///
/// # Errors
/// [`Error::Figure`] when one cannot be drawn.
pub fn guidance_figures(report: &Report) -> Result<Vec<Drawn>> {
    let guided = report.cells.iter().filter_map(|cell| Some((cell, cell.guidance.as_ref()?)));
    let mut scales: Vec<f64> = guided.clone().map(|(_, g)| g.scale).collect();
    scales.sort_by(f64::total_cmp);
    scales.dedup();
    let (Some(first), Some(last), Some(nfe)) =
        (scales.first(), scales.last(), guided.clone().map(|(cell, _)| cell.nfe).max())
    else {
        return Ok(Vec::new());
    };
    let chosen = [*first, scales[(scales.len() - 1) / 2], *last];
    let cells: Vec<_> = guided.filter(|(c, g)| c.nfe == nfe && chosen.contains(&g.scale)).collect();
    let readings: [(&str, &str, &str, Scale, Reading); 3] = [
        (
            "d",
            "|d|, root mean square",
            "Size of d, the difference of both predictions as clean images",
            Scale::Log,
            |l| Some(l.d_rms),
        ),
        (
            "cosine",
            "cosine of both predictions",
            "Cosine between both predictions as clean images",
            Scale::Linear,
            |l| Some(l.cosine),
        ),
        ("capped", "share capped", "Share of images whose d was capped", Scale::Linear, |l| l.capped),
    ];
    let mut figures = Vec::new();
    for (key, title, caption, scale, reading) in readings {
        let line = |(cell, guidance): &(&Cell, &super::GuidanceInfo)| Series {
            label: report.label(cell),
            points: guidance.levels.iter().filter_map(|level| point(level, scale, reading)).collect(),
        };
        let series: Vec<Series> = cells.iter().map(line).filter(|line| !line.points.is_empty()).collect();
        if series.is_empty() {
            continue;
        }
        let plot = Plot {
            x: ("noise level sigma / alpha".to_owned(), Scale::Log, Ticks::Round),
            y: (title.to_owned(), scale),
            series,
            subtitle: format!("{} images, {nfe} NFE", thousands(report.samples)),
            ..frame(report, Metric::FD)
        };
        figures.push(Drawn {
            file: format!("guidance_{key}_vs_sigma.svg"),
            caption: format!("{caption}, against the noise level, in the first block."),
            svg: plot.svg("guidance_vs_sigma")?,
        });
    }
    Ok(figures)
}

/// A point at a level; the infinite one has no place.
fn point(level: &GuidanceLevel, scale: Scale, reading: Reading) -> Option<Point> {
    let y = reading(level)?;
    (Scale::Log.holds(level.rho) && level.rho < f64::MAX && scale.holds(y)).then_some(Point {
        x: level.rho,
        y,
        spread: 0.0,
    })
}

fn series(layout: &Layout<'_>) -> Vec<Series> {
    let point = |(x, value): (&f64, &Option<super::layout::Value>)| {
        let value = (*value)?;
        Some(Point { x: *x, y: value.mean, spread: value.spread.map_or(0.0, |(sd, _)| sd) })
    };
    let line = |(label, row): &(String, Vec<_>)| Series {
        label: label.clone(),
        points: layout.columns.iter().zip(row).filter_map(point).collect(),
    };
    layout.rows.iter().map(line).collect()
}

/// A plot without lines.
fn frame(report: &Report, metric: Metric<'_>) -> Plot {
    Plot {
        title: format!("{} along {}", report.model, report.path),
        subtitle: subtitle(report),
        x: (String::new(), Scale::Log, Ticks::AtData),
        y: (format!("{} ({})", metric.title(), metric.direction()), metric.scale()),
        series: Vec::new(),
        levels: Vec::new(),
    }
}

fn teacher(report: &Report, metric: Metric<'_>) -> Option<Level> {
    let teacher = report.teacher.as_ref()?;
    let value = *teacher.metrics.get(metric.key)?;
    Some(Level { label: format!("teacher, {} NFE", teacher.nfe), value })
}

fn real(report: &Report, metric: Metric<'_>) -> Option<Level> {
    let value = report.reference.real(metric.key)?;
    Some(Level { label: "real images".to_owned(), value })
}

fn subtitle(report: &Report) -> String {
    let network = report.reference.extractor.split(':').next().unwrap_or_default();
    let count = Count::of(&report.cells);
    format!(
        "{}{} samples a point, features of {network}, {} reference images of {}",
        if count.several() { format!("{count} x ") } else { String::new() },
        thousands(report.samples),
        thousands(report.reference.n),
        report.reference.data
    )
}
