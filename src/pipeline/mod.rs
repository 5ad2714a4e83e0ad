//! From a plan and a denoiser to images: noise source, executor, batch loop.

mod batches;
mod branches;
mod brownian;
mod evaluator;
mod executor;
mod machine;
mod noise;
mod program;
mod share;

pub use batches::{Batch, Batches, Job, quantise};
pub use brownian::Brownian;
pub use evaluator::{Answer, At, Evaluator, Look};
pub use executor::{Observer, Outcome, Silent, StepInfo, execute};
pub use noise::NoiseSource;
pub use program::Program;
pub use share::Share;
