//! Reports as text to be put into other documents: Markdown and LaTeX.

use super::blocks::Count;
use super::layout::Layout;
use super::table::{Show, Style, table};
use super::{Metric, Report, thousands};
use std::fmt::Write as _;

/// What was measured, how often, and against what: one paragraph.
pub(super) fn lead(report: &Report) -> String {
    let reference = &report.reference;
    let network = reference.extractor.split(':').next().unwrap_or_default();
    let count = Count::of(&report.cells);
    let blocks = if count.several() { format!("{count} blocks of ") } else { String::new() };
    let mut text = format!(
        "{blocks}{} samples a cell from seed {}, measured against {} images of {} in the features of {network}.",
        thousands(report.samples),
        report.seed,
        thousands(reference.n),
        reference.data,
    );
    // Writing to a String cannot fail.
    if let Some(rows) = reference.rows {
        let _ = write!(
            text,
            " Kernel distance, precision, recall, density and coverage compare with the first {} of these.",
            thousands(rows)
        );
    }
    let _ = write!(
        text,
        " Real images would score an FD of about {} at this count",
        Metric::FD.format(reference.floor)
    );
    if let Some(real) = &reference.real {
        let _ = write!(
            text,
            "; their other metrics are those of {} images of {}, the first {} for metrics of sets",
            thousands(real.n),
            real.data,
            thousands(real.set)
        );
    }
    text += if count.several() {
        ". ± is the standard deviation over the blocks, and what stands within two standard errors of the best is marked too."
    } else {
        ". Differences of a few per cent are ties."
    };
    text
}

/// `report.md`: the metrics of `shown` that cells have, each with its definition and table.
pub fn markdown(report: &Report, shown: &[Metric<'_>]) -> String {
    let mut out = format!("# {} along {}\n\n{}\n", report.model, report.path, lead(report));
    for metric in present(report, shown) {
        let _ = write!(out, "\n## {}\n\n", metric.title());
        if !metric.definition().is_empty() {
            let _ = write!(out, "{}; {}.\n\n", metric.definition(), metric.direction());
        }
        out += &table(report, metric, Style::Markdown);
        if let Some(text) = Layout::new(report, metric, Show::Mean).own_best() {
            let _ = write!(out, "\nEach at its own best scale: {text}.\n");
        }
    }
    out
}

/// `report.tex`: the same as `table` environments, to be put in by `\input`; they need the package `booktabs`.
pub fn latex(report: &Report, shown: &[Metric<'_>]) -> String {
    let escape = |text: &str| Style::Latex.escape(text);
    let mut out = format!("% {} along {}\n% {}\n", report.model, report.path, lead(report));
    for metric in present(report, shown) {
        let (title, direction) = (escape(metric.title()), metric.direction());
        let _ = write!(
            out,
            "\n\\begin{{table}}\n\\centering\n\\caption{{{title} ({direction}) of {} along {}.}}\n{}\\end{{table}}\n",
            escape(&report.model),
            escape(&report.path),
            table(report, metric, Style::Latex)
        );
    }
    out
}

fn present<'a>(report: &Report, shown: &[Metric<'a>]) -> Vec<Metric<'a>> {
    let has = |metric: &Metric<'_>| report.cells.iter().any(|cell| cell.metrics.contains_key(metric.key));
    shown.iter().copied().filter(has).collect()
}
