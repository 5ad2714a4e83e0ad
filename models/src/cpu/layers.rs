//! Packed weights of single layers, and where logical channels lie in blocks of sixteen.

use super::kernels::buffer::Buffer;
use super::kernels::gemm::{LANES, Packed};
use super::kernels::isa::Isa;
use super::kernels::{norm, winograd};
use super::values;
use crate::params::Params;

/// Weights by name; a name that is not there is a reason not to build.
pub(super) struct Weights<'a>(pub(super) &'a Params);

impl Weights<'_> {
    pub(super) fn get(&self, name: &str) -> Result<Vec<f32>, String> {
        self.0.get(name).map(values).ok_or_else(|| format!("the weight `{name}` is absent"))
    }
}

/// For each place in the blocks of `parts` (channels of tensors laid side by side), the channel that stands there.
#[derive(Clone, Debug)]
pub(super) struct Places(Vec<Option<usize>>);

impl Places {
    pub(super) fn new(parts: &[usize]) -> Self {
        let mut places = Vec::new();
        let mut next = 0;
        for &channels in parts {
            let blocks = channels.div_ceil(LANES);
            places.extend((0..blocks * LANES).map(|i| (i < channels).then_some(next + i)));
            next += channels;
        }
        Self(places)
    }

    pub(super) fn blocks(&self) -> usize {
        self.0.len() / LANES
    }

    pub(super) fn channel(&self, place: usize) -> Option<usize> {
        self.0[place]
    }

    /// `values` by channel, 0 where no channel stands.
    pub(super) fn spread(&self, values: &[f32]) -> Buffer {
        Buffer::from_slice(&self.0.iter().map(|c| c.map_or(0.0, |c| values[c])).collect::<Vec<_>>())
    }
}

/// A 3x3 convolution of stride 1 at the points of Winograd's algorithm.
#[derive(Debug)]
pub(super) struct Conv {
    pub(super) points: Vec<Packed>,
    pub(super) bias: Buffer,
    pub(super) blocks_in: usize,
    pub(super) blocks: usize,
}

impl Conv {
    pub(super) fn new(
        isa: Isa,
        weights: &Weights<'_>,
        name: &str,
        from: &Places,
        to: usize,
    ) -> Result<Self, String> {
        let w = weights.get(&format!("{name}.weight"))?;
        let outs = Places::new(&[to]);
        let cin = w.len() / (9 * to);
        let value = |tap: usize, row: usize, column: usize| match (from.channel(row), outs.channel(column)) {
            (Some(i), Some(o)) => w[(o * cin + i) * 9 + tap],
            _ => 0.0,
        };
        Ok(Self {
            points: winograd::pack(isa, from.0.len(), outs.blocks(), value),
            bias: outs.spread(&weights.get(&format!("{name}.bias"))?),
            blocks_in: from.blocks(),
            blocks: outs.blocks(),
        })
    }
}

/// A matrix with a bias.
#[derive(Debug)]
pub(super) struct Dense {
    pub(super) w: Packed,
    pub(super) bias: Buffer,
}

impl Dense {
    /// A linear layer or 1x1 convolution `[to, from]`, rows and columns by their places.
    pub(super) fn linear(isa: Isa, w: &[f32], bias: &[f32], from: &Places, to: &Places) -> Self {
        let cin = w.len() / bias.len();
        Self { w: matrix(isa, from, to, |i, o| w[o * cin + i]), bias: to.spread(bias) }
    }

    /// A 3x3 convolution as a direct product; its inner dimension is `[block][tap][16]`.
    pub(super) fn direct(isa: Isa, w: &[f32], bias: &[f32], from: &Places, to: &Places) -> Self {
        let cin = w.len() / (9 * bias.len());
        let value = |row: usize, column: usize| {
            let (block, tap, lane) = (row / (9 * LANES), row / LANES % 9, row % LANES);
            match (from.channel(block * LANES + lane), to.channel(column)) {
                (Some(i), Some(o)) => w[(o * cin + i) * 9 + tap],
                _ => 0.0,
            }
        };
        Self { w: Packed::new(isa, 9 * from.0.len(), to.blocks(), value), bias: to.spread(bias) }
    }
}

/// `value(from, to)` by places, 0 where no channel stands.
pub(super) fn matrix(isa: Isa, from: &Places, to: &Places, value: impl Fn(usize, usize) -> f32) -> Packed {
    Packed::new(isa, from.0.len(), to.blocks(), |row, column| match (from.channel(row), to.channel(column)) {
        (Some(i), Some(o)) => value(i, o),
        _ => 0.0,
    })
}

/// Group normalisation, perhaps with SiLU.
#[derive(Debug)]
pub(super) struct Norm {
    gamma: Buffer,
    beta: Buffer,
    places: Places,
    groups: usize,
    channels: usize,
    eps: f64,
    pub(super) silu: bool,
}

impl Norm {
    pub(super) fn new(
        weights: &Weights<'_>,
        name: &str,
        places: &Places,
        (groups, eps): (usize, f64),
        silu: bool,
    ) -> Result<Self, String> {
        let gamma = weights.get(&format!("{name}.weight"))?;
        let beta = weights.get(&format!("{name}.bias"))?;
        Ok(Self {
            gamma: places.spread(&gamma),
            beta: places.spread(&beta),
            places: places.clone(),
            groups,
            channels: gamma.len(),
            eps,
            silu,
        })
    }

    /// Factor and shift of each place for one image, whose blocks are `block(i): [pixel][16]`.
    pub(super) fn affine<'a>(
        &self,
        isa: Isa,
        block: impl Fn(usize) -> &'a [f32],
        factor: &mut [f32],
        shift: &mut [f32],
    ) {
        let blocks = self.places.blocks();
        let pixels = block(0).len() / LANES;
        let width = self.channels / self.groups;
        // Of each group: channels so far, mean, and sum of squared distances from it divided by the pixels of a channel.
        let mut total = vec![[0f64; 3]; self.groups];
        for i in 0..blocks {
            let [means, squares] = isa.run(norm::Moments(block(i)));
            for lane in 0..LANES {
                if let Some(c) = self.places.channel(i * LANES + lane) {
                    let [n, mean, square] = &mut total[c / width];
                    let d = means[lane] - *mean;
                    *square += squares[lane] / pixels as f64 + d * d * *n / (*n + 1.0);
                    *n += 1.0;
                    *mean += d / *n;
                }
            }
        }
        for place in 0..blocks * LANES {
            (factor[place], shift[place]) = self.places.channel(place).map_or((0.0, 0.0), |c| {
                let [n, mean, square] = total[c / width];
                let f = f64::from(self.gamma[place]) / (square / n + self.eps).sqrt();
                (f as f32, (f64::from(self.beta[place]) - mean * f) as f32)
            });
        }
    }
}
