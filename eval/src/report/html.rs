//! One self-contained `report.html`: no script, no font, no link to anywhere.

use super::blocks::Count;
use super::document::lead;
use super::layout::Layout;
use super::table::Show;
use super::{Cell, Metric, Report, guidance_figures, metric_figures};
use crate::Result;
use base64::Engine as _;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// A picture for the report.
#[derive(Debug, Clone, Copy)]
pub enum Figure<'a> {
    /// SVG text, put into the page as it is: it must come from this program.
    Svg(&'a str),
    /// PNG bytes, shown without smoothing, as grids of small images want it.
    Png(&'a [u8]),
}

/// Style sheet; both colour schemes share the layout.
const CSS: &str = include_str!("report.css");

/// The page: every metric of the cells with its definition and table, those of `shown` first and with their figures; what
/// guidance did; pictures with captions, settings and hashes.
///
/// # Errors
/// As [`metric_figures`] and [`guidance_figures`].
pub fn html(report: &Report, shown: &[Metric<'_>], figures: &[(&str, Figure<'_>)]) -> Result<String> {
    let mut page = String::new();
    let title = escape(&format!("{} along {}", report.model, report.path));
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title} – fewstep bench</title>\n<style>\n{CSS}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
    );
    summary(&mut page, report);
    for metric in in_order(report, shown) {
        heading(&mut page, metric);
        if shown.contains(&metric) {
            for drawn in metric_figures(report, metric)? {
                figure(&mut page, &drawn.caption, Figure::Svg(&drawn.svg));
            }
        }
        metric_table(&mut page, report, metric);
    }
    let diagnostics = guidance_figures(report)?;
    if !diagnostics.is_empty() {
        page.push_str("<h2>What guidance met</h2>\n");
    }
    for drawn in diagnostics {
        figure(&mut page, &drawn.caption, Figure::Svg(&drawn.svg));
    }
    for (caption, picture) in figures {
        figure(&mut page, caption, *picture);
    }
    cells(&mut page, report);
    settings(&mut page, report);
    page.push_str("</main>\n</body>\n</html>\n");
    Ok(page)
}

fn has(report: &Report, metric: Metric<'_>) -> bool {
    report.cells.iter().any(|cell| cell.metrics.contains_key(metric.key))
}

/// Metrics in the order of tables: those asked for, then all others by name.
fn in_order<'a>(report: &'a Report, shown: &[Metric<'a>]) -> Vec<Metric<'a>> {
    let names: BTreeSet<&str> =
        report.cells.iter().flat_map(|c| c.metrics.keys().map(String::as_str)).collect();
    let others = names.into_iter().map(Metric::named).filter(|metric| !shown.contains(metric));
    shown.iter().copied().filter(|metric| has(report, *metric)).chain(others).collect()
}

fn summary(page: &mut String, report: &Report) {
    let _ = writeln!(page, "<p class=\"lead\">{}</p>", escape(&lead(report)));
}

fn heading(page: &mut String, metric: Metric<'_>) {
    let (title, direction) = (escape(metric.title()), metric.direction());
    let _ = writeln!(page, "<h2>{title} <small>{direction}</small></h2>");
    if !metric.definition().is_empty() {
        let _ = writeln!(page, "<p class=\"note\">{}.</p>", escape(metric.definition()));
    }
}

fn metric_table(page: &mut String, report: &Report, metric: Metric<'_>) {
    let layout = Layout::new(report, metric, Show::Mean);
    let _ = write!(page, "<div class=\"wide\"><table>\n<tr><th>{}</th>", layout.head);
    for column in &layout.columns {
        let _ = write!(page, "<th>{column}</th>");
    }
    page.push_str("</tr>\n");
    for (label, values) in &layout.rows {
        let _ = write!(page, "<tr><th>{}</th>", escape(label));
        for (column, value) in values.iter().enumerate() {
            let _ = match value {
                None => write!(page, "<td class=\"none\">–</td>"),
                Some(v) if layout.is_best(column, *v) => {
                    write!(page, "<td class=\"best\">{}</td>", v.show(metric))
                }
                Some(v) => write!(page, "<td>{}</td>", v.show(metric)),
            };
        }
        page.push_str("</tr>\n");
    }
    if let Some(real) = layout.real {
        let value = format!("<td>{}</td>", metric.format(real)).repeat(layout.columns.len());
        let _ = writeln!(page, "<tr class=\"real\"><th>real images</th>{value}</tr>");
    }
    page.push_str("</table></div>\n");
    if let Some(text) = layout.own_best() {
        let _ = writeln!(page, "<p class=\"note\">Each at its own best scale: {}.</p>", escape(&text));
    }
    if let Some((teacher, value)) =
        report.teacher.as_ref().and_then(|t| Some((t, t.metrics.get(metric.key)?)))
    {
        let _ = writeln!(
            page,
            "<p class=\"note\">Teacher: {} at {} NFE, {}.</p>",
            escape(&teacher.solver),
            teacher.nfe,
            metric.format(*value)
        );
    }
}

fn figure(page: &mut String, caption: &str, picture: Figure<'_>) {
    page.push_str("<figure>\n");
    match picture {
        Figure::Svg(svg) => page.push_str(svg),
        Figure::Png(bytes) => {
            let data = base64::engine::general_purpose::STANDARD.encode(bytes);
            let _ = writeln!(page, "<img alt=\"{}\" src=\"data:image/png;base64,{data}\">", escape(caption));
        }
    }
    let _ = write!(page, "<figcaption>{}</figcaption>\n</figure>\n", escape(caption));
}

/// What the times of cells are.
const TIMES: &str = "Seconds are wall clock, from the start of a block to its last batch: sampling, and the features and sums \
    over images that are taken meanwhile. Earlier versions left out what was spent on these.";

fn cells(page: &mut String, report: &Report) {
    let several = Count::of(&report.cells).several();
    let blocks = if several { "<th>blocks</th>" } else { "" };
    let _ = write!(
        page,
        "<details>\n<summary>All cells, with times and plan hashes</summary>\n<div class=\"wide\"><table class=\"log\">\n\
         <tr><th>method</th><th>grid</th><th>steps</th><th>NFE</th><th>forwards</th><th>samples</th>{blocks}<th>seconds</th>\
         <th>ms an image</th><th>plan</th></tr>\n"
    );
    for cell in &report.cells {
        let blocks = if several { format!("<td>{}</td>", cell.measured()) } else { String::new() };
        let _ = writeln!(
            page,
            "<tr><th>{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>{blocks}<td>{:.1}</td><td>{:.2}</td>\
             <td><code>{}</code></td></tr>",
            escape(&cell.method()),
            escape(&cell.grid),
            cell.steps,
            cell.nfe,
            passes(cell),
            cell.samples,
            cell.seconds,
            1e3 * cell.seconds_per_image,
            escape(cell.plan_hash.get(..12).unwrap_or(&cell.plan_hash)),
        );
    }
    let _ = write!(page, "</table></div>\n<p class=\"note\">{TIMES}</p>\n</details>\n");
}

/// With two digits where images differ.
fn passes(cell: &Cell) -> String {
    let passes = cell.passes();
    if passes.fract() == 0.0 { passes.to_string() } else { format!("{passes:.2}") }
}

fn settings(page: &mut String, report: &Report) {
    page.push_str("<h2>Settings</h2>\n<dl>\n");
    let mut entry = |name: &str, value: &str| {
        let _ = writeln!(page, "<dt>{}</dt><dd><code>{}</code></dd>", escape(name), escape(value));
    };
    entry("model", &report.model);
    entry("path", &report.path);
    entry("seed", &report.seed.to_string());
    entry("samples", &format!("{} x {}", Count::of(&report.cells), report.samples));
    if let Some(teacher) = &report.teacher {
        entry(
            "teacher",
            &format!("{} on {}, {} steps, {} NFE", teacher.solver, teacher.grid, teacher.steps, teacher.nfe),
        );
        entry("teacher plan", &teacher.plan_hash);
    }
    entry("feature network", &report.reference.extractor);
    let reference = &report.reference;
    entry("reference", &format!("{}, {} images", reference.data, reference.n));
    if let Some(rows) = reference.rows {
        entry("reference of KID, precision, recall, density, coverage", &format!("the first {rows} of them"));
    }
    if let Some(real) = &reference.real {
        let text = format!("{}: {} images, for metrics of sets the first {}", real.data, real.n, real.set);
        entry("real images", &text);
    }
    for (name, value) in &report.config {
        entry(name, value);
    }
    entry("machine", &report.machine);
    entry("created by", &report.created_by);
    entry("schema", &report.schema.to_string());
    page.push_str("</dl>\n");
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
