//! Vector loops, free of libtorch. Each checks its slices, then works on raw addresses.

#![allow(
    unsafe_code,
    reason = "vector loads and stores take raw addresses; each function asserts its ranges first"
)]
#![allow(
    clippy::inline_always,
    reason = "an instruction of a feature is inlined only where the feature is on: all between it and `Vector::enter` has to be"
)]

pub(super) mod buffer;
mod exp;
pub(super) mod gemm;
pub(super) mod isa;
pub(super) mod norm;
pub(super) mod softmax;
pub(super) mod vector;
pub(super) mod winograd;

#[cfg(test)]
mod tests;
