//! Which vector instructions the processor has, and how a loop gets compiled for each of them.

mod avx2;
mod avx512;
#[cfg(test)]
mod plain;

use super::vector::Vector;
use avx2::Avx2;
use avx512::Avx512;
#[cfg(test)]
use plain::Plain;

/// A set of instructions that this processor was seen to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Isa(Set);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    Avx512,
    Avx2,
    #[cfg(test)]
    Plain,
}

impl Isa {
    /// All that this processor has, the fastest first.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let wide = is_x86_feature_detected!("avx512f").then_some(Self(Set::Avx512));
        let narrow = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        wide.into_iter().chain(narrow.then_some(Self(Set::Avx2)))
    }

    /// These and [`Plain`], which has no instructions, for the loops' tests.
    #[cfg(test)]
    pub(super) fn all_and_plain() -> impl Iterator<Item = Self> {
        Self::all().chain([Self(Set::Plain)])
    }

    /// What people call them.
    pub(crate) fn name(self) -> &'static str {
        match self.0 {
            Set::Avx512 => "AVX-512",
            Set::Avx2 => "AVX2",
            #[cfg(test)]
            Set::Plain => "none",
        }
    }

    /// Runs a loop with these instructions.
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Out {
        // SAFETY: an `Isa` comes from `all` only.
        unsafe {
            match self.0 {
                Set::Avx512 => Avx512::enter(kernel),
                Set::Avx2 => Avx2::enter(kernel),
                #[cfg(test)]
                Set::Plain => Plain::enter(kernel),
            }
        }
    }

    /// Column blocks that a tile of a product can have: how [`super::gemm::Packed`] cuts its matrix.
    pub(crate) fn widest(self) -> usize {
        match self.0 {
            Set::Avx512 => Avx512::MOST_ROWS.len(),
            Set::Avx2 => Avx2::MOST_ROWS.len(),
            #[cfg(test)]
            Set::Plain => Plain::MOST_ROWS.len(),
        }
    }
}

/// A loop over vectors with what it works on.
///
/// `run` must be `#[inline(always)]`: only what ends up inside [`Vector::enter`] is compiled with its instructions.
pub(crate) trait Kernel {
    /// What comes out of it.
    type Out;

    /// The loop, for one kind of vector.
    fn run<V: Vector>(self) -> Self::Out;
}
