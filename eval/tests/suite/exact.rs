//! The Fréchet distance of pairs with an exact value, up to the size of Inception features.

use crate::common::one_thread;
use crate::pairs::{Pair, pairs};
use fewstep_eval::stats::Reference;

/// Relative error against the exact value, in both directions.
fn check(pair: &Pair) {
    let (a, b) = pair.build();
    for (reference, samples) in [(&a, &b), (&b, &a)] {
        let fd = Reference::new(reference).unwrap().distance(samples).unwrap().fd;
        let error = (fd / pair.exact - 1.0).abs();
        assert!(error < 1e-9, "{pair:?}: {fd} is off by {error:.1e}");
        if pair.d > 1_000 {
            break; // One direction is a quarter of a minute there.
        }
    }
}

#[test]
fn known_distances_up_to_512() {
    one_thread();
    let small: Vec<Pair> = pairs().into_iter().filter(|pair| pair.d <= 512).collect();
    assert_eq!((pairs().len(), small.len()), (20, 16));
    small.iter().for_each(check);
}

#[test]
#[ignore = "slow: a minute of linear algebra"]
fn known_distances_up_to_2048() {
    one_thread();
    pairs().iter().filter(|pair| pair.d > 512).for_each(check);
}
