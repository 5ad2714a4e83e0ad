//! Vector loops for AVX-512, free of libtorch. Each checks its slices, then works on raw addresses.

#![allow(
    unsafe_code,
    reason = "vector loads and stores take raw addresses; each function asserts its ranges first"
)]

pub(super) mod buffer;
mod exp;
pub(super) mod gemm;
pub(super) mod norm;
pub(super) mod softmax;
mod transpose;
pub(super) mod winograd;

#[cfg(test)]
mod tests;
