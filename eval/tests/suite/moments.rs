//! Streaming moments: their bits depend on indices and values only.

use crate::common::{Lcg, close, one_thread};
use fewstep_eval::Error;
use fewstep_eval::stats::{Moments, ShardedMoments, Statistics};
use tch::Tensor;

const D: usize = 7;

fn rows(n: usize) -> Vec<f32> {
    let mut rng = Lcg(5);
    (0..n * D).map(|i| (100.0 + rng.normal() * (1 + i % D) as f64) as f32).collect()
}

fn push(into: &mut ShardedMoments, rows: &[f32], from: usize, to: usize) {
    into.push_rows(&rows[from * D..to * D], from as u64).unwrap();
}

#[test]
fn bits_do_not_depend_on_batches_order_or_workers() {
    let n = 4_321;
    let rows = rows(n);
    let mut once = ShardedMoments::new(D);
    push(&mut once, &rows, 0, n);

    let mut batched = ShardedMoments::new(D);
    (0..n).step_by(77).for_each(|from| push(&mut batched, &rows, from, (from + 77).min(n)));

    let mut backwards = ShardedMoments::new(D);
    (0..n).step_by(250).rev().for_each(|from| push(&mut backwards, &rows, from, (from + 250).min(n)));

    let mut workers = vec![ShardedMoments::new(D); 3];
    for (i, from) in (0..n).step_by(130).enumerate() {
        push(&mut workers[i % 3], &rows, from, (from + 130).min(n));
    }
    let mut merged = workers.pop().unwrap();
    for worker in workers {
        merged.merge(worker).unwrap();
    }

    let expected = once.moments().unwrap();
    assert_eq!(expected.n(), n as u64);
    for other in [batched, backwards, merged] {
        assert_eq!(other.moments().unwrap(), expected);
    }
}

#[test]
fn sharded_moments_agree_with_two_passes() {
    let rows = rows(2_500);
    let mut sharded = ShardedMoments::new(D);
    push(&mut sharded, &rows, 0, 2_500);
    let (a, b) = (sharded.moments().unwrap(), Moments::of_rows(&rows, D));
    a.mean().iter().zip(b.mean()).for_each(|(x, y)| close(*x, *y, 1e-11));
    let (ca, cb) = (a.covariance().unwrap(), b.covariance().unwrap());
    ca.iter().zip(&cb).for_each(|(x, y)| close(*x, *y, 1e-10));
    assert!((0..D).all(|i| (0..D).all(|j| ca[i * D + j].to_bits() == ca[j * D + i].to_bits())));
}

#[test]
fn covariance_divides_by_n_minus_one() {
    let moments = Moments::of_rows(&[0.0, 1.0, 2.0, 5.0], 2);
    assert_eq!(moments.mean(), [1.0, 3.0]);
    assert_eq!(moments.covariance().unwrap(), [2.0, 4.0, 4.0, 8.0]);
    let one = Moments::of_rows(&[1.0, 2.0], 2).covariance();
    assert!(matches!(one, Err(Error::TooFew { n: 1, need: 2, .. })));
}

#[test]
fn an_image_counts_once_and_a_refused_batch_changes_nothing() {
    let rows = rows(1_200);
    let mut sharded = ShardedMoments::new(D);
    push(&mut sharded, &rows, 0, 1_200);
    let before = sharded.moments().unwrap();
    for first in [0, 999, 1_000, 1_199] {
        let again = sharded.push_rows(&rows[..D], first);
        assert!(matches!(again, Err(Error::DuplicateImage { index }) if index == first));
    }
    assert!(matches!(sharded.push_rows(&rows[..2 * D], u64::MAX), Err(Error::Value { .. })));
    let mut nan = rows[..2 * D].to_vec();
    nan[D + 1] = f32::NAN;
    let message = sharded.push_rows(&nan, 1_200).unwrap_err().to_string();
    assert!(message.contains("image 1201"), "{message}");
    let mut overlapping = ShardedMoments::new(D);
    push(&mut overlapping, &rows, 1_150, 1_200);
    assert!(matches!(sharded.merge(overlapping), Err(Error::DuplicateImage { index: 1_150 })));
    assert!(matches!(sharded.merge(ShardedMoments::new(D + 1)), Err(Error::Mismatch { .. })));
    assert_eq!(sharded.moments().unwrap(), before);
}

#[test]
fn tensors_are_checked_at_the_door() {
    one_thread();
    let mut sharded = ShardedMoments::new(2);
    sharded.push_features(&Tensor::from_slice2(&[[1.0_f32, 2.0], [3.0, 5.0]]), 0).unwrap();
    assert_eq!(sharded.n(), 2);
    for wrong in [
        Tensor::from_slice2(&[[1.0_f64, 2.0]]),
        Tensor::from_slice2(&[[1.0_f32, 2.0, 3.0]]),
        Tensor::from_slice(&[1.0_f32, 2.0]),
        Tensor::zeros([0, 2], (tch::Kind::Float, tch::Device::Cpu)),
    ] {
        assert!(matches!(sharded.push_features(&wrong, 2), Err(Error::Shape { what: "features", .. })));
    }
}

#[test]
fn statistics_survive_the_file_to_the_bit() {
    let statistics = Statistics {
        moments: Moments::of_rows(&rows(50), D),
        extractor: "net:abc".to_owned(),
        data: "some/data".to_owned(),
        data_sha256: "0123".to_owned(),
    };
    let bytes = statistics.to_safetensors().unwrap();
    assert_eq!(bytes, statistics.to_safetensors().unwrap());
    assert_eq!(Statistics::from_safetensors(&bytes).unwrap(), statistics);
    for broken in [&bytes[..bytes.len() - 1], &bytes[..9], b"", b"not a safetensors file"] {
        assert!(matches!(Statistics::from_safetensors(broken), Err(Error::Statistics { .. })));
    }
    let version = br#"\"version\":"#;
    let at = bytes.windows(version.len()).position(|part| part == version).unwrap() + version.len();
    let mut newer = bytes.clone();
    newer[at] = b'7';
    let message = Statistics::from_safetensors(&newer).unwrap_err().to_string();
    assert!(message.contains("it has version 7, this program reads 1"), "{message}");
}

#[test]
fn wide_rows_are_summed_in_tiles_without_a_change() {
    // 300 columns are three tiles across; 4 rows at a time, then the rest.
    let (n, d) = (11, 300);
    let mut rng = Lcg(6);
    let rows: Vec<f32> = (0..n * d).map(|_| rng.normal() as f32).collect();
    let got = Moments::of_rows(&rows, d).covariance().unwrap();
    let mean = |j: usize| (0..n).map(|r| f64::from(rows[r * d + j])).sum::<f64>() / n as f64;
    let means: Vec<f64> = (0..d).map(mean).collect();
    for (i, j) in
        [(0, 0), (0, 299), (15, 16), (16, 16), (127, 128), (128, 140), (143, 290), (299, 299), (290, 3)]
    {
        let product =
            |r: usize| (f64::from(rows[r * d + i]) - means[i]) * (f64::from(rows[r * d + j]) - means[j]);
        close(got[i * d + j], (0..n).map(product).sum::<f64>() / (n - 1) as f64, 1e-14);
    }
}
