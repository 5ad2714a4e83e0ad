//! Time and label to the shift, or factor and shift, of every residual block.

use tch::Tensor;

use super::kernels::gemm::LANES;
use super::kernels::isa::{Isa, Kernel};
use super::kernels::vector::Vector;
use super::layers::{Places, Weights};
use super::values;
use crate::unet2d::{UNet2dConfig, sinusoids};

/// Weights `[from][to]`, so that the inner loop runs over neighbours.
#[derive(Debug)]
struct Map {
    w: Vec<f32>,
    bias: Vec<f32>,
}

impl Map {
    fn new(w: &[f32], bias: Vec<f32>) -> Self {
        let (to, from) = (bias.len(), w.len() / bias.len().max(1));
        let at = |i: usize| w[i % to * from + i / to];
        Self { w: (0..w.len()).map(at).collect(), bias }
    }

    fn named(weights: &Weights<'_>, name: &str) -> Result<Self, String> {
        Ok(Self::new(&weights.get(&format!("{name}.weight"))?, weights.get(&format!("{name}.bias"))?))
    }

    fn apply(&self, isa: Isa, x: &[f32]) -> Vec<f32> {
        let mut out = self.bias.clone();
        isa.run(AddRows { x, w: &self.w, out: &mut out });
        out
    }
}

/// Adds every row of `w`, times its value in `x`, to `out`.
struct AddRows<'a> {
    x: &'a [f32],
    w: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for AddRows<'_> {
    type Out = ();

    // The compiler makes vectors of this by itself.
    #[expect(clippy::inline_always, reason = "the rule of `Kernel`")]
    #[inline(always)]
    fn run<V: Vector>(self) {
        for (x, row) in self.x.iter().zip(self.w.chunks_exact(self.out.len())) {
            for (out, w) in self.out.iter_mut().zip(row) {
                *out = x.mul_add(*w, *out);
            }
        }
    }
}

/// The small network from time and label to the residual blocks.
#[derive(Debug)]
pub(super) struct TimeNet {
    channels: i64,
    flip: bool,
    freq_shift: i64,
    linear_1: Map,
    linear_2: Map,
    classes: Option<Vec<f32>>,
    /// All projections side by side.
    projections: Map,
}

/// Collects the residual blocks' projections while the network is built.
#[derive(Debug, Default)]
pub(super) struct Projections {
    w: Vec<f32>,
    bias: Vec<f32>,
}

impl Projections {
    /// Adds `name`, which gives `parts` values for each of `channels`; returns where its first place stands.
    pub(super) fn add(
        &mut self,
        weights: &Weights<'_>,
        name: &str,
        channels: usize,
        parts: usize,
    ) -> Result<usize, String> {
        let w = weights.get(&format!("{name}.weight"))?;
        let bias = weights.get(&format!("{name}.bias"))?;
        let from = w.len() / bias.len();
        let start = self.bias.len();
        let places = Places::new(&vec![channels; parts]);
        self.bias.extend_from_slice(&places.spread(&bias));
        for place in 0..places.blocks() * LANES {
            match places.channel(place) {
                Some(c) => self.w.extend_from_slice(&w[c * from..(c + 1) * from]),
                None => self.w.extend(std::iter::repeat_n(0.0, from)),
            }
        }
        Ok(start)
    }
}

impl TimeNet {
    pub(super) fn new(weights: &Weights<'_>, cfg: &UNet2dConfig, all: Projections) -> Result<Self, String> {
        Ok(Self {
            channels: cfg.block_out_channels[0],
            flip: cfg.flip_sin_to_cos,
            freq_shift: cfg.freq_shift,
            linear_1: Map::named(weights, "time_embedding.linear_1")?,
            linear_2: Map::named(weights, "time_embedding.linear_2")?,
            classes: cfg.num_class_embeds.map(|_| weights.get("class_embedding.weight")).transpose()?,
            projections: Map::new(&all.w, all.bias),
        })
    }

    /// Every projection's values, for each image; images of one time and label share the work.
    pub(super) fn forward(&self, isa: Isa, t: &[f32], class: Option<&[i64]>) -> (Vec<Vec<f32>>, Vec<usize>) {
        let mut known: Vec<(u32, Option<i64>)> = vec![];
        let mut out = vec![];
        let mut of = vec![];
        // The sinusoids are libtorch's own: an argument near 1000 would magnify another rounding of the frequencies.
        let waves = values(&sinusoids(&Tensor::from_slice(t), self.channels, self.flip, self.freq_shift));
        let waves = waves.chunks_exact(self.channels as usize);
        for (i, (t, waves)) in t.iter().zip(waves).enumerate() {
            let key = (t.to_bits(), class.map(|c| c[i]));
            of.push(known.iter().position(|k| *k == key).unwrap_or_else(|| {
                known.push(key);
                out.push(self.one(isa, waves, key.1));
                known.len() - 1
            }));
        }
        (out, of)
    }

    fn one(&self, isa: Isa, waves: &[f32], class: Option<i64>) -> Vec<f32> {
        let mut hidden = self.linear_1.apply(isa, waves);
        silu(&mut hidden);
        let mut emb = self.linear_2.apply(isa, &hidden);
        if let (Some(table), Some(class)) = (&self.classes, class) {
            let dim = emb.len();
            emb.iter_mut().zip(&table[class as usize * dim..]).for_each(|(e, c)| *e += c);
        }
        silu(&mut emb);
        self.projections.apply(isa, &emb)
    }
}

fn silu(x: &mut [f32]) {
    for v in x {
        *v /= 1.0 + (-*v).exp();
    }
}
