//! Time and error of the Fréchet distance at the size of Inception features, one line of JSON a pair:
//! `cargo bench -p fewstep-eval --bench frechet`. `scripts/parity/bench_frechet.py` sets it beside scipy's `sqrtm`.

#![expect(clippy::unwrap_used, reason = "a benchmark fails like a test")]
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "it is for its times")]

#[path = "../tests/suite/pairs.rs"]
mod pairs;

use fewstep_eval::stats::Reference;
use std::time::Instant;

fn main() {
    for pair in pairs::pairs().into_iter().filter(|pair| pair.d == 2048) {
        let (a, b) = pair.build();
        let start = Instant::now();
        let reference = Reference::new(&a).unwrap();
        let prepared = start.elapsed().as_secs_f64();
        let start = Instant::now();
        let fd = reference.distance(&b).unwrap().fd;
        let seconds = start.elapsed().as_secs_f64();
        let error = fd / pair.exact - 1.0;
        println!(
            r#"{{"seed": {}, "d": {}, "reference": {prepared:.3}, "distance": {seconds:.3}, "error": {error:e}}}"#,
            pair.seed, pair.d
        );
    }
}
