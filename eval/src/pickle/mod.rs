//! Checkpoints of `torch.save`, read without executing anything.
//!
//! A checkpoint is a pickle: a program for a small stack machine that may call any function of Python. This reader runs
//! the part of that machine which builds containers, knows the four functions that a file of weights needs, and
//! refuses everything else by name. Two wrappings exist:
//!
//! - since PyTorch 1.6 a zip archive, whose `data.pkl` is the pickle and whose `data/<key>` are the storages;
//! - before that (and with `_use_new_zipfile_serialization=False`) five pickles one after another, then the storages.
//!
//! Storages are borrowed from the input, so that memory follows the length of the pickle, not what it claims. Nothing
//! recurses, and the counts of steps, objects and memo entries are bounded.

mod archive;
mod checkpoint;
mod cursor;
mod legacy;
mod machine;
mod node;
mod rebuild;
mod refusal;

pub use checkpoint::{Checkpoint, StoredTensor};
pub use refusal::Refusal;

/// Whether a file is meant to be a checkpoint of `torch.save`, by its first bytes; a safetensors file is not.
pub fn is_checkpoint(bytes: &[u8]) -> bool {
    // A safetensors header begins with its length, which may look like the start of a pickle, and a brace.
    archive::is_zip(bytes) || (bytes.first() == Some(&0x80) && bytes.get(8) != Some(&b'{'))
}

/// Reads a whole checkpoint in either wrapping.
///
/// # Errors
/// [`Refusal`] when the file is broken, too large for its kind, or does anything but hold weights.
pub fn read(bytes: &[u8]) -> Result<Checkpoint<'_>, Refusal> {
    if archive::is_zip(bytes) { archive::read(bytes) } else { legacy::read(bytes) }
}
