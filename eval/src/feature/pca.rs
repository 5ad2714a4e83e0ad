//! Feature spaces without learning from labels: principal components of pixels, and of small patches.
//!
//! A classifier's features see what tells classes apart and are nearly blind to fine texture: noise of one grey level or
//! 4-bit quantisation. These two spaces look elsewhere. Pixels: where mass is, at the scale of the picture. Patches: how
//! much of each fine pattern there is, wherever it is.

use super::batches::in_batches;
use super::{FeatureNet, Params};
use crate::stats::{Moments, ShardedMoments};
use crate::{Error, Result, tensors};
use safetensors::SafeTensors;
use std::collections::BTreeMap;
use tch::{Kind, Tensor};

/// What the components are components of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PcaSpace {
    /// Whole images on the scale where white is 1. Features: the components' coefficients of the image less the mean.
    Pixels,
    /// All 7x7 patches (overlapping, all channels together), in grey levels. Features: the mean over the patches of an
    /// image of `ln(1/12 + c^2)` with the component's coefficient `c`. The logarithm gives weak patterns, and patches
    /// of little contrast, the weight of strong ones; 1/12 is the power of 8-bit rounding, below which nothing can be told.
    Patches,
}

/// Side of a patch.
const PATCH: usize = 7;
/// Power of the rounding to whole grey levels.
const ROUNDING: f64 = 1.0 / 12.0;

impl PcaSpace {
    fn name(self) -> &'static str {
        match self {
            Self::Pixels => "pixel-pca",
            Self::Patches => "patch-pca",
        }
    }
}

/// A feature space of principal components of a training set.
#[derive(Debug)]
pub struct Pca {
    space: PcaSpace,
    /// First part of its id.
    name: &'static str,
    /// Channels, height and width.
    shape: [usize; 3],
    /// `mean`: mean image `[c, h, w]`, 0 to 1. `basis`: components, strongest first, `[k, c, h, w]` or `[k, c, 7, 7]`.
    params: Params,
}

impl Pca {
    /// Finds the `count` strongest components of a training set, or as many as there are. Of the two signs of a component
    /// the one is taken whose largest entry is positive.
    ///
    /// # Shapes
    /// images: row-major u8 `[n, channels, height, width]` with `shape = [channels, height, width]`.
    ///
    /// # Errors
    /// A buffer that holds no two whole images, images smaller than a patch, a count of 0, libtorch's errors.
    pub fn fit(space: PcaSpace, images: &[u8], shape: [usize; 3], count: usize) -> Result<Self> {
        let pixels = shape.iter().product::<usize>();
        if pixels == 0 || images.len() < 2 * pixels || !images.len().is_multiple_of(pixels) {
            let (expected, got) =
                (format!("2 or more images of {shape:?}"), format!("{} bytes", images.len()));
            return Err(Error::Shape { what: "images to fit components to", expected, got });
        }
        let [c, h, w] = shape;
        if space == PcaSpace::Patches && h.min(w) < PATCH {
            let got = format!("{h}x{w} pixels");
            return Err(Error::Value { what: "size of images for patches", expected: "at least 7x7", got });
        }
        let (side, dim) = match space {
            PcaSpace::Pixels => ([h, w], pixels),
            PcaSpace::Patches => ([PATCH; 2], c * PATCH * PATCH),
        };
        if count == 0 {
            return Err(Error::Value {
                what: "count of components",
                expected: "above 0",
                got: "0".to_owned(),
            });
        }
        let count = count.min(dim);
        let mut moments = ShardedMoments::new(dim);
        let mut mean = vec![0.0; pixels];
        for image in images.chunks_exact(pixels) {
            let first = moments.n();
            moments.push_rows(&rows(space, image, shape), first)?;
            mean.iter_mut().zip(image).for_each(|(m, v)| *m += f64::from(*v));
        }
        let n = (images.len() / pixels) as f64;
        let mean: Vec<f32> = mean.iter().map(|sum| (sum / n / 255.0) as f32).collect();
        let basis = components(&moments.moments()?, count)?;
        let tensor = |values: &[f32], shape: &[usize]| {
            tensors::from_slice(values, &shape.iter().map(|s| *s as i64).collect::<Vec<_>>())
        };
        let map = BTreeMap::from([
            ("mean".to_owned(), tensor(&mean, &shape)?),
            ("basis".to_owned(), tensor(&basis, &[count, c, side[0], side[1]])?),
        ]);
        Ok(Self { space, name: space.name(), shape, params: Params::from_map(map) })
    }

    /// Loads what [`Pca::to_safetensors`] stored.
    ///
    /// # Errors
    /// [`Error::Weights`] with everything that does not fit.
    pub fn from_safetensors(space: PcaSpace, bytes: &[u8]) -> Result<Self> {
        let refuse =
            |problem: String| Error::Weights { network: space.name().to_owned(), problems: vec![problem] };
        let file = SafeTensors::deserialize(bytes)
            .map_err(|e| refuse(format!("not a whole safetensors file ({e})")))?;
        let size = |name: &str, rank: usize| {
            let shape = file.tensor(name).map(|view| view.shape().to_vec()).unwrap_or_default();
            let fits = shape.len() == rank && !shape.contains(&0);
            fits.then(|| shape.iter().map(|s| *s as i64).collect::<Vec<i64>>())
                .ok_or_else(|| refuse(format!("`{name}` is missing or has not {rank} dimensions")))
        };
        let (mean, mut basis) = (size("mean", 3)?, size("basis", 4)?);
        let patch = PATCH as i64;
        let inner = match space {
            PcaSpace::Pixels => mean.clone(),
            PcaSpace::Patches => vec![mean[0], patch, patch],
        };
        basis.splice(1.., inner);
        let specs = [("basis", basis.as_slice()), ("mean", mean.as_slice())];
        let params = Params::from_safetensors(space.name(), bytes, &specs)?;
        let shape = [mean[0] as usize, mean[1] as usize, mean[2] as usize];
        if space == PcaSpace::Patches && shape[1].min(shape[2]) < PATCH {
            return Err(refuse("its images are smaller than a patch".to_owned()));
        }
        Ok(Self { space, name: space.name(), shape, params })
    }

    /// The same under another name, as users know it.
    pub(super) fn called(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    /// Stores mean and components, as f16 when `half`, else as f32.
    ///
    /// # Errors
    /// When a weight is not finite in that type.
    pub fn to_safetensors(&self, half: bool) -> Result<Vec<u8>> {
        self.params.to_safetensors(half)
    }

    fn weight(&self, name: &str) -> Result<&Tensor> {
        self.params.get(name).ok_or_else(|| Error::Weights {
            network: self.name.to_owned(),
            problems: vec![format!("`{name}` is missing")],
        })
    }
}

impl FeatureNet for Pca {
    fn dim(&self) -> usize {
        self.weight("basis").map_or(0, |basis| basis.size()[0] as usize)
    }

    fn id(&self) -> Result<String> {
        Ok(format!("{}:{}", self.name, self.params.sha256()?))
    }

    fn image_shape(&self) -> [usize; 3] {
        self.shape
    }

    fn extract(&self, images: &Tensor) -> Result<Tensor> {
        let (mean, basis) = (self.weight("mean")?, self.weight("basis")?);
        let [features] = in_batches(self.name, images, self.shape, |batch| {
            let features = match self.space {
                PcaSpace::Pixels => {
                    let centred = batch.f_div_scalar(255.0)?.f_sub(mean)?.f_flatten(1, -1)?;
                    centred.f_matmul(&basis.f_flatten(1, -1)?.f_tr()?)?
                }
                PcaSpace::Patches => {
                    let coefficients = batch.f_conv2d(basis, None::<Tensor>, [1, 1], [0, 0], [1, 1], 1)?;
                    let powers = coefficients.f_square()?.f_add_scalar(ROUNDING)?.f_log()?;
                    powers.f_mean_dim(&[2_i64, 3][..], false, Kind::Float)?
                }
            };
            Ok([features])
        })?;
        Ok(features)
    }
}

/// What one image adds to the covariance: itself, or all its patches.
fn rows(space: PcaSpace, image: &[u8], [c, h, w]: [usize; 3]) -> Vec<f32> {
    if space == PcaSpace::Pixels {
        return image.iter().map(|v| f32::from(*v) / 255.0).collect();
    }
    let mut rows = Vec::with_capacity((h - PATCH + 1) * (w - PATCH + 1) * c * PATCH * PATCH);
    for y in 0..=h - PATCH {
        for x in 0..=w - PATCH {
            let lines = (0..c).flat_map(|channel| (0..PATCH).map(move |dy| (channel * h + y + dy) * w + x));
            rows.extend(lines.flat_map(|at| &image[at..at + PATCH]).map(|v| f32::from(*v)));
        }
    }
    rows
}

/// The strongest eigenvectors of a covariance, row-major `[count, dim]`.
fn components(moments: &Moments, count: usize) -> Result<Vec<f32>> {
    let d = moments.dim();
    let covariance = tensors::from_slice(&moments.covariance()?, &[d as i64, d as i64])?;
    let (_, vectors) = covariance.f_linalg_eigh("L")?; // columns, weakest first
    let rows: Vec<f64> = tensors::to_vec(&vectors.f_tr()?.f_flip([0])?)?;
    let signed = rows.chunks_exact(d).take(count).flat_map(|row| {
        let largest = row.iter().copied().fold(0.0_f64, |a, b| if b.abs() > a.abs() { b } else { a });
        row.iter().map(move |v| (v * largest.signum()) as f32)
    });
    Ok(signed.collect())
}
