//! Published step grids: noise levels `sigma / alpha` from noise to data, each list ending at the smallest trained
//! level.

/// Which published optimisation of the steps (Align Your Steps, Sabour et al. 2024, arXiv 2404.14507).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AysTable {
    /// Stable Diffusion 1.5.
    Sd15,
    /// Stable Diffusion XL.
    Sdxl,
    /// Stable Video Diffusion, with levels from 700 to 0.002.
    Svd,
}

impl AysTable {
    /// The words of the text form.
    pub(super) const WORDS: [(&'static str, Self); 3] =
        [("sd15", Self::Sd15), ("sdxl", Self::Sdxl), ("svd", Self::Svd)];

    /// The word of the text form.
    pub(super) fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, table)| *table == self).map_or("", |(word, _)| word)
    }

    /// The levels of 10 steps.
    pub(super) fn levels(self) -> &'static [f64] {
        match self {
            Self::Sd15 => &AYS_SD15,
            Self::Sdxl => &AYS_SDXL,
            Self::Svd => &AYS_SVD,
        }
    }
}

const AYS_SD15: [f64; 11] = [
    14.614_641_229_3,
    6.474_576_095_6,
    3.863_674_598_5,
    2.694_615_152_0,
    1.884_192_117_7,
    1.394_380_509_2,
    0.964_258_390_4,
    0.652_368_601_6,
    0.397_745_627_2,
    0.151_523_266_2,
    0.029_167_158_2,
];

const AYS_SDXL: [f64; 11] = [
    14.614_641_229_3,
    6.318_448_528_7,
    3.768_179_031_5,
    2.181_148_076_9,
    1.340_524_494_5,
    0.862_072_114_1,
    0.555_069_328_9,
    0.379_854_070_8,
    0.233_236_413_4,
    0.111_418_817_7,
    0.029_167_158_2,
];

const AYS_SVD: [f64; 11] = [700.0, 54.5, 15.886, 7.977, 4.248, 1.789, 0.981, 0.403, 0.173, 0.034, 0.002];

/// Grids found on the trajectories of Stable Diffusion 1.5 (GITS, Chen et al. 2024, arXiv 2405.11326) with the
/// coefficient 1.20, fewest steps first.
const GITS: [&[f64]; 4] = [
    &[14.614_641_19, 2.844_849_82, 1.241_532_44, 0.595_163_23, 0.250_533_67, 0.029_167_53],
    &[14.614_641_19, 5.855_200_77, 2.050_390_96, 0.953_509_21, 0.455_736_91, 0.170_260_83, 0.029_167_53],
    &[
        14.614_641_19,
        5.855_200_77,
        2.450_702_67,
        1.369_644_64,
        0.803_307,
        0.455_736_91,
        0.250_533_67,
        0.098_245_32,
        0.029_167_53,
    ],
    &[
        14.614_641_19,
        5.855_200_77,
        2.844_849_82,
        1.670_500_16,
        1.088_953_38,
        0.748_070_48,
        0.501_183_81,
        0.321_048_23,
        0.198_949_16,
        0.098_245_32,
        0.029_167_53,
    ],
];

/// The list for `steps` steps: its own where there is one, otherwise the next longer, otherwise the longest.
pub(super) fn gits_levels(steps: usize) -> &'static [f64] {
    let [.., longest] = GITS;
    GITS.into_iter().find(|levels| levels.len() > steps).unwrap_or(longest)
}

/// `levels` brought to `count` nodes (at least 2) by linear interpolation of their logarithm over the node index; the
/// list itself when it has that many.
pub(super) fn resampled(levels: &[f64], count: usize) -> Vec<f64> {
    if levels.len() == count {
        return levels.to_vec();
    }
    let last = levels.len() - 1;
    (0..count)
        .map(|i| {
            let at = (i * last) as f64 / (count - 1) as f64;
            let row = (at.floor() as usize).min(last - 1);
            let u = at - row as f64;
            (levels[row].ln() * (1.0 - u) + levels[row + 1].ln() * u).exp()
        })
        .collect()
}
