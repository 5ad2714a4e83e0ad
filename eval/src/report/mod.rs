//! Bench reports: the record, and ways to look at it. Everything is returned as text, byte-stable.

mod axis;
mod canvas;
mod csv;
mod html;
mod metric;
mod plot;
mod schema;
mod svg;
mod table;

pub use axis::Scale;
pub use csv::csv;
pub use html::{Figure, html};
pub use metric::Metric;
pub use plot::{Level, Plot, Point, Series};
pub use schema::{Cell, GuidanceInfo, GuidanceLevel, ReferenceInfo, Report, SCHEMA, TeacherInfo};
pub use svg::{fd_vs_nfe, metric_vs_nfe, metric_vs_scale};
pub use table::{Show, Style, table, table_of};

/// A count with commas: `60,000`.
fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let comma = |at: usize| at > 0 && (digits.len() - at).is_multiple_of(3);
    let spaced = digits.chars().enumerate();
    spaced.flat_map(|(at, digit)| comma(at).then_some(',').into_iter().chain([digit])).collect()
}
