//! The forward pass.

use super::conv::{Conv, channels_last};
use super::folded::Folded;
use super::mixed::Mixed;
use super::tap::Tap;
use super::weights::{NETWORK, Weights};
use super::{BATCH, SIDE, layout};
use crate::{Error, Result, tensors};
use std::collections::BTreeMap;
use tch::{Device, Kind, Tensor};

/// The Inception network of 5 December 2015 (Szegedy et al., 2015, arXiv 1512.00567), as the Fréchet Inception
/// distance uses it (Heusel et al., 2017, arXiv 1706.08500). Inference only, on the CPU.
///
/// It differs from the network of that name in torchvision: averages count no padding, `Mixed_7c` pools by maximum,
/// there are 1008 classes, and the weights are others.
#[derive(Debug)]
pub struct Inception {
    /// 1a, 2a, 2b, 3b, 4a.
    stem: [Conv; 5],
    /// `Mixed_5b` to `Mixed_7c`.
    mixed: Vec<Mixed>,
    /// `[1008, 2048]` and `[1008]`
    head: (Tensor, Tensor),
    kind: Kind,
    sha256: String,
}

/// Position of `Mixed_6d` and `Mixed_6e` among the mixed blocks.
const MIXED_6D: usize = 6;
const MIXED_6E: usize = 7;

impl Inception {
    /// Name of the architecture, first part of an id.
    pub const NAME: &'static str = NETWORK;

    /// The network in f32.
    ///
    /// # Errors
    /// When libtorch cannot make a tensor.
    pub fn new(weights: &Weights) -> Result<Self> {
        Self::of_kind(weights, Kind::Float)
    }

    /// The network in f64, to audit the rounding of the f32 one; many times slower.
    ///
    /// # Errors
    /// As [`Inception::new`].
    pub fn audit(weights: &Weights) -> Result<Self> {
        Self::of_kind(weights, Kind::Double)
    }

    fn of_kind(weights: &Weights, kind: Kind) -> Result<Self> {
        let folded = Folded::new(weights, kind)?;
        let conv = |name| Conv::new(&folded, name);
        let head = |name, shape: &[i64]| -> Result<Tensor> {
            Ok(tensors::from_slice(weights.get(name).unwrap_or_default(), shape)?.f_to_kind(kind)?)
        };
        Ok(Self {
            stem: [
                conv("Conv2d_1a_3x3")?,
                conv("Conv2d_2a_3x3")?,
                conv("Conv2d_2b_3x3")?,
                conv("Conv2d_3b_1x1")?,
                conv("Conv2d_4a_3x3")?,
            ],
            mixed: vec![
                Mixed::a(&folded, "Mixed_5b")?,
                Mixed::a(&folded, "Mixed_5c")?,
                Mixed::a(&folded, "Mixed_5d")?,
                Mixed::b(&folded, "Mixed_6a")?,
                Mixed::c(&folded, "Mixed_6b")?,
                Mixed::c(&folded, "Mixed_6c")?,
                Mixed::c(&folded, "Mixed_6d")?,
                Mixed::c(&folded, "Mixed_6e")?,
                Mixed::d(&folded, "Mixed_7a")?,
                Mixed::e_average(&folded, "Mixed_7b")?,
                Mixed::e_maximum(&folded, "Mixed_7c")?,
            ],
            head: (
                head("fc.weight", &[layout::CLASSES, layout::WIDTH])?,
                head("fc.bias", &[layout::CLASSES])?,
            ),
            kind,
            sha256: weights.sha256().to_owned(),
        })
    }

    /// SHA-256 of the file of the weights.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The same network for another thread: weights are shared, not copied.
    #[must_use]
    pub fn share(&self) -> Self {
        Self {
            stem: self.stem.each_ref().map(Conv::share),
            mixed: self.mixed.iter().map(Mixed::share).collect(),
            head: (self.head.0.shallow_clone(), self.head.1.shallow_clone()),
            kind: self.kind,
            sha256: self.sha256.clone(),
        }
    }

    /// What the network says about images, in the order of `taps`, in passes of [`BATCH`] images of which the last is
    /// padded, so that a value depends on its image alone. It goes no deeper than the deepest tap.
    ///
    /// # Shapes
    /// images: f32 `[n, 3, 299, 299]` from a [`Resizer`](super::Resizer); results: f32 `[n, tap.dim()]`, rounded from
    /// f64 under [`Inception::audit`].
    ///
    /// # Errors
    /// When the images have another kind or shape, or a value is not finite.
    pub fn infer(&self, images: &Tensor, taps: &[Tap]) -> Result<Vec<Tensor>> {
        tensors::expect("images", images, Kind::Float, &[-1, 3, SIDE as i64, SIDE as i64])?;
        let _no_grad = tch::no_grad_guard();
        let (n, batch) = (images.size()[0], BATCH as i64);
        let mut parts: Vec<Vec<Tensor>> = taps.iter().map(|_| Vec::new()).collect();
        for first in (0..n).step_by(BATCH) {
            let count = batch.min(n - first);
            let slice = images.f_narrow(0, first, count)?;
            let full = if count == batch {
                slice
            } else {
                let shape = [batch, 3, SIDE as i64, SIDE as i64];
                let padded = Tensor::f_zeros(shape, (Kind::Float, Device::Cpu))?;
                padded.f_narrow(0, 0, count)?.f_copy_(&slice)?;
                padded
            };
            for (parts, value) in parts.iter_mut().zip(self.forward(&full, taps)?) {
                parts.push(value.f_narrow(0, 0, count)?.f_to_kind(Kind::Float)?);
            }
        }
        let joined = parts.iter().zip(taps).map(|(parts, tap)| {
            let all = Tensor::f_cat(parts, 0)?;
            if all.f_isfinite()?.f_all()?.f_int64_value(&[])? == 0 {
                return Err(Error::NonFinite { what: format!("an output `{tap}` of `{}`", Self::NAME) });
            }
            Ok(all)
        });
        joined.collect()
    }

    /// One pass over a full batch.
    fn forward(&self, images: &Tensor, taps: &[Tap]) -> Result<Vec<Tensor>> {
        let last = taps.iter().max().copied();
        let mut found: BTreeMap<Tap, Tensor> = BTreeMap::new();
        let mut keep = |tap: Tap, value: Tensor| {
            found.insert(tap, value);
            last <= Some(tap)
        };
        self.run(&channels_last(&images.f_to_kind(self.kind)?)?, taps, &mut keep)?;
        Ok(taps.iter().filter_map(|tap| found.get(tap).map(Tensor::shallow_clone)).collect())
    }

    /// Hands the wanted taps to `keep` as they come, until that says that it has enough.
    fn run(&self, x: &Tensor, taps: &[Tap], keep: &mut impl FnMut(Tap, Tensor) -> bool) -> Result<()> {
        let wanted = |tap| taps.contains(&tap);
        let [c1a, c2a, c2b, c3b, c4a] = &self.stem;
        let h = pool(&c2b.forward(&c2a.forward(&c1a.forward(x)?)?)?)?; // [n, 64, 73, 73]
        if wanted(Tap::F64) && keep(Tap::F64, mean(&h)?) {
            return Ok(());
        }
        let mut h = pool(&c4a.forward(&c3b.forward(&h)?)?)?; // [n, 192, 35, 35]
        if wanted(Tap::F192) && keep(Tap::F192, mean(&h)?) {
            return Ok(());
        }
        for (at, block) in self.mixed.iter().enumerate() {
            h = block.forward(&h)?;
            if at == MIXED_6D && wanted(Tap::Spatial) {
                let branch = block.first_branch(&h)?.f_narrow(1, 0, 7)?;
                let flat = branch.f_permute([0, 2, 3, 1])?.f_flatten(1, -1)?; // [n, 17 * 17 * 7]
                if keep(Tap::Spatial, flat) {
                    return Ok(());
                }
            }
            if at == MIXED_6E && wanted(Tap::F768) && keep(Tap::F768, mean(&h)?) {
                return Ok(());
            }
        }
        let features = mean(&h)?; // [n, 2048]
        if wanted(Tap::F2048) && keep(Tap::F2048, features.shallow_clone()) {
            return Ok(());
        }
        let (weight, bias) = &self.head;
        let logits = features.f_linear(weight, None::<&Tensor>)?; // [n, 1008]
        if wanted(Tap::LogitsUnbiased) && keep(Tap::LogitsUnbiased, logits.shallow_clone()) {
            return Ok(());
        }
        if wanted(Tap::Logits) {
            keep(Tap::Logits, logits.f_add(bias)?);
        }
        Ok(())
    }
}

/// Maximum of 3x3 at every second place.
fn pool(x: &Tensor) -> Result<Tensor> {
    Ok(x.f_max_pool2d([3, 3], [2, 2], [0, 0], [1, 1], false)?)
}

/// Mean over height and width.
fn mean(x: &Tensor) -> Result<Tensor> {
    Ok(x.f_mean_dim(&[2_i64, 3][..], false, x.f_kind()?)?)
}
