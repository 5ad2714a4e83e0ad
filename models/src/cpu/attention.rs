//! Self-attention over the pixels of a map.

use super::kernels::buffer::Buffer;
use super::kernels::gemm::{Finish, LANES, Packed, Product};
use super::kernels::isa::Isa;
use super::kernels::{norm, softmax};
use super::layers::{Dense, Norm, Places, Weights};
use super::run::{Chunk, Slots};
use super::step::Map;

/// Scores that are worked on at once, so that they and the keys of a small map fit into the L1 cache.
const NEAR: usize = 6144;

/// Queries that are worth a pass over the keys.
const FEWEST: usize = 14;

/// Queries, keys and values as one product; every head's channels begin a block.
#[derive(Debug)]
pub(super) struct Attention {
    norm: Option<Norm>,
    qkv: Dense,
    out: Dense,
    heads: usize,
    /// Blocks of a head.
    head_blocks: usize,
    /// `1 / sqrt(channels of a head)`
    temperature: f32,
    scale: f32,
}

/// Memory that an attention works in.
#[derive(Debug, Default)]
pub(super) struct Work {
    factor: Buffer,
    shift: Buffer,
    normed: Buffer,
    qkv: Buffer,
    keys: Packed,
    values: Packed,
    scores: Buffer,
    /// One over the sum of each row of scores.
    inverse: Vec<f32>,
    mixed: Buffer,
    offsets: Vec<usize>,
}

impl Attention {
    pub(super) fn new(
        isa: Isa,
        weights: &Weights<'_>,
        name: &str,
        norm: Option<Norm>,
        (channels, head): (usize, usize),
        scale: f32,
    ) -> Result<Self, String> {
        let heads = channels / head;
        let get = |part: &str| weights.get(&format!("{name}.{part}"));
        let (mut w, mut bias) = (vec![], vec![]);
        for part in ["to_q", "to_k", "to_v"] {
            w.extend(get(&format!("{part}.weight"))?);
            bias.extend(get(&format!("{part}.bias"))?);
        }
        let plain = Places::new(&[channels]);
        let by_head = Places::new(&vec![head; heads]);
        Ok(Self {
            norm,
            qkv: Dense::linear(isa, &w, &bias, &plain, &Places::new(&vec![head; 3 * heads])),
            out: Dense::linear(isa, &get("to_out.0.weight")?, &get("to_out.0.bias")?, &by_head, &plain),
            heads,
            head_blocks: head.div_ceil(LANES),
            temperature: 1.0 / (head as f32).sqrt(),
            scale,
        })
    }

    pub(super) fn run(&self, from: Map, to: Map, chunk: &Chunk<'_>, slots: &mut Slots, work: &mut Work) {
        let mut out = slots.take(to, chunk);
        let (h, w) = chunk.size(from.level);
        let size = from.blocks() * h * w * LANES;
        for i in chunk.range.clone() {
            self.image(
                chunk.isa,
                slots.image(from, chunk, i),
                h * w,
                &mut out[i * size..(i + 1) * size],
                work,
            );
        }
        slots.put(to, out);
    }

    /// One image: `x` and `out` are `[block][token][16]`.
    fn image(&self, isa: Isa, x: &[f32], tokens: usize, out: &mut [f32], work: &mut Work) {
        let plane = tokens * LANES;
        let blocks = x.len() / plane;
        let inner = self.heads * self.head_blocks;
        let offsets = |to: &mut Vec<usize>, start: usize, pitch: usize, count: usize| {
            to.clear();
            to.extend((0..count).map(|k| start + k * pitch));
        };
        let normed = match &self.norm {
            Some(norm) => {
                work.factor.reserve(blocks * LANES);
                work.shift.reserve(blocks * LANES);
                work.normed.reserve(x.len());
                norm.affine(isa, |k| &x[k * plane..(k + 1) * plane], &mut work.factor, &mut work.shift);
                for k in 0..blocks {
                    let at = k * LANES;
                    isa.run(norm::Apply {
                        x: &x[k * plane..(k + 1) * plane],
                        factor: &work.factor[at..],
                        shift: &work.shift[at..],
                        silu: norm.silu,
                        out: &mut work.normed[k * plane..(k + 1) * plane],
                    });
                }
                &work.normed[..x.len()]
            }
            None => x,
        };
        work.qkv.reserve(3 * inner * plane);
        offsets(&mut work.offsets, 0, plane, blocks);
        let fin = Finish { bias: Some(&self.qkv.bias), ..Finish::PLAIN };
        isa.run(Product {
            a: normed,
            offsets: &work.offsets,
            w: &self.qkv.w,
            c: &mut work.qkv,
            c_block: plane,
            rows: tokens,
            fin,
        });

        let key_blocks = tokens.div_ceil(LANES);
        work.mixed.reserve(inner * plane);
        // Queries that are seen to the end before the next ones: their scores stay in the L1 cache.
        let parts = tokens.div_ceil((NEAR / (key_blocks * LANES)).max(FEWEST));
        work.scores.reserve(key_blocks * LANES * tokens.div_ceil(parts));
        work.inverse.resize(tokens.div_ceil(parts), 0.0);
        for head in 0..self.heads {
            let start = head * self.head_blocks;
            let qkv = &work.qkv[..];
            let part = |n: usize| &qkv[(n * inner + start) * plane..][..self.head_blocks * plane];
            work.keys.fill_columns(isa, part(1), tokens, self.head_blocks);
            work.values.fill_rows(isa, part(2), tokens, self.head_blocks);
            for p in 0..parts {
                let (first, end) = (tokens * p / parts, tokens * (p + 1) / parts);
                let rows = end - first;
                let scores = &mut work.scores[..key_blocks * rows * LANES];
                let fin = Finish { scale: self.temperature, ..Finish::PLAIN };
                offsets(&mut work.offsets, start * plane + first * LANES, plane, self.head_blocks);
                isa.run(Product {
                    a: qkv,
                    offsets: &work.offsets,
                    w: &work.keys,
                    c: scores,
                    c_block: rows * LANES,
                    rows,
                    fin,
                });
                let inverse = &mut work.inverse;
                isa.run(softmax::Exponentials { x: scores, rows, count: tokens, inverse });
                let mixed = &mut work.mixed[start * plane + first * LANES..];
                offsets(&mut work.offsets, 0, rows * LANES, key_blocks);
                isa.run(Product {
                    a: scores,
                    offsets: &work.offsets,
                    w: &work.values,
                    c: mixed,
                    c_block: plane,
                    rows,
                    fin: Finish::PLAIN,
                });
                let mixed = &mut mixed[..(self.head_blocks - 1) * plane + rows * LANES];
                isa.run(softmax::ScaleRows { x: mixed, plane, factors: &work.inverse[..rows] });
            }
        }
        out.copy_from_slice(x);
        offsets(&mut work.offsets, 0, plane, inner);
        let fin = Finish { bias: Some(&self.out.bias), accumulate: true, scale: self.scale, next: None };
        isa.run(Product {
            a: &work.mixed,
            offsets: &work.offsets,
            w: &self.out.w,
            c: out,
            c_block: plane,
            rows: tokens,
            fin,
        });
    }
}
