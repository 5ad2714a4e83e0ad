//! The built-in feature network: loading, determinism, independence of batches, gradients.

use crate::common::{Lcg, one_thread};
use fewstep_eval::Error;
use fewstep_eval::feature::{COLOUR, Classifier, FeatureNet, GREY};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use tch::{Device, Kind, Tensor};

fn images(n: usize) -> Tensor {
    Tensor::from_slice(&Lcg(11).bytes(n * 784)).view([n as i64, 1, 28, 28])
}

fn same(a: &Tensor, b: &Tensor) -> bool {
    a.size() == b.size() && (a - b).abs().max().double_value(&[]) == 0.0
}

#[test]
fn initial_weights_follow_from_the_seed() {
    one_thread();
    let ids: Vec<String> =
        [1, 1, 2].map(|seed| Classifier::init(&GREY, seed).unwrap().id().unwrap()).to_vec();
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[0], ids[2]);
    assert!(ids[0].starts_with("fmnist-cnn:") && ids[0].len() == "fmnist-cnn:".len() + 64);
    // He initialisation keeps the scale: features of random images are neither dead nor huge.
    let features = Classifier::init(&GREY, 1).unwrap().extract(&images(20)).unwrap();
    let mean = features.mean(Kind::Float).double_value(&[]);
    assert!((0.05..5.0).contains(&mean), "{mean}");
}

#[test]
fn a_feature_does_not_depend_on_the_batch() {
    one_thread();
    let net = Classifier::init(&GREY, 3).unwrap();
    let all = images(230);
    let whole = net.infer(&all).unwrap();
    assert_eq!((whole.features.size(), whole.logits.size()), (vec![230, 128], vec![230, 10]));
    for (first, count) in [(0, 1), (1, 49), (49, 2), (100, 130)] {
        let part = net.infer(&all.narrow(0, first, count)).unwrap();
        assert!(same(&part.features, &whole.features.narrow(0, first, count)));
        assert!(same(&part.logits, &whole.logits.narrow(0, first, count)));
    }
    let reversed = net.extract(&all.flip([0])).unwrap();
    assert!(same(&reversed.flip([0]), &whole.features));
}

#[test]
fn files_round_trip() {
    one_thread();
    let net = Classifier::init(&GREY, 4).unwrap();
    let full = net.to_safetensors(false).unwrap();
    assert_eq!(Classifier::from_safetensors(&GREY, &full).unwrap().id().unwrap(), net.id().unwrap());
    let half = net.to_safetensors(true).unwrap();
    assert!(half.len() <= 500_000, "{} bytes", half.len());
    let loaded = Classifier::from_safetensors(&GREY, &half).unwrap();
    assert_eq!(loaded.to_safetensors(true).unwrap(), half);
    let x = images(10);
    let (a, b) = (net.extract(&x).unwrap(), loaded.extract(&x).unwrap());
    assert!((a - b).abs().max().double_value(&[]) < 0.02);
}

#[test]
fn every_mismatch_is_reported_at_once() {
    one_thread();
    let bytes = Classifier::init(&GREY, 5).unwrap().to_safetensors(false).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut tensors: Vec<(String, TensorView<'_>)> = file.tensors();
    tensors.retain(|(name, _)| name != "conv2.bias");
    let nan: Vec<u8> = [f32::NAN; 10].iter().flat_map(|v| v.to_le_bytes()).collect();
    for (name, view) in &mut tensors {
        match name.as_str() {
            // Same count of values, and one that a broadcasting copy would accept.
            "head.weight" => *view = TensorView::new(Dtype::F32, vec![128, 10], view.data()).unwrap(),
            "hidden.bias" => *view = TensorView::new(Dtype::F32, vec![1], &nan[..4]).unwrap(),
            "conv1.bias" => *view = TensorView::new(Dtype::I32, vec![32], view.data()).unwrap(),
            "head.bias" => *view = TensorView::new(Dtype::F32, vec![10], &nan).unwrap(),
            _ => {}
        }
    }
    tensors.push(("extra.weight".to_owned(), TensorView::new(Dtype::F32, vec![10], &nan).unwrap()));
    let bytes = safetensors::serialize(tensors, None).unwrap();
    let Err(Error::Weights { problems, network }) = Classifier::from_safetensors(&GREY, &bytes) else {
        panic!("accepted")
    };
    assert_eq!(network, "fmnist-cnn");
    let expected = [
        "`conv1.bias` is stored as I32, expected F32 or F16",
        "`conv2.bias` is missing",
        "`head.bias` holds a value that is not finite",
        "`head.weight` has shape [128, 10], expected [10, 128]",
        "`hidden.bias` has shape [1], expected [128]",
        "`extra.weight` is unexpected",
    ];
    assert_eq!(problems, expected);
    for broken in [&bytes[..bytes.len() - 1], &bytes[..20], b""] {
        let message = Classifier::from_safetensors(&GREY, broken).unwrap_err().to_string();
        assert!(message.contains("not a whole safetensors file"), "{message}");
    }
}

#[test]
fn it_learns_through_its_named_parameters() {
    one_thread();
    let net = Classifier::init(&GREY, 6).unwrap();
    for (_, weight) in net.named_parameters().iter() {
        let _ = weight.set_requires_grad(true);
    }
    let x = images(16).to_kind(Kind::Float) / 127.5 - 1.0;
    let y = Tensor::arange(16, (Kind::Int64, Device::Cpu)).remainder(10);
    let loss = || net.forward(&x).unwrap().logits.cross_entropy_for_logits(&y);
    let first = loss();
    first.backward();
    for (name, weight) in net.named_parameters().iter() {
        assert!(weight.grad().defined() && weight.grad().abs().max().double_value(&[]) > 0.0, "{name}");
        tch::no_grad(|| _ = weight.shallow_clone().f_sub_(&(weight.grad() * 0.05)).unwrap());
    }
    let (first, second) = (first.double_value(&[]), loss().double_value(&[]));
    assert!((first - 10_f64.ln()).abs() < 0.5 && second < first, "{first} -> {second}");
    assert!(!net.extract(&images(2)).unwrap().requires_grad());
}

#[test]
fn features_for_colour_are_taught_to_tell_the_thumbnail() {
    one_thread();
    let net = Classifier::init(&COLOUR, 8).unwrap();
    assert_eq!(net.image_shape(), [3, 28, 28]);
    let pixels = Tensor::from_slice(&Lcg(12).bytes(16 * 3 * 784)).view([16, 3, 28, 28]);
    let x = pixels.to_kind(Kind::Float) / 127.5 - 1.0;
    let out = net.forward(&x).unwrap();
    let (told, real) = net.thumbnails(&x, &out.features).unwrap().unwrap();
    assert_eq!((told.size(), real.size()), (vec![16, 48], vec![16, 48]));
    let corner = x.narrow(0, 3, 1).narrow(1, 2, 1).narrow(2, 0, 7).narrow(3, 21, 7).mean(Kind::Float);
    assert!((corner.double_value(&[]) - real.double_value(&[3, 2 * 16 + 3])).abs() < 1e-6);
    let grey = Classifier::init(&GREY, 8).unwrap();
    assert!(grey.thumbnails(&x, &out.features).unwrap().is_none());
    assert!(matches!(grey.extract(&pixels), Err(Error::Shape { what: "images", .. })));
    let bytes = net.to_safetensors(true).unwrap();
    assert!(matches!(Classifier::from_safetensors(&GREY, &bytes), Err(Error::Weights { .. })));
    assert_eq!(Classifier::from_safetensors(&COLOUR, &bytes).unwrap().to_safetensors(true).unwrap(), bytes);
}

#[test]
fn wrong_inputs_are_refused() {
    one_thread();
    let net = Classifier::init(&GREY, 7).unwrap();
    for wrong in [
        images(2).to_kind(Kind::Float),
        images(2).view([2, 784]),
        images(1).view([1, 1, 14, 56]),
        images(1).narrow(0, 0, 0),
    ] {
        assert!(matches!(net.extract(&wrong), Err(Error::Shape { what: "images", .. })));
    }
    assert!(matches!(net.forward(&images(1)), Err(Error::Shape { .. })));
}
