//! What several tests need.

use fewstep_eval::Error;
use fewstep_eval::data::FashionMnist;
use std::io::Write as _;
use std::path::PathBuf;

/// A generator for test data: 64-bit congruential (Knuth's MMIX constants), upper bits only.
pub(crate) struct Lcg(pub u64);

impl Lcg {
    pub(crate) fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    pub(crate) fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }

    pub(crate) fn bytes(&mut self, n: usize) -> Vec<u8> {
        (0..n).map(|_| (256.0 * self.uniform()) as u8).collect()
    }
}

/// The data folder: `FEWSTEP_DATA`, else where `make data` puts it.
#[expect(
    clippy::disallowed_methods,
    reason = "the crate takes the folder as an argument; a test asks for it here"
)]
pub(crate) fn data_dir() -> PathBuf {
    let fallback = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../data/fashion-mnist");
    std::env::var_os("FEWSTEP_DATA").map_or(fallback, PathBuf::from)
}

/// The data set, or `None` after saying on the terminal that `test` is skipped.
#[expect(
    clippy::disallowed_methods,
    reason = "libtest hides what the print macros write, and a skip must be seen"
)]
pub(crate) fn fashion_mnist(test: &str) -> Option<FashionMnist> {
    match FashionMnist::open(&data_dir()) {
        Ok(data) => Some(data),
        Err(Error::MissingData { path }) => {
            let _ = writeln!(std::io::stderr(), "SKIPPED {test}: no {}; run `make data`", path.display());
            None
        }
        Err(other) => panic!("{other}"),
    }
}

pub(crate) fn close(a: f64, b: f64, tolerance: f64) {
    assert!((a - b).abs() <= tolerance, "{a} is not within {tolerance} of {b}");
}

/// libtorch with one thread, as tests run side by side.
#[expect(clippy::disallowed_methods, reason = "in the tests, the test is the binary")]
pub(crate) fn one_thread() {
    tch::set_num_threads(1);
}
