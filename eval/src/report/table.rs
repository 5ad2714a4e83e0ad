//! Rows = solver, columns = NFE, or in a sweep the guidance scale: the table that papers print.

use super::layout::Layout;
use super::{Metric, Report};

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

/// Table of one metric, means over blocks. Absent cells show `–`; ties are all marked best. The last row is what real images
/// have, where it is known.
pub fn table(report: &Report, metric: Metric<'_>, style: Style) -> String {
    table_of(report, metric, Show::Mean, style)
}

/// [`table`] of any statistic.
pub fn table_of(report: &Report, metric: Metric<'_>, show: Show, style: Style) -> String {
    let layout = Layout::new(report, metric, show);
    if layout.rows.is_empty() {
        return format!("no finished cell has `{}`\n", metric.key);
    }
    let mut lines = vec![vec![layout.head.to_owned()]];
    lines[0].extend(layout.columns.iter().map(|column| style.mark(column.to_string(), false)));
    for (label, values) in &layout.rows {
        let mut line = vec![style.escape(label)];
        line.extend(values.iter().enumerate().map(|(column, value)| match value {
            None => style.mark(style.escape("–"), false),
            Some(v) => style.mark(style.escape(&v.show(metric)), layout.is_best(column, *v)),
        }));
        lines.push(line);
    }
    if let Some(real) = layout.real {
        let mut line = vec!["real images".to_owned()];
        line.extend(layout.columns.iter().map(|_| style.mark(metric.format(real), false)));
        lines.push(line);
    }
    let widths: Vec<usize> = (0..=layout.columns.len())
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut out = style.opening(widths.len());
    for (i, line) in lines.iter().enumerate() {
        if i == 1 || (layout.real.is_some() && i + 1 == lines.len() && style == Style::Latex) {
            out += &style.rule(&widths);
        }
        out += &style.line(line, &widths);
    }
    out + style.closing()
}

impl Style {
    /// Text as the style's language writes it.
    pub(super) fn escape(self, text: &str) -> String {
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
