//! Bench reports: the record, and ways to look at it. Everything is returned as text, byte-stable.

mod axis;
mod blocks;
mod canvas;
mod cell;
mod csv;
mod document;
mod figures;
mod html;
mod known;
mod label;
mod layout;
mod metric;
mod plot;
mod reference;
mod schema;
mod table;
#[cfg(test)]
mod tests;

pub use axis::Scale;
pub use cell::{Cell, GuidanceInfo, GuidanceLevel};
pub use csv::csv;
pub use document::{latex, markdown};
pub use figures::{Drawn, fd_vs_nfe, guidance_figures, metric_figures, metric_vs_nfe, metric_vs_scale};
pub use html::{Figure, html};
pub use metric::Metric;
pub use plot::{Level, Plot, Point, Series, Ticks};
pub use reference::{RealInfo, ReferenceInfo, TeacherInfo};
pub use schema::{Report, SCHEMA};
pub use table::{Show, Style, table, table_of};

/// A count with commas: `60,000`.
fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let comma = |at: usize| at > 0 && (digits.len() - at).is_multiple_of(3);
    let spaced = digits.chars().enumerate();
    spaced.flat_map(|(at, digit)| comma(at).then_some(',').into_iter().chain([digit])).collect()
}
