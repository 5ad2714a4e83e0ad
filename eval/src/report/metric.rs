//! The metrics that reports know by name: unit, direction and digits.

use super::Scale;
use super::known::{Good, KNOWN, Known};

/// A metric of a report's cells. Unknown names are allowed in a report; they count as "lower is better".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric<'a> {
    /// Key in the metrics map, e.g. `fd`.
    pub key: &'a str,
}

impl<'a> Metric<'a> {
    /// Fréchet distance on the named feature network.
    pub const FD: Metric<'static> = Metric { key: "fd" };
    /// Mean term of the Fréchet distance.
    pub const FD_MEAN: Metric<'static> = Metric { key: "fd_mean_term" };
    /// Covariance term of the Fréchet distance.
    pub const FD_COV: Metric<'static> = Metric { key: "fd_cov_term" };
    /// Kernel distance.
    pub const KID: Metric<'static> = Metric { key: "kid" };
    /// Precision, 0 to 1.
    pub const PRECISION: Metric<'static> = Metric { key: "precision" };
    /// Recall, 0 to 1.
    pub const RECALL: Metric<'static> = Metric { key: "recall" };
    /// Density, from 0.
    pub const DENSITY: Metric<'static> = Metric { key: "density" };
    /// Coverage, 0 to 1.
    pub const COVERAGE: Metric<'static> = Metric { key: "coverage" };
    /// Paired error to the teacher, on the scale where black is -1 and white is 1.
    pub const RMSE: Metric<'static> = Metric { key: "rmse" };
    /// Conditional accuracy, 0 to 1.
    pub const ACCURACY: Metric<'static> = Metric { key: "accuracy" };
    /// Saturation, 0 to 1; good near that of real images.
    pub const SATURATION: Metric<'static> = Metric { key: "saturation" };
    /// Contrast, 0 to 0.5; good near that of real images.
    pub const CONTRAST: Metric<'static> = Metric { key: "contrast" };
    /// Share of values at 0 or 255; good near that of real images.
    pub const CLIP_RATE: Metric<'static> = Metric { key: "clip_rate" };

    /// The metric stored under `key`.
    pub fn named(key: &'a str) -> Self {
        Self { key }
    }

    fn known(self) -> Option<&'static Known> {
        KNOWN.iter().find(|known| known.key == self.key)
    }

    fn good(self) -> Good {
        self.known().map_or(Good::Low, |known| known.good)
    }

    /// Whether a larger value is better.
    pub fn higher_is_better(self) -> bool {
        self.good() == Good::High
    }

    /// Whether `a` is better than `b`. Of a metric that is good near the value of real images, that is what is nearer to
    /// `real`; never, where that is unknown.
    pub fn better(self, a: f64, b: f64, real: Option<f64>) -> bool {
        match self.good() {
            Good::Low => a < b,
            Good::High => a > b,
            Good::Real => real.is_some_and(|real| (a - real).abs() < (b - real).abs()),
        }
    }

    /// Whether values can be ranked at all, if real images have `real`.
    pub fn ranks(self, real: Option<f64>) -> bool {
        self.good() != Good::Real || real.is_some()
    }

    /// Which way is better, in words.
    pub fn direction(self) -> &'static str {
        match self.good() {
            Good::Low => "lower is better",
            Good::High => "higher is better",
            Good::Real => "best near real images",
        }
    }

    /// Long name for headings.
    pub fn title(self) -> &'a str {
        self.known().map_or(self.key, |known| known.title)
    }

    /// What it is, in a sentence without a full stop; empty for a metric that is not known.
    pub fn definition(self) -> &'static str {
        self.known().map_or("", |known| known.definition)
    }

    /// Scale that suits its plots: logarithmic for distances that fall by orders of magnitude.
    pub fn scale(self) -> Scale {
        self.known().map_or(Scale::Linear, |known| known.scale)
    }

    /// A value with the metric's usual digits.
    pub fn format(self, value: f64) -> String {
        let digits = self.known().map_or(3, |known| known.digits);
        format!("{value:.digits$}")
    }
}
