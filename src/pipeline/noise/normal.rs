//! Normal numbers from Philox, sixteen counters at a time.
//!
//! Loops over lanes in plain Rust, compiled for the vector width of the machine. Every operation rounds as IEEE 754 says and
//! none is fused, so that all machines give the same bits.

#![expect(
    clippy::inline_always,
    clippy::needless_range_loop,
    reason = "a lane is an index into several arrays, and only what is inlined takes on the vector width of its caller"
)]

use std::f32::consts::{LN_2, TAU};

use super::philox;

/// Counters worked on together; each gives four numbers.
const LANES: usize = 16;

/// Fills `out` with the numbers of the counters `[0, rest..]`, `[1, rest..]`, ..., four a counter.
pub(super) fn fill(rest: [u32; 3], key: [u32; 2], out: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2")]
        fn avx2(rest: [u32; 3], key: [u32; 2], out: &mut [f32]) {
            portable(rest, key, out);
        }
        #[target_feature(enable = "avx512f,avx512dq,avx512vl")]
        fn avx512(rest: [u32; 3], key: [u32; 2], out: &mut [f32]) {
            portable(rest, key, out);
        }
        let wide = is_x86_feature_detected!("avx512dq") && is_x86_feature_detected!("avx512vl");
        if wide && is_x86_feature_detected!("avx512f") {
            #[expect(unsafe_code, reason = "the features were looked for in the line above")]
            // SAFETY: the machine has the features.
            return unsafe { avx512(rest, key, out) };
        }
        if is_x86_feature_detected!("avx2") {
            #[expect(unsafe_code, reason = "the feature was looked for in the line above")]
            // SAFETY: the machine has the feature.
            return unsafe { avx2(rest, key, out) };
        }
    }
    portable(rest, key, out);
}

#[inline(always)]
fn portable(rest: [u32; 3], key: [u32; 2], out: &mut [f32]) {
    for (group, chunk) in out.chunks_mut(4 * LANES).enumerate() {
        let mut bits = [[0; LANES]; 4];
        for lane in 0..LANES {
            let block = (group * LANES + lane) as u32;
            let random = philox([block, rest[0], rest[1], rest[2]], key);
            for word in 0..4 {
                bits[word][lane] = random[word];
            }
        }
        let mut z = [[0.0; LANES]; 4];
        for lane in 0..LANES {
            [z[0][lane], z[1][lane]] = box_muller(bits[0][lane], bits[1][lane]);
            [z[2][lane], z[3][lane]] = box_muller(bits[2][lane], bits[3][lane]);
        }
        let mut ordered = [0.0; 4 * LANES];
        for lane in 0..LANES {
            for word in 0..4 {
                ordered[4 * lane + word] = z[word][lane];
            }
        }
        chunk.copy_from_slice(&ordered[..chunk.len()]);
    }
}

/// Two independent standard normals from two uniform words (Box and Muller 1958).
#[inline(always)]
fn box_muller(u: u32, v: u32) -> [f32; 2] {
    const SCALE: f32 = 1.0 / 4_294_967_296.0;
    // Moved off zero, where the logarithm ends; small values keep their relative precision.
    let radius = (-2.0 * ln((u as f32 + 0.5) * SCALE)).max(0.0).sqrt();
    let [cos, sin] = turn(v);
    [radius * cos, radius * sin]
}

/// Natural logarithm of a positive normal number, to about two units in the last place.
#[inline(always)]
fn ln(x: f32) -> f32 {
    // x = 2^e m with m in [sqrt(1/2), sqrt(2)), then ln m = 2 artanh((m - 1)/(m + 1)).
    const ROOT_HALF: u32 = 0x3f35_04f3;
    let shifted = x.to_bits().wrapping_add(0x3f80_0000 - ROOT_HALF);
    let e = (shifted >> 23) as i32 - 127;
    let m = f32::from_bits((shifted & 0x007f_ffff) + ROOT_HALF);
    let s = (m - 1.0) / (m + 1.0);
    let z = s * s;
    let series = 1.0 + z * (1.0 / 3.0 + z * (1.0 / 5.0 + z * (1.0 / 7.0 + z * (1.0 / 9.0))));
    e as f32 * LN_2 + 2.0 * s * series
}

/// Cosine and sine of `v / 2^32` of a full turn.
#[inline(always)]
fn turn(v: u32) -> [f32; 2] {
    const SCALE: f32 = TAU / 4_294_967_296.0;
    // The nearest quarter turn, and what is left: at most an eighth either way.
    let quarter = v.wrapping_add(1 << 29) >> 30;
    let t = v.wrapping_sub(quarter << 30) as i32 as f32 * SCALE;
    let z = t * t;
    let sin = t * (1.0 - z * (1.0 / 6.0 - z * (1.0 / 120.0 - z * (1.0 / 5040.0 - z * (1.0 / 362_880.0)))));
    let cos = 1.0
        - z * (0.5 - z * (1.0 / 24.0 - z * (1.0 / 720.0 - z * (1.0 / 40_320.0 - z * (1.0 / 3_628_800.0)))));
    let (c, s) = if quarter & 1 == 0 { (cos, sin) } else { (sin, cos) };
    // Signs by quarter: cosine + - - +, sine + + - -.
    let c = if quarter.wrapping_add(1) & 2 == 0 { c } else { -c };
    let s = if quarter & 2 == 0 { s } else { -s };
    [c, s]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_match_f64() {
        for i in 0..2_000_000u32 {
            let v = i.wrapping_mul(2_654_435_761);
            let [c, s] = turn(v);
            let (sin, cos) = (f64::from(v) / 4_294_967_296.0 * std::f64::consts::TAU).sin_cos();
            assert!((f64::from(c) - cos).abs() < 2e-7 && (f64::from(s) - sin).abs() < 2e-7, "{v}");
            let x = (v as f32 + 0.5) / 4_294_967_296.0;
            let want = f64::from(x).ln();
            assert!((f64::from(ln(x)) - want).abs() <= 3e-7 * want.abs().max(1e-7), "{x}: {} {want}", ln(x));
        }
    }

    /// Whatever the machine is compiled for, the bits are the same.
    #[test]
    fn vector_widths_agree() {
        let (mut a, mut b) = ([0.0; 301], [0.0; 301]);
        fill([3, 5, 7], [11, 13], &mut a);
        portable([3, 5, 7], [11, 13], &mut b);
        assert_eq!(a.map(f32::to_bits), b.map(f32::to_bits));
    }

    #[test]
    fn a_short_buffer_is_the_start_of_a_long_one() {
        let (mut a, mut b) = ([0.0; 784], [0.0; 10]);
        fill([0, 1, 0], [2, 0], &mut a);
        fill([0, 1, 0], [2, 0], &mut b);
        assert_eq!(a[..10], b);
    }

    #[test]
    #[ignore = "measures time"]
    fn speed() {
        let mut x = vec![0.0; 1 << 20];
        for round in 0..3 {
            let clock = std::time::Instant::now();
            fill([0, round, 0], [2, 0], &mut x);
            let ns = clock.elapsed().as_secs_f64() * 1e9 / x.len() as f64;
            #[expect(clippy::print_stderr, reason = "this test is for its figures")]
            {
                eprintln!("{ns:.2} ns a number");
            }
        }
    }
}
