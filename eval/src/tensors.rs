//! The door between libtorch and plain memory: tensors are checked here once, because operators panic on shapes.

use crate::{Error, Result};
use tch::{Kind, Tensor, kind::Element};

/// Fails unless `tensor` has this kind and, with `-1` as "any size above zero", this shape.
pub(crate) fn expect(what: &'static str, tensor: &Tensor, kind: Kind, shape: &[i64]) -> Result<()> {
    let size = tensor.size();
    let fits = size.len() == shape.len()
        && size.iter().zip(shape).all(|(got, want)| if *want == -1 { *got > 0 } else { got == want });
    if fits && tensor.f_kind()? == kind {
        return Ok(());
    }
    let expected = format!("{kind:?} {}", shape_text(shape));
    Err(Error::Shape { what, expected, got: format!("{:?} {}", tensor.f_kind()?, shape_text(&size)) })
}

/// `[n, 1, 28]`, with `n` for -1.
pub(crate) fn shape_text(shape: &[i64]) -> String {
    let sizes: Vec<String> =
        shape.iter().map(|s| if *s == -1 { "n".to_owned() } else { s.to_string() }).collect();
    format!("[{}]", sizes.join(", "))
}

/// Copies a tensor of any layout and device into a row-major vector. `T` must be the tensor's own kind.
pub(crate) fn to_vec<T: Element + Copy + Default>(tensor: &Tensor) -> Result<Vec<T>> {
    let dense = tensor.f_detach()?.f_to_device(tch::Device::Cpu)?.f_contiguous()?;
    let mut out = vec![T::default(); dense.numel()];
    dense.f_copy_data(&mut out, dense.numel())?;
    Ok(out)
}

/// A CPU tensor of `shape` holding a copy of `data`.
pub(crate) fn from_slice<T: Element>(data: &[T], shape: &[i64]) -> Result<Tensor> {
    Ok(Tensor::f_from_slice(data)?.f_view(shape)?)
}
