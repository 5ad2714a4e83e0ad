//! The Inception network and its protocols against the tools of the literature, on weights from a formula.
//!
//! `scripts/parity/make_inception_fixtures.py` made the fixtures; it repeats `formula_weights` and `picture`.

use crate::common::one_thread;
use fewstep_eval::feature::FeatureNet;
use fewstep_eval::feature::inception::{
    BATCH, INPUT, Inception, InceptionSpace, Layout, Picture, Protocol, Resizer, SIDE, Tap, Trust, Weights,
    formula_weights,
};
use fewstep_eval::{Error, sha256_hex};
use safetensors::SafeTensors;
use std::collections::BTreeMap;
use tch::{Device, Kind, Tensor};

/// Height, width, channels and name of a picture.
type Case = (usize, usize, usize, &'static str);

const PICTURES: [Case; 6] = [
    (28, 28, 1, "28x28-grey"),
    (32, 32, 3, "32x32"),
    (64, 64, 3, "64x64"),
    (50, 100, 3, "50x100"),
    (299, 299, 3, "299x299"),
    (512, 512, 3, "512x512"),
];

/// Slanted triangle waves, a quarter noise; interleaved.
fn picture(height: usize, width: usize, channels: usize) -> Vec<u8> {
    let mut state = (65_536 * height + width) as u64;
    let mut noise = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 56) as usize
    };
    let mut bytes = Vec::new();
    for y in 0..height {
        for x in 0..width {
            for c in 0..channels {
                let wave = (255 * x / width + 128 * (c + 1) * y / height) % 511;
                let wave = if wave > 255 { 510 - wave } else { wave };
                bytes.push(((3 * wave + noise()) / 4) as u8);
            }
        }
    }
    bytes
}

fn resized(protocol: Protocol, (height, width, channels, _): Case) -> Vec<f32> {
    let bytes = picture(height, width, channels);
    let picture = Picture::new(&bytes, [height, width], channels, Layout::Interleaved).unwrap();
    let mut out = vec![0.0; INPUT];
    Resizer::new(protocol, [height, width]).unwrap().run(&picture, &mut out).unwrap();
    out
}

/// One fixture: tensors as f32, and the hashes of the inputs.
fn fixture(protocol: Protocol) -> (BTreeMap<String, Vec<f32>>, std::collections::HashMap<String, String>) {
    let path = format!("{}/tests/fixtures/inception/{protocol}.safetensors", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(path).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let values = |data: &[u8]| data.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let tensors = tensors.tensors().into_iter().map(|(name, view)| (name, values(view.data()))).collect();
    (tensors, header.metadata().clone().unwrap())
}

/// Largest difference, relative to the largest value.
fn difference(got: &[f32], want: &[f32]) -> f64 {
    assert_eq!(got.len(), want.len());
    let scale = want.iter().fold(0.0_f64, |m, v| m.max(f64::from(v.abs())));
    got.iter().zip(want).fold(0.0_f64, |m, (a, b)| m.max((f64::from(*a) - f64::from(*b)).abs())) / scale
}

#[test]
fn inputs_equal_those_of_the_tools_to_the_bit() {
    for protocol in Protocol::ALL {
        let (tensors, hashes) = fixture(protocol);
        for picture in PICTURES {
            let input = resized(protocol, picture);
            let every: Vec<f32> = input.iter().step_by(101).copied().collect();
            // The values tell where it goes wrong, if it does; the hash is the statement.
            let most = difference(&every, &tensors[&format!("{}/input", picture.3)]);
            assert!(most == 0.0, "{protocol} {}: {most:e}", picture.3);
            let bytes: Vec<u8> = input.iter().flat_map(|v| v.to_le_bytes()).collect();
            assert_eq!(sha256_hex(&bytes), hashes[picture.3], "{protocol} {}", picture.3);
        }
    }
}

fn vectors(tensor: &Tensor) -> Vec<Vec<f32>> {
    let [n, dim] = tensor.size()[..] else { panic!("not a matrix") };
    let mut all = vec![0.0; (n * dim) as usize];
    tensor.contiguous().copy_data(&mut all, (n * dim) as usize);
    all.chunks(dim as usize).map(<[f32]>::to_vec).collect()
}

fn inputs(cases: &[(Protocol, Case)]) -> Tensor {
    let all: Vec<f32> = cases.iter().flat_map(|(protocol, picture)| resized(*protocol, *picture)).collect();
    Tensor::from_slice(&all).view([cases.len() as i64, 3, SIDE as i64, SIDE as i64])
}

/// Compares all taps of all cases with the fixtures; gives the values and the largest relative difference.
fn compare(net: &Inception, cases: &[(Protocol, Case)]) -> (Vec<Tensor>, f64) {
    let values = net.infer(&inputs(cases), &Tap::ALL).unwrap();
    let fixtures = Protocol::ALL.map(|protocol| (protocol, fixture(protocol).0));
    let mut worst = 0.0_f64;
    for (tap, values) in Tap::ALL.iter().zip(&values) {
        assert_eq!(values.size(), [cases.len() as i64, tap.dim() as i64]);
        for ((protocol, picture), got) in cases.iter().zip(vectors(values)) {
            let (_, tensors) = fixtures.iter().find(|(of, _)| of == protocol).unwrap();
            let most = difference(&got, &tensors[&format!("{}/{tap}", picture.3)]);
            worst = worst.max(most);
            assert!(most < 1e-5, "{protocol} {} {tap}: {most:e}", picture.3);
        }
    }
    (values, worst)
}

#[test]
fn features_equal_those_of_the_tools_and_do_not_depend_on_the_batch() {
    one_thread();
    let weights = formula_weights().unwrap();
    let net = Inception::new(&weights).unwrap();
    let of = |at: usize| [Protocol::Torch, Protocol::Tf1, Protocol::Clean][at % 3];
    let cases: Vec<_> = PICTURES.iter().enumerate().map(|(at, picture)| (of(at), *picture)).collect();
    let (values, worst) = compare(&net, &cases);
    assert!(worst < 5e-6, "{worst:e}");
    // Other company, other places, fewer taps; and through the interface of feature networks.
    let few: Vec<_> = [cases[4], cases[1]].to_vec();
    let again = net.infer(&inputs(&few), &[Tap::F2048, Tap::F192]).unwrap();
    for (got, want) in again.iter().zip([&values[4], &values[1]]) {
        let want = vectors(want);
        assert_eq!(vectors(got), [want[4].clone(), want[1].clone()]);
    }
    let (protocol, (height, width, channels, _)) = cases[0];
    let space = InceptionSpace::new(net.share(), protocol, [channels, height, width]).unwrap();
    let image =
        Tensor::from_slice(&picture(height, width, channels)).view([1, 1, height as i64, width as i64]);
    assert_eq!(vectors(&space.extract(&image).unwrap())[0], vectors(&values[4])[0]);
    assert_eq!(space.id().unwrap(), format!("inception-2015/torch:{}", weights.sha256()));
}

#[test]
#[ignore = "slow: all sizes under all protocols, and the f64 network"]
#[expect(clippy::print_stdout, reason = "the differences are worth reading")]
fn all_features_equal_those_of_the_tools() {
    let weights = formula_weights().unwrap();
    let every: Vec<_> = Protocol::ALL.iter().flat_map(|p| PICTURES.map(|picture| (*p, picture))).collect();
    let (values, worst) = compare(&Inception::new(&weights).unwrap(), &every);
    println!("largest relative difference of f32 to the tools: {worst:e}");
    let (audit, worst) = compare(&Inception::audit(&weights).unwrap(), &every[..BATCH.min(every.len())]);
    println!("of f64 to the tools: {worst:e}");
    for ((tap, a), b) in Tap::ALL.iter().zip(&values).zip(&audit) {
        let b = vectors(b);
        let most = vectors(a).iter().zip(&b).map(|(a, b)| difference(a, b)).fold(0.0, f64::max);
        println!("f32 to f64 at {tap}: {most:e}");
        assert!(most < 1e-5);
    }
}

#[test]
fn the_average_divides_by_the_pixels_there_are() {
    // Torch counts no padding here: what the border rule of the network rests on.
    let ones = Tensor::ones([1, 2, 5, 5], (Kind::Float, Device::Cpu));
    let mean = ones.avg_pool2d([3, 3], [1, 1], [1, 1], false, false, None);
    assert!((mean - 1.0).abs().max().double_value(&[]) == 0.0);
}

#[test]
fn weights_are_asked_for_by_name_shape_and_hash() {
    let weights = formula_weights().unwrap();
    assert!(!weights.is_official() && weights.sha8().len() == 8);
    let bytes = weights.to_safetensors().unwrap();
    let again = Weights::from_bytes("w.safetensors", &bytes, Trust::Any).unwrap();
    assert_eq!(again.sha256(), weights.sha256());
    assert_eq!(again.get("fc.bias"), weights.get("fc.bias"));
    let message = Weights::from_bytes("w.safetensors", &bytes, Trust::Official).unwrap_err().to_string();
    let official = "that of the official file with 6726825d";
    assert!(message.contains("`w.safetensors`") && message.contains(official), "{message}");

    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut views = file.tensors();
    views.retain(|(name, _)| name != "Mixed_7c.branch_pool.bn.running_var");
    for (name, view) in &mut views {
        if name == "fc.weight" {
            *view =
                safetensors::tensor::TensorView::new(view.dtype(), vec![2048, 1008], view.data()).unwrap();
        }
        if name == "Mixed_5b.branch1x1.bn.bias" {
            "extra".clone_into(name);
        }
    }
    let spoilt = safetensors::serialize(views, None).unwrap();
    let Err(Error::Checkpoint { problems, .. }) = Weights::from_bytes("w", &spoilt, Trust::Any) else {
        panic!("accepted")
    };
    let expected = [
        "`Mixed_5b.branch1x1.bn.bias` is missing",
        "`Mixed_7c.branch_pool.bn.running_var` is missing",
        "`fc.weight` has shape [2048, 1008], expected [1008, 2048]",
        "`extra` is unexpected",
    ];
    assert_eq!(problems, expected);
    // 472 problems are no message for people.
    let message = Weights::from_bytes("w", &[0; 100], Trust::Any).unwrap_err().to_string();
    assert!(message.contains("not a whole safetensors file"), "{message}");
    let none: Vec<(String, safetensors::tensor::TensorView<'_>)> = Vec::new();
    let empty = safetensors::serialize(none, None).unwrap();
    let message = Weights::from_bytes("w", &empty, Trust::Any).unwrap_err().to_string();
    assert!(message.contains("and 452 more") && message.len() < 1500, "{message}");
}

#[test]
fn wrong_pictures_are_refused() {
    let bytes = vec![0; 12];
    for (size, channels) in [([2, 2], 2), ([2, 3], 3), ([0, 4], 3), ([usize::MAX, 2], 3)] {
        assert!(Picture::new(&bytes, size, channels, Layout::Planar).is_err());
    }
    for size in [[0, 1], [1, 65_536]] {
        assert!(Resizer::new(Protocol::Clean, size).is_err());
    }
    let picture = Picture::new(&bytes, [2, 2], 3, Layout::Planar).unwrap();
    let other = Resizer::new(Protocol::Tf1, [2, 1]).unwrap();
    assert!(other.run(&picture, &mut vec![0.0; INPUT]).is_err());
    let right = Resizer::new(Protocol::Tf1, [2, 2]).unwrap();
    assert!(right.run(&picture, &mut [0.0; 5]).is_err());
}

#[test]
fn a_single_pixel_fills_the_input_and_layouts_agree() {
    let mut out = vec![0.0; INPUT];
    for protocol in Protocol::ALL {
        let grey = Picture::new(&[128], [1, 1], 1, Layout::Planar).unwrap();
        Resizer::new(protocol, [1, 1]).unwrap().run(&grey, &mut out).unwrap();
        let want = if protocol == Protocol::Torch { 2.0 * (128.0 / 255.0) - 1.0 } else { 0.0 };
        assert!(out.iter().all(|v| (*v - want).abs() < 5e-7), "{protocol}");
        assert_eq!(protocol.to_string().parse::<Protocol>().unwrap(), protocol);

        let interleaved = picture(9, 14, 3);
        let planar: Vec<u8> =
            (0..3).flat_map(|c| interleaved.iter().skip(c).step_by(3).copied().collect::<Vec<_>>()).collect();
        let resizer = Resizer::new(protocol, [9, 14]).unwrap();
        let both = [(planar, Layout::Planar), (interleaved, Layout::Interleaved)].map(|(bytes, layout)| {
            resizer.run(&Picture::new(&bytes, [9, 14], 3, layout).unwrap(), &mut out).unwrap();
            out.clone()
        });
        assert_eq!(both[0], both[1]);
    }
    assert!("tf2".parse::<Protocol>().is_err());
    for tap in Tap::ALL {
        assert_eq!(tap.to_string().parse::<Tap>().unwrap(), tap);
    }
}
