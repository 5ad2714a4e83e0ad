//! Memory that starts on a cache line, so that no vector load or store touches two.

use std::ops::{Deref, DerefMut};

use super::gemm::LANES;

#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Line([f32; LANES]);

/// A growing array of f32, aligned to 64 bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Buffer {
    lines: Vec<Line>,
}

impl Buffer {
    /// At least `len` values; new ones are 0, and nothing shrinks.
    pub(crate) fn reserve(&mut self, len: usize) {
        let lines = len.div_ceil(LANES);
        if lines > self.lines.len() {
            self.lines.resize(lines, Line([0.0; LANES]));
        }
    }

    /// The values, followed by zeros up to a whole line.
    pub(crate) fn from_slice(values: &[f32]) -> Self {
        let mut out = Self::default();
        out.reserve(values.len());
        out[..values.len()].copy_from_slice(values);
        out
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: a `Line` is sixteen f32 without padding.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.lines.len() * LANES) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as in `deref`.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.lines.len() * LANES) }
    }
}
