//! Sums over all axes but the batch, in f64 whatever the input.

use tch::{Kind, Tensor};

/// `<a, b>` of each image.
///
/// # Shapes
/// `a, b: [k, c, h, w] -> [k, 1, 1, 1]` f64
pub(super) fn dot(a: &Tensor, b: &Tensor) -> Tensor {
    let product = a.to_kind(Kind::Double) * b.to_kind(Kind::Double);
    product.flatten(1, -1).sum_dim_intlist(&[1i64][..], false, Kind::Double).view([-1, 1, 1, 1])
}

/// Length of each image, shapes as [`dot`].
pub(super) fn norm(a: &Tensor) -> Tensor {
    dot(a, a).sqrt()
}

/// Standard deviation over the elements of each image (as a share of another one the divisor does not matter), shapes as
/// [`dot`].
pub(super) fn std(a: &Tensor) -> Tensor {
    let a = a.to_kind(Kind::Double).flatten(1, -1);
    let mean = a.mean_dim(&[1i64][..], true, Kind::Double);
    let square = (a - mean).square().mean_dim(&[1i64][..], false, Kind::Double);
    square.sqrt().view([-1, 1, 1, 1])
}

/// Cosine of the angle between `a` and `b` of each image; 1 where both are zero and thus alike, 0 where only one is.
///
/// # Shapes
/// `a, b: [k, c, h, w] -> [k]` f64
pub(crate) fn cosine(a: &Tensor, b: &Tensor) -> Tensor {
    let (a_length, b_length) = (norm(a), norm(b));
    let lengths = &a_length * &b_length;
    let alike = (a_length + b_length).eq(0.0).to_kind(Kind::Double);
    (dot(a, b) / &lengths).where_self(&lengths.gt(0.0), &alike).view(-1)
}

/// `x` times a number for each image, in the kind of `x`.
pub(super) fn scale(x: &Tensor, by: &Tensor) -> Tensor {
    x * by.to_kind(x.kind())
}
