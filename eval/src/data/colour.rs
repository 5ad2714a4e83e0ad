//! Fashion-MNIST in colour: the same garments, painted.
//!
//! Saturation has no meaning in grey pictures, and guidance is judged by it. So every picture gets five latents that do
//! not depend on its class, uniform and drawn from the picture's number alone:
//!
//! | latent | range |
//! | --- | --- |
//! | garment hue, background hue | a whole turn |
//! | garment saturation | 0.3 to 0.9 |
//! | background saturation | 0.1 to 0.5 |
//! | background value | 0.2 to 0.9 |
//!
//! A pixel of grey level `g` in `[0, 1]` shows the garment, at value `0.2 + 0.8 g`, over the background with coverage
//! `min(1, g / 0.2)`: seams and folds stay visible, dark edges blend in.

use super::fashion_mnist::{Part, Split};
use crate::rng::SplitMix64;

/// Grey level from which on a pixel is all garment.
const OPAQUE: f64 = 0.2;
/// Value of the darkest garment.
const DARKEST: f64 = 0.2;

/// What a picture is painted with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Paint {
    /// Hue of the garment in turns, and its saturation.
    pub garment: (f64, f64),
    /// Hue, saturation and value of the background.
    pub background: (f64, f64, f64),
}

impl Paint {
    /// The paint of picture number `index`; the two parts of the data set draw apart.
    pub fn of(part: Part, index: u64) -> Self {
        let mut rng = SplitMix64::keyed(part as u64, index);
        let mut draw = |lo: f64, hi: f64| lo + (hi - lo) * rng.uniform();
        Self {
            garment: (draw(0.0, 1.0), draw(0.3, 0.9)),
            background: (draw(0.0, 1.0), draw(0.1, 0.5), draw(0.2, 0.9)),
        }
    }

    /// Red, green and blue of a pixel whose grey level was `grey`.
    fn pixel(&self, grey: u8) -> [u8; 3] {
        let g = f64::from(grey) / 255.0;
        let cover = (g / OPAQUE).min(1.0);
        let garment = rgb(self.garment.0, self.garment.1, DARKEST + (1.0 - DARKEST) * g);
        let background = rgb(self.background.0, self.background.1, self.background.2);
        std::array::from_fn(|c| (255.0 * (cover * garment[c] + (1.0 - cover) * background[c])).round() as u8)
    }
}

impl Split {
    /// The same split in colour, `[n, 3, 28, 28]`. A split that is in colour already stays as it is.
    #[must_use]
    pub fn colour(&self) -> Self {
        if self.channels == 3 {
            return self.clone();
        }
        let pixels = Self::SIDE * Self::SIDE;
        let mut images = vec![0; 3 * self.images.len()];
        let pairs = self.images.chunks_exact(pixels).zip(images.chunks_exact_mut(3 * pixels));
        for (index, (grey, painted)) in (0..).zip(pairs) {
            let paint = Paint::of(self.part, index);
            let palette: Vec<[u8; 3]> = (0..=u8::MAX).map(|level| paint.pixel(level)).collect();
            for (c, plane) in painted.chunks_exact_mut(pixels).enumerate() {
                for (to, from) in plane.iter_mut().zip(grey) {
                    *to = palette[usize::from(*from)][c];
                }
            }
        }
        Self { images, channels: 3, labels: self.labels.clone(), ..*self }
    }
}

/// HSV to RGB, all in `[0, 1]` (Smith, 1978, in the form without cases).
fn rgb(hue: f64, saturation: f64, value: f64) -> [f64; 3] {
    [5.0, 3.0, 1.0].map(|n| {
        let k = (n + 6.0 * hue).rem_euclid(6.0);
        value - value * saturation * k.min(4.0 - k).clamp(0.0, 1.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hues_are_where_they_belong() {
        for (hue, want) in [
            (0.0, [1.0, 0.0, 0.0]),
            (1.0 / 6.0, [1.0, 1.0, 0.0]),
            (1.0 / 3.0, [0.0, 1.0, 0.0]),
            (2.0 / 3.0, [0.0, 0.0, 1.0]),
        ] {
            let got = rgb(hue, 1.0, 1.0);
            assert!(got.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-12), "{hue}: {got:?}");
        }
        assert!(rgb(0.4, 0.0, 0.25).iter().all(|v| (v - 0.25).abs() < 1e-15));
    }

    #[test]
    fn a_picture_depends_on_its_number_and_part_alone() {
        let grey: Vec<u8> = (0..4 * 784_u32).map(|i| (i % 251) as u8).collect();
        let split = |images: Vec<u8>, part| Split {
            labels: vec![0; images.len() / 784],
            images,
            sha256: "",
            channels: 1,
            part,
        };
        let all = split(grey.clone(), Part::Train).colour();
        assert_eq!(all.images.len(), 3 * grey.len());
        let first = split(grey[..784].to_vec(), Part::Train).colour();
        assert_eq!(first.images, all.images[..3 * 784]);
        let test = split(grey[..784].to_vec(), Part::Test).colour();
        // As a second implementation in Python paints them.
        for (painted, hash) in [
            (&first, "a0ea86513c0a366ec47b40568db677257a9f33ba956780326c0cd71f6e2a08af"),
            (&test, "f78912fa27d3ee36797b129c609fd35b85b819fc844d14d7917f3ed7b9c83427"),
        ] {
            assert_eq!(crate::sha256_hex(&painted.images), hash);
        }
        assert_eq!(all.colour().images, all.images, "painted once");
        // Two pictures of the same grey levels differ in paint.
        let twice = split([&grey[..784], &grey[..784]].concat(), Part::Train).colour();
        assert_ne!(twice.images[..3 * 784], twice.images[3 * 784..]);
    }

    #[test]
    fn background_and_garment_have_their_hue_and_saturation() {
        let saturation = |p: [u8; 3]| {
            let (max, min) = (*p.iter().max().unwrap_or(&0), *p.iter().min().unwrap_or(&0));
            f64::from(max - min) / f64::from(max)
        };
        // The primary colour that is nearest on the wheel is the strongest.
        let has_hue = |p: [u8; 3], hue: f64| p.iter().max() == p.get((3.0 * hue).round() as usize % 3);
        let mut hues = [[0_u32; 6]; 2];
        for index in 0..600 {
            let paint = Paint::of(Part::Train, index);
            assert!((saturation(paint.pixel(0)) - paint.background.1).abs() < 0.02, "{paint:?}");
            assert!((saturation(paint.pixel(255)) - paint.garment.1).abs() < 0.01, "{paint:?}");
            for (hue, grey, count) in [(paint.garment.0, 255, 0), (paint.background.0, 0, 1)] {
                assert!(has_hue(paint.pixel(grey), hue), "{paint:?}");
                hues[count][(6.0 * hue) as usize] += 1;
            }
        }
        assert!(hues.as_flattened().iter().all(|n| (70..130).contains(n)), "{hues:?}");
    }
}
