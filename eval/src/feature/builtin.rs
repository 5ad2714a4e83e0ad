//! What ships inside the program: feature spaces, each with the statistics of its training set, and the classifier of noisy
//! images.

use super::{Arch, COLOUR, Classifier, FeatureNet, GREY, NOISY, NoisyClassifier, Pca, PcaSpace};
use crate::stats::Statistics;
use crate::{Error, Result};

/// A trained [`Classifier`] with the moments of its training images in its features, so that a bench needs no data set.
#[derive(Debug)]
pub struct Builtin {
    /// What it is.
    pub arch: &'static Arch,
    weights: &'static [u8],
    statistics: &'static [u8],
}

/// All classifiers that ship, one for each shape of images.
pub static CLASSIFIERS: &[Builtin] = &[
    // `eval/zoo/fmnist-cnn/README.md` is its card.
    Builtin {
        arch: &GREY,
        weights: include_bytes!("../../zoo/fmnist-cnn/weights.safetensors"),
        statistics: include_bytes!("../../zoo/fmnist-cnn/train-statistics.safetensors"),
    },
    // `eval/zoo/fmnist-colour-cnn/README.md` is its card.
    Builtin {
        arch: &COLOUR,
        weights: include_bytes!("../../zoo/fmnist-colour-cnn/weights.safetensors"),
        statistics: include_bytes!("../../zoo/fmnist-colour-cnn/train-statistics.safetensors"),
    },
];

impl Builtin {
    /// The one that looks at images of `shape`: channels, height, width.
    pub fn for_shape(shape: [usize; 3]) -> Option<&'static Self> {
        CLASSIFIERS.iter().find(|builtin| builtin.arch.image_shape() == shape)
    }

    /// Network and moments.
    ///
    /// # Errors
    /// [`Error::Mismatch`] when statistics and weights do not belong together, which a test rules out.
    pub fn open(&self) -> Result<(Classifier, Statistics)> {
        matched(Classifier::from_safetensors(self.arch, self.weights)?, self.statistics)
    }
}

/// The classifier for grey images, and the moments of the 60,000 Fashion-MNIST training images in its features.
///
/// # Errors
/// As [`Builtin::open`].
pub fn fmnist_cnn() -> Result<(Classifier, Statistics)> {
    CLASSIFIERS[0].open()
}

/// The classifier for painted images ([`Split::colour`](crate::data::Split::colour)), and the moments of the 60,000 painted
/// training images in its features.
///
/// # Errors
/// As [`Builtin::open`].
pub fn fmnist_colour_cnn() -> Result<(Classifier, Statistics)> {
    CLASSIFIERS[1].open()
}

/// The classifier of noisy Fashion-MNIST images behind classifier guidance; `eval/zoo/fmnist-noisy-cnn/README.md` is its
/// card.
///
/// # Errors
/// [`Error::Weights`] when they do not fit the network, which a test rules out.
pub fn fmnist_noisy_cnn() -> Result<NoisyClassifier> {
    let weights = include_bytes!("../../zoo/fmnist-noisy-cnn/weights.safetensors");
    NoisyClassifier::new(Classifier::from_safetensors(&NOISY, weights)?)
}

/// 64 principal components of Fashion-MNIST pixels, and the moments of the 60,000 training images in them.
/// `eval/zoo/fmnist-pca/README.md` is the card of this space and the next.
///
/// # Errors
/// As [`fmnist_cnn`].
pub fn fmnist_pixel_pca() -> Result<(Pca, Statistics)> {
    let weights = include_bytes!("../../zoo/fmnist-pca/pixel-weights.safetensors");
    let net = Pca::from_safetensors(PcaSpace::Pixels, weights)?;
    let statistics = include_bytes!("../../zoo/fmnist-pca/pixel-train-statistics.safetensors");
    called("fmnist-pixel-pca", matched(net, statistics)?)
}

/// All 49 principal components of 7x7 patches of Fashion-MNIST, and the moments of the 60,000 training images in them.
///
/// # Errors
/// As [`fmnist_cnn`].
pub fn fmnist_patch_pca() -> Result<(Pca, Statistics)> {
    let weights = include_bytes!("../../zoo/fmnist-pca/patch-weights.safetensors");
    let net = Pca::from_safetensors(PcaSpace::Patches, weights)?;
    let statistics = include_bytes!("../../zoo/fmnist-pca/patch-train-statistics.safetensors");
    called("fmnist-patch-pca", matched(net, statistics)?)
}

/// Under the name that users type. The files know the space's own, which says nothing of the data.
fn called(name: &'static str, (net, statistics): (Pca, Statistics)) -> Result<(Pca, Statistics)> {
    let net = net.called(name);
    let extractor = net.id()?;
    Ok((net, Statistics { extractor, ..statistics }))
}

fn matched<N: FeatureNet>(net: N, statistics: &[u8]) -> Result<(N, Statistics)> {
    let statistics = Statistics::from_safetensors(statistics)?;
    let id = net.id()?;
    if statistics.extractor != id {
        let (left, right) = (statistics.extractor, id);
        return Err(Error::Mismatch { what: "the built-in feature networks", left, right });
    }
    Ok((net, statistics))
}
