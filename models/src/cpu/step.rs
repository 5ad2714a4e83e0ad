//! What a network is compiled to: steps over numbered buffers.

use super::attention::Attention;
use super::kernels::gemm::LANES;
use super::layers::{Conv, Dense, Norm};

/// A feature map: its buffer, its channels, and how often it was halved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Map {
    pub(super) slot: usize,
    pub(super) channels: usize,
    pub(super) level: usize,
}

impl Map {
    pub(super) fn blocks(self) -> usize {
        self.channels.div_ceil(LANES)
    }
}

/// Where the time enters: places in [`TimeNet`](super::time::TimeNet)'s output.
#[derive(Clone, Copy, Debug)]
pub(super) enum Time {
    /// Added to each channel before the second norm.
    Add(usize),
    /// Factor less one, and shift, after the norm.
    ScaleShift(usize),
}

/// What is added to the output of a convolution.
#[derive(Clone, Copy, Debug)]
pub(super) enum Add {
    Nothing,
    /// A map of the same shape.
    Map(Map),
    /// What the output's buffer holds.
    Itself,
}

/// A 3x3 convolution with all that goes before and after it.
#[derive(Debug)]
pub(super) struct ConvStep {
    /// Side by side.
    pub(super) from: Vec<Map>,
    pub(super) norm: Option<Norm>,
    /// Doubles height and width first.
    pub(super) up: bool,
    pub(super) conv: Conv,
    pub(super) time: Option<Time>,
    pub(super) add: Add,
    pub(super) scale: f32,
    pub(super) to: Map,
}

/// One step of the network.
#[derive(Debug)]
pub(super) enum Step {
    /// The first convolution, from the caller's image.
    First {
        dense: Dense,
        to: Map,
    },
    Conv(Box<ConvStep>),
    /// A convolution of stride 2.
    Down {
        from: Map,
        dense: Dense,
        padding: usize,
        to: Map,
    },
    /// A 1x1 convolution of maps side by side, each with its part of the matrix; the first carries the bias.
    Point {
        parts: Vec<(Map, Dense)>,
        to: Map,
    },
    Attention {
        from: Map,
        attention: Box<Attention>,
        to: Map,
    },
}

impl Step {
    /// The map that the step writes.
    pub(super) fn to(&self) -> Map {
        match self {
            Self::First { to, .. }
            | Self::Down { to, .. }
            | Self::Point { to, .. }
            | Self::Attention { to, .. } => *to,
            Self::Conv(conv) => conv.to,
        }
    }
}
