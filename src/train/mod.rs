//! Training of the built-in models: one loop, one file a task.
//!
//! A run is a folder. Everything random in step `k` follows from (seed, k), and the checkpoint holds parameters,
//! optimiser moments and the moving average, so that a run that was killed goes on bit for bit.

mod adam;
mod checkpoint;
mod flat;
mod run;
mod sampler;
pub mod tasks;

pub use adam::{Adam, Schedule};
pub use checkpoint::State;
pub use flat::Flat;
pub use run::{Progress, TrainConfig, Training, train};
pub use sampler::EpochSampler;
