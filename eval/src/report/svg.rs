//! Metrics of a report over the count of network calls, one line a solver, and over the guidance scale, one line a rule.

use super::table::{Layout, Show};
use super::{Cell, Level, Metric, Plot, Point, Report, Scale, Series, thousands};
use crate::{Error, Result};

/// Fréchet distance over NFE, [`metric_vs_nfe`] with a level for what as many real images would get.
///
/// # Errors
/// [`Error::Figure`] when no cell has a positive Fréchet distance.
pub fn fd_vs_nfe(report: &Report) -> Result<String> {
    metric_vs_nfe(report, Metric::FD)
}

/// A metric over NFE as SVG text: logarithmic axes (a linear one for values of both signs and for shares) with ticks at the
/// NFEs that were run, bands of one standard deviation where there are several blocks, dashed lines for the teacher and,
/// under a Fréchet distance, for what as many real images would get.
///
/// # Errors
/// [`Error::Figure`] when no cell has a value that the axes can hold.
pub fn metric_vs_nfe(report: &Report, metric: Metric<'_>) -> Result<String> {
    let layout = Layout::new(report, metric, Show::Mean);
    let point = |(nfe, value): (&u32, &Option<super::table::Value>)| {
        let value = (*value)?;
        Some(Point { x: f64::from(*nfe), y: value.mean, spread: value.spread.map_or(0.0, |(sd, _)| sd) })
    };
    let series = layout.rows.iter().map(|(label, row)| Series {
        label: label.clone(),
        points: layout.nfes.iter().zip(row).filter_map(point).collect(),
    });
    let plot = Plot {
        title: format!("{} along {}", report.model, report.path),
        subtitle: subtitle(report),
        x: ("NFE (denoiser evaluations per image)".to_owned(), Scale::Log),
        y: (format!("{} ({})", metric.title(), metric.direction()), metric.scale()),
        series: series.collect(),
        levels: levels(report, metric),
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
/// their solver. `real` is what real images have of it, a dashed line. `None` when no guided cell has a value that the axes
/// can hold.
///
/// # Errors
/// [`Error::Figure`] when it cannot be drawn.
pub fn metric_vs_scale(report: &Report, metric: Metric<'_>, real: Option<f64>) -> Result<Option<String>> {
    let point = |x: f64, cell: &Cell| {
        let y = *cell.metrics.get(metric.key)?;
        let spread = cell.sd(metric.key).unwrap_or(0.0);
        (Scale::Log.holds(x) && metric.scale().holds(y)).then_some(Point { x, y, spread })
    };
    let several = report.cells.iter().any(|c| c.nfe != report.cells[0].nfe);
    let mut series: Vec<Series> = Vec::new();
    for cell in &report.cells {
        let Some(guidance) = &cell.guidance else { continue };
        let Some(guided) = point(guidance.scale, cell) else { continue };
        let nfe = if several { format!(", {} NFE", cell.nfe) } else { String::new() };
        let label = format!("{} · {}{nfe}", cell.solver, guidance.rule);
        let at = series.iter().position(|line| line.label == label).unwrap_or_else(|| {
            let same = |c: &&Cell| {
                c.guidance.is_none() && (&c.solver, &c.grid, c.nfe) == (&cell.solver, &cell.grid, cell.nfe)
            };
            let plain = report.cells.iter().find(same).and_then(|cell| point(1.0, cell));
            series.push(Series { label, points: plain.into_iter().collect() });
            series.len() - 1
        });
        series[at].points.push(guided);
    }
    for line in &mut series {
        line.points.sort_by(|a, b| a.x.total_cmp(&b.x));
    }
    if series.is_empty() {
        return Ok(None);
    }
    let plot = Plot {
        title: format!("{} along {}", report.model, report.path),
        subtitle: subtitle(report),
        x: ("guidance scale w (1: none)".to_owned(), Scale::Log),
        y: (format!("{} ({})", metric.title(), metric.direction()), metric.scale()),
        series,
        levels: real.map(|value| Level { label: "real images".to_owned(), value }).into_iter().collect(),
    };
    plot.svg("metric_vs_scale").map(Some)
}

fn levels(report: &Report, metric: Metric<'_>) -> Vec<Level> {
    let teacher = report.teacher.as_ref().and_then(|teacher| {
        let value = *teacher.metrics.get(metric.key)?;
        Some(Level { label: format!("teacher, {} NFE", teacher.nfe), value })
    });
    let floor = (metric == Metric::FD)
        .then(|| Level { label: "real images".to_owned(), value: report.reference.floor });
    teacher.into_iter().chain(floor).collect()
}

fn subtitle(report: &Report) -> String {
    let network = report.reference.extractor.split(':').next().unwrap_or_default();
    format!(
        "{}{} samples a point, features of {network}, {} reference images of {}",
        if report.blocks > 1 { format!("{} x ", report.blocks) } else { String::new() },
        thousands(report.samples),
        thousands(report.reference.n),
        report.reference.data
    )
}
