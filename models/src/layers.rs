//! The few layers that the networks are made of: plain tensors and one `forward` each.

use tch::{Kind, Tensor};

use crate::source::{Init, Scope};

/// The same values with the second axis fastest in memory, which libtorch calls the channels-last format.
///
/// # Shapes
/// `[b, c, h, w]`, kept; of other ranks nothing changes
pub fn channels_last(x: &Tensor) -> Tensor {
    let size = x.size();
    let [_, c, h, w] = size[..] else { return x.shallow_clone() };
    // Of one channel both orders are the same memory, and only the strides say which is meant.
    x.permute([0, 2, 3, 1]).contiguous().as_strided(&size, [h * w * c, 1, w * c, c], None)
}

/// 2-D convolution with a square kernel and a bias.
#[derive(Debug)]
pub struct Conv2d {
    weight: Tensor,
    bias: Tensor,
    stride: i64,
    padding: i64,
}

impl Conv2d {
    /// `weight: [cout, cin, kernel, kernel]`, `bias: [cout]`.
    pub fn new(scope: &Scope<'_>, cin: i64, cout: i64, kernel: i64, stride: i64, padding: i64) -> Self {
        let init = Init::Uniform { fan_in: cin * kernel * kernel };
        Self::with_init(scope, [cout, cin, kernel, kernel], stride, padding, init)
    }

    /// A convolution that starts silent: the network begins as the identity plus nothing.
    pub fn zero(scope: &Scope<'_>, cin: i64, cout: i64, kernel: i64, padding: i64) -> Self {
        Self::with_init(scope, [cout, cin, kernel, kernel], 1, padding, Init::Const(0.0))
    }

    fn with_init(scope: &Scope<'_>, shape: [i64; 4], stride: i64, padding: i64, init: Init) -> Self {
        let weight = scope.tensor("weight", &shape, init);
        let bias = scope.tensor("bias", &shape[..1], init);
        Self { weight, bias, stride, padding }
    }

    /// # Shapes
    /// `[b, cin, h, w] -> [b, cout, h', w']`
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.conv2d(&self.weight, Some(&self.bias), [self.stride; 2], [self.padding; 2], [1, 1], 1)
    }
}

/// Affine map of the last axis.
#[derive(Debug)]
pub struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    /// `weight: [cout, cin]`, `bias: [cout]`.
    pub fn new(scope: &Scope<'_>, cin: i64, cout: i64) -> Self {
        let init = Init::Uniform { fan_in: cin };
        Self { weight: scope.tensor("weight", &[cout, cin], init), bias: scope.tensor("bias", &[cout], init) }
    }

    /// # Shapes
    /// `[.., cin] -> [.., cout]`
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.linear(&self.weight, Some(&self.bias))
    }
}

/// Group normalisation with an affine map per channel.
#[derive(Debug)]
pub struct GroupNorm {
    weight: Tensor,
    bias: Tensor,
    groups: i64,
    eps: f64,
}

impl GroupNorm {
    /// `weight, bias: [channels]`; `groups` divides `channels`.
    pub fn new(scope: &Scope<'_>, channels: i64, groups: i64, eps: f64) -> Self {
        Self {
            weight: scope.tensor("weight", &[channels], Init::Const(1.0)),
            bias: scope.tensor("bias", &[channels], Init::Const(0.0)),
            groups,
            eps,
        }
    }

    /// # Shapes
    /// `[b, channels, ..]`, kept.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.group_norm(self.groups, Some(&self.weight), Some(&self.bias), self.eps, false)
    }
}

/// A table of vectors, one for each label.
#[derive(Debug)]
pub struct Embedding {
    weight: Tensor,
}

impl Embedding {
    /// `weight: [count, dim]`.
    pub fn new(scope: &Scope<'_>, count: i64, dim: i64) -> Self {
        Self { weight: scope.tensor("weight", &[count, dim], Init::Normal) }
    }

    /// # Shapes
    /// labels `[b]` (i64, `0..count`) `-> [b, dim]`
    pub fn forward(&self, labels: &Tensor) -> Tensor {
        Tensor::embedding(&self.weight, labels, -1, false, false)
    }

    /// The dtype that everything after the embedding runs in.
    pub fn kind(&self) -> Kind {
        self.weight.kind()
    }
}
