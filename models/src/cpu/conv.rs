//! A 3x3 convolution over a chunk of images: norm, activation, padding, transform, 36 products, and back.

use super::kernels::buffer::Buffer;
use super::kernels::gemm::{Finish, LANES, Product};
use super::kernels::isa::Isa;
use super::kernels::{norm, winograd};
use super::run::{Chunk, Slots};
use super::sections::{Clock, Section};
use super::step::{Add, ConvStep, Time};

/// Values that the transformed input and output of a block of tiles may take together: they stay in the L2 cache.
const BUDGET: usize = 160_000;

/// Memory that a convolution works in.
#[derive(Debug, Default)]
pub(super) struct Work {
    /// Factor and shift of the norm, each `[image][place]`.
    factor: Buffer,
    shift: Buffer,
    line: Buffer,
    padded: Buffer,
    columns: Buffer,
    points_in: Buffer,
    points_out: Buffer,
    offsets: Vec<usize>,
}

/// A block of tiles: some images whole, or some rows of tiles of one image.
struct Block {
    images: std::ops::Range<usize>,
    rows: std::ops::Range<usize>,
}

/// Sizes of the output and its tiles.
struct Shape {
    height: usize,
    width: usize,
    /// Tiles of a row.
    across: usize,
    /// Pixels of a row of the padded input.
    pitch: usize,
}

impl ConvStep {
    pub(super) fn run(&self, chunk: &Chunk<'_>, slots: &mut Slots, work: &mut Work, clock: &mut Clock) {
        let (height, width) = chunk.size(self.to.level);
        let across = width.div_ceil(winograd::OUT);
        let down = height.div_ceil(winograd::OUT);
        let shape = Shape { height, width, across, pitch: across * winograd::OUT + 2 };
        self.prepare(chunk, slots, work);
        clock.book(Section::Statistics);
        let mut to = slots.take(self.to, chunk);
        // Where the weights are larger than the tiles, reading them again for each block of tiles costs more.
        let (kin, kout) = (self.conv.blocks_in, self.conv.blocks);
        let weights = winograd::POINTS * kin * kout * LANES * LANES;
        let most = BUDGET.max(weights) / (winograd::POINTS * LANES * (kin + kout));
        let whole = most / (across * down);
        if whole > 0 {
            let groups = chunk.range.len().div_ceil(whole);
            for g in 0..groups {
                let (start, count) = (chunk.range.start, chunk.range.len());
                let images = start + count * g / groups..start + count * (g + 1) / groups;
                self.block(chunk, slots, (work, clock), &mut to, &shape, &Block { images, rows: 0..down });
            }
        } else {
            let groups = down.div_ceil((most / across).max(1));
            for i in chunk.range.clone() {
                for g in 0..groups {
                    let rows = down * g / groups..down * (g + 1) / groups;
                    self.block(
                        chunk,
                        slots,
                        (work, clock),
                        &mut to,
                        &shape,
                        &Block { images: i..i + 1, rows },
                    );
                }
            }
        }
        slots.put(self.to, to);
    }

    /// Factor and shift of every image, the time folded in.
    fn prepare(&self, chunk: &Chunk<'_>, slots: &Slots, work: &mut Work) {
        let places = self.conv.blocks_in * LANES;
        work.factor.reserve(chunk.range.end * places);
        work.shift.reserve(chunk.range.end * places);
        for i in chunk.range.clone() {
            let factor = &mut work.factor[i * places..(i + 1) * places];
            let shift = &mut work.shift[i * places..(i + 1) * places];
            let Some(norm) = &self.norm else {
                factor.fill(1.0);
                shift.fill(0.0);
                continue;
            };
            norm.affine(chunk.isa, |block| self.source(chunk, slots, i, block), factor, shift);
            if let Some(Time::ScaleShift(at)) = self.time {
                let (scale, add) = chunk.time(i)[at..at + 2 * places].split_at(places);
                for ((f, s), (scale, add)) in factor.iter_mut().zip(shift).zip(scale.iter().zip(add)) {
                    *f *= 1.0 + scale;
                    *s = *s * (1.0 + scale) + add;
                }
            }
        }
    }

    /// Block `block` of the concatenated input of image `i`.
    fn source<'a>(&self, chunk: &Chunk<'_>, slots: &'a Slots, i: usize, block: usize) -> &'a [f32] {
        let mut block = block;
        let mut maps = self.from.iter();
        let mut map = maps.next();
        while let Some(m) = map.filter(|m| block >= m.blocks()) {
            block -= m.blocks();
            map = maps.next();
        }
        map.map_or(&[], |m| slots.block(*m, chunk, i, block))
    }

    fn block(
        &self,
        chunk: &Chunk<'_>,
        slots: &Slots,
        (work, clock): (&mut Work, &mut Clock),
        to: &mut Buffer,
        shape: &Shape,
        block: &Block,
    ) {
        let (kin, kout) = (self.conv.blocks_in, self.conv.blocks);
        let rows = block.rows.len();
        let tiles = block.images.len() * rows * shape.across;
        // One line more, or the 36 planes would fall on the same cache sets.
        let (point_in, point_out) = ((kin * tiles + 1) * LANES, (kout * tiles + 1) * LANES);
        work.points_in.reserve(winograd::POINTS * point_in);
        work.points_out.reserve(winograd::POINTS * point_out);
        work.columns.reserve(winograd::IN * shape.pitch * LANES);
        for k in 0..kin {
            for (n, i) in block.images.clone().enumerate() {
                self.pad(chunk.isa, self.source(chunk, slots, i, k), (i, k), shape, &block.rows, work);
                clock.book(Section::Activation);
                for r in 0..rows {
                    chunk.isa.run(winograd::Input {
                        padded: &work.padded[r * winograd::OUT * shape.pitch * LANES..],
                        pitch: shape.pitch,
                        tiles: shape.across,
                        columns: &mut work.columns,
                        out: &mut work.points_in[(k * tiles + (n * rows + r) * shape.across) * LANES..],
                        point: point_in,
                    });
                }
                clock.book(Section::Transform);
            }
        }
        work.offsets.clear();
        work.offsets.extend((0..kin).map(|k| k * tiles * LANES));
        for (p, w) in self.conv.points.iter().enumerate() {
            chunk.isa.run(Product {
                a: &work.points_in[p * point_in..(p + 1) * point_in],
                offsets: &work.offsets,
                w,
                c: &mut work.points_out[p * point_out..(p + 1) * point_out],
                c_block: tiles * LANES,
                rows: tiles,
                fin: Finish { next: self.conv.points.get(p + 1), ..Finish::PLAIN },
            });
        }
        clock.book(Section::Product);
        let plane = shape.height * shape.width * LANES;
        for (n, i) in block.images.clone().enumerate() {
            for k in 0..kout {
                let mut bias = [0f32; LANES];
                bias.copy_from_slice(&self.conv.bias[k * LANES..(k + 1) * LANES]);
                if let Some(Time::Add(at)) = self.time {
                    bias.iter_mut().zip(&chunk.time(i)[at + k * LANES..]).for_each(|(b, t)| *b += t);
                }
                for (r, row) in block.rows.clone().enumerate() {
                    let y = row * winograd::OUT;
                    let start = y * shape.width * LANES;
                    let tail = winograd::Tail {
                        bias: &bias,
                        residual: match self.add {
                            Add::Map(map) => Some(&slots.block(map, chunk, i, k)[start..]),
                            Add::Nothing | Add::Itself => None,
                        },
                        accumulate: matches!(self.add, Add::Itself),
                        scale: self.scale,
                    };
                    chunk.isa.run(winograd::Output {
                        points: &work.points_out[(k * tiles + (n * rows + r) * shape.across) * LANES..],
                        point: point_out,
                        tiles: shape.across,
                        out: &mut to[(i * kout + k) * plane..(i * kout + k + 1) * plane][start..],
                        width: shape.width,
                        rows: winograd::OUT.min(shape.height - y),
                        tail,
                    });
                }
            }
        }
        clock.book(Section::Transform);
    }

    /// The normed, activated and perhaps doubled rows of one block of one image, with a frame of zeros.
    fn pad(
        &self,
        isa: Isa,
        source: &[f32],
        (i, k): (usize, usize),
        shape: &Shape,
        rows: &std::ops::Range<usize>,
        work: &mut Work,
    ) {
        let Shape { height, width, pitch, .. } = *shape;
        let count = rows.len() * winograd::OUT + 2;
        work.padded.reserve(count * pitch * LANES);
        work.line.reserve(width * LANES);
        let at = (i * self.conv.blocks_in + k) * LANES;
        let (factor, shift) = (&work.factor[at..at + LANES], &work.shift[at..at + LANES]);
        let silu = self.norm.as_ref().is_some_and(|n| n.silu);
        for r in 0..count {
            let out = &mut work.padded[r * pitch * LANES..(r + 1) * pitch * LANES];
            let Some(y) = (rows.start * winograd::OUT + r).checked_sub(1).filter(|y| *y < height) else {
                out.fill(0.0);
                continue;
            };
            out[..LANES].fill(0.0);
            out[(width + 1) * LANES..].fill(0.0);
            let inner = &mut out[LANES..(width + 1) * LANES];
            if self.up {
                let row = &source[y / 2 * (width / 2) * LANES..(y / 2 + 1) * (width / 2) * LANES];
                let line = &mut work.line[..width / 2 * LANES];
                isa.run(norm::Apply { x: row, factor, shift, silu, out: &mut *line });
                for (pair, one) in inner.chunks_exact_mut(2 * LANES).zip(line.chunks_exact(LANES)) {
                    pair[..LANES].copy_from_slice(one);
                    pair[LANES..].copy_from_slice(one);
                }
            } else {
                let x = &source[y * width * LANES..(y + 1) * width * LANES];
                isa.run(norm::Apply { x, factor, shift, silu, out: inner });
            }
        }
    }
}
