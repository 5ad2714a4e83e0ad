//! All parameters of a network in one vector, so that the optimiser and the moving average are single passes.

use fewstep_models::Params;
use tch::{Kind, Tensor};

/// A vector and the named pieces of it that the network uses.
#[derive(Debug)]
pub struct Flat {
    /// `[n]` f32.
    pub values: Tensor,
    layout: Vec<(String, Vec<i64>)>,
}

impl Flat {
    /// Copies `params` into one vector, in the order of their names.
    pub fn pack(params: &Params) -> Self {
        let pieces: Vec<Tensor> =
            params.values().map(|t| t.detach().to_kind(Kind::Float).reshape([-1])).collect();
        let layout = params.iter().map(|(name, t)| (name.clone(), t.size())).collect();
        Self { values: Tensor::cat(&pieces, 0), layout }
    }

    /// A vector of the same make, over other values.
    #[must_use]
    pub fn with_values(&self, values: Tensor) -> Self {
        Self { values, layout: self.layout.clone() }
    }

    /// The named tensors as views: a change of `values` is a change of them.
    pub fn views(&self) -> Params {
        let mut start = 0;
        self.layout
            .iter()
            .map(|(name, shape)| {
                let len = shape.iter().product::<i64>();
                let view = self.values.detach().narrow(0, start, len).view(shape.as_slice());
                start += len;
                (name.clone(), view)
            })
            .collect()
    }
}
