//! The objects that a pickle builds. They refer to one another by number, so that sharing costs nothing and nothing
//! recurses, not even dropping them.

use safetensors::Dtype;

/// Number of a [`Node`] in its pickle.
pub(super) type Id = u32;

#[derive(Debug, Clone)]
pub(super) enum Node<'a> {
    None,
    Bool(bool),
    Int(i64),
    /// An integer beyond 64 bits: little-endian, two's complement.
    Long(&'a [u8]),
    Float,
    Text(&'a str),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(Global),
    Storage(Storage<'a>),
    Tensor(Tensor<'a>),
}

impl Node<'_> {
    /// For messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Bool(_) => "a truth value",
            Self::Int(_) | Self::Long(_) => "an integer",
            Self::Float => "a number",
            Self::Text(_) => "a text",
            Self::Tuple(_) => "a tuple",
            Self::List(_) => "a list",
            Self::Dict(_) => "a dictionary",
            Self::Global(_) => "a function",
            Self::Storage(_) => "a storage",
            Self::Tensor(_) => "a tensor",
        }
    }
}

/// The functions and classes that a file of weights needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Global {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    Storage(Dtype),
}

/// A run of numbers outside the pickle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Storage<'a> {
    pub(super) key: &'a str,
    pub(super) dtype: Dtype,
    /// Count of numbers.
    pub(super) count: u64,
}

/// A dense, row-major part of a storage.
#[derive(Debug, Clone)]
pub(super) struct Tensor<'a> {
    pub(super) storage: Storage<'a>,
    /// Numbers of the storage before the first of the tensor.
    pub(super) offset: u64,
    pub(super) shape: Vec<u64>,
    pub(super) count: u64,
}

impl Global {
    /// The known global of that name.
    pub(super) fn named(module: &str, name: &str) -> Option<Self> {
        let dtype = match (module, name) {
            ("collections", "OrderedDict") => return Some(Self::OrderedDict),
            ("torch._utils", "_rebuild_tensor_v2") => return Some(Self::RebuildTensor),
            ("torch._utils", "_rebuild_parameter") => return Some(Self::RebuildParameter),
            ("torch", "DoubleStorage") => Dtype::F64,
            ("torch", "FloatStorage") => Dtype::F32,
            ("torch", "HalfStorage") => Dtype::F16,
            ("torch", "BFloat16Storage") => Dtype::BF16,
            ("torch", "LongStorage") => Dtype::I64,
            ("torch", "IntStorage") => Dtype::I32,
            ("torch", "ShortStorage") => Dtype::I16,
            ("torch", "CharStorage") => Dtype::I8,
            ("torch", "ByteStorage") => Dtype::U8,
            ("torch", "BoolStorage") => Dtype::BOOL,
            _ => return None,
        };
        Some(Self::Storage(dtype))
    }
}
