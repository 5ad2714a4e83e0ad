//! Distances between rows of two sets, tile by tile, and nearest neighbours.
//!
//! `|a - b|^2 = |a|^2 + |b|^2 - 2 a.b` in f64, after the mean of the reference is taken off both: the terms are then no
//! larger than the distances themselves, and the error of a squared distance is about 1e-15 (|a|^2 + |b|^2).

use super::features::tiles;
use crate::{Result, tensors};
use tch::{Kind, Tensor};

/// Relative error granted to a squared distance in comparisons: what is within it counts as equal.
pub(super) const TIE: f64 = 1e-12;

/// Squared distances of one tile of each set.
pub(super) struct Tile {
    /// First row of either tile.
    pub(super) rows: i64,
    pub(super) columns: i64,
    /// f64 `[rows of a, rows of b]`.
    pub(super) squared: Tensor,
    /// [`TIE`] in the units of `squared`, same shape.
    pub(super) tie: Tensor,
}

/// Mean row, f64 `[d]`: the origin for [`each_tile`].
pub(super) fn centre(features: &Tensor) -> Result<Tensor> {
    Ok(features.f_mean_dim(&[0_i64][..], false, Kind::Double)?)
}

/// Calls `visit` with the distances of all rows of `a` to all rows of `b`: for each tile of `a`, all tiles of `b`.
pub(super) fn each_tile(
    a: &Tensor,
    b: &Tensor,
    centre: &Tensor,
    mut visit: impl FnMut(&Tile) -> Result<()>,
) -> Result<()> {
    let norms = |x: &Tensor| x.f_square()?.f_sum_dim_intlist(&[1_i64][..], true, Kind::Double);
    for a in tiles(a) {
        let (rows, a) = a?;
        let a = a.f_sub(centre)?;
        let a_norms = norms(&a)?; // [rows, 1]
        for b in tiles(b) {
            let (columns, b) = b?;
            let b = b.f_sub(centre)?;
            let scale = a_norms.f_add(&norms(&b)?.f_tr()?)?;
            let squared = scale.f_sub(&a.f_matmul(&b.f_tr()?)?.f_mul_scalar(2.0)?)?.f_clamp_min(0.0)?;
            visit(&Tile { rows, columns, squared, tie: scale.f_mul_scalar(TIE)? })?;
        }
    }
    Ok(())
}

/// Squared distance of each row to its k-th nearest other row of the same set, for each k of `ks`: f64 `[n]` each.
pub(super) fn radii(features: &Tensor, centre: &Tensor, ks: [i64; 2]) -> Result<[Tensor; 2]> {
    // The row itself is among the nearest, at distance 0.
    let keep = ks[0].max(ks[1]) + 1;
    let mut nearest: Vec<Tensor> = Vec::new();
    each_tile(features, features, centre, |tile| {
        let candidates = match nearest.last() {
            Some(last) if tile.columns > 0 => Tensor::f_cat(&[last, &tile.squared], 1)?,
            _ => tile.squared.shallow_clone(),
        };
        let (best, _) = candidates.f_topk(keep.min(candidates.size()[1]), 1, false, true)?;
        if tile.columns > 0 {
            nearest.pop();
        }
        nearest.push(best);
        Ok(())
    })?;
    let nearest = Tensor::f_cat(&nearest, 0)?; // [n, keep]
    Ok([nearest.f_select(1, ks[0])?, nearest.f_select(1, ks[1])?])
}

/// Distance of each row of `a` to the nearest row of `b`, not squared. The nearest row is found by tiles, its distance then
/// computed afresh from the difference, so that a copy is at exactly 0.
pub(super) fn nearest(a: &Tensor, b: &Tensor) -> Result<Vec<f64>> {
    let (n, d) = (a.size()[0] as usize, a.size()[1] as usize);
    let mut best = vec![(f64::INFINITY, 0_usize); n];
    each_tile(a, b, &centre(b)?, |tile| {
        let (values, at) = tile.squared.f_min_dim(1, false)?;
        let (values, at) = (tensors::to_vec::<f64>(&values)?, tensors::to_vec::<i64>(&at)?);
        for (i, (value, at)) in values.into_iter().zip(at).enumerate() {
            let slot = &mut best[tile.rows as usize + i];
            if value < slot.0 {
                *slot = (value, (tile.columns + at) as usize);
            }
        }
        Ok(())
    })?;
    let (a, b) = (tensors::to_vec::<f32>(a)?, tensors::to_vec::<f32>(b)?);
    let exact = |(i, (_, j)): (usize, &(f64, usize))| {
        let pairs = a[i * d..(i + 1) * d].iter().zip(&b[j * d..(j + 1) * d]);
        pairs.map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum::<f64>().sqrt()
    };
    Ok(best.iter().enumerate().map(exact).collect())
}
