//! The metrics that reports know by name: unit, direction and digits.

use super::Scale;

/// A metric of a report's cells. Unknown names are allowed in a report; they count as "lower is better".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric<'a> {
    /// Key in the metrics map, e.g. `fd`.
    pub key: &'a str,
}

/// Where the good values of a metric lie.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Good {
    Low,
    High,
    /// Near the value of real images.
    Real,
}

/// What is known about a metric: key, title, digits, where good values lie, and scale of its plots.
type Known = (&'static str, &'static str, usize, Good, Scale);

const KNOWN: [Known; 24] = [
    ("fd", "Fréchet distance (FD)", 3, Good::Low, Scale::Log),
    ("fd_mean_term", "FD, mean term", 3, Good::Low, Scale::Log),
    ("fd_cov_term", "FD, covariance term", 3, Good::Low, Scale::Log),
    ("fd_infinity", "FD at infinitely many samples", 3, Good::Low, Scale::Linear),
    ("fd_pixel_pca", "FD of pixel components", 3, Good::Low, Scale::Log),
    ("fd_patch_pca", "FD of patch components", 3, Good::Low, Scale::Log),
    ("sfd", "FD of spatial features", 3, Good::Low, Scale::Log),
    ("kid", "Kernel distance", 5, Good::Low, Scale::Linear),
    ("is", "Inception Score", 2, Good::High, Scale::Linear),
    ("precision", "Precision", 3, Good::High, Scale::Linear),
    ("recall", "Recall", 3, Good::High, Scale::Linear),
    ("density", "Density", 3, Good::High, Scale::Linear),
    ("coverage", "Coverage", 3, Good::High, Scale::Linear),
    ("rmse", "RMSE to the teacher", 4, Good::Low, Scale::Log),
    ("psnr", "PSNR to the teacher, dB", 2, Good::High, Scale::Linear),
    ("ssim", "SSIM to the teacher", 3, Good::High, Scale::Linear),
    ("feature_distance", "Feature distance to the teacher", 3, Good::Low, Scale::Log),
    ("accuracy", "Conditional accuracy", 3, Good::High, Scale::Linear),
    ("saturation", "Saturation", 3, Good::Real, Scale::Linear),
    ("contrast", "Contrast", 3, Good::Real, Scale::Linear),
    ("clip_rate", "Clip rate", 4, Good::Real, Scale::Linear),
    ("white_rate", "Share of white", 4, Good::Real, Scale::Linear),
    ("overshoot", "Share beyond the scale before clipping", 4, Good::Real, Scale::Linear),
    ("nearer", "Nearer to the training set than held-out images", 3, Good::Real, Scale::Linear),
];

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
        KNOWN.iter().find(|known| known.0 == self.key)
    }

    fn good(self) -> Good {
        self.known().map_or(Good::Low, |known| known.3)
    }

    /// Whether a larger value is better.
    pub fn higher_is_better(self) -> bool {
        self.good() == Good::High
    }

    /// Whether `a` is better than `b`; never, for a metric that is good near the value of real images.
    pub fn better(self, a: f64, b: f64) -> bool {
        match self.good() {
            Good::Low => a < b,
            Good::High => a > b,
            Good::Real => false,
        }
    }

    /// Whether values can be ranked at all.
    pub fn ranks(self) -> bool {
        self.good() != Good::Real
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
        self.known().map_or(self.key, |known| known.1)
    }

    /// Scale that suits its plots: logarithmic for distances that fall by orders of magnitude.
    pub fn scale(self) -> Scale {
        self.known().map_or(Scale::Linear, |known| known.4)
    }

    /// A value with the metric's usual digits.
    pub fn format(self, value: f64) -> String {
        let digits = self.known().map_or(3, |known| known.2);
        format!("{value:.digits$}")
    }
}
