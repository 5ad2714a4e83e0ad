//! Damage: deterministic, and the more there is the larger the distance.

use crate::common::{Lcg, close, fashion_mnist, one_thread};
use fewstep_eval::Error;
use fewstep_eval::corrupt::{BLUR_LEVELS, Corruption, NOISE_LEVELS, corruption_curve, rises};
use fewstep_eval::feature::{Classifier, FeatureNet as _, GREY};
use fewstep_eval::stats::{Reference, ShardedMoments};

const SHAPE: [usize; 3] = [1, 28, 28];

#[test]
fn noise_depends_on_seed_and_index_alone() {
    let images = Lcg(1).bytes(5 * 784);
    let noise = Corruption::Noise(0.1);
    let all = noise.apply(&images, SHAPE, 9, 40).unwrap();
    let third = noise.apply(&images[2 * 784..3 * 784], SHAPE, 9, 42).unwrap();
    assert_eq!(third, all[2 * 784..3 * 784]);
    assert_ne!(noise.apply(&images, SHAPE, 10, 40).unwrap(), all);
    assert_eq!(Corruption::Noise(0.0).apply(&images, SHAPE, 9, 0).unwrap(), images);

    let grey = vec![128; 40 * 784];
    let noisy = noise.apply(&grey, SHAPE, 1, 0).unwrap();
    let variance = noisy.iter().map(|p| (f64::from(*p) - 128.0).powi(2)).sum::<f64>() / noisy.len() as f64;
    close(variance.sqrt(), 25.5, 0.5);
}

#[test]
fn blur_keeps_flat_images_and_mass_and_spreads_a_point() {
    let blur = Corruption::Blur(1.0);
    assert_eq!(blur.apply(&[77; 784], SHAPE, 0, 0).unwrap(), [77; 784]);
    let mut point = vec![0; 784];
    point[14 * 28 + 14] = 255;
    let spread = blur.apply(&point, SHAPE, 0, 0).unwrap();
    assert_eq!(spread[14 * 28 + 13], spread[13 * 28 + 14]);
    assert_eq!(spread[14 * 28 + 12], spread[14 * 28 + 16]);
    assert_eq!(spread[14 * 28 + 14], 41); // 255 / (2 pi) = 40.6
    assert_eq!(Corruption::Blur(0.0).apply(&point, SHAPE, 0, 0).unwrap(), point);
}

#[test]
fn chroma_moves_colours_away_from_their_grey() {
    let one = |rgb: [u8; 3], factor| Corruption::Chroma(factor).apply(&rgb, [3, 1, 1], 0, 0).unwrap();
    // Luma 0.299 * 200 + 0.587 * 100 + 0.114 * 50 = 124.2.
    assert_eq!(one([200, 100, 50], 0.0), [124; 3]);
    assert_eq!(one([200, 100, 50], 1.0), [200, 100, 50]);
    assert_eq!(one([200, 100, 50], 1.5), [238, 88, 13]);
    assert_eq!(one([200, 100, 50], 2.0), [255, 76, 0]);
    assert_eq!(one([90; 3], 2.0), [90; 3]);
}

#[test]
fn bad_doses_and_buffers_are_refused() {
    for dose in [Corruption::Noise(-0.1), Corruption::Blur(f64::NAN), Corruption::Blur(1e9)] {
        assert!(matches!(dose.apply(&[0; 784], SHAPE, 0, 0), Err(Error::Value { .. })));
    }
    assert!(matches!(Corruption::Blur(1.0).apply(&[0; 785], SHAPE, 0, 0), Err(Error::Shape { .. })));
    assert!(matches!(Corruption::Chroma(1.1).apply(&[0; 784], SHAPE, 0, 0), Err(Error::Shape { .. })));
}

/// Random weights already make a feature space in which damage shows; the trained one is checked with its weights.
#[test]
fn distance_rises_with_every_dose() {
    let Some(data) = fashion_mnist("distance_rises_with_every_dose") else { return };
    one_thread();
    let net = Classifier::init(&GREY, 1).unwrap();
    let mut moments = ShardedMoments::new(net.dim());
    moments.push_features(&net.extract(&data.train.tensor(0, 1_000).unwrap()).unwrap(), 0).unwrap();
    let reference = Reference::new(&moments.moments().unwrap()).unwrap();
    let images = &data.test.images[..600 * 784];
    for doses in [NOISE_LEVELS, BLUR_LEVELS] {
        let curve = corruption_curve(&net, &reference, images, &doses, 1).unwrap();
        assert!(rises(&curve), "{curve:?}");
    }
}
