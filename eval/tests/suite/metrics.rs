//! Paired error and conditional accuracy on numbers that can be checked by hand.

use crate::common::{Lcg, close, one_thread};
use fewstep_eval::Error;
use fewstep_eval::metrics::{
    Colour, ConditionalAccuracy, Overshoot, PairedFeatures, PairedRmse, PairedSimilarity,
};
use tch::{Kind, Tensor};

#[test]
fn rmse_is_per_image_and_then_averaged_on_the_unit_scale() {
    one_thread();
    // Image 0 is off by 51 grey levels everywhere, image 1 by 255 in one of four pixels.
    let teacher = Tensor::from_slice(&[0_u8, 10, 20, 30, 0, 0, 0, 0]).view([2, 1, 2, 2]);
    let images = Tensor::from_slice(&[51_u8, 61, 71, 81, 255, 0, 0, 0]).view([2, 1, 2, 2]);
    let mut rmse = PairedRmse::new();
    assert_eq!(rmse.mean(), None);
    rmse.push(&images, &teacher).unwrap();
    close(rmse.mean().unwrap(), f64::midpoint(0.4, 1.0), 1e-12);
    close(rmse.standard_error().unwrap(), 0.3, 1e-12);

    let unit = |t: &Tensor| t.to_kind(Kind::Float) / 127.5 - 1.0;
    let mut floats = PairedRmse::new();
    floats.push(&unit(&images), &unit(&teacher)).unwrap();
    close(floats.mean().unwrap(), 0.7, 1e-6);

    let (mut a, mut b) = (PairedRmse::new(), PairedRmse::new());
    a.push(&images.narrow(0, 0, 1), &teacher.narrow(0, 0, 1)).unwrap();
    b.push(&images.narrow(0, 1, 1), &teacher.narrow(0, 1, 1)).unwrap();
    a.merge(&b);
    assert_eq!(a.n(), 2);
    close(a.mean().unwrap(), 0.7, 1e-12);

    assert!(matches!(a.push(&images, &unit(&teacher)), Err(Error::Shape { .. })));
    assert!(matches!(a.push(&images, &teacher.narrow(0, 0, 1)), Err(Error::Shape { .. })));
    assert!(matches!(a.push(&unit(&images), &(unit(&teacher) / 0.0)), Err(Error::NonFinite { .. })));
}

#[test]
fn accuracy_counts_the_asked_class() {
    one_thread();
    let logits = Tensor::from_slice2(&[[0.1_f32, 0.9, 0.0], [2.0, 2.0, 1.0], [0.0, 0.0, 5.0]]);
    let mut accuracy = ConditionalAccuracy::new(3);
    assert_eq!(accuracy.value(), None);
    accuracy.push(&logits, &[1, 1, 2]).unwrap(); // hit; a tie goes to class 0: miss; hit
    close(accuracy.value().unwrap(), 2.0 / 3.0, 1e-15);
    assert_eq!(accuracy.per_class(), [None, Some(0.5), Some(1.0)]);

    let mut other = ConditionalAccuracy::new(3);
    other.push(&logits.narrow(0, 0, 1), &[0]).unwrap();
    accuracy.merge(&other).unwrap();
    assert_eq!((accuracy.n(), accuracy.value()), (4, Some(0.5)));

    assert!(matches!(accuracy.push(&logits, &[0, 1, 3]), Err(Error::Value { .. })));
    assert!(matches!(accuracy.push(&logits, &[0, 1]), Err(Error::Shape { .. })));
    assert!(matches!(accuracy.push(&(&logits / 0.0), &[0, 1, 2]), Err(Error::NonFinite { .. })));
    assert!(matches!(accuracy.merge(&ConditionalAccuracy::new(4)), Err(Error::Mismatch { .. })));
    assert_eq!(accuracy.n(), 4);
}

#[test]
fn similarity_of_equal_images_is_1_and_has_no_noise() {
    one_thread();
    let images = Tensor::from_slice(&Lcg(3).bytes(2 * 12 * 13)).view([2, 1, 12, 13]);
    let mut same = PairedSimilarity::new();
    assert_eq!((same.ssim(), same.psnr()), (None, None));
    same.push(&images, &images).unwrap();
    close(same.ssim().unwrap(), 1.0, 1e-12);
    assert_eq!((same.psnr(), same.n()), (None, 2));
    // One grey level off everywhere: MSE 1, 48.13 dB.
    let mut off = PairedSimilarity::new();
    let lower = images.clamp_max(254);
    off.push(&(&lower + 1), &lower).unwrap();
    close(off.psnr().unwrap(), 20.0 * 255_f64.log10(), 1e-12);
    let before = off.clone();
    assert!(matches!(off.push(&images.narrow(2, 0, 10), &images.narrow(2, 0, 10)), Err(Error::Value { .. })));
    assert_eq!(off, before);
    let mut parts = PairedSimilarity::new();
    for i in [1, 0] {
        let mut part = PairedSimilarity::new();
        part.push(&(&lower + 1).narrow(0, i, 1), &lower.narrow(0, i, 1)).unwrap();
        parts.merge(&serde_json::from_str(&serde_json::to_string(&part).unwrap()).unwrap());
    }
    assert_eq!(parts, off);
}

#[test]
fn feature_distance_is_euclidean() {
    one_thread();
    let (a, b) = (
        Tensor::from_slice2(&[[3.0_f32, 4.0], [0.0, 0.0]]),
        Tensor::from_slice2(&[[0.0_f32, 0.0], [0.0, 0.0]]),
    );
    let mut features = PairedFeatures::new();
    features.push(&a, &b).unwrap();
    close(features.distance().unwrap(), 2.5, 1e-15);
    close(features.cosine().unwrap(), 0.5, 1e-15);
    assert!(matches!(features.push(&a, &(&b / 0.0)), Err(Error::NonFinite { .. })));
    assert_eq!(features.n(), 2);
}

#[test]
fn colour_by_hand() {
    one_thread();
    // Two pixels: pure red and mid-grey.
    let image = Tensor::from_slice(&[255_u8, 128, 0, 128, 0, 128]).view([1, 3, 1, 2]);
    let mut colour = Colour::new();
    assert_eq!((colour.saturation(), colour.contrast(), colour.clip_rate()), (None, None, None));
    colour.push(&image).unwrap();
    close(colour.saturation().unwrap(), 0.5, 1e-15);
    let (red, grey) = (0.299, 128.0 / 255.0);
    close(colour.contrast().unwrap(), (grey - red) / 2.0, 1e-15);
    close(colour.clip_rate().unwrap(), 0.5, 1e-15);
    close(colour.white_rate().unwrap(), 1.0 / 6.0, 1e-15);
    close(colour.black_rate().unwrap(), 2.0 / 6.0, 1e-15);
    let mut grey_only = Colour::new();
    grey_only.push(&image.narrow(1, 0, 1)).unwrap();
    assert_eq!((grey_only.saturation(), grey_only.n()), (None, 1));
    close(grey_only.contrast().unwrap(), 127.0 / 510.0, 1e-15);
    grey_only.merge(&colour);
    assert_eq!((grey_only.saturation(), grey_only.n()), (Some(0.5), 2));
    assert!(matches!(colour.push(&image.view([1, 2, 3, 1])), Err(Error::Value { .. })));
    assert!(matches!(colour.push(&image.to_kind(Kind::Float)), Err(Error::Shape { .. })));
}

#[test]
fn overshoot_counts_what_clipping_would_change() {
    one_thread();
    let x = Tensor::from_slice(&[-1.0_f32, 1.0, 1.001, -3.0]).view([1, 1, 2, 2]);
    let mut overshoot = Overshoot::new();
    assert_eq!(overshoot.value(), None);
    overshoot.push(&x).unwrap();
    close(overshoot.value().unwrap(), 0.5, 1e-15);
    assert!(matches!(overshoot.push(&(&x / 0.0)), Err(Error::NonFinite { .. })));
    let mut other = Overshoot::new();
    other.push(&(&x * 0.1)).unwrap();
    overshoot.merge(&other);
    close(overshoot.value().unwrap(), 0.25, 1e-15);
}
