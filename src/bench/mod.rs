//! Quality against cost: what one cell of a bench is, and how it is measured.

mod judge;
mod record;
mod teacher;

pub use judge::{Judge, Measured, Paired};
pub use record::{Record, Settings, plan_hash};
pub use teacher::Teacher;
