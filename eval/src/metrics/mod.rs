//! Metrics, one file each. Those over images and pairs of images stream: `push`, `merge`, read; they serialise with serde,
//! and their bits do not depend on batches, order or workers. Those over sets of features take matrices, which
//! [`crate::stats::FeatureRows`] gathers by image number.
//!
//! | metric | of | better |
//! | --- | --- | --- |
//! | Fréchet distance, [`crate::stats::Reference`] | moments | lower |
//! | the same of spatial features (sFID of the ADM suite: 7 channels of 17x17, 2023 values) | moments | lower |
//! | [`fd_infinity`] | features, reference moments | lower |
//! | [`kid`], [`kid_full`] | features | lower |
//! | [`inception_score`] | logits | higher |
//! | [`manifold`]: precision, recall, density, coverage | features | higher |
//! | [`memorisation`] | features of samples, training and held-out images | near 0.5 |
//! | [`ConditionalAccuracy`] | logits | higher |
//! | [`PairedRmse`], [`PairedSimilarity`] (PSNR, SSIM), [`PairedFeatures`] | images and the teacher's | |
//! | [`Colour`] (saturation, contrast, clip rate), [`Overshoot`] | images | near that of real images |

mod accuracy;
mod colour;
mod fd_infinity;
mod features;
mod inception_score;
mod kid;
mod manifold;
mod memorisation;
mod neighbours;
mod paired;
mod ssim;
mod tally;

pub use accuracy::ConditionalAccuracy;
pub(crate) use colour::luma;
pub use colour::{Colour, Overshoot};
pub use fd_infinity::{FdInfinity, POINTS, fd_infinity};
pub use inception_score::{InceptionScore, inception_score};
pub use kid::{Blocks, Kid, kid, kid_full};
pub use manifold::{Manifold, Neighbours, manifold};
pub use memorisation::{Memorisation, TrainingSet, memorisation};
pub use paired::{PairedFeatures, PairedRmse, PairedSimilarity};
