//! Statistics files of the field, `.npz`, read and written.
//!
//! | written by | arrays |
//! | --- | --- |
//! | TTUR, pytorch-fid, clean-fid, EDM, MAR, this program | `mu` `[d]`, `sigma` `[d, d]` |
//! | guided-diffusion (`VIRTUAL_*`) | the same, `mu_s`, `sigma_s` of spatial features, pictures in `arr_0` |
//! | score_sde | `pool_3` `[n, d]`, features |
//! | clean-fid for KID | `feats` `[n, d]`, features |
//!
//! Our own files add what a comparison should know: `n`, `extractor`, `protocol`, `data`, `data_sha256`. Files of others
//! say nothing of this; only the lengths of their features can be checked.

mod read;
mod rows;
mod write;

pub use read::{Layout, StatisticsFile};
pub use rows::StoredRows;
pub use write::write_npz;

use super::Moments;

/// Where statistics come from, as far as their file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// Count of pictures.
    pub n: Option<u64>,
    /// Id of the feature network, `name:sha256` of its weights.
    pub extractor: Option<String>,
    /// How pictures were brought to the network's size.
    pub protocol: Option<String>,
    /// Name of the pictures.
    pub data: Option<String>,
    /// SHA-256 over the pictures.
    pub data_sha256: Option<String>,
}

/// Statistics and their provenance.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// Moments of the features.
    pub moments: Moments,
    /// Moments of the spatial features, for sFID.
    pub spatial: Option<Moments>,
    /// Provenance.
    pub about: About,
}

/// Count that stands in where a file does not tell how many pictures it is about: so many that the share of the finite
/// count is nothing. One more than a power of two, so that a covariance survives the division by n - 1 to the bit.
pub const UNKNOWN_N: u64 = (1 << 53) + 1;
