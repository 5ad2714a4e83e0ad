//! The mixed blocks: branches side by side whose channels are concatenated.
//!
//! Two rearrangements leave every value as it was but for rounding. The 1x1 convolutions at the heads of the branches
//! read the same input and are one convolution here. And an average over space commutes with a 1x1 convolution, bias
//! included as long as the average divides by the true count of pixels: in the pooling branch the convolution comes
//! first, as part of that same convolution, and leaves fewer channels to average.

use super::conv::Conv;
use super::folded::Folded;
use crate::Result;
use tch::Tensor;

/// A branch by the names of its units: a 1x1 head, units in a row, and units that all read the last of the row.
type Branch<'a> = (&'a str, &'a [&'a str], &'a [&'a str]);

const A: [Branch<'_>; 3] = [
    ("branch1x1", &[], &[]),
    ("branch5x5_1", &["branch5x5_2"], &[]),
    ("branch3x3dbl_1", &["branch3x3dbl_2", "branch3x3dbl_3"], &[]),
];
const B: [Branch<'_>; 1] = [("branch3x3dbl_1", &["branch3x3dbl_2", "branch3x3dbl_3"], &[])];
const C: [Branch<'_>; 3] = [
    ("branch1x1", &[], &[]),
    ("branch7x7_1", &["branch7x7_2", "branch7x7_3"], &[]),
    ("branch7x7dbl_1", &["branch7x7dbl_2", "branch7x7dbl_3", "branch7x7dbl_4", "branch7x7dbl_5"], &[]),
];
const D: [Branch<'_>; 2] = [
    ("branch3x3_1", &["branch3x3_2"], &[]),
    ("branch7x7x3_1", &["branch7x7x3_2", "branch7x7x3_3", "branch7x7x3_4"], &[]),
];
const E: [Branch<'_>; 3] = [
    ("branch1x1", &[], &[]),
    ("branch3x3_1", &[], &["branch3x3_2a", "branch3x3_2b"]),
    ("branch3x3dbl_1", &["branch3x3dbl_2"], &["branch3x3dbl_3a", "branch3x3dbl_3b"]),
];

/// A block with its weights.
#[derive(Debug)]
pub(super) struct Mixed {
    /// A convolution of the input that comes before the branches in the output.
    direct: Option<Conv>,
    heads: Conv,
    /// Channels of each head.
    widths: Vec<i64>,
    tails: Vec<Tail>,
    pool: Pool,
}

#[derive(Debug)]
struct Tail {
    row: Vec<Conv>,
    fork: Vec<Conv>,
}

/// The last branch.
#[derive(Debug)]
enum Pool {
    /// Mean of the 3x3 neighbours within the image, after the last head.
    Average,
    /// Maximum of 3x3 at every second place, without a convolution.
    Halve,
    /// Maximum of the 3x3 neighbours, before a convolution.
    Maximum(Conv),
}

impl Mixed {
    /// `Mixed_5b` to `5d`: `[n, c, 35, 35]` to `[n, 224 + pool, 35, 35]`.
    pub(super) fn a(folded: &Folded, block: &str) -> Result<Self> {
        Self::new(folded, block, None, &A, Pool::Average)
    }

    /// `Mixed_6a`: `[n, 288, 35, 35]` to `[n, 768, 17, 17]`.
    pub(super) fn b(folded: &Folded, block: &str) -> Result<Self> {
        let direct = Conv::new(folded, &format!("{block}.branch3x3"))?;
        Self::new(folded, block, Some(direct), &B, Pool::Halve)
    }

    /// `Mixed_6b` to `6e`: `[n, 768, 17, 17]` to the same.
    pub(super) fn c(folded: &Folded, block: &str) -> Result<Self> {
        Self::new(folded, block, None, &C, Pool::Average)
    }

    /// `Mixed_7a`: `[n, 768, 17, 17]` to `[n, 1280, 8, 8]`.
    pub(super) fn d(folded: &Folded, block: &str) -> Result<Self> {
        Self::new(folded, block, None, &D, Pool::Halve)
    }

    /// `Mixed_7b`: `[n, 1280, 8, 8]` to `[n, 2048, 8, 8]`.
    pub(super) fn e_average(folded: &Folded, block: &str) -> Result<Self> {
        Self::new(folded, block, None, &E, Pool::Average)
    }

    /// `Mixed_7c`: `[n, 2048, 8, 8]` to the same. The 2015 release has a maximum here where later networks average.
    pub(super) fn e_maximum(folded: &Folded, block: &str) -> Result<Self> {
        let pool = Pool::Maximum(Conv::new(folded, &format!("{block}.branch_pool"))?);
        Self::new(folded, block, None, &E, pool)
    }

    fn new(
        folded: &Folded,
        block: &str,
        direct: Option<Conv>,
        branches: &[Branch<'_>],
        pool: Pool,
    ) -> Result<Self> {
        let name = |unit: &&str| format!("{block}.{unit}");
        let convs = |units: &[&str]| -> Result<Vec<Conv>> {
            units.iter().map(|unit| Conv::new(folded, &name(unit))).collect()
        };
        let mut heads: Vec<String> = branches.iter().map(|(head, _, _)| name(head)).collect();
        if matches!(pool, Pool::Average) {
            heads.push(name(&"branch_pool"));
        }
        let widths =
            heads.iter().map(|head| Ok(folded.unit(head)?.unit.output)).collect::<Result<Vec<_>>>()?;
        let tails = branches
            .iter()
            .map(|(_, row, fork)| Ok(Tail { row: convs(row)?, fork: convs(fork)? }))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self { direct, heads: Conv::merged(folded, &heads)?, widths, tails, pool })
    }

    /// The output of the block, its channels in the order of the published network.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut parts = Vec::new();
        if let Some(direct) = &self.direct {
            parts.push(direct.forward(x)?);
        }
        let mut heads = self.heads(x)?;
        let pooled = heads.split_off(self.tails.len());
        for (tail, head) in self.tails.iter().zip(heads) {
            let end = tail.row.iter().try_fold(head, |h, conv| conv.forward(&h))?;
            if tail.fork.is_empty() {
                parts.push(end);
            } else {
                for conv in &tail.fork {
                    parts.push(conv.forward(&end)?);
                }
            }
        }
        match &self.pool {
            Pool::Average => parts.extend(pooled),
            Pool::Halve => parts.push(x.f_max_pool2d([3, 3], [2, 2], [0, 0], [1, 1], false)?),
            Pool::Maximum(conv) => {
                parts.push(conv.forward(&x.f_max_pool2d([3, 3], [1, 1], [1, 1], [1, 1], false)?)?);
            }
        }
        Ok(Tensor::f_cat(&parts, 1)?)
    }

    /// The outputs of the heads, rectified; that of the pooling branch, if it has a head, is averaged before.
    fn heads(&self, x: &Tensor) -> Result<Vec<Tensor>> {
        let all = self.heads.linear(x)?;
        let mut parts = all.f_split_with_sizes(&self.widths[..], 1)?;
        if let Pool::Average = self.pool
            && let Some(pool) = parts.pop()
        {
            let rest = all.size()[1] - pool.size()[1];
            let _ = all.f_narrow(1, 0, rest)?.f_relu_()?;
            // Without the padding in the count: the border divides by 4 or 6.
            parts.push(pool.f_avg_pool2d([3, 3], [1, 1], [1, 1], false, false, None)?.f_relu_()?);
        } else {
            let mut all = all;
            let _ = all.f_relu_()?;
        }
        Ok(parts)
    }

    /// The first branch alone, `branch1x1` in block C, after its ReLU: what the block's `conv:0` was called in the
    /// original graph.
    pub(super) fn first_branch(&self, output: &Tensor) -> Result<Tensor> {
        Ok(output.f_narrow(1, 0, self.widths[0])?)
    }

    /// The same weights once more, for another thread.
    pub(super) fn share(&self) -> Self {
        let share = |convs: &[Conv]| convs.iter().map(Conv::share).collect();
        Self {
            direct: self.direct.as_ref().map(Conv::share),
            heads: self.heads.share(),
            widths: self.widths.clone(),
            tails: self.tails.iter().map(|t| Tail { row: share(&t.row), fork: share(&t.fork) }).collect(),
            pool: match &self.pool {
                Pool::Average => Pool::Average,
                Pool::Halve => Pool::Halve,
                Pool::Maximum(conv) => Pool::Maximum(conv.share()),
            },
        }
    }
}
