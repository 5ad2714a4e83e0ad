//! Everything in one binary: linking libtorch once is what takes the time.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod common;
mod corrupt;
mod data;
mod feature;
mod frechet;
mod inception;
mod metrics;
mod moments;
mod pickle;
mod report;
mod speed;
