//! Metrics of a report over the count of network calls, one line a solver.

use super::table::{Layout, Show};
use super::{Level, Metric, Plot, Point, Report, Scale, Series, thousands};
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
