//! Rules that place the nodes of a grid.

mod listed;
mod make;
mod rows;
mod spaced;
mod span;

use serde::{Deserialize, Serialize};

use super::shift::Shifted;
use super::tables::AysTable;
use crate::Path;

/// Where a grid ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// The last node stands at `t_min`: N steps are N + 1 nodes from `t_max` to `t_min`.
    TMin,
    /// The last node is clean data, `sigma` = 0. Most rules place N nodes from `t_max` to `t_min` before it;
    /// `trailing`, `beta` on `t`, `ays` and `gits` place N + 1 and let it replace the last. The same as [`End::TMin`]
    /// where `t_min` already has `sigma` = 0.
    Zero,
}

/// A rule that turns a step count into a [`Grid`](crate::Grid).
///
/// The text form is a name of [`GridRule::NAMES`] with parameters, such as `karras:rho=7`, or a list with commas:
/// `80,10,1.5,0.002` holds times, `sigmas=14.6,6.5,0.03` noise levels and `lambdas=-2.7,-1.9,3.5` half log-SNRs. On the
/// flow path a rule can be shifted, `uniform-t:shift=3` ([`Shift::PARAMS`](crate::Shift::PARAMS)).
///
/// "Level" means `sigma / alpha` (the sigma of the EDM paper and of Stable Diffusion tools) unless said otherwise.
#[derive(Clone, Debug, PartialEq)]
pub enum GridRule {
    /// Equal steps of `t`.
    UniformT,
    /// Equal steps of `t^(1/k)`; `k` = 2 is the quadratic rule of DEIS (arXiv 2204.13902, section 4).
    PowerT {
        /// Exponent, from 0.1 to 20.
        k: f64,
    },
    /// Equal steps of the level to the power `1/rho` (arXiv 2206.00364, eq. 5).
    Karras {
        /// Exponent, from 0.1 to 100; the paper's choice is 7.
        rho: f64,
    },
    /// Equal steps of `s^(1/k)`, with `s` the time of the linear VP path whose level is that of the first node at `s` = 1
    /// and that of the last at `s` = 0.001: the rule `time_uniform` of diff-sampler, with which the tables of its papers
    /// were made. Its `beta_min` may be below 0.
    TimeUniform {
        /// Exponent, from 0.1 to 20.
        k: f64,
    },
    /// Equal steps of the log signal-to-noise ratio (DPM-Solver, arXiv 2206.00927, section 3.3).
    LogSnr,
    /// Equal steps of the logarithm of the level: [`GridRule::LogSnr`], but ending at zero.
    Exponential,
    /// The logarithm of the level is `r^rho` of the way up from the smallest, `r` from 1 to 0 in equal steps.
    PolyExponential {
        /// Exponent, from 0.1 to 20; 1 is [`GridRule::Exponential`].
        rho: f64,
    },
    /// Equal steps of the arc tangent of the level: the optimum for normal data of variance 1 of the bound on the KL
    /// divergence of Align Your Steps (arXiv 2404.14507, theorem 3.1).
    KlOptimal,
    /// `t` at the quantiles `1 - i/N` of a beta distribution between the limits, rounded to rows on a table: dense at
    /// both ends (Lee et al. 2024, arXiv 2407.12173, with the convention of ComfyUI).
    BetaT {
        /// First parameter of the distribution, from 0.1 to 10; the paper's choice is 0.6.
        alpha: f64,
        /// Second parameter, likewise.
        beta: f64,
    },
    /// The level itself at the quantiles `1 - i/(N - 1)` of a beta distribution (the convention of diffusers).
    BetaRho {
        /// First parameter of the distribution, from 0.1 to 10.
        alpha: f64,
        /// Second parameter, likewise.
        beta: f64,
    },
    /// A published list of 10 steps (Align Your Steps, arXiv 2404.14507). Other counts interpolate the logarithm of the
    /// level over the node index; then the end replaces the last node.
    Ays {
        /// The network for which the list was optimised.
        table: AysTable,
    },
    /// Published lists for Stable Diffusion 1.5 of 5, 6, 8 and 10 steps (GITS, arXiv 2405.11326, coefficient 1.20).
    /// Other counts interpolate the next longer list, beyond 10 steps the longest, as [`GridRule::Ays`] does.
    Gits,
    /// Rows counted from the noisy end of a table: `round(T - i T/N) - 1` (arXiv 2305.08891, table 2).
    Trailing,
    /// Multiples of `T/N`, counted from row 0 of a table. The noisy end is not reached: one step alone stands at
    /// row 0. With [`End::TMin`] the stride is `T/(N + 1)`, so that row 0 is the end of the last step.
    Leading {
        /// Added to every row, 0 or 1; Stable Diffusion is run with 1.
        offset: usize,
    },
    /// Rows of a table spread evenly from the first to the last and rounded.
    Linspace,
    /// Exactly these times.
    Times(Vec<f64>),
    /// Exactly these noise levels as pipelines write them: `sigma` = `t` on the flow path, `sigma / alpha` on every
    /// other. A 0 at the end is clean data.
    Sigmas(Vec<f64>),
    /// Exactly these `lambda = ln(alpha / sigma)`, from noise to data, hence increasing. `inf` is clean data.
    Lambdas(Vec<f64>),
    /// A rule with a flow shift; see [`GridRule::shifted`].
    Shifted(Shifted),
}

impl GridRule {
    /// The rule that suits a path: `power-t:k=2` for variance-preserving ones, `karras` for `edm` and `ve`,
    /// `uniform-t` for `flow`.
    #[must_use]
    pub fn default_for(path: &Path) -> Self {
        match path {
            Path::VpLinear { .. } | Path::Discrete(_) | Path::VpCosine { .. } => Self::PowerT { k: 2.0 },
            Path::Ve { .. } | Path::Edm { .. } => Self::Karras { rho: 7.0 },
            Path::Flow => Self::UniformT,
        }
    }

    /// Where this rule ends unless told otherwise.
    #[must_use]
    pub fn default_end(&self) -> End {
        match self {
            Self::UniformT | Self::PowerT { .. } | Self::TimeUniform { .. } | Self::LogSnr => End::TMin,
            Self::Shifted(shifted) => shifted.rule().default_end(),
            _ if self.is_own_list() => End::TMin,
            _ => End::Zero,
        }
    }

    /// The only step count that a list can make with this end (default: its own); `None` for all rules that take any.
    #[must_use]
    pub fn fixed_steps(&self, path: &Path, end: Option<End>) -> Option<usize> {
        let (Self::Times(values) | Self::Sigmas(values) | Self::Lambdas(values)) = self else { return None };
        // A list with bad values has a length all the same; making the grid reports them.
        let last = listed::own(self, path).ok().and_then(|times| times.last().copied());
        let appended = end == Some(End::Zero) && last.is_some_and(|t| path.node(t).sigma > 0.0);
        Some((values.len() + usize::from(appended)).saturating_sub(1))
    }

    /// Whether the nodes are a list that the user wrote.
    fn is_own_list(&self) -> bool {
        matches!(self, Self::Times(_) | Self::Sigmas(_) | Self::Lambdas(_))
    }

    /// Whether limits mean nothing to the rule.
    fn fixes_limits(&self) -> bool {
        let published = matches!(self, Self::Ays { .. } | Self::Gits);
        self.is_own_list() || published || matches!(self, Self::Trailing | Self::Leading { .. })
    }

    /// Whether clean data takes the place of the last of N + 1 nodes.
    fn replaces_last(&self) -> bool {
        matches!(self, Self::Trailing | Self::BetaT { .. } | Self::Ays { .. } | Self::Gits)
    }

    /// Whether the times are whole rows of a table.
    fn counts_rows(&self, path: &Path) -> bool {
        let rounded = matches!(self, Self::BetaT { .. }) && path.rows().is_some();
        rounded || matches!(self, Self::Trailing | Self::Leading { .. } | Self::Linspace)
    }
}
