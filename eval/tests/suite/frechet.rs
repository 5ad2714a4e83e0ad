//! The Fréchet distance against closed forms.

use crate::common::{Lcg, close, one_thread};
use fewstep_eval::Error;
use fewstep_eval::stats::{Moments, Reference};

fn diagonal(values: &[f64]) -> Vec<f64> {
    let d = values.len();
    (0..d * d).map(|i| if i % (d + 1) == 0 { values[i / (d + 1)] } else { 0.0 }).collect()
}

fn gaussian(mean: &[f64], covariance: &[f64]) -> Moments {
    Moments::from_covariance(1_000_000, mean, covariance).unwrap()
}

fn fd(a: &Moments, b: &Moments) -> f64 {
    Reference::new(a).unwrap().distance(b).unwrap().fd
}

/// `n` rows of correlated noise whose standard deviations fall off as 1 / (1 + j).
fn samples(n: usize, d: usize, seed: u64) -> Vec<f32> {
    let mut rng = Lcg(seed);
    let mut rows = Vec::new();
    for _ in 0..n {
        let shared = rng.normal();
        rows.extend((0..d).map(|j| ((shared * 0.5 + rng.normal()) / (1 + j) as f64) as f32));
    }
    rows
}

#[test]
fn diagonal_gaussians() {
    one_thread();
    let (va, vb) = ([4.0, 1.0, 0.25, 9.0], [1.0, 1.0, 2.25, 16.0]);
    let report = Reference::new(&gaussian(&[0.0, 1.0, 2.0, 3.0], &diagonal(&va)))
        .unwrap()
        .distance(&gaussian(&[1.0, 1.0, 0.0, 3.0], &diagonal(&vb)))
        .unwrap();
    let expected: f64 = va.iter().zip(&vb).map(|(a, b): (&f64, &f64)| (a.sqrt() - b.sqrt()).powi(2)).sum();
    close(report.mean_term, 5.0, 1e-12);
    close(report.cov_term, expected, 1e-11);
    close(report.fd, 5.0 + expected, 1e-11);
}

#[test]
fn scaled_covariance_gives_the_squared_change_of_scale_times_the_trace() {
    one_thread();
    let a = Moments::of_rows(&samples(500, 12, 1), 12);
    let covariance = a.covariance().unwrap();
    let trace: f64 = (0..12).map(|i| covariance[i * 13]).sum();
    for s in [0.1, 0.9, 3.0] {
        let scaled: Vec<f64> = covariance.iter().map(|c| c * s * s).collect();
        close(fd(&a, &gaussian(a.mean(), &scaled)), (1.0 - s).powi(2) * trace, 1e-10);
    }
}

#[test]
fn two_by_two() {
    one_thread();
    // For 2x2 matrices, tr sqrt(M) = sqrt(tr M + 2 sqrt(det M)) with M = S1 S2.
    let (a, b) = ([2.0, 0.7, 0.7, 1.0], [1.5, -0.4, -0.4, 3.0]);
    let trace = a[0] * b[0] + a[1] * b[2] + a[2] * b[1] + a[3] * b[3];
    let det = (a[0] * a[3] - a[1] * a[2]) * (b[0] * b[3] - b[1] * b[2]);
    let expected = 3.0 + 4.5 - 2.0 * (trace + 2.0 * f64::sqrt(det)).sqrt();
    close(fd(&gaussian(&[0.0, 0.0], &a), &gaussian(&[0.0, 0.0], &b)), expected, 1e-12);
}

#[test]
fn zero_for_equal_inputs_even_when_badly_conditioned() {
    one_thread();
    // Spectrum over ten decades: a floor on the eigenvalues of S1 S2 would drop roots worth 1e-5 here.
    let spread: Vec<f64> = (0..32).map(|i| 100.0 * 10_f64.powf(-f64::from(i) / 3.0)).collect();
    let spread = gaussian(&[1.0; 32], &diagonal(&spread));
    let sampled = Moments::of_rows(&samples(3_000, 64, 2), 64);
    let deficient = Moments::of_rows(&samples(20, 64, 3), 64);
    let constant = Moments::of_rows(&[1.0, 2.0, 1.0, 2.0], 2);
    for x in [spread, sampled, deficient, constant] {
        close(fd(&x, &x), 0.0, 1e-9);
    }
}

#[test]
fn symmetric_whatever_the_ranks() {
    one_thread();
    let full = Moments::of_rows(&samples(900, 64, 4), 64);
    let (few, fewer) = (Moments::of_rows(&samples(40, 64, 5), 64), Moments::of_rows(&samples(20, 64, 6), 64));
    for (a, b) in [(&full, &few), (&full, &fewer), (&few, &fewer)] {
        close(fd(a, b), fd(b, a), 1e-10);
    }
    assert_eq!(Reference::new(&few).unwrap().rank(), 39);
    let report = Reference::new(&full).unwrap().distance(&few).unwrap();
    assert!(report.rank_deficient && report.n_samples == 40 && report.n_reference == 900);
}

#[test]
fn rank_deficient_samples_agree_with_the_gram_matrix() {
    one_thread();
    // tr (S1 S2)^(1/2) of n < d samples from the n x n matrix X S1 X^T / (n - 1), X centred rows.
    let (n, d) = (20, 64);
    let reference = Moments::of_rows(&samples(2_000, d, 7), d);
    let rows = samples(n, d, 8);
    let few = Moments::of_rows(&rows, d);
    let x: Vec<f64> = rows.iter().enumerate().map(|(i, v)| f64::from(*v) - few.mean()[i % d]).collect();
    let x = tch::Tensor::from_slice(&x).view([n as i64, d as i64]);
    let s1 = tch::Tensor::from_slice(&reference.covariance().unwrap()).view([d as i64, d as i64]);
    let gram = x.matmul(&s1).matmul(&x.tr()) / (n - 1) as f64;
    // Centring takes one dimension away; its eigenvalue is rounding noise.
    let overlap = gram.linalg_eigvalsh("L").narrow(0, 1, n as i64 - 1).sqrt().sum(tch::Kind::Double);
    let trace = |m: &Moments| (0..d).map(|i| m.covariance().unwrap()[i * (d + 1)]).sum::<f64>();
    let expected = trace(&reference) + trace(&few) - 2.0 * overlap.double_value(&[]);
    let report = Reference::new(&reference).unwrap().distance(&few).unwrap();
    close(report.cov_term, expected, 1e-10);
}

#[test]
fn the_floor_predicts_the_bias_of_gaussian_samples() {
    one_thread();
    let d = 32;
    let scale = |j: usize| 1.0 / (1.0 + j as f64 / 8.0);
    // Covariance of `0.5 shared + own` noise, scaled by column; the reference is exact, so its n is as good as infinite.
    let covariance: Vec<f64> = (0..d * d)
        .map(|at| (at / d, at % d))
        .map(|(i, j)| scale(i) * scale(j) * if i == j { 1.25 } else { 0.25 })
        .collect();
    let reference =
        Reference::new(&Moments::from_covariance(1 << 40, &vec![0.0; d], &covariance).unwrap()).unwrap();
    let mut rng = Lcg(9);
    for n in [500, 1_000, 2_000, 4_000] {
        let mut total = 0.0;
        for _ in 0..16 {
            let mut rows = Vec::new();
            for _ in 0..n {
                let shared = 0.5 * rng.normal();
                rows.extend((0..d).map(|j| (scale(j) * (shared + rng.normal())) as f32));
            }
            total += reference.distance(&Moments::of_rows(&rows, d)).unwrap().fd;
        }
        let (mean, floor) = (total / 16.0, reference.floor(n));
        assert!((mean / floor - 1.0).abs() < 0.1, "n {n}: mean {mean}, floor {floor}");
    }
}

#[test]
fn refusals_name_the_cause() {
    one_thread();
    let (one, two) = (Moments::of_rows(&[1.0, 2.0], 2), Moments::of_rows(&[1.0, 2.0, 3.0, 1.0], 2));
    let three = Moments::of_rows(&[1.0, 2.0, 3.0, 4.0, 5.0, 7.0], 3);
    assert!(matches!(Reference::new(&one), Err(Error::TooFew { n: 1, .. })));
    let reference = Reference::new(&two).unwrap();
    assert!(matches!(reference.distance(&one), Err(Error::TooFew { n: 1, .. })));
    assert!(matches!(reference.distance(&three), Err(Error::Mismatch { .. })));
}
