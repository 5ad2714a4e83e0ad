//! Does a sampler repeat its training set? Distances to the nearest training image, beside those of images held out.

use super::features::check_pair;
use super::neighbours::nearest;
use crate::Result;
use tch::Tensor;

/// How near samples are to the training set, compared with held-out images of the same distribution.
#[derive(Debug, Clone, PartialEq)]
pub struct Memorisation {
    /// Probability that a sample is nearer to the training set than a held-out image is, ties counting half: in [0, 1].
    /// 0.5 is what held-out images themselves have; well above is copying (the rank test of Meehan, Chaudhuri & Dasgupta,
    /// arXiv 2004.05675, over the whole space). Below 0.5, samples are farther out than real images.
    pub nearer: f64,
    /// Share of samples nearer than all but one per cent of the held-out images: 0.01 is expected.
    pub copies: f64,
    /// Median distance of samples over that of held-out images.
    pub median_ratio: f64,
    /// Distance of each sample to its nearest training image, in feature units.
    pub distances: Vec<f64>,
}

/// A training set in a feature space, with the distances of held-out images to it, which are the same for all samplers.
#[derive(Debug)]
pub struct TrainingSet {
    train: Tensor,
    /// Ascending.
    held: Vec<f64>,
}

impl TrainingSet {
    /// Measures the held-out images, by tiles.
    ///
    /// # Shapes
    /// train: f32 `[m, d]`; held_out: f32 `[k, d]`, at least 100 of them, from the distribution of the training set but
    /// not in it.
    ///
    /// # Errors
    /// Too few rows, other kinds or shapes, different d, values that are not finite.
    pub fn new(train: &Tensor, held_out: &Tensor) -> Result<Self> {
        super::features::check("features of held-out images", held_out, 100)?;
        check_pair(held_out, train, 1)?;
        let mut held: Vec<f64> = nearest(held_out, train)?;
        held.sort_unstable_by(f64::total_cmp);
        Ok(Self { train: train.shallow_clone(), held })
    }

    /// Compares nearest training neighbours of samples with those of the held-out images, by tiles.
    ///
    /// # Shapes
    /// samples: f32 `[n, d]`.
    ///
    /// # Errors
    /// No rows, another kind or shape, values that are not finite.
    pub fn memorisation(&self, samples: &Tensor) -> Result<Memorisation> {
        check_pair(samples, &self.train, 1)?;
        let held = &self.held;
        let distances = nearest(samples, &self.train)?;
        let mut sorted = distances.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let count = held.len() as f64;
        // Held-out images farther away than a sample, and half of those at the same distance.
        let farther = |d: &f64| {
            let (below, equal) = (held.partition_point(|h| h < d), held.partition_point(|h| h <= d));
            (count - equal as f64) + 0.5 * (equal - below) as f64
        };
        let threshold = held[held.len() / 100];
        let n = distances.len() as f64;
        Ok(Memorisation {
            nearer: distances.iter().map(farther).sum::<f64>() / (n * count),
            copies: sorted.partition_point(|d| *d < threshold) as f64 / n,
            median_ratio: median(&sorted) / median(held),
            distances,
        })
    }
}

/// [`TrainingSet::memorisation`] of a set that is used once.
///
/// # Errors
/// Those of [`TrainingSet`].
pub fn memorisation(samples: &Tensor, train: &Tensor, held_out: &Tensor) -> Result<Memorisation> {
    TrainingSet::new(train, held_out)?.memorisation(samples)
}

/// Of ascending values, at least one.
fn median(sorted: &[f64]) -> f64 {
    f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2])
}
