//! Metrics against other evaluators; `scripts/parity/make_metric_fixtures.py` made the values.

use crate::common::{Lcg, one_thread};
use fewstep_eval::metrics::{Blocks, Neighbours, PairedSimilarity, inception_score, kid, kid_full, manifold};
use fewstep_eval::stats::{Moments, Reference};
use serde::Deserialize;
use tch::{Kind, Tensor};

#[derive(Deserialize)]
struct Fixture {
    torch_fidelity_kid: [f64; 2],
    clean_fid_kid_seed_7: f64,
    torch_fidelity_kid_full: f64,
    clean_fid_kid_full: f64,
    torch_fidelity_isc: [f64; 2],
    torch_fidelity_isc_in_order: [f64; 2],
    torch_fidelity_fid: f64,
    clean_fid_fid: f64,
    torch_fidelity_prc: [f64; 2],
    prdc: [f64; 4],
    skimage_ssim_grey: f64,
    skimage_ssim_colour: f64,
    torchmetrics_psnr: f64,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("../fixtures/metrics.json")).unwrap()
}

/// Equal within 1e-6 of the expected value.
#[track_caller]
fn agree(got: f64, expected: f64) {
    assert!((got - expected).abs() <= 1e-6 * expected.abs(), "{got}, expected {expected}");
}

/// The script's `matrix`.
fn rows(seed: u64, n: usize, d: usize, scale: f64, shift: f64) -> Vec<f32> {
    let mut rng = Lcg(seed);
    let mut entry = |j: usize| {
        let bell = rng.uniform() + rng.uniform() + rng.uniform() + rng.uniform() - 2.0;
        (scale * bell / (1.0 + j as f64) + shift) as f32
    };
    (0..n * d).map(|at| entry(at % d)).collect()
}

/// Features of 260 samples and of 300 reference images.
fn features() -> (Tensor, Tensor) {
    one_thread();
    let (real, fake) = (rows(1, 300, 12, 1.0, 0.0), rows(2, 260, 12, 0.9, 0.05));
    (Tensor::from_slice(&fake).view([260, 12]), Tensor::from_slice(&real).view([300, 12]))
}

/// The script's `picture`, as `[1, c, h, w]`.
fn picture(seed: u64, [c, h, w]: [usize; 3]) -> Tensor {
    let mut rng = Lcg(seed);
    let values: Vec<u8> = (0..c * h * w)
        .map(|at| {
            let (y, x) = (at / w % h, at % w);
            ((4 * x + 3 * y + (60.0 * rng.uniform()) as usize) % 256) as u8
        })
        .collect();
    Tensor::from_slice(&values).view([1, c as i64, h as i64, w as i64])
}

#[test]
fn kernel_distances() {
    let ((fake, real), expected) = (features(), fixture());
    let blocks = |seed| Blocks::drawn(260, 300, 20, 50, seed).unwrap();
    let got = kid(&fake, &real, &blocks(2020)).unwrap();
    agree(got.mean, expected.torch_fidelity_kid[0]);
    agree(got.sd, expected.torch_fidelity_kid[1]);
    // clean-fid draws in the same order from NumPy's global generator, seeded with 7 for the fixture.
    agree(kid(&fake, &real, &blocks(7)).unwrap().mean, expected.clean_fid_kid_seed_7);
    let full = kid_full(&fake, &real.narrow(0, 0, 260)).unwrap();
    agree(full, expected.torch_fidelity_kid_full);
    agree(full, expected.clean_fid_kid_full);
    let all: Vec<i64> = (0..260).collect();
    let block = kid(&fake, &real, &Blocks::given(vec![(all.clone(), all)])).unwrap();
    agree(block.mean, full);
}

#[test]
fn inception_scores() {
    one_thread();
    let logits = Tensor::from_slice(&rows(3, 203, 10, 8.0, 0.0)).view([203, 10]);
    let expected = fixture();
    let shuffled = inception_score(&logits, 10, Some(2020)).unwrap();
    agree(shuffled.mean, expected.torch_fidelity_isc[0]);
    agree(shuffled.sd, expected.torch_fidelity_isc[1]);
    let in_order = inception_score(&logits, 3, None).unwrap();
    agree(in_order.mean, expected.torch_fidelity_isc_in_order[0]);
    agree(in_order.sd, expected.torch_fidelity_isc_in_order[1]);
}

#[test]
fn frechet_distances() {
    one_thread();
    let reference = Reference::new(&Moments::of_rows(&rows(1, 300, 12, 1.0, 0.0), 12)).unwrap();
    let fd = reference.distance(&Moments::of_rows(&rows(2, 260, 12, 0.9, 0.05), 12)).unwrap().fd;
    agree(fd, fixture().torch_fidelity_fid);
    agree(fd, fixture().clean_fid_fid);
}

#[test]
fn precision_recall_density_coverage() {
    let ((fake, real), expected) = (features(), fixture());
    let got = manifold(&fake, &real, Neighbours::default()).unwrap();
    agree(got.precision, expected.torch_fidelity_prc[0]);
    agree(got.recall, expected.torch_fidelity_prc[1]);
    agree(got.density, expected.prdc[2]);
    agree(got.coverage, expected.prdc[3]);
    let five = manifold(&fake, &real, Neighbours { precision: 5, density: 5 }).unwrap();
    agree(five.precision, expected.prdc[0]);
    agree(five.recall, expected.prdc[1]);
}

#[test]
fn structural_similarity_and_peak_signal_to_noise() {
    one_thread();
    let (a, b) = (picture(4, [3, 20, 27]), picture(5, [3, 20, 27]));
    let mut colour = PairedSimilarity::new();
    colour.push(&a, &b).unwrap();
    agree(colour.ssim().unwrap(), fixture().skimage_ssim_colour);
    agree(colour.psnr().unwrap(), fixture().torchmetrics_psnr);
    let mut grey = PairedSimilarity::new();
    grey.push(&a.narrow(1, 0, 1), &b.narrow(1, 0, 1)).unwrap();
    agree(grey.ssim().unwrap(), fixture().skimage_ssim_grey);
    assert_eq!(a.kind(), Kind::Uint8);
}
