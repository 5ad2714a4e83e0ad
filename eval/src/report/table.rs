//! Rows = solver, columns = NFE: the table that papers print.

use super::{Cell, Metric, Report};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Aligned columns; the best of a column carries a `*`.
    Plain,
    /// GitHub Markdown; the best of a column is bold.
    Markdown,
}

/// A metric of one cell.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Value {
    /// Mean over the blocks.
    pub(crate) mean: f64,
    /// Standard deviation over the blocks, and their count.
    pub(crate) spread: Option<(f64, f64)>,
}

impl Value {
    fn new(cell: &Cell, metric: Metric<'_>) -> Option<Self> {
        let mean = *cell.metrics.get(metric.key)?;
        Some(Self { mean, spread: cell.sd(metric.key).map(|sd| (sd, cell.blocks.len() as f64)) })
    }

    /// With the metric's digits, and the deviation where it is known.
    pub(crate) fn show(self, metric: Metric<'_>) -> String {
        let mean = metric.format(self.mean);
        self.spread.map_or(mean.clone(), |(sd, _)| format!("{mean} ±{}", metric.format(sd)))
    }

    /// Two standard errors of the mean.
    fn margin(self) -> f64 {
        self.spread.map_or(0.0, |(sd, blocks)| 2.0 * sd / blocks.sqrt())
    }
}

/// A metric laid out by solver (rows, in order of appearance) and NFE (columns, ascending).
pub(crate) struct Layout<'a> {
    /// Distinct NFEs, ascending.
    pub(crate) nfes: Vec<u32>,
    /// Label and one optional value a column.
    pub(crate) rows: Vec<(String, Vec<Option<Value>>)>,
    metric: Metric<'a>,
}

impl<'a> Layout<'a> {
    /// Lays out the cells that have the metric. Of two cells in the same place the later one counts.
    pub(crate) fn new(report: &Report, metric: Metric<'a>) -> Self {
        let cells: Vec<(&Cell, Value)> =
            report.cells.iter().filter_map(|c| Some((c, Value::new(c, metric)?))).collect();
        let nfes: Vec<u32> = cells.iter().map(|(c, _)| c.nfe).collect::<BTreeSet<_>>().into_iter().collect();
        let mut rows: Vec<(String, Vec<Option<Value>>)> = Vec::new();
        for (cell, value) in cells {
            let label = label(report, cell);
            let at = rows.iter().position(|(l, _)| *l == label).unwrap_or_else(|| {
                rows.push((label, vec![None; nfes.len()]));
                rows.len() - 1
            });
            if let Ok(column) = nfes.binary_search(&cell.nfe) {
                rows[at].1[column] = Some(value);
            }
        }
        Self { nfes, rows, metric }
    }

    /// Whether a value is the best of its column, with something to be better than, or tied with it: the same as
    /// printed, or nearer to it than two standard errors of their difference.
    pub(crate) fn is_best(&self, column: usize, value: Value) -> bool {
        let others = || self.rows.iter().filter_map(|(_, row)| row[column]);
        let beats = |other: Value| {
            self.metric.better(other.mean, value.mean)
                && self.metric.format(other.mean) != self.metric.format(value.mean)
                && (other.mean - value.mean).abs() > other.margin().hypot(value.margin())
        };
        others().count() > 1 && !others().any(beats)
    }
}

/// Solver and guidance, with the grid where one solver ran on several.
fn label(report: &Report, cell: &Cell) -> String {
    let single = report.cells.iter().filter(|c| c.solver == cell.solver).all(|c| c.grid == cell.grid);
    if single { cell.method() } else { format!("{} ({})", cell.method(), cell.grid) }
}

/// Table of one metric. Absent cells show `–`; ties as printed are all marked best.
pub fn table(report: &Report, metric: Metric<'_>, style: Style) -> String {
    let layout = Layout::new(report, metric);
    if layout.rows.is_empty() {
        return format!("no finished cell has `{}`\n", metric.key);
    }
    let mut lines = vec![vec!["NFE".to_owned()]];
    lines[0].extend(layout.nfes.iter().map(|nfe| mark(nfe.to_string(), false, style)));
    for (label, values) in &layout.rows {
        let mut line = vec![label.clone()];
        line.extend(values.iter().enumerate().map(|(column, value)| match value {
            None => mark("–".to_owned(), false, style),
            Some(v) => mark(v.show(metric), layout.is_best(column, *v), style),
        }));
        lines.push(line);
    }
    let widths: Vec<usize> = (0..=layout.nfes.len())
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut out = String::new();
    for (i, line) in lines.iter().enumerate() {
        write_line(&mut out, line, &widths, style);
        if i == 0 {
            rule(&mut out, &widths, style);
        }
    }
    out
}

/// Plain entries keep a blank where a star could be, so that columns line up.
fn mark(text: String, best: bool, style: Style) -> String {
    match (style, best) {
        (Style::Markdown, true) => format!("**{text}**"),
        (Style::Plain, true) => text + "*",
        (Style::Plain, false) => text + " ",
        (Style::Markdown, false) => text,
    }
}

fn write_line(out: &mut String, line: &[String], widths: &[usize], style: Style) {
    let mut padded = line.iter().zip(widths).enumerate().map(|(column, (text, width))| {
        // Padding by hand: `format!` counts characters too, but the dash of empty cells deserves the same slot.
        let gap = " ".repeat(width - text.chars().count());
        if column == 0 { format!("{text}{gap}") } else { format!("{gap}{text}") }
    });
    // Writing to a String cannot fail.
    let _ = match style {
        Style::Markdown => writeln!(out, "| {} |", padded.by_ref().collect::<Vec<_>>().join(" | ")),
        Style::Plain => writeln!(out, "{}", padded.by_ref().collect::<Vec<_>>().join("  ").trim_end()),
    };
}

fn rule(out: &mut String, widths: &[usize], style: Style) {
    let dashes = widths.iter().enumerate().map(|(column, width)| match (style, column) {
        (Style::Markdown, 0) => format!("{}-", "-".repeat(width + 1)),
        (Style::Markdown, _) => format!("{}:", "-".repeat(width + 1)),
        (Style::Plain, _) => "-".repeat(*width),
    });
    let dashes: Vec<String> = dashes.collect();
    let _ = match style {
        Style::Markdown => writeln!(out, "|{}|", dashes.join("|")),
        Style::Plain => writeln!(out, "{}", dashes.join("  ")),
    };
}
