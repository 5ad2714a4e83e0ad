//! Rows = solver, columns = NFE: the table that papers print.

use super::{Cell, Metric, Report};
use std::collections::BTreeSet;

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Aligned columns; the best of a column carries a `*`.
    Plain,
    /// GitHub Markdown; the best of a column is bold.
    Markdown,
    /// A LaTeX `tabular` with rules of the package `booktabs`; the best of a column is bold.
    Latex,
}

/// Which statistic of a cell's blocks a table shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// Mean, and standard deviation where there are several blocks.
    Mean,
    /// The best block, as papers report that take the least FID of three runs. It is lower than the mean by luck alone.
    Best,
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
    fn new(cell: &Cell, metric: Metric<'_>, show: Show) -> Option<Self> {
        let mean = *cell.metrics.get(metric.key)?;
        if show == Show::Best {
            return Some(Self { mean: best_block(cell, metric).unwrap_or(mean), spread: None });
        }
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

/// The best value of a metric over a cell's blocks; `None` without blocks.
pub(crate) fn best_block(cell: &Cell, metric: Metric<'_>) -> Option<f64> {
    let values = cell.blocks.iter().filter_map(|block| block.get(metric.key).copied());
    values.reduce(|best, v| if metric.better(v, best) { v } else { best })
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
    pub(crate) fn new(report: &Report, metric: Metric<'a>, show: Show) -> Self {
        let cells: Vec<(&Cell, Value)> =
            report.cells.iter().filter_map(|c| Some((c, Value::new(c, metric, show)?))).collect();
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
        self.metric.ranks() && others().count() > 1 && !others().any(beats)
    }
}

/// Solver and guidance, with the grid where one solver ran on several.
fn label(report: &Report, cell: &Cell) -> String {
    let single = report.cells.iter().filter(|c| c.solver == cell.solver).all(|c| c.grid == cell.grid);
    if single { cell.method() } else { format!("{} ({})", cell.method(), cell.grid) }
}

/// Table of one metric, means over blocks. Absent cells show `–`; ties are all marked best.
pub fn table(report: &Report, metric: Metric<'_>, style: Style) -> String {
    table_of(report, metric, Show::Mean, style)
}

/// [`table`] of any statistic.
pub fn table_of(report: &Report, metric: Metric<'_>, show: Show, style: Style) -> String {
    let layout = Layout::new(report, metric, show);
    if layout.rows.is_empty() {
        return format!("no finished cell has `{}`\n", metric.key);
    }
    let mut lines = vec![vec!["NFE".to_owned()]];
    lines[0].extend(layout.nfes.iter().map(|nfe| style.mark(nfe.to_string(), false)));
    for (label, values) in &layout.rows {
        let mut line = vec![style.escape(label)];
        line.extend(values.iter().enumerate().map(|(column, value)| match value {
            None => style.mark(style.escape("–"), false),
            Some(v) => style.mark(style.escape(&v.show(metric)), layout.is_best(column, *v)),
        }));
        lines.push(line);
    }
    let widths: Vec<usize> = (0..=layout.nfes.len())
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut out = style.opening(widths.len());
    for (i, line) in lines.iter().enumerate() {
        out += &style.line(line, &widths);
        if i == 0 {
            out += &style.rule(&widths);
        }
    }
    out + style.closing()
}

impl Style {
    /// Text as the style's language writes it.
    fn escape(self, text: &str) -> String {
        if self != Self::Latex {
            return text.to_owned();
        }
        let escaped = text.chars().map(|c| match c {
            '–' => "--".to_owned(),
            '±' => "$\\pm$".to_owned(),
            '_' | '&' | '%' | '#' | '$' | '{' | '}' => format!("\\{c}"),
            '\\' => "\\textbackslash{}".to_owned(),
            '~' | '^' => format!("\\{c}{{}}"),
            other => other.to_string(),
        });
        escaped.collect()
    }

    /// Plain entries keep a blank where a star could be, so that columns line up.
    fn mark(self, text: String, best: bool) -> String {
        match (self, best) {
            (Self::Markdown, true) => format!("**{text}**"),
            (Self::Latex, true) => format!("\\textbf{{{text}}}"),
            (Self::Plain, true) => text + "*",
            (Self::Plain, false) => text + " ",
            (Self::Markdown | Self::Latex, false) => text,
        }
    }

    fn opening(self, columns: usize) -> String {
        match self {
            Self::Latex => format!("\\begin{{tabular}}{{l{}}}\n\\toprule\n", "r".repeat(columns - 1)),
            Self::Plain | Self::Markdown => String::new(),
        }
    }

    fn closing(self) -> &'static str {
        match self {
            Self::Latex => "\\bottomrule\n\\end{tabular}\n",
            Self::Plain | Self::Markdown => "",
        }
    }

    fn line(self, line: &[String], widths: &[usize]) -> String {
        let padded = line.iter().zip(widths).enumerate().map(|(column, (text, width))| {
            let gap = " ".repeat(width - text.chars().count());
            if column == 0 { format!("{text}{gap}") } else { format!("{gap}{text}") }
        });
        let padded: Vec<String> = padded.collect();
        match self {
            Self::Markdown => format!("| {} |\n", padded.join(" | ")),
            Self::Latex => format!("{} \\\\\n", padded.join(" & ")),
            Self::Plain => format!("{}\n", padded.join("  ").trim_end()),
        }
    }

    /// What stands between the head and the body.
    fn rule(self, widths: &[usize]) -> String {
        let dashes = widths.iter().enumerate().map(|(column, width)| match (self, column) {
            (Self::Markdown, 0) => format!("{}-", "-".repeat(width + 1)),
            (Self::Markdown, _) => format!("{}:", "-".repeat(width + 1)),
            _ => "-".repeat(*width),
        });
        let dashes: Vec<String> = dashes.collect();
        match self {
            Self::Markdown => format!("|{}|\n", dashes.join("|")),
            Self::Latex => "\\midrule\n".to_owned(),
            Self::Plain => format!("{}\n", dashes.join("  ")),
        }
    }
}
