//! One self-contained `report.html`: no script, no font, no link to anywhere.

use super::table::{Layout, Show};
use super::{Metric, Report, fd_vs_nfe, thousands};
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

/// The page: chart, tables of every known metric, pictures with captions, settings and hashes.
///
/// # Errors
/// As [`fd_vs_nfe`]; a report without any Fréchet distance gets a page without the chart.
pub fn html(report: &Report, figures: &[(&str, Figure<'_>)]) -> Result<String> {
    let mut page = String::new();
    let title = escape(&format!("{} along {}", report.model, report.path));
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title} – fewstep bench</title>\n<style>\n{CSS}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
    );
    summary(&mut page, report);
    if has(report, Metric::FD) && report.cells.iter().any(|c| c.metrics.get("fd").is_some_and(|fd| *fd > 0.0))
    {
        figure(
            &mut page,
            "Quality against cost. Dashed: the teacher, and what as many real images would get.",
            Figure::Svg(&fd_vs_nfe(report)?),
        );
    }
    for metric in shown(report) {
        metric_table(&mut page, report, metric);
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

/// Metrics in the order of tables: the usual ones first, then all others by name.
fn shown(report: &Report) -> Vec<Metric<'_>> {
    let first = [Metric::FD, Metric::RMSE, Metric::ACCURACY, Metric::FD_MEAN, Metric::FD_COV];
    let names: BTreeSet<&str> =
        report.cells.iter().flat_map(|c| c.metrics.keys().map(String::as_str)).collect();
    let others = names.into_iter().map(Metric::named).filter(|metric| !first.contains(metric));
    first.into_iter().filter(|metric| has(report, *metric)).chain(others).collect()
}

fn summary(page: &mut String, report: &Report) {
    let network = report.reference.extractor.split(':').next().unwrap_or_default();
    let _ = writeln!(
        page,
        "<p class=\"lead\">{}{} samples a cell from seed {}, measured against {} images of {} in the features of {}. \
         Real images would score about {} at this count; {}.</p>",
        if report.blocks > 1 { format!("{} blocks of ", report.blocks) } else { String::new() },
        thousands(report.samples),
        report.seed,
        thousands(report.reference.n),
        escape(&report.reference.data),
        escape(network),
        Metric::FD.format(report.reference.floor),
        if report.blocks > 1 {
            "± is the standard deviation over the blocks, and what stands within two standard errors of the best is marked \
             too"
        } else {
            "differences of a few per cent are ties"
        },
    );
}

fn metric_table(page: &mut String, report: &Report, metric: Metric<'_>) {
    let layout = Layout::new(report, metric, Show::Mean);
    let direction = metric.direction();
    let _ = write!(
        page,
        "<h2>{} <small>{direction}</small></h2>\n<div class=\"wide\"><table>\n<tr><th>NFE</th>",
        escape(metric.title())
    );
    for nfe in &layout.nfes {
        let _ = write!(page, "<th>{nfe}</th>");
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
    page.push_str("</table></div>\n");
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

fn cells(page: &mut String, report: &Report) {
    page.push_str(
        "<details>\n<summary>All cells, with times and plan hashes</summary>\n<div class=\"wide\"><table class=\"log\">\n\
         <tr><th>solver</th><th>grid</th><th>steps</th><th>NFE</th><th>forwards</th><th>samples</th><th>seconds</th>\
         <th>ms an image</th><th>plan</th></tr>\n",
    );
    for cell in &report.cells {
        let _ = writeln!(
            page,
            "<tr><th>{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{:.1}</td><td>{:.2}</td>\
             <td><code>{}</code></td></tr>",
            escape(&cell.solver),
            escape(&cell.grid),
            cell.steps,
            cell.nfe,
            cell.forwards,
            cell.samples,
            cell.seconds,
            1e3 * cell.seconds_per_image,
            escape(cell.plan_hash.get(..12).unwrap_or(&cell.plan_hash)),
        );
    }
    page.push_str("</table></div>\n</details>\n");
}

fn settings(page: &mut String, report: &Report) {
    page.push_str("<h2>Settings</h2>\n<dl>\n");
    let mut entry = |name: &str, value: &str| {
        let _ = writeln!(page, "<dt>{}</dt><dd><code>{}</code></dd>", escape(name), escape(value));
    };
    entry("model", &report.model);
    entry("path", &report.path);
    entry("seed", &report.seed.to_string());
    entry("samples", &format!("{} x {}", report.blocks, report.samples));
    if let Some(teacher) = &report.teacher {
        entry(
            "teacher",
            &format!("{} on {}, {} steps, {} NFE", teacher.solver, teacher.grid, teacher.steps, teacher.nfe),
        );
        entry("teacher plan", &teacher.plan_hash);
    }
    entry("feature network", &report.reference.extractor);
    entry("reference", &format!("{}, {} images", report.reference.data, report.reference.n));
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
