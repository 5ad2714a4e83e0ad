//! Runs the steps of a network over chunks of images.

use std::ops::Range;

use super::attention;
use super::build::Net;
use super::conv;
use super::kernels::buffer::Buffer;
use super::kernels::gemm::{Finish, LANES, Product};
use super::kernels::isa::Isa;
use super::layers::Dense;
use super::sections::{Clock, Section};
use super::step::{Map, Step};

/// Images that go through a step together: enough that the coarsest level's weights are read seldom.
const CHUNK: usize = 16;

/// Pixels of a level that go through all of its steps before the next images do: their maps stay in the L2 cache.
const NEAR: usize = 1600;

/// Images, times and labels.
pub(super) struct Ask<'a> {
    /// `[b, c, height, width]`
    pub(super) x: &'a [f32],
    pub(super) t: &'a [f32],
    pub(super) class: Option<&'a [i64]>,
    pub(super) height: usize,
    pub(super) width: usize,
}

/// What every step of a chunk needs to know.
pub(super) struct Chunk<'a> {
    pub(super) isa: Isa,
    images: usize,
    /// Those of them that the step is for.
    pub(super) range: Range<usize>,
    height: usize,
    width: usize,
    /// The caller's images.
    x: &'a [f32],
    times: &'a [Vec<f32>],
    /// Which of `times` is an image's.
    of: &'a [usize],
}

impl Chunk<'_> {
    /// Height and width after `level` halvings.
    pub(super) fn size(&self, level: usize) -> (usize, usize) {
        (self.height >> level, self.width >> level)
    }

    /// All time projections of image `i`.
    pub(super) fn time(&self, i: usize) -> &[f32] {
        &self.times[self.of[i]]
    }

    /// Values of one block of a map.
    fn plane(&self, level: usize) -> usize {
        let (h, w) = self.size(level);
        h * w * LANES
    }
}

/// The buffers of all maps, each `[image][block][pixel][16]`.
#[derive(Debug, Default)]
pub(super) struct Slots(Vec<Buffer>);

impl Slots {
    /// The memory of `map`, to be written; give it back by [`Slots::put`].
    pub(super) fn take(&mut self, map: Map, chunk: &Chunk<'_>) -> Buffer {
        let mut buffer = std::mem::take(&mut self.0[map.slot]);
        buffer.reserve(chunk.images * map.blocks() * chunk.plane(map.level));
        buffer
    }

    pub(super) fn put(&mut self, map: Map, buffer: Buffer) {
        self.0[map.slot] = buffer;
    }

    /// One image.
    pub(super) fn image(&self, map: Map, chunk: &Chunk<'_>, i: usize) -> &[f32] {
        let size = map.blocks() * chunk.plane(map.level);
        &self.0[map.slot][i * size..(i + 1) * size]
    }

    /// One block of one image.
    pub(super) fn block(&self, map: Map, chunk: &Chunk<'_>, i: usize, block: usize) -> &[f32] {
        let plane = chunk.plane(map.level);
        &self.image(map, chunk, i)[block * plane..(block + 1) * plane]
    }
}

/// Memory of one thread, kept between calls.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    slots: Slots,
    conv: conv::Work,
    attention: attention::Work,
    /// The unrolled image, or the padded input of a strided convolution.
    unrolled: Buffer,
    offsets: Vec<usize>,
    pub(super) clock: Clock,
}

impl Net {
    /// The network's raw output, `[b, out_channels, height, width]`.
    pub(super) fn forward(&self, scratch: &mut Scratch, ask: &Ask<'_>, out: &mut [f32]) {
        scratch.clock.start();
        let (times, of) = self.time.forward(self.isa, ask.t, ask.class);
        let size_in = self.config.in_channels as usize * ask.height * ask.width;
        let size_out = self.last.channels * ask.height * ask.width;
        scratch.slots.0.resize_with(self.slots, Buffer::default);
        let batch = ask.t.len();
        let chunks = batch.div_ceil(CHUNK);
        for c in 0..chunks {
            let (from, to) = (batch * c / chunks, batch * (c + 1) / chunks);
            let mut chunk = Chunk {
                isa: self.isa,
                images: to - from,
                range: 0..to - from,
                height: ask.height,
                width: ask.width,
                x: &ask.x[from * size_in..to * size_in],
                times: &times,
                of: &of[from..to],
            };
            for steps in self.steps.chunk_by(|a, b| a.to().level == b.to().level) {
                let (h, w) = chunk.size(steps[0].to().level);
                let parts = chunk.images.div_ceil((NEAR / (h * w)).max(1));
                for p in 0..parts {
                    chunk.range = chunk.images * p / parts..chunk.images * (p + 1) / parts;
                    for step in steps {
                        self.step(step, &chunk, scratch);
                    }
                }
            }
            scratch.clock.book(Section::Rest);
            for i in 0..chunk.images {
                let image = scratch.slots.image(self.last, &chunk, i);
                let out = &mut out[(from + i) * size_out..(from + i + 1) * size_out];
                let pixels = ask.height * ask.width;
                for (channel, out) in out.chunks_exact_mut(pixels).enumerate() {
                    let plane = &image[channel / LANES * pixels * LANES..];
                    for (out, pixel) in out.iter_mut().zip(plane.chunks_exact(LANES)) {
                        *out = pixel[channel % LANES];
                    }
                }
            }
            scratch.clock.book(Section::Rest);
        }
    }

    fn step(&self, step: &Step, chunk: &Chunk<'_>, scratch: &mut Scratch) {
        let slots = &mut scratch.slots;
        match step {
            Step::Conv(conv) => {
                scratch.clock.book(Section::Rest);
                conv.run(chunk, slots, &mut scratch.conv, &mut scratch.clock);
            }
            Step::Attention { from, attention, to } => {
                scratch.clock.book(Section::Rest);
                attention.run(*from, *to, chunk, slots, &mut scratch.attention);
                scratch.clock.book(Section::Attention);
            }
            Step::Point { parts, to } => point(parts, *to, chunk, slots, &mut scratch.offsets),
            Step::First { dense, to } => {
                let mut out = slots.take(*to, chunk);
                self.first(dense, *to, chunk, &mut out, &mut scratch.unrolled, &mut scratch.offsets);
                slots.put(*to, out);
            }
            Step::Down { from, dense, padding, to } => {
                let mut out = slots.take(*to, chunk);
                let work = (&mut scratch.unrolled, &mut scratch.offsets);
                down(*from, dense, *padding, *to, chunk, slots, &mut out, work);
                slots.put(*to, out);
            }
        }
    }

    /// The first convolution as one product over the unrolled image.
    fn first(
        &self,
        dense: &Dense,
        to: Map,
        chunk: &Chunk<'_>,
        out: &mut Buffer,
        unrolled: &mut Buffer,
        offsets: &mut Vec<usize>,
    ) {
        let (h, w) = (chunk.height, chunk.width);
        let plane = h * w * LANES;
        let channels = self.config.in_channels as usize;
        let inner = (9 * channels).div_ceil(LANES);
        unrolled.reserve(inner * plane);
        unrolled[..inner * plane].fill(0.0);
        offsets.clear();
        offsets.extend((0..inner).map(|k| k * plane));
        let center = self.config.center_input_sample;
        for i in chunk.range.clone() {
            for c in 0..channels {
                let image = &chunk.x[(i * channels + c) * h * w..(i * channels + c + 1) * h * w];
                for tap in 0..9 {
                    let (dy, dx) = (tap / 3, tap % 3);
                    let at = c * 9 + tap;
                    // Output (y, x) reads (y + dy - 1, x + dx - 1); the frame stays 0.
                    for y in 1usize.saturating_sub(dy)..h.min(h + 1 - dy) {
                        let row = &image[(y + dy - 1) * w..(y + dy) * w];
                        let to = &mut unrolled[at / LANES * plane + y * w * LANES + at % LANES..];
                        for x in 1usize.saturating_sub(dx)..w.min(w + 1 - dx) {
                            let v = row[x + dx - 1];
                            to[x * LANES] = if center { v * 2.0 - 1.0 } else { v };
                        }
                    }
                }
            }
            let out = &mut out[i * to.blocks() * plane..(i + 1) * to.blocks() * plane];
            let fin = Finish { bias: Some(&dense.bias), ..Finish::PLAIN };
            chunk.isa.run(Product {
                a: unrolled,
                offsets,
                w: &dense.w,
                c: out,
                c_block: plane,
                rows: h * w,
                fin,
            });
        }
    }
}

fn point(parts: &[(Map, Dense)], to: Map, chunk: &Chunk<'_>, slots: &mut Slots, offsets: &mut Vec<usize>) {
    let mut out = slots.take(to, chunk);
    let plane = chunk.plane(to.level);
    let size = to.blocks() * plane;
    for (n, (map, dense)) in parts.iter().enumerate() {
        offsets.clear();
        offsets.extend((0..map.blocks()).map(|k| k * plane));
        let bias = (n == 0).then_some(&dense.bias[..]);
        let fin = Finish { bias, accumulate: n > 0, ..Finish::PLAIN };
        for i in chunk.range.clone() {
            chunk.isa.run(Product {
                a: slots.image(*map, chunk, i),
                offsets,
                w: &dense.w,
                c: &mut out[i * size..(i + 1) * size],
                c_block: plane,
                rows: plane / LANES,
                fin,
            });
        }
    }
    slots.put(to, out);
}

/// A convolution of stride 2. Even and odd columns of the padded input lie apart, so that the outputs of a row read
/// neighbours.
#[expect(clippy::too_many_arguments, reason = "a step's fields and its memory")]
fn down(
    from: Map,
    dense: &Dense,
    padding: usize,
    to: Map,
    chunk: &Chunk<'_>,
    slots: &Slots,
    out: &mut Buffer,
    (padded, offsets): (&mut Buffer, &mut Vec<usize>),
) {
    let (h, w) = chunk.size(from.level);
    let (ho, wo) = chunk.size(to.level);
    let half = (w / 2 + 1) * LANES;
    let block = (h + 2) * 2 * half;
    let blocks = from.blocks();
    padded.reserve(blocks * block);
    padded[..blocks * block].fill(0.0);
    offsets.clear();
    for k in 0..blocks {
        offsets.extend((0..9).map(|t| k * block + (t / 3 * 2 + t % 3 % 2) * half + t % 3 / 2 * LANES));
    }
    let size = to.blocks() * ho * wo * LANES;
    for i in chunk.range.clone() {
        for k in 0..blocks {
            let source = slots.block(from, chunk, i, k);
            for (p, pixel) in source.chunks_exact(LANES).enumerate() {
                let (y, x) = (p / w + padding, p % w + padding);
                let at = k * block + (y * 2 + x % 2) * half + x / 2 * LANES;
                padded[at..at + LANES].copy_from_slice(pixel);
            }
        }
        let out = &mut out[i * size..(i + 1) * size];
        for y in 0..ho {
            let fin = Finish { bias: Some(&dense.bias), ..Finish::PLAIN };
            chunk.isa.run(Product {
                a: &padded[y * 4 * half..],
                offsets,
                w: &dense.w,
                c: &mut out[y * wo * LANES..],
                c_block: ho * wo * LANES,
                rows: wo,
                fin,
            });
        }
    }
}
