//! Measures pictures that exist: from a folder, an archive, an array to the values of metrics.
//!
//! ```text
//! Input ─► Source ─► ring: decode, resize ─► workers: network ─► Gather: moments, rows, hashes ─► values
//!                                                        └► Shards on disk, taken up again by --resume
//! ```
//!
//! A value depends on the pictures and their order alone: passes of the network have one shape and one thread each,
//! moments are merged by picture number.

mod ahead;
mod extractor;
mod gather;
mod input;
mod metrics;
mod pass;
mod shards;
mod value;

pub use ahead::foresee;
pub use extractor::{Extractor, FeatureSpace, Network, Outputs, Wanted};
pub use gather::{Gathered, Tally};
pub use input::{Input, Means, Side};
pub use metrics::{Metric, Settings, measure};
pub use pass::{Options, extract};
pub use shards::Shards;
pub use value::Value;
