//! Quality against cost: what one cell of a bench is, and how it is measured.

mod choice;
mod judge;
mod levels;
mod measures;
mod real;
mod record;
mod teacher;

pub use choice::Choice;
pub use judge::{Judge, Measured, Paired};
pub use levels::Levels;
pub use measures::Twin;
pub use record::{Existing, Record, guided_hash, plan_hash};
pub use teacher::Teacher;
