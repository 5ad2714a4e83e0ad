//! Outputs on disk, so that a run which was killed goes on, and a later one finds them.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use fewstep_eval::sha256_hex;
use fewstep_eval::source::{Facts, Source};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use super::extractor::{Extractor, Outputs, Wanted};
use super::gather::Seen;
use crate::output::write_whole;

/// Pictures a file. A killed run loses what is in the unfinished ones.
const SHARD: u64 = 256;
/// Bytes of a [`Seen`]: hash, facts, width, height.
const SEEN: usize = 32 + 4 + 4 + 4;

/// A folder of outputs that belongs to one list of pictures, one network and one set of outputs: its name is the hash of
/// all three, so that nothing foreign can be taken up.
#[derive(Debug)]
pub struct Shards {
    dir: PathBuf,
    /// Features, logits, spatial features of a picture.
    widths: [usize; 3],
}

impl Shards {
    /// Opens or makes the folder below `root`.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn open(root: &Path, source: &dyn Source, extractor: &Extractor, wanted: Wanted) -> Result<Self> {
        let width = |is: bool, width: usize| if is { width } else { 0 };
        let widths = [
            width(wanted.moments || wanted.rows, extractor.dim()),
            width(wanted.logits, extractor.classes()),
            width(wanted.spatial, extractor.spatial_dim()),
        ];
        let protocol = extractor.protocol().map(|p| p.to_string());
        let key = format!("1 {} {} {protocol:?} {widths:?}", source.listing(), extractor.id()?);
        let dir = root.join(&sha256_hex(key.as_bytes())[..16]);
        fs::create_dir_all(&dir).with_context(|| format!("cannot make `{}`", dir.display()))?;
        Ok(Self { dir, widths })
    }

    /// Numbers and pictures of the shards of `n` pictures.
    pub(super) fn ranges(n: u64) -> impl Iterator<Item = (u64, Range<u64>)> {
        (0..n.div_ceil(SHARD)).map(move |number| (number, number * SHARD..((number + 1) * SHARD).min(n)))
    }

    fn path(&self, number: u64) -> PathBuf {
        self.dir.join(format!("{number:06}.safetensors"))
    }

    /// A finished shard with all of `range`; nothing if it is absent, damaged or shorter. A longer one serves too.
    pub(super) fn read(&self, number: u64, range: &Range<u64>) -> Option<(Outputs, Vec<Seen>)> {
        let bytes = fs::read(self.path(number)).ok()?;
        let file = SafeTensors::deserialize(&bytes).ok()?;
        // The hash of the rest is checked: a disk that lost power may hold a whole file of zeros.
        let (_, metadata) = SafeTensors::read_metadata(&bytes).ok()?;
        let parts = ["features", "logits", "spatial", "seen"].map(|name| file.tensor(name).ok());
        let data: Vec<&[u8]> = parts.iter().map(|t| t.as_ref().map_or(&[][..], TensorView::data)).collect();
        let hash = metadata.metadata().as_ref()?.get("sha256")?;
        if *hash != sha256_hex(&data.concat()) {
            return None;
        }
        let n = (range.end - range.start) as usize;
        let values = |part: usize| -> Option<Vec<f32>> {
            let values = data[part].as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b));
            let values: Vec<f32> = values.take(n * self.widths[part]).collect();
            (values.len() == n * self.widths[part]).then_some(values)
        };
        let outputs = Outputs { features: values(0)?, logits: values(1)?, spatial: values(2)? };
        let seen: Vec<Seen> = data[3].as_chunks::<SEEN>().0.iter().take(n).map(unpack).collect();
        (seen.len() == n).then_some((outputs, seen))
    }

    pub(super) fn writer(&self) -> Writer<'_> {
        Writer { shards: self, open: BTreeMap::new() }
    }
}

/// Shards that are being filled.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    shards: &'a Shards,
    open: BTreeMap<u64, Open>,
}

#[derive(Debug, Default)]
struct Open {
    parts: [Vec<u8>; 4],
    have: u64,
}

impl Writer<'_> {
    /// Adds consecutive pictures of a run over `n`; writes each shard that is complete by them.
    pub(super) fn push(&mut self, first: u64, outputs: &Outputs, seen: &[Seen], n: u64) -> Result<()> {
        let widths = self.shards.widths;
        for (i, seen) in seen.iter().enumerate() {
            let index = first + i as u64;
            let (number, slot) = (index / SHARD, (index % SHARD) as usize);
            let size = SHARD.min(n - number * SHARD);
            let open = self.open.entry(number).or_default();
            let rows = [&outputs.features, &outputs.logits, &outputs.spatial];
            for (part, (rows, width)) in rows.iter().zip(widths).enumerate() {
                open.parts[part].resize(size as usize * width * 4, 0);
                let into = open.parts[part].chunks_exact_mut(4).skip(slot * width);
                into.zip(&rows[i * width..(i + 1) * width])
                    .for_each(|(b, v)| b.copy_from_slice(&v.to_le_bytes()));
            }
            open.parts[3].resize(size as usize * SEEN, 0);
            open.parts[3][slot * SEEN..(slot + 1) * SEEN].copy_from_slice(&pack(*seen));
            open.have += 1;
            if open.have == size {
                let done = self.open.remove(&number).unwrap_or_default();
                write_whole(&self.shards.path(number), &serialise(&done, size as usize)?)?;
            }
        }
        Ok(())
    }
}

fn serialise(open: &Open, n: usize) -> Result<Vec<u8>> {
    let metadata = HashMap::from([("sha256".to_owned(), sha256_hex(&open.parts.concat()))]);
    let named = ["features", "logits", "spatial"].iter().zip(&open.parts);
    let mut views = Vec::new();
    for (name, data) in named.filter(|(_, data)| !data.is_empty()) {
        views.push((*name, TensorView::new(Dtype::F32, vec![n, data.len() / 4 / n], data)?));
    }
    views.push(("seen", TensorView::new(Dtype::U8, vec![n, SEEN], &open.parts[3])?));
    Ok(safetensors::serialize(views, Some(metadata))?)
}

fn pack(seen: Seen) -> [u8; SEEN] {
    let Facts { grey, transparent, deep, lossy } = seen.facts;
    let mut bytes = [0; SEEN];
    bytes[..32].copy_from_slice(&seen.digest);
    bytes[32..36].copy_from_slice(&[grey, transparent, deep, lossy].map(u8::from));
    bytes[36..40].copy_from_slice(&seen.size[0].to_le_bytes());
    bytes[40..].copy_from_slice(&seen.size[1].to_le_bytes());
    bytes
}

fn unpack(bytes: &[u8; SEEN]) -> Seen {
    let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let mut digest = [0; 32];
    digest.copy_from_slice(&bytes[..32]);
    let [grey, transparent, deep, lossy] = [32, 33, 34, 35].map(|at| bytes[at] != 0);
    Seen { digest, facts: Facts { grey, transparent, deep, lossy }, size: [word(36), word(40)] }
}
