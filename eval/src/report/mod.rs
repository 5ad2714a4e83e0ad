//! Bench reports: the record, and three ways to look at it. Everything is returned as text, byte-stable.

mod axis;
mod canvas;
mod html;
mod metric;
mod schema;
mod svg;
mod table;

pub use html::{Figure, html};
pub use metric::Metric;
pub use schema::{Cell, GuidanceInfo, GuidanceLevel, ReferenceInfo, Report, SCHEMA, TeacherInfo};
pub use svg::{fd_vs_nfe, metric_vs_scale};
pub use table::{Style, table};

/// A count with commas: `60,000`.
fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let comma = |at: usize| at > 0 && (digits.len() - at).is_multiple_of(3);
    let spaced = digits.chars().enumerate();
    spaced.flat_map(|(at, digit)| comma(at).then_some(',').into_iter().chain([digit])).collect()
}
