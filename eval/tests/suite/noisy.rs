//! The classifier of noisy images: what it is told, its gradient, and how far it can be trusted.

use crate::common::{Lcg, close, fashion_mnist, one_thread};
use fewstep_eval::Error;
use fewstep_eval::data::Split;
use fewstep_eval::feature::{COLOUR, Classifier, GREY, NOISY, NoisyClassifier, fmnist_noisy_cnn};
use tch::{Device, Kind, Tensor};

fn noise(seed: u64, n: i64) -> Tensor {
    let mut rng = Lcg(seed);
    let values: Vec<f64> = (0..n * 784).map(|_| rng.normal()).collect();
    Tensor::from_slice(&values).view([n, 1, 28, 28])
}

/// The weights that ship, in f64.
fn double() -> NoisyClassifier {
    let bytes = include_bytes!("../../zoo/fmnist-noisy-cnn/weights.safetensors");
    let net = Classifier::from_safetensors(&NOISY, bytes).unwrap();
    let weights = net.named_parameters().iter();
    let wide = weights.map(|(name, t)| (name.to_owned(), t.to_kind(Kind::Double))).collect();
    NoisyClassifier::new(Classifier::from_tensors(&NOISY, wide).unwrap()).unwrap()
}

#[test]
fn it_tells_probabilities_of_each_image_alone() {
    one_thread();
    let net = fmnist_noisy_cnn().unwrap();
    assert!(net.id().unwrap().starts_with("fmnist-noisy-cnn:"));
    let z = noise(1, 6).to_kind(Kind::Float) * 3.0;
    let rho = [0.01, 0.3, 1.0, 3.0, 10.0, 60.0];
    let told = net.log_probs(&z, &rho).unwrap();
    assert_eq!(told.size(), [6, 10]);
    let total = told.exp().sum_dim_intlist(&[1_i64][..], false, Kind::Double);
    assert!((total - 1.0).abs().max().double_value(&[]) < 1e-5);
    for (i, rho) in rho.iter().enumerate() {
        let alone = net.log_probs(&z.narrow(0, i as i64, 1), &[*rho]).unwrap();
        assert!((alone - told.narrow(0, i as i64, 1)).abs().max().double_value(&[]) < 1e-4, "{rho}");
    }
    // The level is heard, and beyond the ends the ends are told.
    let of = |rho: f64| net.log_probs(&z.narrow(0, 0, 1), &[rho]).unwrap();
    assert!((of(1.0) - of(4.0)).abs().max().double_value(&[]) > 1e-2);
    assert!((of(1e-4) - of(2e-3)).abs().max().double_value(&[]) < 1e-3);
    let other = net.share().to_device(Device::Cpu).unwrap();
    assert!(other.log_probs(&z, &rho).unwrap().equal(&told));
}

#[test]
fn its_gradient_is_that_of_finite_differences() {
    one_thread();
    let net = double();
    let rho = [0.05, 0.7, 5.0, 70.0];
    let z = noise(2, 4) * Tensor::from_slice(&rho).view([4, 1, 1, 1]);
    let toward = noise(3, 4);
    let class = Tensor::from_slice(&[0_i64, 3, 7, 9]).view([4, 1]);
    let of = |z: &Tensor| net.log_probs(z, &rho).unwrap().gather(1, &class, false).view(-1);
    let leaf = z.copy().set_requires_grad(true);
    let gradient = Tensor::run_backward(&[of(&leaf).sum(Kind::Double)], &[&leaf], false, false).remove(0);
    let found = (&gradient * &toward).flatten(1, -1).sum_dim_intlist(&[1_i64][..], false, Kind::Double);
    // Steps go with the level, as the input of the network does.
    let h = Tensor::from_slice(&rho.map(|rho: f64| 1e-5 * rho.hypot(0.5)));
    let step = &toward * &h.view([-1, 1, 1, 1]);
    let wanted = (of(&(&z + &step)) - of(&(&z - &step))) / (h * 2.0);
    let (found, wanted) = (Vec::<f64>::try_from(found).unwrap(), Vec::<f64>::try_from(wanted).unwrap());
    for (found, wanted) in found.into_iter().zip(wanted) {
        assert!(wanted.abs() > 1e-6, "{wanted}");
        close(found / wanted, 1.0, 1e-5);
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    one_thread();
    for arch in [&GREY, &COLOUR] {
        let error = NoisyClassifier::new(Classifier::init(arch, 1).unwrap()).unwrap_err().to_string();
        assert!(error.contains("must be `fmnist-noisy-cnn`") && error.contains(arch.name), "{error}");
    }
    let net = NoisyClassifier::new(Classifier::init(&NOISY, 1).unwrap()).unwrap();
    let z = noise(4, 2).to_kind(Kind::Float);
    for (z, rho) in [
        (z.shallow_clone(), &[1.0][..]),
        (z.to_kind(Kind::Double), &[1.0, 1.0]),
        (z.view([2, 784]), &[1.0, 1.0]),
        (z.view([2, 1, 14, 56]), &[1.0, 1.0]),
    ] {
        assert!(matches!(net.log_probs(&z, rho), Err(Error::Shape { .. })), "{:?}", z.size());
    }
}

/// Share of right answers and mean logarithm of the probability of the right class.
fn score(net: &NoisyClassifier, data: &Split, count: usize, rho: f64) -> (f64, f64) {
    let (mut right, mut sum) = (0.0, 0.0);
    for first in (0..count).step_by(500) {
        let clean = data.tensor(first, 500).unwrap().to_kind(Kind::Float) / 127.5 - 1.0;
        let z = clean + noise(first as u64 + 1, 500).to_kind(Kind::Float) * rho;
        let told = net.log_probs(&z, &[rho; 500]).unwrap();
        let labels = Tensor::from_slice(&data.labels[first..first + 500]).to_kind(Kind::Int64);
        right += told.argmax(1, false).eq_tensor(&labels).sum(Kind::Double).double_value(&[]);
        sum += told.gather(1, &labels.view([-1, 1]), false).sum(Kind::Double).double_value(&[]);
    }
    (right / count as f64, sum / count as f64)
}

#[test]
fn accuracy_falls_with_noise_down_to_chance() {
    one_thread();
    let Some(data) = fashion_mnist("accuracy_falls_with_noise_down_to_chance") else { return };
    let net = fmnist_noisy_cnn().unwrap();
    let levels = [0.1, 1.0, 10.0, 80.0].map(|rho| score(&net, &data.test, 1_000, rho));
    assert!(levels.windows(2).all(|pair| pair[0].0 > pair[1].0), "{levels:?}");
    assert!(levels[0].0 > 0.85 && levels[1].0 > 0.7, "{levels:?}");
    // It is not surer than it may be: with nothing to go by, the ten classes are even.
    assert!(levels.iter().all(|(_, told)| *told > -(10_f64.ln()) - 0.01), "{levels:?}");
}

#[test]
#[ignore = "slow: half a minute; prints the table of the card"]
#[expect(clippy::print_stdout, reason = "its table stands in the card")]
fn table_of_accuracy_against_noise() {
    one_thread();
    let Some(data) = fashion_mnist("table_of_accuracy_against_noise") else { return };
    let net = fmnist_noisy_cnn().unwrap();
    println!("{}\n\n| rho | accuracy | mean ln p |\n| --: | --: | --: |", net.id().unwrap());
    for rho in [0.002, 0.1, 0.3, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 40.0, 80.0] {
        let (accuracy, told) = score(&net, &data.test, 10_000, rho);
        println!("| {rho} | {accuracy:.4} | {told:.4} |");
    }
}
