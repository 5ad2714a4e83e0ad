//! The feature network that ships inside the program, with the statistics of its training set.

use super::{Classifier, FeatureNet, GREY};
use crate::stats::Statistics;
use crate::{Error, Result};

/// The trained [`Classifier`] and the moments of the 60,000 Fashion-MNIST training images in its features, so that a
/// bench needs no data set. `eval/zoo/fmnist-cnn/README.md` is its card.
///
/// # Errors
/// [`Error::Mismatch`] when statistics and weights do not belong together, which a test rules out.
pub fn fmnist_cnn() -> Result<(Classifier, Statistics)> {
    let net =
        Classifier::from_safetensors(&GREY, include_bytes!("../../zoo/fmnist-cnn/weights.safetensors"))?;
    let statistics =
        Statistics::from_safetensors(include_bytes!("../../zoo/fmnist-cnn/train-statistics.safetensors"))?;
    let id = net.id()?;
    if statistics.extractor != id {
        let (left, right) = (statistics.extractor, id);
        return Err(Error::Mismatch { what: "the built-in feature networks", left, right });
    }
    Ok((net, statistics))
}
