//! What a dynamic solver needs from the owner of the states.

use crate::{Error, Node, NoiseKey, Pred};

/// One question to the network.
#[derive(Debug)]
pub struct Query<'a, S> {
    /// The image, from 0 in the order of the starting states.
    pub image: usize,
    /// The state that the network sees.
    pub x: &'a S,
    /// Where the state stands; within a batch the nodes differ.
    pub node: Node,
    /// Where the step began that asks.
    pub start: Node,
    /// Which prediction.
    pub pred: Pred,
}

/// When the difference of two solutions counts as 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// Absolute part, positive.
    pub atol: f64,
    /// Part relative to the state, at least 0.
    pub rtol: f64,
}

/// Owns states and does arithmetic on them: the tensors of a program, or plain vectors in
/// [`Vectors`](super::Vectors).
///
/// A state is one image. An answer may depend on the image and on the question, never on what else is asked in the same
/// batch; then a result does not depend on which images run together.
pub trait Machine {
    /// One image in the middle of sampling.
    type State;
    /// What may go wrong, which includes what this crate finds wrong.
    type Error: From<Error>;

    /// Evaluates the network for all of `batch` and returns the predictions in its order. The machine may stack
    /// questions into one network call or split them into several.
    ///
    /// # Errors
    /// Whatever the network finds wrong.
    fn eval(&mut self, batch: &[Query<'_, Self::State>]) -> Result<Vec<Self::State>, Self::Error>;

    /// The sum of coefficient times state over `terms`, of which there is at least one.
    ///
    /// # Errors
    /// Whatever the arithmetic finds wrong.
    fn lin(&mut self, terms: &[(f64, &Self::State)]) -> Result<Self::State, Self::Error>;

    /// Standard normal noise for an image, a function of image and key alone.
    ///
    /// # Errors
    /// Whatever the noise source finds wrong.
    fn noise(&mut self, image: usize, key: NoiseKey) -> Result<Self::State, Self::Error>;

    /// The root of the mean over elements of `((hi - lo) / max(atol, rtol max(|lo|, |c before|)))^2`, where the
    /// coefficient `c`, positive, comes with the state `before`.
    ///
    /// # Errors
    /// Whatever the arithmetic finds wrong.
    fn error_norm(
        &mut self,
        hi: &Self::State,
        lo: &Self::State,
        before: (f64, &Self::State),
        tolerance: Tolerance,
    ) -> Result<f64, Self::Error>;

    /// For each pair the mean over elements of the squared difference. All at once, so that a device need be waited
    /// for only once.
    ///
    /// # Errors
    /// Whatever the arithmetic finds wrong.
    fn mean_squares(&mut self, pairs: &[(&Self::State, &Self::State)]) -> Result<Vec<f64>, Self::Error>;
}

/// [`Machine::lin`] without the terms of coefficient 0, so that an infinity or NaN behind one cannot spoil the sum.
pub(super) fn combine<M: Machine>(
    machine: &mut M,
    terms: impl IntoIterator<Item = (f64, impl std::borrow::Borrow<M::State>)>,
) -> Result<M::State, M::Error> {
    let kept: Vec<_> = terms.into_iter().filter(|(c, _)| *c != 0.0).collect();
    let terms: Vec<(f64, &M::State)> = kept.iter().map(|(c, x)| (*c, x.borrow())).collect();
    machine.lin(&terms)
}

/// [`Machine::mean_squares`] with a look at how many came back.
pub(super) fn mean_squares<M: Machine>(
    machine: &mut M,
    pairs: &[(&M::State, &M::State)],
) -> Result<Vec<f64>, M::Error> {
    let values = machine.mean_squares(pairs)?;
    if values.len() == pairs.len() {
        return Ok(values);
    }
    Err(Error::Answers { what: "mean squares", found: values.len(), expected: pairs.len() }.into())
}
