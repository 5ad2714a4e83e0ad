//! From a plan and a denoiser to images: noise source, executor, batch loop.

mod batches;
mod brownian;
mod executor;
mod noise;

pub use batches::{Batch, Batches, Job, quantise};
pub use brownian::Brownian;
pub use executor::{Observer, Outcome, Silent, StepInfo, execute};
pub use noise::NoiseSource;
