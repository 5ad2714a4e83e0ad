//! Statistics of feature vectors, in f64: moments that stream and merge, and the Fréchet distance between them.

pub mod files;
mod frechet;
mod linalg;
mod moments;
mod rows;
mod saved;
mod shards;

pub use frechet::{FdReport, Reference};
pub use moments::Moments;
pub use rows::FeatureRows;
pub use saved::Statistics;
pub use shards::{SHARD, ShardedMoments};
