//! The format before PyTorch 1.6: magic number, version, machine, object, keys; then the storages in the order of the keys.

use super::checkpoint::{Checkpoint, storages_of, width};
use super::cursor::Cursor;
use super::machine::{Outcome, run};
use super::node::Node;
use super::refusal::{Refusal, Result, quoted};
use std::collections::BTreeMap;

/// 0x1950a86a20f9469cfc6c, little-endian.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
const VERSION: i64 = 1001;

pub(super) fn read(bytes: &[u8]) -> Result<Checkpoint<'_>> {
    let mut input = Cursor::new(bytes);
    if !matches!(run(&mut input)?.root(), Node::Long(magic) if *magic == MAGIC) {
        return Err(Refusal::new("it is a pickle, but not one of `torch.save`"));
    }
    match run(&mut input)?.root() {
        Node::Int(VERSION) => {}
        Node::Int(other) => return Err(Refusal::new(format!("its version is {other}, expected {VERSION}"))),
        _ => return Err(Refusal::new("it has no version")),
    }
    little_endian(&run(&mut input)?)?;
    let object = run(&mut input)?;
    let keys = run(&mut input)?;
    let storages = storages(&object, &keys, &mut input)?;
    Checkpoint::new(object, |key| storages.get(key).copied())
}

fn little_endian(machine: &Outcome<'_>) -> Result<()> {
    let Node::Dict(entries) = machine.root() else {
        return Err(Refusal::new("it does not say on what machine it was made"));
    };
    let big = entries.iter().any(|(key, value)| {
        let (key, value) = (&machine.nodes[*key as usize], &machine.nodes[*value as usize]);
        matches!((key, value), (Node::Text("little_endian"), Node::Bool(false)))
    });
    if big { Err(Refusal::new("it is big-endian; save it on another machine")) } else { Ok(()) }
}

/// Each storage is preceded by its count of numbers, eight bytes.
fn storages<'a>(
    object: &Outcome<'a>,
    keys: &Outcome<'a>,
    input: &mut Cursor<'a>,
) -> Result<BTreeMap<&'a str, &'a [u8]>> {
    let known = storages_of(object)?;
    let Node::List(list) = keys.root() else {
        return Err(Refusal::new("it does not list its storages"));
    };
    let mut found = BTreeMap::new();
    for key in list {
        let Node::Text(key) = keys.nodes[*key as usize] else {
            return Err(Refusal::new("a key of a storage is no text"));
        };
        let unused = || Refusal::new(format!("no tensor uses storage {}", quoted(key)));
        let storage = known.get(key).ok_or_else(unused)?;
        let count = u64::from_le_bytes(input.array()?);
        if count != storage.count {
            let problem = format!("storage `{key}` has {count} numbers, expected {}", storage.count);
            return Err(Refusal::new(problem));
        }
        let bytes = input.take(count.checked_mul(width(storage.dtype)).ok_or_else(Refusal::short)?)?;
        found.insert(key, bytes);
    }
    Ok(found)
}
