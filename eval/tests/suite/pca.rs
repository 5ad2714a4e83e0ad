//! Principal components as feature spaces: what they are, and what they see.

use crate::common::{Lcg, close, fashion_mnist, one_thread};
use fewstep_eval::Error;
use fewstep_eval::corrupt::{BLUR_LEVELS, Corruption, NOISE_LEVELS, corruption_curve, posterise, rises};
use fewstep_eval::feature::{FeatureNet, Pca, PcaSpace, fmnist_patch_pca, fmnist_pixel_pca};
use fewstep_eval::stats::{Reference, ShardedMoments, Statistics};
use tch::{Kind, Tensor};

const SHAPE: [usize; 3] = [2, 9, 8];

fn images(seed: u64, n: usize) -> Vec<u8> {
    Lcg(seed).bytes(n * 144)
}

fn tensor(images: &[u8]) -> Tensor {
    Tensor::from_slice(images).view([-1, 2, 9, 8])
}

#[test]
fn components_are_orthonormal_and_keep_the_variance() {
    one_thread();
    let train = images(1, 300);
    let pca = Pca::fit(PcaSpace::Pixels, &train, SHAPE, 1_000).unwrap();
    assert_eq!((pca.dim(), pca.image_shape()), (144, SHAPE));
    let features = pca.extract(&tensor(&train)).unwrap().to_kind(Kind::Double);
    let second = features.tr().matmul(&features) / 299.0;
    // Uncorrelated, strongest first, and together as large as the pixels.
    let diagonal = second.diagonal(0, 0, 1);
    assert!((&second - Tensor::diag(&diagonal, 0)).abs().max().double_value(&[]) < 1e-5);
    let values = Vec::<f64>::try_from(&diagonal).unwrap();
    assert!(values.windows(2).all(|pair| pair[0] >= pair[1] - 1e-6));
    let pixels = tensor(&train).flatten(1, -1).to_kind(Kind::Double) / 255.0;
    let variance = pixels.var_dim(&[0_i64][..], true, false).sum(Kind::Double).double_value(&[]);
    close(values.iter().sum::<f64>(), variance, 1e-4);
    assert_eq!(Pca::fit(PcaSpace::Pixels, &train, SHAPE, 5).unwrap().dim(), 5);
}

#[test]
fn patch_features_are_log_powers() {
    one_thread();
    let pca = Pca::fit(PcaSpace::Patches, &images(2, 40), SHAPE, 1_000).unwrap();
    assert_eq!(pca.dim(), 98);
    let black = pca.extract(&tensor(&[0; 144])).unwrap();
    close(black.max().double_value(&[]), -(12_f64.ln()), 1e-6);
    // Of a single patch, an orthonormal basis keeps the power.
    let pca = Pca::fit(PcaSpace::Patches, &images(2, 144)[..200 * 98], [2, 7, 7], 98).unwrap();
    let patch = &images(3, 1)[..98];
    let features = pca.extract(&Tensor::from_slice(patch).view([1, 2, 7, 7])).unwrap();
    let power = features.exp().sum(Kind::Double).double_value(&[]) - 98.0 / 12.0;
    let expected: f64 = patch.iter().map(|v| f64::from(*v).powi(2)).sum();
    close(power / expected, 1.0, 1e-5);
    // All patches of a flat image are equal, so the mean over five of them is that of one.
    let flat = pca.extract(&Tensor::from_slice(&[9_u8; 98]).view([1, 2, 7, 7])).unwrap();
    let wide = Pca::from_safetensors(PcaSpace::Patches, &widened(&pca)).unwrap();
    let flat_wide = wide.extract(&Tensor::from_slice(&[9_u8; 2 * 7 * 11]).view([1, 2, 7, 11])).unwrap();
    assert!((flat - flat_wide).abs().max().double_value(&[]) < 1e-5);
}

/// The same patches, for images of 7x11 pixels.
fn widened(pca: &Pca) -> Vec<u8> {
    let bytes = pca.to_safetensors(false).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mean = vec![0; 2 * 7 * 11 * 4];
    let mean = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![2, 7, 11], &mean).unwrap();
    safetensors::serialize([("mean", mean), ("basis", file.tensor("basis").unwrap())], None).unwrap()
}

#[test]
fn a_row_depends_on_its_image_alone_and_files_round_trip() {
    one_thread();
    for space in [PcaSpace::Pixels, PcaSpace::Patches] {
        let pca = Pca::fit(space, &images(4, 60), SHAPE, 20).unwrap();
        let all = tensor(&images(5, 120));
        let whole = pca.extract(&all).unwrap();
        let part = pca.extract(&all.narrow(0, 49, 3)).unwrap();
        assert!((part - whole.narrow(0, 49, 3)).abs().max().double_value(&[]) == 0.0);
        let bytes = pca.to_safetensors(false).unwrap();
        let loaded = Pca::from_safetensors(space, &bytes).unwrap();
        assert_eq!(loaded.id().unwrap(), pca.id().unwrap());
        assert_eq!((loaded.dim(), loaded.image_shape()), (20, SHAPE));
        let other = if space == PcaSpace::Pixels { PcaSpace::Patches } else { PcaSpace::Pixels };
        for (space, bytes) in [(other, &bytes[..]), (space, &bytes[..bytes.len() - 2]), (space, b"")] {
            assert!(matches!(Pca::from_safetensors(space, bytes), Err(Error::Weights { .. })));
        }
        assert!(matches!(pca.extract(&all.view([-1, 1, 18, 8])), Err(Error::Shape { .. })));
        assert!(matches!(Pca::fit(space, &[0; 150], SHAPE, 3), Err(Error::Shape { .. })));
        assert!(matches!(Pca::fit(space, &images(4, 3), SHAPE, 0), Err(Error::Value { .. })));
    }
    assert!(matches!(Pca::fit(PcaSpace::Patches, &[0; 100], [1, 5, 10], 3), Err(Error::Value { .. })));
}

/// Distances of test images with damage that a classifier's features hardly tell from none, and with worse damage.
#[test]
fn the_built_in_spaces_see_small_damage() {
    let Some(data) = fashion_mnist("the_built_in_spaces_see_small_damage") else { return };
    one_thread();
    let images = &data.test.images[..3_000 * 784];
    for (net, statistics) in [fmnist_pixel_pca().unwrap(), fmnist_patch_pca().unwrap()] {
        let reference = Reference::new(&statistics.moments).unwrap();
        let curve = |images: &[u8], doses: &[Corruption]| {
            corruption_curve(&net, &reference, images, doses, 1).unwrap()
        };
        let mut noise = vec![Corruption::Noise(0.0), Corruption::Noise(1.0 / 255.0)];
        noise.extend(NOISE_LEVELS);
        let mut blur = vec![Corruption::Blur(0.0)];
        blur.extend(BLUR_LEVELS);
        let (noise, blur) = (curve(images, &noise), curve(images, &blur));
        assert!(rises(&noise) && rises(&blur), "{}: {noise:?} {blur:?}", net.id().unwrap());
        if net.id().unwrap().starts_with("fmnist-patch-pca:") {
            // Either stands out by itself, not only against the same images: ten times what real images get.
            let coarse =
                curve(&posterise(images, 4).unwrap(), &noise[..1].iter().map(|p| p.0).collect::<Vec<_>>());
            for fd in [noise[1].1.fd, coarse[0].1.fd] {
                assert!(fd > 10.0 * reference.floor(3_000), "{fd}: {noise:?} {blur:?} {coarse:?}");
            }
        }
    }
}

#[test]
fn posterising_keeps_the_ends_of_the_scale() {
    assert_eq!(posterise(&[0, 8, 9, 127, 128, 255], 4).unwrap(), [0, 0, 17, 119, 136, 255]);
    assert_eq!(posterise(&[0, 127, 128, 255], 1).unwrap(), [0, 0, 255, 255]);
    assert_eq!(posterise(&[0, 3, 254], 8).unwrap(), [0, 3, 254]);
    assert!(posterise(&[0], 0).is_err() && posterise(&[0], 9).is_err());
}

/// Fits and measures the built-in spaces: `cargo test --release -p fewstep-eval make_pca_zoo -- --ignored --nocapture`.
#[test]
#[ignore = "writes the files of eval/zoo/fmnist-pca into target/tmp"]
#[expect(clippy::disallowed_methods, clippy::print_stderr, reason = "this test is for its files and figures")]
fn make_pca_zoo() {
    let Some(data) = fashion_mnist("make_pca_zoo") else { return };
    one_thread();
    let dir = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    for (space, name) in [(PcaSpace::Pixels, "pixel"), (PcaSpace::Patches, "patch")] {
        let weights = Pca::fit(space, &data.train.images[..10_000 * 784], [1, 28, 28], 64).unwrap();
        let weights = weights.to_safetensors(true).unwrap();
        let net = Pca::from_safetensors(space, &weights).unwrap();
        let mut moments = ShardedMoments::new(net.dim());
        for first in (0..60_000).step_by(5_000) {
            let features = net.extract(&data.train.tensor(first, 5_000).unwrap()).unwrap();
            moments.push_features(&features, first as u64).unwrap();
        }
        let statistics = Statistics {
            moments: moments.moments().unwrap(),
            extractor: net.id().unwrap(),
            data: "fashion-mnist/train".to_owned(),
            data_sha256: data.train.sha256.to_owned(),
        };
        std::fs::write(dir.join(format!("{name}-weights.safetensors")), &weights).unwrap();
        let bytes = statistics.to_safetensors().unwrap();
        std::fs::write(dir.join(format!("{name}-train-statistics.safetensors")), bytes).unwrap();
        let reference = Reference::new(&statistics.moments).unwrap();
        let images = &data.test.images;
        let mut noise = vec![Corruption::Noise(0.0), Corruption::Noise(1.0 / 255.0)];
        noise.extend(NOISE_LEVELS);
        let mut blur = vec![Corruption::Blur(0.3)];
        blur.extend(BLUR_LEVELS);
        eprintln!("{name}: floor {:.4}", reference.floor(10_000));
        for doses in [noise, blur] {
            for (dose, report) in corruption_curve(&net, &reference, images, &doses, 1).unwrap() {
                eprintln!("  {dose:?} {:.4}", report.fd);
            }
        }
        let coarse = posterise(images, 4).unwrap();
        let coarse = corruption_curve(&net, &reference, &coarse, &[Corruption::Noise(0.0)], 1).unwrap();
        eprintln!("  4 bits {:.4}", coarse[0].1.fd);
    }
}
