//! The Inception network of the Fréchet Inception distance, on weights that the user supplies.
//!
//! ```text
//! 8-bit picture of any size ── Picture ─► Resizer (Protocol) ─► f32 [3, 299, 299] ─► Inception ─► Tap: 2048 features,
//!                                                                  ▲                             logits, …
//!                               pt_inception-….pth ─► Weights ─────┘
//! ```

mod conv;
mod folded;
mod formula;
mod layout;
mod mixed;
mod network;
mod picture;
mod protocol;
mod quantise;
mod resize;
mod space;
mod tap;
mod weights;

pub use formula::formula_weights;
pub use network::Inception;
pub use picture::{Layout, Picture};
pub use protocol::Protocol;
pub use quantise::Quantiser;
pub use resize::{INPUT, Resizer};
pub use space::InceptionSpace;
pub use tap::Tap;
pub use weights::{Trust, Weights};

/// Height and width of the input.
pub const SIDE: usize = 299;

/// Images in one pass. Fixed, as libtorch chooses kernels by shape and they round differently.
pub const BATCH: usize = 16;
