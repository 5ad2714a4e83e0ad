//! Times to look at by hand: `cargo test --release -p fewstep-eval speed -- --ignored --nocapture`.

use crate::common::{Lcg, one_thread};
use fewstep_eval::feature::inception::{
    BATCH, INPUT, Inception, Layout, Picture, Protocol, Resizer, Tap, formula_weights,
};
use fewstep_eval::feature::{Classifier, FeatureNet as _};
use fewstep_eval::stats::{Moments, Reference, ShardedMoments};
use std::time::Duration;
use tch::{Kind, Tensor};

#[expect(clippy::disallowed_methods, clippy::print_stderr, reason = "this test is for its times")]
fn time<T>(what: &str, times: u32, mut work: impl FnMut() -> T) -> Duration {
    work();
    let start = std::time::Instant::now();
    (0..times).for_each(|_| drop(work()));
    let each = start.elapsed() / times;
    eprintln!("{what}: {each:.2?}");
    each
}

#[test]
#[ignore = "measures time"]
fn speed() {
    one_thread();
    let net = Classifier::init(1).unwrap();
    let images = Tensor::from_slice(&Lcg(1).bytes(500 * 784)).view([500, 1, 28, 28]);
    let each = time("extract 500 images", 2, || net.extract(&images).unwrap()) / 500;
    assert!(each < Duration::from_millis(1), "{each:?} an image");

    for (_, weight) in net.named_parameters().iter() {
        let _ = weight.set_requires_grad(true);
    }
    let x = images.narrow(0, 0, 128).to_kind(Kind::Float) / 127.5 - 1.0;
    let y = Tensor::zeros([128], (Kind::Int64, tch::Device::Cpu));
    time("forward and backward of 128", 5, || {
        net.forward(&x).unwrap().logits.cross_entropy_for_logits(&y).backward();
    });

    let mut rng = Lcg(2);
    let rows: Vec<f32> = (0..5_000 * 128).map(|_| rng.normal() as f32).collect();
    time("moments of 5,000 x 128", 2, || {
        let mut sharded = ShardedMoments::new(128);
        sharded.push_rows(&rows, 0).unwrap();
        sharded.moments().unwrap()
    });
    let moments = Moments::of_rows(&rows, 128);
    time("reference of 128", 3, || Reference::new(&moments).unwrap());
    let reference = Reference::new(&moments).unwrap();
    time("distance of 128", 3, || reference.distance(&moments).unwrap());
    time("sha256 of the weights", 3, || net.id().unwrap());
}

#[test]
#[ignore = "measures time"]
fn speed_of_inception() {
    one_thread();
    for side in [32, 64, 256, 512] {
        let bytes = Lcg(3).bytes(side * side * 3);
        let picture = Picture::new(&bytes, [side, side], 3, Layout::Interleaved).unwrap();
        let mut out = vec![0.0; INPUT];
        for protocol in Protocol::ALL {
            let resizer = Resizer::new(protocol, [side, side]).unwrap();
            time(&format!("{protocol} resize of {side} x {side}"), 20, || {
                resizer.run(&picture, &mut out).unwrap();
            });
        }
    }
    time("weights by formula and their hash", 1, || formula_weights().unwrap());
    let weights = formula_weights().unwrap();
    time("network from weights", 1, || Inception::new(&weights).unwrap());
    let net = Inception::new(&weights).unwrap();
    let images: Vec<f32> = Lcg(4).bytes(BATCH * INPUT).iter().map(|b| f32::from(*b) / 128.0 - 1.0).collect();
    let images = Tensor::from_slice(&images).view([BATCH as i64, 3, 299, 299]);
    time(&format!("features of {BATCH} images"), 3, || net.infer(&images, &[Tap::F2048]).unwrap());
}
