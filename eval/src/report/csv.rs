//! Every number of a report as comma-separated values, one line a cell and metric (RFC 4180).

use super::layout::best_block;
use super::{Metric, Report};
use std::fmt::Write as _;

/// Header, then a line for each metric of each cell, in the order of the report, rule and scale empty without guidance: mean, standard deviation and best value
/// over the blocks (empty, and the mean again, with one block). Numbers read back to the bit.
pub fn csv(report: &Report) -> String {
    let mut out = "model,path,solver,grid,steps,nfe,forwards,samples,blocks,metric,mean,sd,best,seconds_per_image,plan_hash,guidance,scale\n"
        .to_owned();
    for cell in &report.cells {
        for (name, mean) in &cell.metrics {
            let sd = cell.sd(name).map_or(String::new(), |sd| sd.to_string());
            let best = best_block(cell, Metric::named(name), report.reference.real(name)).unwrap_or(*mean);
            let (rule, scale) =
                cell.guidance.as_ref().map_or(("", String::new()), |g| (&*g.rule, g.scale.to_string()));
            // Writing to a String cannot fail.
            let _ = writeln!(
                out,
                "{},{},{},{},{},{},{},{},{},{},{mean},{sd},{best},{},{},{},{scale}",
                quote(&report.model),
                quote(&report.path),
                quote(&cell.solver),
                quote(&cell.grid),
                cell.steps,
                cell.nfe,
                cell.passes(),
                cell.samples,
                cell.blocks.len().max(1),
                quote(name),
                cell.seconds_per_image,
                quote(&cell.plan_hash),
                quote(rule),
            );
        }
    }
    out
}

fn quote(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
