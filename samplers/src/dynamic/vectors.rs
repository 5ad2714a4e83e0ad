//! A machine on plain `f64` vectors: the reference, for tests and toy models.

use super::machine::{Machine, Query, Tolerance};
use crate::interpreter::Model;
use crate::{Error, NoiseKey, Result};

/// Vectors of `f64` with a [`Model`] in place of the network and a function in place of the noise source; the
/// counterpart of [`interpreter::run`](crate::interpreter::run).
#[derive(Debug)]
pub struct Vectors<'a, D: ?Sized, F> {
    model: &'a D,
    noise: F,
}

impl<'a, D: Model + ?Sized, F: FnMut(usize, NoiseKey) -> Vec<f64>> Vectors<'a, D, F> {
    /// A machine that asks `model`, and `noise(image, key)` for standard normal numbers.
    pub fn new(model: &'a D, noise: F) -> Self {
        Self { model, noise }
    }
}

/// Vectors are as long as the state that they belong to.
fn check(what: &'static str, v: Vec<f64>, expected: usize) -> Result<Vec<f64>> {
    if v.len() == expected { Ok(v) } else { Err(Error::Length { what, found: v.len(), expected }) }
}

impl<D: Model + ?Sized, F: FnMut(usize, NoiseKey) -> Vec<f64>> Machine for Vectors<'_, D, F> {
    type State = Vec<f64>;
    type Error = Error;

    fn eval(&mut self, batch: &[Query<'_, Vec<f64>>]) -> Result<Vec<Vec<f64>>> {
        batch
            .iter()
            .map(|q| check("the model's prediction", self.model.predict(q.x, &q.node, q.pred), q.x.len()))
            .collect()
    }

    fn lin(&mut self, terms: &[(f64, &Vec<f64>)]) -> Result<Vec<f64>> {
        let expected = terms.first().map_or(0, |(_, x)| x.len());
        let mut sum = vec![0.0; expected];
        for (c, x) in terms {
            if x.len() != expected {
                return Err(Error::Length { what: "a term", found: x.len(), expected });
            }
            for (s, v) in sum.iter_mut().zip(*x) {
                *s += c * v;
            }
        }
        Ok(sum)
    }

    fn noise(&mut self, image: usize, key: NoiseKey) -> Result<Vec<f64>> {
        Ok((self.noise)(image, key))
    }

    fn error_norm(
        &mut self,
        hi: &Vec<f64>,
        lo: &Vec<f64>,
        (c, before): (f64, &Vec<f64>),
        tolerance: Tolerance,
    ) -> Result<f64> {
        let square = |((hi, lo), before): ((&f64, &f64), &f64)| {
            let scale = tolerance.atol.max(tolerance.rtol * lo.abs().max((c * before).abs()));
            ((hi - lo) / scale).powi(2)
        };
        let sum: f64 = hi.iter().zip(lo).zip(before).map(square).sum();
        Ok((sum / hi.len() as f64).sqrt())
    }

    fn mean_squares(&mut self, pairs: &[(&Vec<f64>, &Vec<f64>)]) -> Result<Vec<f64>> {
        let mean = |(a, b): &(&Vec<f64>, &Vec<f64>)| {
            a.iter().zip(*b).map(|(a, b)| (a - b).powi(2)).sum::<f64>() / a.len() as f64
        };
        Ok(pairs.iter().map(mean).collect())
    }
}
