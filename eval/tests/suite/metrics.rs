//! Paired error and conditional accuracy on numbers that can be checked by hand.

use crate::common::{close, one_thread};
use fewstep_eval::Error;
use fewstep_eval::metrics::{ConditionalAccuracy, PairedRmse};
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
