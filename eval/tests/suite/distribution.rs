//! Metrics over sets of features: identities, limits and refusals.

use crate::common::{Lcg, close, one_thread};
use fewstep_eval::Error;
use fewstep_eval::metrics::{
    Blocks, Neighbours, fd_infinity, inception_score, kid, kid_full, manifold, memorisation,
};
use fewstep_eval::stats::{FeatureRows, Moments, Reference};
use tch::{Kind, Tensor};

fn normal(seed: u64, n: usize, d: usize) -> Tensor {
    one_thread();
    let mut rng = Lcg(seed);
    let values: Vec<f32> = (0..n * d).map(|_| rng.normal() as f32).collect();
    Tensor::from_slice(&values).view([n as i64, d as i64])
}

#[test]
fn two_halves_of_one_gaussian_have_no_kernel_distance() {
    let (a, b) = (normal(1, 1_500, 8), normal(2, 1_500, 8));
    let blocks = Blocks::drawn(1_500, 1_500, 30, 200, 0).unwrap();
    let same = kid(&a, &b, &blocks).unwrap();
    // Blocks overlap, so the deviation of one block is taken for that of the mean.
    assert!(same.mean.abs() < 3.0 * same.sd, "{same:?}");
    assert!(kid_full(&a, &b).unwrap().abs() < same.sd);
    let moved = kid(&(&a + 0.5), &b, &blocks).unwrap();
    assert!(moved.mean > 5.0 * same.sd, "{moved:?}");
    // Tiles change nothing: 1,500 rows are two of them.
    let order = Tensor::from_slice(&(0..1_500).rev().collect::<Vec<i64>>());
    close(kid_full(&a.index_select(0, &order), &b).unwrap(), kid_full(&a, &b).unwrap(), 1e-13);
    close(kid_full(&a, &b).unwrap(), kid_full(&b, &a).unwrap(), 1e-13);
}

#[test]
fn kernel_distance_of_two_points_by_hand() {
    one_thread();
    // d = 1: k(x, y) = (x y + 1)^3 with x in {0, 1}, y in {2, 3}.
    let (x, y) =
        (Tensor::from_slice(&[0.0_f32, 1.0]).view([2, 1]), Tensor::from_slice(&[2.0_f32, 3.0]).view([2, 1]));
    let expected = 1.0 + 343.0 - 2.0 * (1.0 + 1.0 + 27.0 + 64.0) / 4.0;
    close(kid_full(&x, &y).unwrap(), expected, 1e-12);
}

#[test]
fn the_inception_score_runs_from_1_to_the_number_of_classes() {
    one_thread();
    let uniform = Tensor::full([50, 7], 3.25, (Kind::Float, tch::Device::Cpu));
    let score = inception_score(&uniform, 5, None).unwrap();
    close(score.mean, 1.0, 1e-12);
    close(score.sd, 0.0, 1e-12);
    let certain = Tensor::eye(7, (Kind::Float, tch::Device::Cpu)).repeat([10, 1]) * 1e4;
    close(inception_score(&certain, 5, None).unwrap().mean, 7.0, 1e-9);
    assert!(matches!(inception_score(&uniform, 0, None), Err(Error::Value { .. })));
    assert!(matches!(inception_score(&uniform, 51, None), Err(Error::TooFew { need: 51, n: 50, .. })));
}

#[test]
fn equal_sets_have_four_ones() {
    let a = normal(3, 1_300, 6);
    let order = Tensor::from_slice(&(0..1_300).map(|i| (i * 7) % 1_300).collect::<Vec<i64>>());
    for b in [a.shallow_clone(), a.index_select(0, &order)] {
        let got = manifold(&a, &b, Neighbours::default()).unwrap();
        assert_eq!((got.precision, got.recall, got.coverage), (1.0, 1.0, 1.0));
        // Each ball of k neighbours holds its centre and the k - 1 inside, the k-th being on the sphere.
        close(got.density, 1.0, 1e-12);
    }
    // Far from the origin the distances are the same.
    let got = manifold(&(&a + 512.0), &(&a + 512.0), Neighbours::default()).unwrap();
    assert_eq!((got.precision, got.recall, got.coverage), (1.0, 1.0, 1.0));
}

#[test]
fn fidelity_and_diversity_are_told_apart() {
    let real = normal(4, 800, 4);
    let narrow = manifold(&(normal(5, 800, 4) * 0.3), &real, Neighbours::default()).unwrap();
    assert!(narrow.precision > 0.95 && narrow.density > 1.0, "{narrow:?}");
    assert!(narrow.recall < 0.5 && narrow.coverage < 0.6, "{narrow:?}");
    let wide = manifold(&(normal(5, 800, 4) * 3.0), &real, Neighbours::default()).unwrap();
    assert!(wide.precision < 0.5 && wide.density < 0.5 && wide.recall > 0.9, "{wide:?}");
    let apart = manifold(&(&real + 100.0), &real, Neighbours::default()).unwrap();
    assert_eq!((apart.precision, apart.recall, apart.density, apart.coverage), (0.0, 0.0, 0.0, 0.0));
}

#[test]
fn precision_on_a_line_by_hand() {
    one_thread();
    let line = |x: &[f32]| Tensor::from_slice(x).view([-1, 1]);
    // Reference 0, 1, 3, 7 with k = 1: radii 1, 1, 2, 4. Samples 2, 4, 12, 20 with radii 2, 2, 8, 8.
    let got = manifold(
        &line(&[2.0, 4.0, 12.0, 20.0]),
        &line(&[0.0, 1.0, 3.0, 7.0]),
        Neighbours { precision: 1, density: 1 },
    )
    .unwrap();
    close(got.precision, 0.5, 1e-15); // 2 lies on the sphere of 1; 4 within that of 3; 12 and 20 in none
    close(got.recall, 1.0, 1e-15); // 0, 1, 3 around 2; 7 within 8 of 12
    close(got.density, 3.0 / 4.0, 1e-15); // strictly inside: 2 in (3, 2); 4 in (3, 2) and (7, 4)
    close(got.coverage, 0.5, 1e-15); // the balls of 3 and 7
}

#[test]
fn fd_infinity_takes_the_bias_off() {
    let d = 16;
    let reference =
        Reference::new(&Moments::of_rows(&Vec::<f32>::try_from(normal(6, 40_000, d).view([-1])).unwrap(), d))
            .unwrap();
    let samples = normal(7, 6_000, d);
    let line = fd_infinity(&samples, &reference, 0).unwrap();
    assert_eq!(line, fd_infinity(&samples, &reference, 0).unwrap());
    assert_eq!((line.points[0].0, line.points[14].0, line.points.len()), (600, 6_000, 15));
    let at_n = line.points[14].1;
    assert!(line.fd < 0.5 * at_n, "{line:?}");
    // The bias law c / n, whose c the reference knows in closed form.
    let c = reference.bias_constant();
    assert!((line.slope / c - 1.0).abs() < 0.25, "slope {}, c {c}", line.slope);
    let bias: f64 = line.points.iter().map(|(n, fd)| (fd - line.fd) * *n as f64).sum::<f64>() / 15.0;
    assert!((bias / c - 1.0).abs() < 0.25, "{bias} / {c}");
    let few = samples.narrow(0, 0, 149);
    assert!(matches!(fd_infinity(&few, &reference, 0), Err(Error::TooFew { need: 150, n: 149, .. })));
}

#[test]
fn copies_of_training_images_are_found() {
    let (train, held_out) = (normal(8, 1_500, 5), normal(9, 400, 5));
    let fresh = memorisation(&normal(10, 600, 5), &train, &held_out).unwrap();
    close(fresh.nearer, 0.5, 0.06);
    close(fresh.median_ratio, 1.0, 0.1);
    assert!(fresh.copies < 0.03, "{}", fresh.copies);
    // A third of the samples are training images.
    let mixed = Tensor::cat(&[&train.narrow(0, 1_100, 200), &normal(10, 400, 5)], 0);
    let copied = memorisation(&mixed, &train, &held_out).unwrap();
    assert!(copied.distances[..200].iter().all(|d| *d == 0.0));
    close(copied.copies, 1.0 / 3.0, 0.03);
    close(copied.nearer, 2.0 / 3.0, 0.06);
    let itself = memorisation(&held_out, &train, &held_out).unwrap();
    close(itself.nearer, 0.5, 1e-12);
    let few = held_out.narrow(0, 0, 99);
    assert!(matches!(memorisation(&mixed, &train, &few), Err(Error::TooFew { need: 100, n: 99, .. })));
}

#[test]
fn bad_features_are_refused_by_name() {
    let a = normal(11, 20, 3);
    let k = Neighbours::default();
    let nan = &a * f64::NAN;
    assert!(matches!(kid_full(&nan, &a), Err(Error::NonFinite { .. })));
    assert!(matches!(manifold(&a, &nan, k), Err(Error::NonFinite { .. })));
    assert!(matches!(kid_full(&a, &a.narrow(1, 0, 2)), Err(Error::Mismatch { what: "feature lengths", .. })));
    assert!(matches!(manifold(&a, &a.narrow(0, 0, 5), k), Err(Error::TooFew { need: 6, n: 5, .. })));
    assert!(matches!(kid_full(&a.to_kind(Kind::Double), &a), Err(Error::Shape { .. })));
    assert!(matches!(Blocks::drawn(20, 20, 5, 21, 0), Err(Error::TooFew { need: 21, n: 20, .. })));
    assert!(matches!(Blocks::drawn(20, 20, 0, 10, 0), Err(Error::Value { .. })));
    assert!(matches!(Blocks::drawn(20, 20, usize::MAX, 10, 0), Err(Error::Value { .. })));
    let beyond = Blocks::given(vec![(vec![0, 20], vec![0, 1])]);
    assert!(matches!(kid(&a, &a, &beyond), Err(Error::Value { .. })));
    assert!(matches!(manifold(&a, &a, Neighbours { precision: 0, density: 5 }), Err(Error::Value { .. })));
}

#[test]
fn rows_are_gathered_by_image_number() {
    let all = normal(12, 10, 3);
    let mut once = FeatureRows::new(3);
    once.push_features(&all, 5).unwrap();
    let (mut front, mut back) = (FeatureRows::new(3), FeatureRows::new(3));
    back.push_features(&all.narrow(0, 4, 6), 9).unwrap();
    front.push_features(&all.narrow(0, 0, 4), 5).unwrap();
    let stored = FeatureRows::from_safetensors(&back.to_safetensors().unwrap()).unwrap();
    assert_eq!(stored, back);
    front.merge(stored).unwrap();
    assert_eq!(front, once);
    assert!((front.matrix().unwrap() - &all).abs().max().double_value(&[]) == 0.0);
    assert!(matches!(front.merge(back.clone()), Err(Error::DuplicateImage { index: 9 })));
    assert!(matches!(back.push_features(&all, 0), Err(Error::DuplicateImage { index: 9 })));
    assert!(matches!(back.push_features(&(&all / 0.0), 100), Err(Error::NonFinite { .. })));
    assert_eq!(back.n(), 6);
    let bytes = back.to_safetensors().unwrap();
    assert!(matches!(
        FeatureRows::from_safetensors(&bytes[..bytes.len() - 4]),
        Err(Error::Statistics { .. })
    ));
    assert!(matches!(FeatureRows::new(3).matrix(), Err(Error::TooFew { .. })));
}
