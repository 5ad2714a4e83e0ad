//! The metrics that reports know by name: unit, direction and digits.

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
    /// Paired error to the teacher, on the scale where black is -1 and white is 1.
    pub const RMSE: Metric<'static> = Metric { key: "rmse" };
    /// Conditional accuracy, 0 to 1.
    pub const ACCURACY: Metric<'static> = Metric { key: "accuracy" };

    /// The metric stored under `key`.
    pub fn named(key: &'a str) -> Self {
        Self { key }
    }

    /// Whether a larger value is better.
    pub fn higher_is_better(self) -> bool {
        self == Metric::ACCURACY
    }

    /// Whether `a` is better than `b`.
    pub fn better(self, a: f64, b: f64) -> bool {
        if self.higher_is_better() { a > b } else { a < b }
    }

    /// Long name for headings.
    pub fn title(self) -> &'a str {
        match self.key {
            "fd" => "Fréchet distance (FD)",
            "fd_mean_term" => "FD, mean term",
            "fd_cov_term" => "FD, covariance term",
            "rmse" => "RMSE to the teacher",
            "accuracy" => "Conditional accuracy",
            other => other,
        }
    }

    /// A value with the metric's usual digits.
    pub fn format(self, value: f64) -> String {
        match self.key {
            "rmse" => format!("{value:.4}"),
            _ => format!("{value:.3}"),
        }
    }
}
