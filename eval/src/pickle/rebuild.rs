//! What the known functions make of their arguments.

use super::machine::{Machine, limit};
use super::node::{Global, Id, Node, Storage, Tensor};
use super::refusal::{Refusal, Result};

/// Most dimensions of a tensor; those of convolutions over space and time have five.
const DIMENSIONS: usize = 8;

/// Longest key of a storage; old versions of PyTorch took memory addresses for keys.
const KEY: usize = 40;

impl<'a> Machine<'a> {
    /// A call of `function` with a tuple of `arguments`.
    pub(super) fn call(&mut self, function: Id, arguments: Id) -> Result<Node<'a>> {
        let arguments = self.as_tuple(arguments)?;
        match (&self.nodes[function as usize], arguments) {
            (Node::Global(Global::OrderedDict), []) => Ok(Node::Dict(Vec::new())),
            // Python 2 hands the entries over at once.
            (Node::Global(Global::OrderedDict), &[entries]) => self.entries(entries),
            (Node::Global(Global::RebuildTensor), [storage, offset, shape, stride, _, _, ..]) => {
                self.tensor(*storage, *offset, *shape, *stride).map(Node::Tensor)
            }
            (Node::Global(Global::RebuildParameter), [data, _, _]) => match &self.nodes[*data as usize] {
                Node::Tensor(tensor) => Ok(Node::Tensor(tensor.clone())),
                other => Err(Refusal::new(format!("a parameter in it is {}", other.kind()))),
            },
            (function, arguments) => {
                let (kind, count) = (function.kind(), arguments.len());
                Err(Refusal::new(format!(
                    "its pickle calls {kind} with {count} arguments, as weights do not"
                )))
            }
        }
    }

    /// A dictionary from a list of pairs. The list stays, so what is copied here counts against the limit of objects.
    fn entries(&mut self, list: Id) -> Result<Node<'a>> {
        let Node::List(list) = &self.nodes[list as usize] else {
            return Err(Refusal::new("a dictionary in it is made of something else than a list"));
        };
        let pair = |id: &Id| match &self.nodes[*id as usize] {
            Node::Tuple(items) | Node::List(items) if items.len() == 2 => Ok((items[0], items[1])),
            other => Err(Refusal::new(format!("an entry of a dictionary in it is {}", other.kind()))),
        };
        self.copied += list.len();
        limit(self.copied, "entries")?;
        Ok(Node::Dict(list.iter().map(pair).collect::<Result<_>>()?))
    }

    /// A persistent id: `("storage", type, key, device, count)`, in old files with a sixth `None`.
    pub(super) fn storage(&self, id: Id) -> Result<Storage<'a>> {
        let items = self.as_tuple(id)?;
        let (&[tag, class, key, _, count], rest) = items.split_first_chunk::<5>().ok_or_else(odd_storage)?;
        if self.as_text(tag)? != "storage" {
            return Err(odd_storage());
        }
        match rest {
            [] => {}
            [view] if matches!(self.nodes[*view as usize], Node::None) => {}
            _ => return Err(Refusal::new("it holds views of storages; save it with a newer PyTorch")),
        }
        let Node::Global(Global::Storage(dtype)) = self.nodes[class as usize] else {
            return Err(odd_storage());
        };
        let key = self.as_text(key)?;
        // Keys are decimal numbers; so are messages that show them harmless and short.
        if key.len() > KEY || !key.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(odd_storage());
        }
        Ok(Storage { key, dtype, count: self.as_count(count)? })
    }

    fn tensor(&self, storage: Id, offset: Id, shape: Id, stride: Id) -> Result<Tensor<'a>> {
        let Node::Storage(storage) = self.nodes[storage as usize] else {
            return Err(Refusal::new("a tensor in it has no storage"));
        };
        let counts = |id| match self.as_tuple(id)? {
            items if items.len() > DIMENSIONS => {
                Err(Refusal::new("a tensor in it has more dimensions than weights have"))
            }
            items => items.iter().map(|n| self.as_count(*n)).collect::<Result<Vec<u64>>>(),
        };
        let (offset, shape, strides) = (self.as_count(offset)?, counts(shape)?, counts(stride)?);
        let outside = || Refusal::new(format!("a tensor of storage `{}` reaches beyond it", storage.key));
        let count = shape.iter().try_fold(1_u64, |product, n| product.checked_mul(*n)).ok_or_else(outside)?;
        if offset.checked_add(count).is_none_or(|end| end > storage.count) {
            return Err(outside());
        }
        let mut dense = 1;
        let mut in_order = strides.len() == shape.len();
        for (size, stride) in shape.iter().zip(&strides).rev() {
            in_order &= *size <= 1 || *stride == dense;
            // Beside a size of 0, the others may be anything.
            dense = (*size).max(1).saturating_mul(dense);
        }
        if count > 0 && !in_order {
            let problem = "is not stored row by row; save it again after `.contiguous()`";
            return Err(Refusal::new(format!("a tensor of storage `{}` {problem}", storage.key)));
        }
        Ok(Tensor { storage, offset, shape, count })
    }

    fn as_tuple(&self, id: Id) -> Result<&[Id]> {
        match &self.nodes[id as usize] {
            Node::Tuple(items) => Ok(items),
            other => Err(Refusal::new(format!("its pickle has {} in place of a tuple", other.kind()))),
        }
    }

    pub(super) fn as_text(&self, id: Id) -> Result<&'a str> {
        match &self.nodes[id as usize] {
            Node::Text(text) => Ok(text),
            other => Err(Refusal::new(format!("its pickle has {} in place of a text", other.kind()))),
        }
    }

    fn as_count(&self, id: Id) -> Result<u64> {
        match &self.nodes[id as usize] {
            Node::Int(n) if *n >= 0 => Ok(*n as u64),
            Node::Int(n) => Err(Refusal::new(format!("its pickle has {n} in place of a count"))),
            other => Err(Refusal::new(format!("its pickle has {} in place of a count", other.kind()))),
        }
    }
}

fn odd_storage() -> Refusal {
    Refusal::new("a storage in it is described in an unknown way")
}
