//! Quality against cost: what one cell of a bench is, and how it is measured.

mod judge;
mod levels;
mod record;
mod teacher;

pub use judge::{Judge, Measured, Paired};
pub use levels::Levels;
pub use record::{Record, Settings, cell_hash, plan_hash};
pub use teacher::Teacher;
