//! Measuring generated images: data sets, feature networks, metrics and reports.
//!
//! ```text
//! 8-bit images ─► FeatureNet ─► ShardedMoments ─► Reference::distance ─► FdReport ────────────┐
//!      │              ├─ FeatureRows ─► kid, manifold, fd_infinity, memorisation ─────────────┤
//!      │              └─ logits ─► ConditionalAccuracy, inception_score ──────────────────────┤
//!      ├─ Colour ─────────────────────────────────────────────────────────────────────────────┼─► Report
//!      └─ teacher's images of the same seeds ─► PairedRmse, PairedSimilarity, PairedFeatures ─┘
//! ```
//!
//! This crate knows no sampler and no diffusion model. It reads data files and nothing else, prints nothing and
//! returns reports as text and bytes. Statistics are f64, stream over batches and merge over workers; their bits
//! depend neither on batch size nor on order.
//!
//! A Fréchet distance is meaningful only together with its feature network. On the built-in network it is called
//! FD, never FID: that name belongs to the Inception weights of the literature.
//!
//! # Example
//! ```
//! use fewstep_eval::stats::{Moments, Reference};
//!
//! # fn main() -> fewstep_eval::Result<()> {
//! let covariance = [4.0, 0.0, 0.0, 1.0];
//! let reference = Reference::new(&Moments::from_covariance(50_000, &[0.0, 0.0], &covariance)?)?;
//! let shifted = Moments::from_covariance(10_000, &[3.0, 0.0], &covariance)?;
//! let report = reference.distance(&shifted)?;
//! assert!((report.fd - 9.0).abs() < 1e-9);
//! # Ok(())
//! # }
//! ```

pub mod corrupt;
pub mod data;
mod error;
pub mod feature;
mod hash;
pub mod metrics;
mod mt19937;
pub mod npy;
pub mod pickle;
pub mod report;
mod rng;
pub mod source;
pub mod stats;
mod tensors;

pub use error::{Error, Result};
pub use hash::sha256_hex;
