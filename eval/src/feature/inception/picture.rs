//! One 8-bit picture in memory.

use crate::{Error, Result};

/// Order of the bytes of a [`Picture`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Channel by channel, as a tensor has it.
    Planar,
    /// Pixel by pixel, as a decoder has it.
    Interleaved,
}

/// A borrowed 8-bit picture, grey or RGB.
#[derive(Debug, Clone, Copy)]
pub struct Picture<'a> {
    bytes: &'a [u8],
    height: usize,
    width: usize,
    channels: usize,
    layout: Layout,
}

impl<'a> Picture<'a> {
    /// A picture of `[height, width]` pixels; one channel is grey, three are RGB.
    ///
    /// # Errors
    /// [`Error::Shape`] for no pixels, another count of channels, or another count of bytes than that makes.
    pub fn new(
        bytes: &'a [u8],
        [height, width]: [usize; 2],
        channels: usize,
        layout: Layout,
    ) -> Result<Self> {
        let pixels = height.checked_mul(width).filter(|pixels| *pixels > 0);
        let size = pixels.and_then(|pixels| pixels.checked_mul(channels));
        if size == Some(bytes.len()) && matches!(channels, 1 | 3) {
            return Ok(Self { bytes, height, width, channels, layout });
        }
        let got = format!("{} bytes for {height} x {width} x {channels}", bytes.len());
        Err(Error::Shape { what: "picture", expected: "height x width x 1 or 3 bytes".to_owned(), got })
    }

    /// Height and width in pixels.
    pub fn size(&self) -> [usize; 2] {
        [self.height, self.width]
    }

    /// 1 or 3.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Row `y` of channel `c` through `value`, into `out` of `width` values.
    pub(super) fn row(&self, c: usize, y: usize, value: impl Fn(u8) -> f32, out: &mut [f32]) {
        match self.layout {
            Layout::Planar => {
                let start = (c * self.height + y) * self.width;
                let row = &self.bytes[start..start + self.width];
                out.iter_mut().zip(row).for_each(|(out, byte)| *out = value(*byte));
            }
            Layout::Interleaved => {
                let length = self.width * self.channels;
                let row = self.bytes[y * length..(y + 1) * length].iter().skip(c).step_by(self.channels);
                out.iter_mut().zip(row).for_each(|(out, byte)| *out = value(*byte));
            }
        }
    }
}
