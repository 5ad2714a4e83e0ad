//! Pictures of any size to the input of the network.

mod cubic;
mod linear;

use super::{Picture, Protocol, SIDE};
use crate::{Error, Result};
use cubic::Spans;
use linear::Places;

/// Values that a resized picture has: three channels of 299 x 299.
pub const INPUT: usize = 3 * SIDE * SIDE;

/// One protocol for one size of pictures: the places and weights of interpolation are computed once.
#[derive(Debug, Clone)]
pub struct Resizer {
    size: [usize; 2],
    rule: Rule,
}

#[derive(Debug, Clone)]
enum Rule {
    Tf1 { y: Places, x: Places },
    Torch { y: Places, x: Places },
    Clean { y: Spans, x: Spans },
}

impl Resizer {
    /// For pictures of `[height, width]` pixels.
    ///
    /// # Errors
    /// [`Error::Value`] for a side of 0 or above 65,535 pixels.
    pub fn new(protocol: Protocol, [height, width]: [usize; 2]) -> Result<Self> {
        if [height, width].iter().any(|side| !(1..=usize::from(u16::MAX)).contains(side)) {
            let got = format!("{height} x {width}");
            return Err(Error::Value { what: "sides of a picture", expected: "1 to 65535 pixels", got });
        }
        let rule = match protocol {
            Protocol::Tf1 => Rule::Tf1 { y: Places::tf1(height), x: Places::tf1(width) },
            Protocol::Torch => Rule::Torch { y: Places::torch(height), x: Places::torch(width) },
            Protocol::Clean => Rule::Clean { y: Spans::new(height), x: Spans::new(width) },
        };
        Ok(Self { size: [height, width], rule })
    }

    /// Resizes and maps one picture. Grey is repeated. `out` holds [`INPUT`] values, channel by channel.
    ///
    /// # Errors
    /// [`Error::Shape`] when the picture has another size than announced, or `out` another length.
    pub fn run(&self, picture: &Picture<'_>, out: &mut [f32]) -> Result<()> {
        let size = |[height, width]: [usize; 2]| format!("{height} x {width} pixels");
        if picture.size() != self.size {
            let (expected, got) = (size(self.size), size(picture.size()));
            return Err(Error::Shape { what: "picture", expected, got });
        }
        if out.len() != INPUT {
            let (expected, got) = (format!("{INPUT} values"), format!("{} values", out.len()));
            return Err(Error::Shape { what: "room for a resized picture", expected, got });
        }
        for (c, plane) in out.chunks_exact_mut(SIDE * SIDE).take(picture.channels()).enumerate() {
            match &self.rule {
                Rule::Tf1 { y, x } => {
                    linear::tf1(picture, c, (y, x), plane);
                    map(plane, |v| (v - 128.0) / 128.0);
                }
                Rule::Torch { y, x } => {
                    linear::torch(picture, c, (y, x), plane);
                    map(plane, |v| 2.0 * v - 1.0);
                }
                Rule::Clean { y, x } => {
                    cubic::plane(picture, c, (y, x), plane);
                    map(plane, |v| (v.clamp(0.0, 255.0) - 128.0) / 128.0);
                }
            }
        }
        if picture.channels() == 1 {
            out.copy_within(..SIDE * SIDE, SIDE * SIDE);
            out.copy_within(..SIDE * SIDE, 2 * SIDE * SIDE);
        }
        Ok(())
    }
}

/// Puts `f(v)` in the place of each `v`.
fn map(plane: &mut [f32], f: impl Fn(f32) -> f32) {
    for value in plane {
        *value = f(*value);
    }
}
