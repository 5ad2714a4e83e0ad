//! Feature networks: images in, features out, always in one fixed batch shape.

mod arch;
mod batches;
mod builtin;
mod classifier;
pub mod inception;
mod noisy;
mod params;
mod pca;
mod strict;

pub use arch::{Arch, COLOUR, GREY, NOISY};
pub use builtin::{
    Builtin, CLASSIFIERS, fmnist_cnn, fmnist_colour_cnn, fmnist_noisy_cnn, fmnist_patch_pca, fmnist_pixel_pca,
};
pub use classifier::{Classifier, Output};
pub use noisy::NoisyClassifier;
pub use params::Params;
pub use pca::{Pca, PcaSpace};

use crate::Result;
use tch::Tensor;

/// Images in one pass of a feature network. The last, incomplete batch is padded with black images.
///
/// Convolution kernels are chosen by shape and may round differently, so a free batch size would leak into the
/// features (torch-fidelity issue 43 and torchmetrics issue 1620 report it). 50 divides the usual sample counts.
pub const EXTRACT_BATCH: usize = 50;

/// A network whose features carry a Fréchet distance.
pub trait FeatureNet {
    /// Length of a feature vector.
    fn dim(&self) -> usize;

    /// Name and SHA-256 of the weights, `name:sha256`. Distances of different ids must never meet in one table.
    ///
    /// # Errors
    /// When libtorch cannot read the weights.
    fn id(&self) -> Result<String>;

    /// Channels, height and width of the images it takes.
    fn image_shape(&self) -> [usize; 3];

    /// Features of 8-bit images, without gradient, in passes of [`EXTRACT_BATCH`].
    ///
    /// # Shapes
    /// images: u8 `[n, channels, height, width]`, 0 black and 255 white; result: f32 `[n, dim]` on the CPU. A row
    /// depends on its image alone, not on the images beside it.
    ///
    /// # Errors
    /// When the images have another kind or shape, or features are not finite.
    fn extract(&self, images: &Tensor) -> Result<Tensor>;
}
