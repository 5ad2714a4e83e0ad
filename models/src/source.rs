//! Where a network's tensors come from: a checkpoint, or a fresh start for training.
//!
//! A network is written once, against [`Scope`]; whether it is filled from a file or initialised is decided outside.

use std::cell::RefCell;
use std::fmt::Display;

use tch::{Device, Kind, Tensor};

use crate::params::Params;

/// How a tensor starts when a network is trained from nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// Uniform in `±1/sqrt(fan_in)`, the usual start of convolutions, linear layers and their biases.
    Uniform {
        /// Number of inputs that one output sums.
        fan_in: i64,
    },
    /// Standard normal, the usual start of an embedding table.
    Normal,
    /// A constant: 1 for the scale of a norm, 0 for a layer that starts silent.
    Const(f64),
}

/// Gives tensors by name; see [`Scope`].
pub trait Source {
    /// The tensor `name` of `shape`. A source that lacks it notes the problem and gives zeros of that shape, so that
    /// one pass over the network finds every problem.
    fn tensor(&mut self, name: &str, shape: &[i64], init: Init) -> Tensor;
}

/// A place in the tree of weight names, as `down_blocks.0.resnets.1`.
#[derive(Clone)]
pub struct Scope<'a> {
    source: &'a RefCell<dyn Source + 'a>,
    prefix: String,
}

impl<'a> Scope<'a> {
    /// The root of `source`.
    pub fn root(source: &'a RefCell<dyn Source + 'a>) -> Self {
        Self { source, prefix: String::new() }
    }

    /// One level down.
    #[must_use]
    pub fn at(&self, part: impl Display) -> Self {
        Self { source: self.source, prefix: self.name(part) }
    }

    /// The tensor called `name` here.
    pub fn tensor(&self, name: &str, shape: &[i64], init: Init) -> Tensor {
        self.source.borrow_mut().tensor(&self.name(name), shape, init)
    }

    fn name(&self, part: impl Display) -> String {
        if self.prefix.is_empty() { part.to_string() } else { format!("{}.{part}", self.prefix) }
    }
}

/// Fresh tensors for training, drawn from libtorch's global generator; call `tch::manual_seed` first.
pub struct Fresh {
    device: Device,
    params: Params,
}

impl Fresh {
    /// An empty source that makes f32 tensors on `device`.
    pub fn new(device: Device) -> Self {
        Self { device, params: Params::new() }
    }

    /// Every tensor made so far, by name. They share storage with the network's own.
    pub fn into_params(self) -> Params {
        self.params
    }
}

impl Source for Fresh {
    fn tensor(&mut self, name: &str, shape: &[i64], init: Init) -> Tensor {
        let options = (Kind::Float, self.device);
        let tensor = match init {
            Init::Uniform { fan_in } => {
                let bound = 1.0 / (fan_in as f64).sqrt();
                Tensor::rand(shape, options) * (2.0 * bound) - bound
            }
            Init::Normal => Tensor::randn(shape, options),
            Init::Const(value) => Tensor::full(shape, value, options),
        };
        self.params.insert(name.to_owned(), tensor.shallow_clone());
        tensor
    }
}

/// Hands a network tensors that exist already, such as those of another instance or of an optimiser. They are shared,
/// not copied.
#[derive(Debug)]
pub struct Given<'a>(pub &'a Params);

impl Source for Given<'_> {
    fn tensor(&mut self, name: &str, shape: &[i64], _init: Init) -> Tensor {
        let tensor = self.0.get(name).map(Tensor::shallow_clone);
        tensor.filter(|t| t.size() == shape).unwrap_or_else(|| {
            // The names and shapes come from the same network a moment ago.
            unreachable!("`{name}` {shape:?} is not among the parameters")
        })
    }
}
