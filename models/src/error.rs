//! One error type for the crate; every message names the thing that is wrong and what to do about it.

use std::path::PathBuf;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong while a model is found, read and assembled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder cannot be read.
    #[error("cannot read `{}`: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said. A field called `source` would be printed twice: here, and by whoever
        /// prints the chain of causes.
        reason: std::io::Error,
    },
    /// A diffusers folder, which does not say how its network was trained.
    #[error(
        "no `fewstep.json` in `{}`; a diffusers folder needs one beside `unet/`, see docs/model-folder.md",
        dir.display()
    )]
    NoSpec {
        /// The folder.
        dir: PathBuf,
    },
    /// The bytes are not a safetensors file, or a damaged one.
    #[error("`{name}` is not a usable safetensors file: {reason}; fetch or export it again")]
    Safetensors {
        /// File or built-in name.
        name: String,
        /// What the parser said.
        reason: String,
    },
    /// The checkpoint does not fit the network that its configuration describes.
    #[error("the weights in `{name}` do not fit the network:\n{problems}")]
    Mismatch {
        /// File or built-in name.
        name: String,
        /// Every disagreement, not only the first.
        problems: Box<crate::problems::Problems>,
    },
    /// A configuration file that is not JSON, lacks a field, or holds a value that cannot be.
    #[error("`{name}` is not a valid configuration: {reason}")]
    Config {
        /// File or built-in name.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// A configuration value that would build another network than the one this crate knows.
    #[error("`{key}: {value}` in the network configuration is not supported; supported: {supported}")]
    Unsupported {
        /// The key in `config.json`.
        key: &'static str,
        /// Its value there.
        value: String,
        /// What could stand there.
        supported: &'static str,
    },
    /// Neither a folder nor a built-in name.
    #[error("no model `{name}`: it is neither a folder nor a built-in model ({known})")]
    UnknownModel {
        /// What was asked for.
        name: String,
        /// Names of the built-in models.
        known: String,
    },
    /// Input that the network cannot take.
    #[error("{0}")]
    Input(String),
}
