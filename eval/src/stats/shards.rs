//! Moments whose bits do not depend on who pushed what when.

use super::moments::{Moments, same_dim};
use crate::{Error, Result, tensors};
use std::collections::BTreeMap;
use tch::{Kind, Tensor};

/// Images in a shard.
pub const SHARD: u64 = 1000;

/// Accumulator of feature vectors that carry an image index.
///
/// Rows are gathered into shards of [`SHARD`] consecutive indices; a full shard is reduced at once, and shards are
/// merged in the order of their indices. So batches may have any size and come in any order, from any count of
/// workers, and the result has the same bits. Memory: one open shard when indices ascend from 0, otherwise one set
/// of moments a shard until the gap before it is filled.
#[derive(Debug, Clone)]
pub struct ShardedMoments {
    dim: usize,
    /// All shards before `next`, merged.
    prefix: Moments,
    next: u64,
    shards: BTreeMap<u64, Shard>,
}

#[derive(Debug, Clone)]
enum Shard {
    Open { rows: Vec<f32>, seen: Vec<bool> },
    Full(Moments),
}

impl ShardedMoments {
    /// Nothing pushed yet; vectors have length `dim`.
    pub fn new(dim: usize) -> Self {
        Self { dim, prefix: Moments::empty(dim), next: 0, shards: BTreeMap::new() }
    }

    /// Count of vectors so far.
    pub fn n(&self) -> u64 {
        self.prefix.n() + self.shards.values().map(Shard::n).sum::<u64>()
    }

    /// Adds a batch of features: row `i` belongs to image `first_index + i`.
    ///
    /// # Shapes
    /// features: f32 `[b, dim]`.
    ///
    /// # Errors
    /// Wrong kind or shape, values that are not finite, or an image that was counted before. Nothing is added then.
    pub fn push_features(&mut self, features: &Tensor, first_index: u64) -> Result<()> {
        tensors::expect("features", features, Kind::Float, &[-1, self.dim as i64])?;
        self.push_rows(&tensors::to_vec::<f32>(features)?, first_index)
    }

    /// [`ShardedMoments::push_features`] for plain memory, row-major `[b, dim]`.
    ///
    /// # Errors
    /// As there.
    pub fn push_rows(&mut self, rows: &[f32], first_index: u64) -> Result<()> {
        if self.dim == 0 || !rows.len().is_multiple_of(self.dim) {
            let (expected, got) = (format!("rows of {}", self.dim), format!("{} values", rows.len()));
            return Err(Error::Shape { what: "features", expected, got });
        }
        let Some(end) = first_index.checked_add((rows.len() / self.dim) as u64) else {
            let got = first_index.to_string();
            return Err(Error::Value {
                what: "first image index",
                expected: "below 2^64 with its batch",
                got,
            });
        };
        let indices = first_index..end;
        if let Some(index) = indices.clone().find(|index| self.has(*index)) {
            return Err(Error::DuplicateImage { index });
        }
        if let Some(at) = rows.iter().position(|x| !x.is_finite()) {
            let what = format!("a feature of image {}", first_index + (at / self.dim) as u64);
            return Err(Error::NonFinite { what });
        }
        for (index, row) in indices.zip(rows.chunks_exact(self.dim)) {
            let shard = self.shards.entry(index / SHARD).or_insert_with(|| Shard::open(self.dim));
            shard.insert((index % SHARD) as usize, row);
        }
        self.settle()
    }

    /// Takes over everything that another accumulator (of another worker, say) has gathered.
    ///
    /// # Errors
    /// [`Error::Mismatch`] of lengths, [`Error::DuplicateImage`] when both counted an image. `self` is unchanged then.
    pub fn merge(&mut self, other: Self) -> Result<()> {
        same_dim(self.dim, other.dim)?;
        let (mut into, from) =
            if other.next > self.next { (other, self.clone()) } else { (self.clone(), other) };
        if from.next > 0 {
            return Err(Error::DuplicateImage { index: 0 });
        }
        for (id, shard) in from.shards {
            for slot in shard.slots().map(|slot| id * SHARD + slot) {
                if into.has(slot) {
                    return Err(Error::DuplicateImage { index: slot });
                }
            }
            match (into.shards.get_mut(&id), shard) {
                (Some(open), Shard::Open { rows, seen }) => {
                    let rows = rows.chunks_exact(self.dim).enumerate();
                    rows.filter(|(slot, _)| seen[*slot]).for_each(|(slot, row)| open.insert(slot, row));
                }
                (_, shard) => _ = into.shards.insert(id, shard),
            }
        }
        into.settle()?;
        *self = into;
        Ok(())
    }

    /// Moments of all vectors so far. Pushing may go on afterwards.
    ///
    /// # Errors
    /// None in practice; the signature leaves room for the checks inside.
    pub fn moments(&self) -> Result<Moments> {
        let mut all = self.prefix.clone();
        for shard in self.shards.values() {
            all.merge(&shard.reduce(self.dim))?;
        }
        Ok(all)
    }

    fn has(&self, index: u64) -> bool {
        let (id, slot) = (index / SHARD, (index % SHARD) as usize);
        id < self.next
            || match self.shards.get(&id) {
                Some(Shard::Open { seen, .. }) => seen[slot],
                Some(Shard::Full(_)) => true,
                None => false,
            }
    }

    /// Reduces full shards and moves those that continue the prefix into it.
    fn settle(&mut self) -> Result<()> {
        for shard in self.shards.values_mut().filter(|shard| shard.n() == SHARD) {
            if matches!(shard, Shard::Open { .. }) {
                *shard = Shard::Full(shard.reduce(self.dim));
            }
        }
        while let Some(Shard::Full(moments)) = self.shards.get(&self.next) {
            self.prefix.merge(moments)?;
            self.shards.remove(&self.next);
            self.next += 1;
        }
        Ok(())
    }
}

impl Shard {
    fn open(dim: usize) -> Self {
        Self::Open { rows: vec![0.0; SHARD as usize * dim], seen: vec![false; SHARD as usize] }
    }

    fn n(&self) -> u64 {
        match self {
            Self::Open { seen, .. } => seen.iter().filter(|s| **s).count() as u64,
            Self::Full(moments) => moments.n(),
        }
    }

    /// Positions that are filled, ascending.
    fn slots(&self) -> impl Iterator<Item = u64> {
        (0..SHARD).filter(|slot| match self {
            Self::Open { seen, .. } => seen[*slot as usize],
            Self::Full(_) => true,
        })
    }

    /// Stores a row in a free slot of an open shard.
    fn insert(&mut self, slot: usize, row: &[f32]) {
        if let Self::Open { rows, seen } = self {
            rows[slot * row.len()..(slot + 1) * row.len()].copy_from_slice(row);
            seen[slot] = true;
        }
    }

    fn reduce(&self, dim: usize) -> Moments {
        match self {
            Self::Full(moments) => moments.clone(),
            Self::Open { rows, seen } => {
                let filled = rows.chunks_exact(dim).zip(seen).filter(|(_, seen)| **seen);
                let rows: Vec<f32> = filled.flat_map(|(row, _)| row.iter().copied()).collect();
                Moments::of_rows(&rows, dim)
            }
        }
    }
}
