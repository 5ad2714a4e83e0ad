//! One picture in memory.

use crate::{Error, Result, hash::Hasher};

/// An 8-bit RGB picture and how it came to be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    rgb: Vec<u8>,
    facts: Facts,
}

/// What was done to a picture to make it 8-bit RGB.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four observations that have nothing to do with each other"
)]
pub struct Facts {
    /// It was grey; the channel was repeated.
    pub grey: bool,
    /// It was transparent somewhere; it was put on white.
    pub transparent: bool,
    /// It had 16 bits a channel; they were rounded to 8.
    pub deep: bool,
    /// Its file format is lossy, or may be.
    pub lossy: bool,
}

impl Picture {
    /// A picture from its bytes.
    ///
    /// # Shapes
    /// rgb: row-major `[height, width, 3]`, at least one pixel.
    ///
    /// # Errors
    /// [`Error::Shape`] when the length does not fit.
    pub fn new(width: u32, height: u32, rgb: Vec<u8>, facts: Facts) -> Result<Self> {
        if width == 0 || height == 0 || rgb.len() as u64 != 3 * u64::from(width) * u64::from(height) {
            let (expected, got) = (format!("[{height}, {width}, 3]"), format!("{} bytes", rgb.len()));
            return Err(Error::Shape { what: "a picture", expected, got });
        }
        Ok(Self { width, height, rgb, facts })
    }

    /// A grey picture, `[height, width]`; the channel is repeated.
    ///
    /// # Errors
    /// As [`Picture::new`].
    pub fn from_grey(width: u32, height: u32, grey: &[u8]) -> Result<Self> {
        let rgb = grey.iter().flat_map(|v| [*v; 3]).collect();
        Self::new(width, height, rgb, Facts { grey: true, ..Facts::default() })
    }

    /// Pixels in a row.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Row-major `[height, width, 3]`.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// What was done to make it RGB.
    pub fn facts(&self) -> Facts {
        self.facts
    }

    /// The grey picture `[height, width]`, if the channels of every pixel are equal.
    pub fn grey(&self) -> Option<Vec<u8>> {
        let pixels = self.rgb.as_chunks::<3>().0;
        pixels.iter().map(|[r, g, b]| (r == g && g == b).then_some(*r)).collect()
    }

    /// SHA-256 over width and height (u32, little-endian each) and the RGB bytes. The same pixels have the same hash in
    /// whatever file they came.
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = Hasher::default();
        hasher.update(&self.width.to_le_bytes());
        hasher.update(&self.height.to_le_bytes());
        hasher.update(&self.rgb);
        hasher.finish_bytes()
    }
}
