//! The one error type of this crate. Each message names the thing that failed and what to do about it.

use std::path::PathBuf;

/// Result of every fallible function here.
pub type Result<T> = std::result::Result<T, Error>;

/// Everything that can go wrong while reading data, measuring or reporting.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // --- data files ---
    /// A file of a data set is not there.
    #[error("data file `{}` is missing; run `make data`, or point to the folder that holds it", path.display())]
    MissingData {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The operating system refused to read a file.
    #[error("cannot read `{}`: {reason}; check that it is a file you may read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said. It is part of the message: as `source` it would be told twice where the chain is printed.
        reason: std::io::Error,
    },
    /// A file does not follow the idx format, or is cut short.
    #[error("`{file}` is not a whole idx file: {problem}; delete it and run `make data`")]
    Idx {
        /// Name of the file.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A pinned file holds other bytes than expected.
    #[error("`{file}` has sha256 {got} but {expected} is pinned; delete it and run `make data`")]
    Digest {
        /// Name of the file.
        file: String,
        /// Pinned sha256, lower-case hexadecimal.
        expected: String,
        /// The sha256 that was found.
        got: String,
    },

    /// A picture could not be read.
    #[error("cannot use the picture `{file}`: {problem}")]
    Picture {
        /// The file, with its place in an archive or array.
        file: String,
        /// What is wrong with it and what to do.
        problem: String,
    },
    /// A folder, archive or array is no source of pictures.
    #[error("cannot take pictures from `{}`: {problem}", path.display())]
    Source {
        /// The folder or file.
        path: PathBuf,
        /// What is wrong with it and what to do.
        problem: String,
    },
    /// An `.npy` or `.npz` file does not follow its format, or does not hold what was asked for.
    #[error("cannot use `{file}`: {problem}")]
    Npy {
        /// The file, and the array in it.
        file: String,
        /// What is wrong with it and what to do.
        problem: String,
    },

    // --- networks and tensors ---
    /// Weights do not fit the network; every mismatch is listed.
    #[error("these are not the weights of `{network}`: {}; use the file that its own training wrote", problems.join("; "))]
    Weights {
        /// Network that was asked to load them.
        network: String,
        /// One entry a mismatch.
        problems: Vec<String>,
    },
    /// A file of weights was refused; every reason is listed.
    #[error(
        "`{file}` does not hold the weights of `{network}`: {}; use the file as it was published",
        few(problems)
    )]
    Checkpoint {
        /// The file.
        file: String,
        /// Network that was asked to load it.
        network: &'static str,
        /// One entry a reason.
        problems: Vec<String>,
    },
    /// A tensor or a buffer has the wrong kind or shape.
    #[error("{what} must be {expected}, got {got}")]
    Shape {
        /// Which argument.
        what: &'static str,
        /// Kind and shape that it should have.
        expected: String,
        /// Kind and shape that it has.
        got: String,
    },
    /// NaN or infinity where a number was needed.
    #[error("{what} is not finite; the sampler or the network diverged, so drop the run or add steps")]
    NonFinite {
        /// Which values.
        what: String,
    },
    /// libtorch refused an operation.
    #[error("libtorch failed: {}", first_line(.0))]
    Torch(#[from] tch::TchError),

    // --- statistics ---
    /// An image index arrived twice.
    #[error("image {index} was counted before; give every image its own index")]
    DuplicateImage {
        /// The index in question.
        index: u64,
    },
    /// Too few images for what was asked.
    #[error("{what} needs at least {need} images, got {n}; generate more")]
    TooFew {
        /// Statistic that was asked for.
        what: &'static str,
        /// Smallest count that works.
        need: u64,
        /// Count at hand.
        n: u64,
    },
    /// Two things that must agree do not.
    #[error("{what} do not match: {left} against {right}; compare only what was measured alike")]
    Mismatch {
        /// What should have agreed.
        what: &'static str,
        /// First value.
        left: String,
        /// Second value.
        right: String,
    },
    /// A setting is outside its range.
    #[error("{what} must be {expected}, got {got}")]
    Value {
        /// Name of the setting.
        what: &'static str,
        /// Range that works.
        expected: &'static str,
        /// Value at hand.
        got: String,
    },
    /// A statistics file could not be read.
    #[error("these are not feature statistics: {problem}; make them again from the data set")]
    Statistics {
        /// What is wrong.
        problem: String,
    },

    // --- reports ---
    /// A report could not be read or written.
    #[error("unusable report: {problem}; start a new one without `--resume`")]
    Report {
        /// What is wrong.
        problem: String,
    },
    /// A figure could not be drawn.
    #[error("cannot draw `{figure}`: {problem}")]
    Figure {
        /// Which figure.
        figure: &'static str,
        /// Why not.
        problem: String,
    },
}

/// The first of many problems, and how many more there are.
fn few(problems: &[String]) -> String {
    const SHOWN: usize = 20;
    let shown = problems.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
    let more = problems.len().saturating_sub(SHOWN);
    if more == 0 { shown } else { format!("{shown}; and {more} more") }
}

/// libtorch appends its C++ stack to every message; only the first line is for people.
fn first_line(error: &tch::TchError) -> String {
    let text = match error {
        tch::TchError::Torch(text) => text.clone(),
        other => other.to_string(),
    };
    text.lines().next().unwrap_or_default().to_owned()
}
