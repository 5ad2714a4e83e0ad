//! Networks, strict checkpoint loading, and the models that ship with `fewstep`.
//!
//! ```text
//! folder or built-in ─► Weights (strict) ─► Network (UNet2d) ─► Denoiser ─► Eps | X0 | Flow at any node
//!                                              raw output          └ prediction types are resolved here, once
//! ```
//!
//! This is the only crate in which weight names appear. It holds no sampling mathematics: a [`Denoiser`] answers
//! one question, "what is the noise-free image (or the noise) in this noisy one", at any [`fewstep_samplers::Node`],
//! also on a path other than the one the network was trained on.

#[cfg_attr(not(target_arch = "x86_64"), path = "cpu/absent.rs")]
pub mod cpu;
mod denoiser;
mod error;
mod folder;
pub mod layers;
mod params;
mod prediction;
mod problems;
mod source;
mod spec;
mod text;
pub mod unet2d;
mod weights;
pub mod zoo;

pub use denoiser::{Denoiser, NetDenoiser};
pub use error::{Error, Result};
pub use folder::ModelFolder;
pub use params::{Params, to_safetensors};
pub use prediction::Prediction;
pub use problems::Problems;
pub use source::{Fresh, Given, Init, Scope, Source};
pub use spec::{ModelSpec, TimeInput};
pub use unet2d::{UNet2d, UNet2dConfig};
pub use weights::Weights;
