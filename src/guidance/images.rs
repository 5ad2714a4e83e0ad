//! Some of the images of a batch.

use tch::Tensor;

/// None, all or some of the images of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Images {
    /// Not one.
    #[default]
    None,
    /// The whole batch.
    All,
    /// Those of these numbers, rising; neither none nor all.
    Some(Vec<i64>),
}

impl Images {
    /// The images for which `keep` is true.
    pub fn of(keep: &[bool]) -> Self {
        let kept: Vec<i64> = (0..keep.len()).filter(|i| keep[*i]).map(|i| i as i64).collect();
        match kept.len() {
            0 => Self::None,
            n if n == keep.len() => Self::All,
            _ => Self::Some(kept),
        }
    }

    /// Whether each of `batch` images is among them.
    pub fn mask(&self, batch: usize) -> Vec<bool> {
        match self {
            Self::None => vec![false; batch],
            Self::All => vec![true; batch],
            Self::Some(index) => {
                let mut mask = vec![false; batch];
                for i in index {
                    if let Some(m) = mask.get_mut(*i as usize) {
                        *m = true;
                    }
                }
                mask
            }
        }
    }

    /// Those that are among `other` too.
    #[must_use]
    pub fn and(&self, other: &Self, batch: usize) -> Self {
        let (a, b) = (self.mask(batch), other.mask(batch));
        Self::of(&a.iter().zip(b).map(|(a, b)| *a && b).collect::<Vec<_>>())
    }

    /// Their rows of `x`.
    ///
    /// # Shapes
    /// `x: [b, ...] -> [k, ...]`
    pub fn take(&self, x: &Tensor) -> Tensor {
        match self {
            Self::None => x.narrow(0, 0, 0),
            Self::All => x.shallow_clone(),
            Self::Some(index) => x.index_select(0, &Tensor::from_slice(index).to_device(x.device())),
        }
    }

    /// `x` with their rows replaced by those of `part`; the others are the same to the bit.
    ///
    /// # Shapes
    /// `x: [b, ...], part: [k, ...] -> [b, ...]`
    pub fn put(&self, x: &Tensor, part: &Tensor) -> Tensor {
        match self {
            Self::None => x.shallow_clone(),
            Self::All => part.shallow_clone(),
            Self::Some(index) => x.index_copy(0, &Tensor::from_slice(index).to_device(x.device()), part),
        }
    }
}

/// What a rule has kept of each image as 0 or 1, `[b]` f64 on the CPU; false for all where it has kept nothing yet.
pub(super) fn flags(kept: Option<&Tensor>, batch: usize) -> Vec<bool> {
    let kept = kept.and_then(|t| Vec::<f64>::try_from(t).ok());
    kept.map_or_else(|| vec![false; batch], |values| values.iter().map(|v| *v != 0.0).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn take_and_put() {
        let x = Tensor::from_slice(&[1.0, 2.0, 3.0, 4.0]).view([4, 1]);
        let some = Images::of(&[false, true, false, true]);
        assert_eq!(some, Images::Some(vec![1, 3]));
        let doubled = some.put(&x, &(some.take(&x) * 2.0));
        assert_eq!(Vec::<f64>::try_from(doubled.view(-1)).unwrap(), [1.0, 4.0, 3.0, 8.0]);
        assert_eq!(Images::of(&[true, true]), Images::All);
        assert_eq!(Images::All.and(&some, 4), some);
        assert_eq!(some.and(&Images::of(&[true, false, true, false]), 4), Images::None);
    }
}
