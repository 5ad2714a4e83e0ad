//! A checkpoint whose storages have been found.

use super::machine::Outcome;
use super::node::{Node, Storage, Tensor};
use super::refusal::{Refusal, Result, quoted};
use safetensors::Dtype;
use std::collections::BTreeMap;

/// What `torch.save` had saved.
#[derive(Debug)]
pub struct Checkpoint<'a> {
    outcome: Outcome<'a>,
    storages: BTreeMap<String, &'a [u8]>,
}

/// A tensor as the file holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredTensor<'a> {
    /// Type of the numbers.
    pub dtype: Dtype,
    /// Sizes, the slowest index first.
    pub shape: Vec<usize>,
    /// The numbers: little-endian, row-major. They lie within the bytes that were read.
    pub bytes: &'a [u8],
}

/// Bytes of one number, and the name that PyTorch gives the type.
pub(super) fn width(dtype: Dtype) -> u64 {
    dtype.bitsize() as u64 / 8
}

impl<'a> Checkpoint<'a> {
    /// Takes the bytes of each storage that is referred to from `find`, and checks their length.
    pub(super) fn new(outcome: Outcome<'a>, mut find: impl FnMut(&str) -> Option<&'a [u8]>) -> Result<Self> {
        let mut storages: BTreeMap<String, &'a [u8]> = BTreeMap::new();
        for storage in storages_of(&outcome)?.values() {
            let key = storage.key;
            let bytes = find(key).ok_or_else(|| Refusal::new(format!("storage `{key}` is missing")))?;
            if storage.count.checked_mul(width(storage.dtype)) != Some(bytes.len() as u64) {
                let (count, dtype, got) = (storage.count, storage.dtype, bytes.len());
                let problem =
                    format!("storage `{key}` has {got} bytes, expected {count} numbers of type {dtype:?}");
                return Err(Refusal::new(problem));
            }
            storages.insert(key.to_owned(), bytes);
        }
        Ok(Self { outcome, storages })
    }

    /// The tensors by name, when a dictionary of tensors is what was saved.
    ///
    /// # Errors
    /// [`Refusal`] when it was something else, or a name occurs twice.
    pub fn state_dict(&self) -> Result<BTreeMap<&'a str, StoredTensor<'a>>> {
        let Node::Dict(entries) = self.outcome.root() else {
            let kind = self.outcome.root().kind();
            return Err(Refusal::new(format!("it holds {kind}, expected a dictionary of tensors")));
        };
        let mut tensors = BTreeMap::new();
        for (key, value) in entries {
            let Node::Text(name) = self.outcome.nodes[*key as usize] else {
                let kind = self.outcome.nodes[*key as usize].kind();
                return Err(Refusal::new(format!("{kind} serves as a name, expected a text")));
            };
            let tensor = match &self.outcome.nodes[*value as usize] {
                Node::Tensor(tensor) => self.tensor(tensor)?,
                other => {
                    let (name, kind) = (quoted(name), other.kind());
                    return Err(Refusal::new(format!("{name} is {kind}, expected a tensor")));
                }
            };
            if tensors.insert(name, tensor).is_some() {
                return Err(Refusal::new(format!("{} occurs twice", quoted(name))));
            }
        }
        Ok(tensors)
    }

    fn tensor(&self, tensor: &Tensor<'a>) -> Result<StoredTensor<'a>> {
        let width = width(tensor.storage.dtype);
        // Products cannot overflow: the tensor lies within the storage, and that within memory.
        let (start, end) = (tensor.offset * width, (tensor.offset + tensor.count) * width);
        let storage = self.storages.get(tensor.storage.key).copied();
        let bytes =
            storage.and_then(|bytes| bytes.get(start as usize..end as usize)).ok_or_else(Refusal::short)?;
        let shape = tensor.shape.iter().map(|n| *n as usize).collect();
        Ok(StoredTensor { dtype: tensor.storage.dtype, shape, bytes })
    }
}

/// The storages that a pickle refers to, by key.
pub(super) fn storages_of<'a>(outcome: &Outcome<'a>) -> Result<BTreeMap<&'a str, Storage<'a>>> {
    let mut storages = BTreeMap::new();
    for node in &outcome.nodes {
        if let Node::Storage(storage) = node
            && storages.insert(storage.key, *storage).is_some_and(|other| other != *storage)
        {
            return Err(Refusal::new(format!("storage `{}` is described in two ways", storage.key)));
        }
    }
    Ok(storages)
}
