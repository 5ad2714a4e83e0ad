//! Titles, digits, directions and definitions of metrics.

use super::Scale;

/// Where the good values of a metric lie.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Good {
    Low,
    High,
    /// Near the value of real images.
    Real,
}

/// What is known about a metric.
pub(super) struct Known {
    pub(super) key: &'static str,
    pub(super) title: &'static str,
    pub(super) digits: usize,
    pub(super) good: Good,
    /// Scale of its plots.
    pub(super) scale: Scale,
    /// One sentence, without a full stop.
    pub(super) definition: &'static str,
}

const fn low(key: &'static str, title: &'static str, digits: usize, definition: &'static str) -> Known {
    Known { key, title, digits, good: Good::Low, scale: Scale::Log, definition }
}

/// A share or a score, better when higher.
const fn high(key: &'static str, title: &'static str, digits: usize, definition: &'static str) -> Known {
    Known { key, title, digits, good: Good::High, scale: Scale::Linear, definition }
}

const fn real(key: &'static str, title: &'static str, digits: usize, definition: &'static str) -> Known {
    Known { key, title, digits, good: Good::Real, scale: Scale::Linear, definition }
}

/// All of them.
pub(super) const KNOWN: [Known; 24] = [
    low(
        "fd",
        "Fréchet distance (FD)",
        3,
        "Squared distance between the normal distributions with the means and covariances of both sets of features \
         (arXiv 1706.08500, eq. 6); a finite number of perfect samples scores what stands for real images",
    ),
    low(
        "fd_mean_term",
        "FD, mean term",
        3,
        "Squared distance of the two means: the part of FD that a drift makes",
    ),
    low("fd_cov_term", "FD, covariance term", 3, "FD less its mean term: how far the covariances are apart"),
    Known {
        scale: Scale::Linear,
        ..low(
            "fd_infinity",
            "FD at infinitely many samples",
            3,
            "Intercept of a straight line through FD against 1/n, at 15 counts n of images (arXiv 1911.07023)",
        )
    },
    low("fd_pixel_pca", "FD of pixel components", 3, "FD in the space of 64 principal components of pixels"),
    low(
        "fd_patch_pca",
        "FD of patch components",
        3,
        "FD in the space of the principal components of 7x7 patches",
    ),
    low("sfd", "FD of spatial features", 3, "FD of features that keep their place in the image"),
    Known {
        scale: Scale::Linear,
        ..low(
            "kid",
            "Kernel distance (KID's formula)",
            3,
            "Squared maximum mean discrepancy of the features under the kernel (x.y / d + 1)^3, mean over 100 blocks of at \
             most 1,000 images a side (arXiv 1801.01401); unbiased, so that it may fall below 0",
        )
    },
    high(
        "is",
        "Classifier score (the Inception Score's formula)",
        2,
        "exp of the mean divergence of an image's class probabilities from the average ones, mean over 10 parts (arXiv \
         1606.03498): from 1 to the number of classes",
    ),
    high(
        "precision",
        "Precision",
        3,
        "Share of images inside the ball of any reference image that reaches to its third nearest neighbour (arXiv \
         1904.06991)",
    ),
    high(
        "recall",
        "Recall",
        3,
        "Share of reference images inside the ball of any image that reaches to its third nearest neighbour (arXiv \
         1904.06991)",
    ),
    high(
        "density",
        "Density",
        3,
        "Count of reference balls, to the fifth nearest neighbour, that an image lies in, divided by 5 (arXiv 2002.09797); \
         about 1 for real images",
    ),
    high(
        "coverage",
        "Coverage",
        3,
        "Share of reference balls, to the fifth nearest neighbour, that hold any image (arXiv 2002.09797)",
    ),
    low(
        "rmse",
        "RMSE to the teacher",
        4,
        "Root of the mean squared difference to the teacher's image from the same noise, black being -1 and white 1; mean \
         over images",
    ),
    high(
        "psnr",
        "PSNR to the teacher, dB",
        2,
        "10 log10(255^2 / MSE) to the teacher's 8-bit images from the same noise, MSE over all pixels of all images",
    ),
    high(
        "ssim",
        "SSIM to the teacher",
        3,
        "Structural similarity (Wang et al., 2004) to the teacher's 8-bit images from the same noise, 11x11 Gaussian window; \
         mean over images",
    ),
    low(
        "feature_distance",
        "Feature distance to the teacher",
        3,
        "Euclidean distance to the features of the teacher's image from the same noise; mean over images",
    ),
    high(
        "accuracy",
        "Conditional accuracy",
        3,
        "Share of images that the classifier gives the class they were asked for",
    ),
    real(
        "saturation",
        "Saturation",
        3,
        "(max - min) / max of a pixel's red, green and blue (sRGB), 0 for black; mean over pixels and images",
    ),
    real(
        "contrast",
        "Contrast",
        3,
        "Standard deviation of luma, from 0 to 1, over the pixels of an image; mean over images",
    ),
    real("clip_rate", "Clip rate", 4, "Share of all 8-bit values that are 0 or 255"),
    real("white_rate", "Share of white", 4, "Share of all 8-bit values that are 255"),
    real(
        "overshoot",
        "Share beyond the scale before clipping",
        4,
        "Share of the sampler's values beyond black or white, before they are clipped to 8 bits",
    ),
    real(
        "nearer",
        "Nearer to the training set than held-out images",
        3,
        "Probability that an image is nearer to its nearest training image than a held-out image is to its own, in the \
         features (arXiv 2004.05675); 0.5 is expected, far above it images are copies",
    ),
];
