//! The engine behind the `fewstep` command line.
//!
//! ```text
//! arguments ─► resolved run ─► pipeline (plan + denoiser + noise) ─► batches ─► pictures, metrics, reports
//! ```
//!
//! - [`pipeline`]: runs a plan on tensors, batch by batch;
//! - [`guidance`]: rules that make one prediction of several;
//! - [`mod@bench`]: measures plans cell by cell, and keeps the record;
//! - [`measure`]: metrics of pictures that exist;
//! - [`train`]: makes the built-in models;
//! - [`output`]: pictures and files;
//! - [`cli`]: one file a verb; the only place that reads arguments and prints.

pub mod bench;
pub mod cli;
pub mod device;
pub mod guidance;
pub mod interrupt;
pub mod measure;
pub mod output;
pub mod pipeline;
pub mod train;
