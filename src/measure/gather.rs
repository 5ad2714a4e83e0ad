//! What is kept of the outputs of a network.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Result;
use fewstep_eval::sha256_hex;
use fewstep_eval::source::Facts;
use fewstep_eval::stats::{Moments, ShardedMoments};

use super::{Extractor, Outputs, Wanted};

/// What is known of a picture besides its features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) digest: [u8; 32],
    pub(super) facts: Facts,
    pub(super) size: [u32; 2],
}

/// Pictures that were not plain RGB, and the sizes that occurred.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Grey pictures.
    pub grey: u64,
    /// Pictures put on white.
    pub transparent: u64,
    /// Pictures rounded from 16 bits.
    pub deep: u64,
    /// Pictures from lossy files.
    pub lossy: u64,
    /// Sizes `[width, height]` and how many have them; no more than a few are told apart.
    pub sizes: BTreeMap<[u32; 2], u64>,
}

/// Everything that metrics are computed from.
#[derive(Debug)]
pub struct Gathered {
    /// Count of pictures.
    pub n: u64,
    /// Moments of the features, if wanted.
    pub moments: Option<Moments>,
    /// Features `[n, d]`, if wanted.
    pub rows: Option<Vec<f32>>,
    /// Logits `[n, classes]`, if wanted.
    pub logits: Option<Vec<f32>>,
    /// Moments of the spatial features, if wanted.
    pub spatial: Option<Moments>,
    /// SHA-256 over the pictures' own hashes, in order. Equal pixels in equal order give equal hashes, whatever files
    /// hold them.
    pub sha256: String,
    /// What the pictures were like.
    pub tally: Tally,
}

/// Takes outputs in any order.
#[derive(Debug)]
pub(super) struct Gather {
    wanted: Wanted,
    moments: ShardedMoments,
    spatial: ShardedMoments,
    rows: Vec<f32>,
    logits: Vec<f32>,
    digests: Vec<u8>,
    tally: Tally,
    dims: (usize, usize),
    n: u64,
}

impl Gather {
    /// For pictures `0..n`.
    pub(super) fn new(extractor: &Extractor, wanted: Wanted, n: u64) -> Self {
        let dims = (extractor.dim(), extractor.classes());
        let room = |is: bool, width: usize| vec![0.0; if is { n as usize * width } else { 0 }];
        Self {
            wanted,
            moments: ShardedMoments::new(dims.0),
            spatial: ShardedMoments::new(extractor.spatial_dim()),
            rows: room(wanted.rows, dims.0),
            logits: room(wanted.logits, dims.1),
            digests: vec![0; 32 * n as usize],
            tally: Tally::default(),
            dims,
            n,
        }
    }

    /// Adds consecutive pictures.
    pub(super) fn push(&mut self, first: u64, outputs: &Outputs, seen: &[Seen]) -> Result<()> {
        if self.wanted.moments {
            self.moments.push_rows(&outputs.features, first)?;
        }
        if self.wanted.spatial {
            self.spatial.push_rows(&outputs.spatial, first)?;
        }
        let put = |into: &mut [f32], width: usize, rows: &[f32]| {
            let start = first as usize * width;
            into[start..start + rows.len()].copy_from_slice(rows);
        };
        if self.wanted.rows {
            put(&mut self.rows, self.dims.0, &outputs.features);
        }
        if self.wanted.logits {
            put(&mut self.logits, self.dims.1, &outputs.logits);
        }
        for (i, seen) in seen.iter().enumerate() {
            let start = 32 * (first as usize + i);
            self.digests[start..start + 32].copy_from_slice(&seen.digest);
            self.tally.add(*seen);
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Gathered> {
        let Wanted { moments, rows, logits, spatial } = self.wanted;
        Ok(Gathered {
            n: self.n,
            moments: moments.then(|| self.moments.moments()).transpose()?,
            rows: rows.then_some(self.rows),
            logits: logits.then_some(self.logits),
            spatial: spatial.then(|| self.spatial.moments()).transpose()?,
            sha256: sha256_hex(&self.digests),
            tally: self.tally,
        })
    }
}

/// Sizes that are told apart.
const SIZES: usize = 64;

impl Tally {
    fn add(&mut self, seen: Seen) {
        self.grey += u64::from(seen.facts.grey);
        self.transparent += u64::from(seen.facts.transparent);
        self.deep += u64::from(seen.facts.deep);
        self.lossy += u64::from(seen.facts.lossy);
        if self.sizes.len() < SIZES || self.sizes.contains_key(&seen.size) {
            *self.sizes.entry(seen.size).or_default() += 1;
        }
    }

    /// What a user should know about the `n` pictures in `what`; nothing if they are all as the network takes them and of
    /// one size. A network that looks at one channel takes grey pictures so.
    pub fn remarks(&self, what: &str, n: u64, looks_at_grey: bool) -> Vec<String> {
        let mut said = Vec::new();
        let mut say = |count: u64, text: &str| {
            if count > 0 {
                said.push(format!("`{what}`: {count} of {n} pictures {text}"));
            }
        };
        say(if looks_at_grey { 0 } else { self.grey }, "are grey; the channel was repeated");
        say(self.transparent, "are transparent; they were put on white");
        say(self.deep, "have 16 bits a channel; they were rounded to 8");
        say(
            self.lossy,
            "come from lossy files, which moves every metric; compare with pictures stored alike",
        );
        if self.sizes.len() > 1 {
            let mut text = String::new();
            for (size, count) in self.sizes.iter().take(3) {
                // Writing to a String cannot fail.
                let _ = write!(text, "{}x{} ({count}), ", size[0], size[1]);
            }
            let more = if self.sizes.len() > 3 { "…" } else { "" };
            let text = text.trim_end_matches(", ");
            said.push(format!(
                "`{what}`: pictures have several sizes, {text}{more}; each was resized on its own"
            ));
        }
        said
    }
}
