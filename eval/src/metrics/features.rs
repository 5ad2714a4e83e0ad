//! Matrices of features at the door of a metric.

use crate::{Error, Result, tensors};
use tch::{Kind, Tensor};

/// Rows in a tile of pairwise work: with the widest features (2048) two tiles and their products take 50 MB.
pub(super) const TILE: i64 = 1024;

/// Checks f32 `[n, d]` with at least `need` rows of finite numbers; gives n and d.
pub(super) fn check(what: &'static str, features: &Tensor, need: u64) -> Result<(i64, i64)> {
    tensors::expect(what, features, Kind::Float, &[-1, -1])?;
    let size = features.size();
    if (size[0] as u64) < need {
        return Err(Error::TooFew { what, need, n: size[0] as u64 });
    }
    if features.f_isfinite()?.f_all()?.f_int64_value(&[])? == 0 {
        return Err(Error::NonFinite { what: what.to_owned() });
    }
    Ok((size[0], size[1]))
}

/// [`check`] for two sets in one space; gives both counts and d.
pub(super) fn check_pair(samples: &Tensor, reference: &Tensor, need: u64) -> Result<(i64, i64, i64)> {
    let (n, d) = check("features of the samples", samples, need)?;
    let (m, e) = check("features of the reference", reference, need)?;
    if d != e {
        let (left, right) = (d.to_string(), e.to_string());
        return Err(Error::Mismatch { what: "feature lengths", left, right });
    }
    Ok((n, m, d))
}

/// First row and f64 copy of each tile of at most [`TILE`] rows.
pub(super) fn tiles(features: &Tensor) -> impl Iterator<Item = Result<(i64, Tensor)>> + '_ {
    let n = features.size()[0];
    (0..n).step_by(TILE as usize).map(move |first| {
        Ok((first, features.f_narrow(0, first, TILE.min(n - first))?.f_to_kind(Kind::Double)?))
    })
}
