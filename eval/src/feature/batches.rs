//! Inference in batches of one shape.

use super::EXTRACT_BATCH;
use crate::{Error, Result, tensors};
use tch::{Device, Kind, Tensor};

/// Runs `pass` over 8-bit images in batches of exactly [`EXTRACT_BATCH`], the last one filled up with black, without
/// gradient, on the CPU. `network` is named in messages.
///
/// # Shapes
/// images: u8 `[n, channels, height, width]` of `shape`; `pass` gets f32 from 0 to 255 and gives `N` tensors with a row an
/// image, whose rows are put together.
///
/// # Errors
/// Another kind or shape, those of `pass`, and [`Error::NonFinite`] for an output that is not finite.
pub(super) fn in_batches<const N: usize>(
    network: &str,
    images: &Tensor,
    shape: [usize; 3],
    pass: impl Fn(&Tensor) -> Result<[Tensor; N]>,
) -> Result<[Tensor; N]> {
    let [c, h, w] = shape.map(|s| s as i64);
    tensors::expect("images", images, Kind::Uint8, &[-1, c, h, w])?;
    let _no_grad = tch::no_grad_guard();
    let images = images.f_to_device(Device::Cpu)?;
    let (n, batch) = (images.size()[0], EXTRACT_BATCH as i64);
    let mut parts: [Vec<Tensor>; N] = std::array::from_fn(|_| Vec::new());
    for first in (0..n).step_by(EXTRACT_BATCH) {
        let count = batch.min(n - first);
        let padded = Tensor::f_zeros([batch, c, h, w], (Kind::Float, Device::Cpu))?;
        padded.f_narrow(0, 0, count)?.f_copy_(&images.f_narrow(0, first, count)?)?;
        for (out, part) in pass(&padded)?.into_iter().zip(&mut parts) {
            part.push(out.f_narrow(0, 0, count)?);
        }
    }
    let mut whole: [Tensor; N] = std::array::from_fn(|_| Tensor::new());
    for (part, whole) in parts.iter().zip(&mut whole) {
        *whole = Tensor::f_cat(part, 0)?;
        if whole.f_isfinite()?.f_all()?.f_int64_value(&[])? == 0 {
            return Err(Error::NonFinite { what: format!("an output of `{network}`") });
        }
    }
    Ok(whole)
}
