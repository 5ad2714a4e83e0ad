//! Fidelity and diversity apart: precision and recall (Kynkäänniemi et al., arXiv 1904.06991, eq. 2 and 3), density and
//! coverage (Naeem et al., arXiv 2002.09797, eq. 3 and 4).
//!
//! All four ask which points of one set lie in the balls around points of the other that reach to the k-th nearest
//! neighbour of the own set, the point itself not counted. Following the papers' own code, a point *on* a sphere is inside
//! for precision and recall, and outside for density and coverage; within the error of a distance it is on the sphere.
//! Both sets should have the same count, and values of different counts or feature networks must not meet.

use super::features::check_pair;
use super::neighbours::{centre, each_tile, radii};
use crate::{Error, Result, tensors};
use tch::{Kind, Tensor};

/// Sizes of neighbourhoods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Neighbours {
    /// For precision and recall; the paper has 3.
    pub precision: u32,
    /// For density and coverage; the paper has 5.
    pub density: u32,
}

impl Default for Neighbours {
    fn default() -> Self {
        Self { precision: 3, density: 5 }
    }
}

/// The four values. For two equal sets without ties all are 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Manifold {
    /// Share of samples inside any ball of the reference: fidelity, in [0, 1].
    pub precision: f64,
    /// Share of reference points inside any ball of the samples: diversity, in [0, 1].
    pub recall: f64,
    /// Count of reference balls around a sample over k, mean over samples: fidelity that outliers of the reference cannot
    /// inflate; 0 to n / k, about 1 for equal distributions.
    pub density: f64,
    /// Share of reference balls with any sample: diversity, in [0, 1].
    pub coverage: f64,
}

/// Precision, recall, density and coverage in one pass over the distances, f64, by tiles.
///
/// # Shapes
/// samples: f32 `[n, d]`; reference: f32 `[m, d]`.
///
/// # Errors
/// [`Error::TooFew`] unless both sets have more points than the larger neighbourhood; a neighbourhood of 0; other kinds or
/// shapes, different d, values that are not finite.
pub fn manifold(samples: &Tensor, reference: &Tensor, k: Neighbours) -> Result<Manifold> {
    let ks = [i64::from(k.precision), i64::from(k.density)];
    if ks.contains(&0) {
        return Err(Error::Value {
            what: "size of a neighbourhood",
            expected: "at least 1",
            got: "0".to_owned(),
        });
    }
    let (n, m, _) = check_pair(samples, reference, (ks[0].max(ks[1]) + 1) as u64)?;
    let origin = centre(reference)?;
    let [real, real_open] = radii(reference, &origin, ks)?;
    let [fake, _] = radii(samples, &origin, ks)?;
    let (mut precise, mut recalled, mut covered) =
        (vec![false; n as usize], vec![false; m as usize], vec![false; m as usize]);
    let mut dense = 0_u64;
    // Rows are points of the reference, columns are samples.
    each_tile(reference, samples, &origin, |tile| {
        let size = tile.squared.size();
        let column = |radii: &Tensor| radii.f_narrow(0, tile.rows, size[0])?.f_unsqueeze(1);
        let row = fake.f_narrow(0, tile.columns, size[1])?.f_unsqueeze(0)?;
        let least = tile.squared.f_sub(&tile.tie)?;
        let inside_real = least.f_le_tensor(&column(&real)?)?;
        let inside_fake = least.f_le_tensor(&row)?;
        let open = tile.squared.f_add(&tile.tie)?.f_lt_tensor(&column(&real_open)?)?;
        mark(&mut precise, tile.columns, &inside_real.f_any_dim(0, false)?)?;
        mark(&mut recalled, tile.rows, &inside_fake.f_any_dim(1, false)?)?;
        mark(&mut covered, tile.rows, &open.f_any_dim(1, false)?)?;
        dense += open.f_sum(Kind::Int64)?.f_int64_value(&[])? as u64;
        Ok(())
    })?;
    let share = |marks: &[bool]| marks.iter().filter(|mark| **mark).count() as f64 / marks.len() as f64;
    Ok(Manifold {
        precision: share(&precise),
        recall: share(&recalled),
        density: dense as f64 / (ks[1] * n) as f64,
        coverage: share(&covered),
    })
}

/// Sets the marks of a tile's rows or columns that are true.
fn mark(marks: &mut [bool], first: i64, tile: &Tensor) -> Result<()> {
    let values: Vec<bool> = tensors::to_vec(tile)?;
    marks[first as usize..].iter_mut().zip(values).for_each(|(mark, value)| *mark |= value);
    Ok(())
}
