//! The stack machine: the opcodes that containers, numbers and tensors need.

use super::cursor::Cursor;
use super::node::{Global, Id, Node};
use super::refusal::{Refusal, Result, quoted};
use std::collections::HashMap;

/// Most objects, memo entries and places on the stack. A large model has some thousands.
const OBJECTS: usize = 1 << 20;
/// Most opcodes.
const STEPS: usize = 1 << 24;

/// What is left of a pickle that ran to its end.
#[derive(Debug)]
pub(super) struct Outcome<'a> {
    pub(super) nodes: Vec<Node<'a>>,
    pub(super) root: Id,
}

impl<'a> Outcome<'a> {
    pub(super) fn root(&self) -> &Node<'a> {
        &self.nodes[self.root as usize]
    }
}

#[derive(Default)]
pub(super) struct Machine<'a> {
    pub(super) nodes: Vec<Node<'a>>,
    stack: Vec<Id>,
    /// Heights of the stack at the open marks.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
    /// Entries of dictionaries that were made from lists.
    pub(super) copied: usize,
}

/// Runs one pickle from where the cursor stands; leaves the cursor behind it.
pub(super) fn run<'a>(input: &mut Cursor<'a>) -> Result<Outcome<'a>> {
    let mut machine = Machine::default();
    for _ in 0..STEPS {
        let opcode = input.byte()?;
        if opcode == b'.' {
            let root = machine.pop()?;
            return Ok(Outcome { nodes: machine.nodes, root });
        }
        machine.step(opcode, input)?;
    }
    Err(too_many("steps"))
}

pub(super) fn limit(count: usize, what: &str) -> Result<()> {
    if count < OBJECTS { Ok(()) } else { Err(too_many(what)) }
}

fn too_many(what: &str) -> Refusal {
    Refusal::new(format!("its pickle has more {what} than weights need"))
}

impl<'a> Machine<'a> {
    fn step(&mut self, opcode: u8, input: &mut Cursor<'a>) -> Result<()> {
        match opcode {
            // PROTO, FRAME: nothing that matters here.
            0x80 => _ = input.byte()?,
            0x95 => _ = input.array::<8>()?,
            // constants
            b'N' => self.push(Node::None)?,
            0x88 => self.push(Node::Bool(true))?,
            0x89 => self.push(Node::Bool(false))?,
            b'K' => self.push(Node::Int(input.byte()?.into()))?,
            b'M' => self.push(Node::Int(u16::from_le_bytes(input.array()?).into()))?,
            b'J' => self.push(Node::Int(i32::from_le_bytes(input.array()?).into()))?,
            0x8a => {
                let count = input.byte()?;
                self.push(integer(input.take(count.into())?))?;
            }
            b'G' => {
                input.array::<8>()?;
                self.push(Node::Float)?;
            }
            // texts, among them those of Python 2
            b'X' | b'T' => self.text(u32::from_le_bytes(input.array()?).into(), input)?,
            b'U' | 0x8c => self.text(input.byte()?.into(), input)?,
            0x8d => self.text(u64::from_le_bytes(input.array()?), input)?,
            // containers
            b'(' => {
                limit(self.marks.len(), "marks")?;
                self.marks.push(self.stack.len());
            }
            b')' => self.push(Node::Tuple(Vec::new()))?,
            0x85..=0x87 => {
                let items = self.take(usize::from(opcode - 0x84))?;
                self.push(Node::Tuple(items))?;
            }
            b't' => {
                let items = self.take_to_mark()?;
                self.push(Node::Tuple(items))?;
            }
            b']' => self.push(Node::List(Vec::new()))?,
            b'a' => {
                let items = self.take(1)?;
                self.append(&items)?;
            }
            b'e' => {
                let items = self.take_to_mark()?;
                self.append(&items)?;
            }
            b'}' => self.push(Node::Dict(Vec::new()))?,
            b's' => {
                let items = self.take(2)?;
                self.set(&items)?;
            }
            b'u' => {
                let items = self.take_to_mark()?;
                self.set(&items)?;
            }
            // memo
            b'q' => self.remember(input.byte()?.into())?,
            b'r' => self.remember(u32::from_le_bytes(input.array()?))?,
            0x94 => self.remember(self.memo.len() as u32)?,
            b'h' => self.recall(input.byte()?.into())?,
            b'j' => self.recall(u32::from_le_bytes(input.array()?))?,
            // objects
            b'c' => {
                let (module, name) = (input.line()?, input.line()?);
                self.global(module, name)?;
            }
            0x93 => {
                let items = self.take(2)?;
                let (module, name) = (self.as_text(items[0])?, self.as_text(items[1])?);
                self.global(module, name)?;
            }
            b'R' => {
                let items = self.take(2)?;
                let made = self.call(items[0], items[1])?;
                self.push(made)?;
            }
            b'Q' => {
                let id = self.pop()?;
                let storage = self.storage(id)?;
                self.push(Node::Storage(storage))?;
            }
            b'b' => self.build()?,
            other => {
                return Err(Refusal::new(format!(
                    "its pickle uses opcode 0x{other:02x}, which weights have no need of; nothing was executed"
                )));
            }
        }
        Ok(())
    }

    fn push(&mut self, node: Node<'a>) -> Result<()> {
        limit(self.nodes.len(), "objects")?;
        self.nodes.push(node);
        self.push_id(self.nodes.len() as Id - 1)
    }

    fn push_id(&mut self, id: Id) -> Result<()> {
        limit(self.stack.len(), "objects on its stack")?;
        self.stack.push(id);
        Ok(())
    }

    /// The topmost `count` objects above the last mark, lowest first.
    fn take(&mut self, count: usize) -> Result<Vec<Id>> {
        let floor = self.marks.last().copied().unwrap_or_default();
        match self.stack.len().checked_sub(count).filter(|at| *at >= floor) {
            Some(at) => Ok(self.stack.split_off(at)),
            None => Err(Refusal::new("its pickle takes more from the stack than there is")),
        }
    }

    fn pop(&mut self) -> Result<Id> {
        Ok(self.take(1)?[0])
    }

    fn take_to_mark(&mut self) -> Result<Vec<Id>> {
        let mark = self.marks.pop().ok_or_else(|| Refusal::new("its pickle lacks a mark"))?;
        Ok(self.stack.split_off(mark))
    }

    /// The object that the next opcode works on and leaves where it is.
    fn top(&self) -> Result<Id> {
        let floor = self.marks.last().copied().unwrap_or_default();
        match self.stack.last() {
            Some(id) if self.stack.len() > floor => Ok(*id),
            _ => Err(Refusal::new("its pickle takes more from the stack than there is")),
        }
    }

    fn text(&mut self, count: u64, input: &mut Cursor<'a>) -> Result<()> {
        let text = input.text(count)?;
        self.push(Node::Text(text))
    }

    fn append(&mut self, items: &[Id]) -> Result<()> {
        let at = self.top()? as usize;
        match &mut self.nodes[at] {
            Node::List(list) => list.extend(items),
            other => return Err(Refusal::new(format!("its pickle appends to {}", other.kind()))),
        }
        Ok(())
    }

    fn set(&mut self, items: &[Id]) -> Result<()> {
        let at = self.top()? as usize;
        let (pairs, []) = items.as_chunks::<2>() else {
            return Err(Refusal::new("its pickle has a key without a value"));
        };
        match &mut self.nodes[at] {
            Node::Dict(entries) => entries.extend(pairs.iter().map(|[key, value]| (*key, *value))),
            other => return Err(Refusal::new(format!("its pickle sets an entry of {}", other.kind()))),
        }
        Ok(())
    }

    fn remember(&mut self, place: u32) -> Result<()> {
        limit(self.memo.len(), "memo entries")?;
        let id = self.top()?;
        self.memo.insert(place, id);
        Ok(())
    }

    fn recall(&mut self, place: u32) -> Result<()> {
        let id = self.memo.get(&place).copied();
        self.push_id(
            id.ok_or_else(|| Refusal::new(format!("its pickle recalls entry {place}, which it never kept")))?,
        )
    }

    fn global(&mut self, module: &str, name: &str) -> Result<()> {
        let global = Global::named(module, name).ok_or_else(|| {
            let name = quoted(&format!("{module}.{name}"));
            Refusal::new(format!(
                "its pickle refers to {name}, which weights have no need of; nothing was executed"
            ))
        })?;
        self.push(Node::Global(global))
    }

    /// BUILD gives an object its attributes. A dictionary may have some (PyTorch keeps `_metadata` there); they are
    /// dropped.
    fn build(&mut self) -> Result<()> {
        self.pop()?;
        match &self.nodes[self.top()? as usize] {
            Node::Dict(_) => Ok(()),
            other => Err(Refusal::new(format!("its pickle sets attributes of {}", other.kind()))),
        }
    }
}

/// A little-endian integer in two's complement, of any length.
fn integer(bytes: &[u8]) -> Node<'_> {
    if bytes.len() > 8 {
        return Node::Long(bytes);
    }
    let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
    let mut wide = if negative { [0xff; 8] } else { [0; 8] };
    wide[..bytes.len()].copy_from_slice(bytes);
    Node::Int(i64::from_le_bytes(wide))
}
