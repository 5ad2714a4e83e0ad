//! The weights, read from the file that the field shares.

use super::layout;
use crate::feature::strict::{self, Stored};
use crate::{Error, Result, pickle, sha256_hex};
use safetensors::{Dtype, tensor::TensorView};
use std::collections::BTreeMap;
use std::path::Path;

/// Name of the architecture.
pub(super) const NETWORK: &str = "inception-2015";

/// Whether weights other than the official ones may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Only a file whose SHA-256 starts with [`Weights::OFFICIAL`]: its values compare with the literature.
    Official,
    /// Any file that fits the network. Its values compare with those of the same file only.
    Any,
}

/// All 472 weights of the network, f32.
pub struct Weights {
    values: BTreeMap<String, Vec<f32>>,
    sha256: String,
}

impl std::fmt::Debug for Weights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Weights").field("sha256", &self.sha256).finish_non_exhaustive()
    }
}

impl Weights {
    /// First digits of the SHA-256 of `pt_inception-2015-12-05-6726825d.pth`, by which its name ends.
    pub const OFFICIAL: &'static str = "6726825d";

    /// Reads a PyTorch checkpoint (either format of `torch.save`) or a safetensors file. Nothing in it is executed.
    ///
    /// # Errors
    /// [`Error::Read`]; [`Error::Checkpoint`] when the file is broken, or holds other names, shapes or types, or, under
    /// [`Trust::Official`], when its hash is not the official one.
    pub fn open(path: &Path, trust: Trust) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|reason| Error::Read { path: path.to_owned(), reason })?;
        Self::from_bytes(&path.display().to_string(), &bytes, trust)
    }

    /// [`Weights::open`] for a file in memory; `file` names it in messages.
    ///
    /// # Errors
    /// As there.
    pub fn from_bytes(file: &str, bytes: &[u8], trust: Trust) -> Result<Self> {
        let refuse = |problems| Error::Checkpoint { file: file.to_owned(), network: NETWORK, problems };
        let sha256 = sha256_hex(bytes);
        let specs = layout::weights();
        let stored = stored(bytes).map_err(|problem| refuse(vec![problem]))?;
        let named = specs.iter().map(|(name, shape)| (name.as_str(), shape.as_slice()));
        let values = strict::values(named, stored).map_err(refuse)?;
        let negative =
            |(name, v): &(&String, &Vec<f32>)| name.ends_with("running_var") && v.iter().any(|v| *v < 0.0);
        let negative: Vec<String> = values
            .iter()
            .filter(negative)
            .map(|(name, _)| format!("`{name}` holds a negative variance"))
            .collect();
        if !negative.is_empty() {
            return Err(refuse(negative));
        }
        let weights = Self { values, sha256 };
        if trust == Trust::Official && !weights.is_official() {
            let got = weights.sha8();
            let problem =
                format!("its sha256 starts with {got}, that of the official file with {}", Self::OFFICIAL);
            return Err(refuse(vec![problem]));
        }
        Ok(weights)
    }

    /// Weights that fit the network by construction; the hash is that of [`Weights::to_safetensors`].
    pub(super) fn of_values(values: BTreeMap<String, Vec<f32>>) -> Result<Self> {
        let mut weights = Self { values, sha256: String::new() };
        weights.sha256 = sha256_hex(&weights.to_safetensors()?);
        Ok(weights)
    }

    /// The weights as a safetensors file, f32. Its hash is not that of the file they came from.
    ///
    /// # Errors
    /// When the format cannot hold them.
    pub fn to_safetensors(&self) -> Result<Vec<u8>> {
        let unfit = |e| Error::Weights { network: NETWORK.to_owned(), problems: vec![format!("{e}")] };
        let blobs: Vec<(String, Vec<usize>, Vec<u8>)> = layout::weights()
            .into_iter()
            .map(|(name, shape)| {
                let bytes =
                    self.get(&name).unwrap_or_default().iter().flat_map(|v| v.to_le_bytes()).collect();
                (name, shape.iter().map(|s| *s as usize).collect(), bytes)
            })
            .collect();
        let views = blobs
            .iter()
            .map(|(name, shape, bytes)| {
                Ok((name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes)?))
            })
            .collect::<std::result::Result<Vec<_>, _>>();
        safetensors::serialize(views.map_err(unfit)?, None).map_err(unfit)
    }

    /// SHA-256 of the file, 64 lower-case hexadecimal digits.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// First eight digits of [`Weights::sha256`], to be printed with every value.
    pub fn sha8(&self) -> &str {
        &self.sha256[..Self::OFFICIAL.len()]
    }

    /// Whether this is the file that the literature uses.
    pub fn is_official(&self) -> bool {
        self.sha8() == Self::OFFICIAL
    }

    /// The values of a weight, row-major.
    pub fn get(&self, name: &str) -> Option<&[f32]> {
        self.values.get(name).map(Vec::as_slice)
    }
}

/// The tensors of a file of any of the three formats, or why it has none.
fn stored(bytes: &[u8]) -> std::result::Result<BTreeMap<String, Stored<'_>>, String> {
    if !pickle::is_checkpoint(bytes) {
        return strict::safetensors(bytes);
    }
    let checkpoint = pickle::read(bytes).map_err(|refusal| refusal.to_string())?;
    let tensors = checkpoint.state_dict().map_err(|refusal| refusal.to_string())?;
    let stored = tensors.into_iter().map(|(name, tensor)| {
        let shape = tensor.shape.iter().map(|s| *s as i64).collect();
        (name.to_owned(), Stored { dtype: tensor.dtype, shape, bytes: tensor.bytes })
    });
    Ok(stored.collect())
}
