//! What distinguishes the built-in classifiers: input, activation, names and shapes of weights.

use super::params::Spec;

/// What distinguishes the classifiers.
#[derive(Debug)]
pub struct Arch {
    /// Name of the architecture, first part of its id.
    pub name: &'static str,
    /// Channels of its input.
    pub channels: i64,
    /// Whether the input's gradient is wanted: SiLU and averages in place of ReLU and maxima.
    pub(super) smooth: bool,
    pub(super) specs: &'static [Spec<'static>],
}

impl Arch {
    /// Channels, height and width of its images.
    pub fn image_shape(&self) -> [usize; 3] {
        [self.channels as usize, 28, 28]
    }
}

/// For grey images.
pub static GREY: Arch = Arch { name: "fmnist-cnn", channels: 1, smooth: false, specs: &SPECS };

/// For colour images.
pub static COLOUR: Arch =
    Arch { name: "fmnist-colour-cnn", channels: 3, smooth: false, specs: &COLOUR_SPECS };

/// For grey images with noise, beside each a plane that tells the noise level.
pub static NOISY: Arch = Arch { name: "fmnist-noisy-cnn", channels: 2, smooth: true, specs: &NOISY_SPECS };

/// Names and shapes of all weights for grey images, in the PyTorch convention (output first).
const SPECS: [Spec<'static>; 12] = [
    ("conv1.bias", &[32]),
    ("conv1.weight", &[32, 1, 3, 3]),
    ("conv2.bias", &[48]),
    ("conv2.weight", &[48, 32, 3, 3]),
    ("conv3.bias", &[64]),
    ("conv3.weight", &[64, 48, 3, 3]),
    ("conv4.bias", &[64]),
    ("conv4.weight", &[64, 64, 3, 3]),
    ("head.bias", &[10]),
    ("head.weight", &[10, 128]),
    ("hidden.bias", &[128]),
    ("hidden.weight", &[128, 64 * 3 * 3]),
];

/// The same for noisy images.
const NOISY_SPECS: [Spec<'static>; 12] = {
    let mut specs = SPECS;
    specs[1] = ("conv1.weight", &[32, 2, 3, 3]);
    specs
};

/// The same for colour images.
const COLOUR_SPECS: [Spec<'static>; 14] = {
    let mut specs: [Spec<'static>; 14] = [("thumb.bias", &[48]); 14];
    let mut i = 0;
    while i < SPECS.len() {
        specs[i] = SPECS[i];
        i += 1;
    }
    specs[1] = ("conv1.weight", &[32, 3, 3, 3]);
    specs[13] = ("thumb.weight", &[48, 128]);
    specs
};
