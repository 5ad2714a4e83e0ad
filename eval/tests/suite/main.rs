//! Everything in one binary: linking libtorch once is what takes the time.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod common;
mod corrupt;
mod data;
mod distribution;
mod exact;
mod feature;
mod files;
mod frechet;
mod inception;
mod metrics;
mod moments;
mod noisy;
mod pairs;
mod parity;
mod pca;
mod pickle;
mod report;
mod source;
mod speed;
