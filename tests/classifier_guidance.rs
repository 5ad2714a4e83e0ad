//! Classifier guidance on a distribution whose classifier is known, and with the built-in one.

#![expect(clippy::unwrap_used, reason = "a test")]

mod common;

use std::path::Path as FilePath;
use std::sync::atomic::Ordering;

use common::guidance::{BlobClassifier, Blobs, cpu, worst};
use fewstep::guidance::{Beside, BuiltIn, Guide, LevelClassifier as _, Rule, difference};
use fewstep::pipeline::{At, Evaluator, Outcome, Silent, execute};
use fewstep_eval::data::FashionMnist;
use fewstep_models::{Denoiser, ModelFolder, ModelSpec};
use fewstep_samplers::{GridRule, Node, Path, Plan, Pred, solver};
use tch::{Device, Kind, Tensor};

const N: i64 = 20;

fn blobs() -> (Blobs, BlobClassifier) {
    let blobs = Blobs::new();
    let classifier = blobs.classifier(f64::INFINITY);
    (blobs, classifier)
}

fn noise(stream: u32) -> Tensor {
    let mut noise = vec![0f32; (N * Blobs::SIZE) as usize];
    fewstep::pipeline::NoiseSource::new(1).fill(0, stream, &mut noise);
    Tensor::from_slice(&noise).to_kind(Kind::Double).view([N, Blobs::SIZE, 1, 1])
}

fn classes() -> Tensor {
    Tensor::arange(N, cpu(Kind::Int64)).remainder(10)
}

fn guide(text: &str, w: f64, blobs: &Blobs, classifier: Option<&BlobClassifier>) -> Guide {
    let beside = classifier.map_or(Beside::Nothing, |classifier| Beside::Classifier(classifier.share()));
    Guide::new(&Rule::parse(text).unwrap(), w, blobs, beside).unwrap()
}

/// States as they are met at `node`: the data are of about unit size.
fn states(node: &Node) -> Tensor {
    noise(1) * (0.6 * node.alpha) + noise(2) * node.sigma
}

#[test]
fn an_ideal_classifier_tells_the_difference_of_the_branches() {
    let (blobs, classifier) = blobs();
    let class = classes();
    for path in ["edm", "vp-linear", "vp-cosine", "flow"] {
        let path: Path = path.parse().unwrap();
        let grid = GridRule::default_for(&path).grid(&path, 8, None, None, None).unwrap();
        for node in &grid.nodes()[1..8] {
            let x = states(node);
            let c = blobs.predict(&x, node, Pred::X0, Some(&class)).unwrap();
            let u = blobs.predict(&x, node, Pred::X0, Some(&class.full_like(10))).unwrap();
            let d = difference(&classifier, &x, &[*node], &class).unwrap();
            let off = worst(&d, &(c - u));
            assert!(off < 1e-10 && !d.requires_grad(), "{path:?} at rho {}: {off:e}", node.rho());
        }
    }
}

#[test]
fn the_gradient_is_that_of_finite_differences() {
    let (_, classifier) = blobs();
    let class = classes();
    for (alpha, sigma) in [(1.0, 0.4), (0.6, 0.8), (0.2, 0.8)] {
        let node = Node { t: 0.5, alpha, sigma };
        let (x, toward, h) = (states(&node), noise(3), 1e-5);
        let told = |x: Tensor| {
            let told = classifier.log_probs(&(x / alpha), &vec![node.rho(); N as usize]).unwrap();
            told.gather(1, &class.view([-1, 1]), false).view(-1)
        };
        let slope = (told(&x + &toward * h) - told(&x - &toward * h)) / (2.0 * h);
        let want = slope * (sigma * sigma / alpha);
        let d = difference(&classifier, &x, &[node], &class).unwrap();
        let got = (d * toward).flatten(1, -1).sum_dim_intlist(&[1i64][..], false, Kind::Double);
        assert!(worst(&got, &want) < 1e-7, "{alpha} {sigma}: {}", worst(&got, &want));
    }
}

/// Where a path begins with nothing but noise there is no `x / alpha`.
#[test]
fn pure_noise_is_taken_for_the_highest_level_known() {
    let blobs = Blobs::new();
    let (x, class) = (noise(2), classes());
    let pure = Node { t: 1.0, alpha: 0.0, sigma: 1.0 };
    let c = blobs.predict(&x, &pure, Pred::X0, Some(&class)).unwrap();
    let u = blobs.predict(&x, &pure, Pred::X0, Some(&class.full_like(10))).unwrap();
    let d = difference(&blobs.classifier(80.0), &x, &[pure], &class).unwrap();
    let off = worst(&d, &(c - u));
    assert!(off < 0.05, "{off}");
}

fn plan(path: &str, steps: usize) -> Plan {
    let path: Path = path.parse().unwrap();
    let grid = GridRule::default_for(&path).grid(&path, steps, None, None, None).unwrap();
    solver("dpmpp-2m").unwrap().plan(&grid).unwrap()
}

/// Result, and passes of each image.
fn sample(plan: &Plan, blobs: &Blobs, guide: Option<&Guide>) -> (Tensor, Vec<usize>) {
    let class = classes();
    let mut evaluator = Evaluator::new(blobs, Some(&class), guide, N as usize);
    let mut none = |_| unreachable!("no noise");
    let x = noise(0) * plan.init_scale();
    let Outcome::Done(x) = execute(plan, x, &mut evaluator, &mut none, &Silent).unwrap() else {
        panic!("nobody cancelled")
    };
    assert!(!x.requires_grad());
    (x, evaluator.forwards().to_vec())
}

#[test]
fn with_an_ideal_classifier_every_rule_around_it_does_as_around_cfg() {
    let (blobs, classifier) = blobs();
    let plan = plan("edm", 8);
    for around in
        ["", "+rescale", "+threshold", "+interval:lo=0.2:hi=2", "+adaptive:gamma=0.8", "+cached", "+schedule"]
    {
        // w = 0 is the unconditional prediction.
        for w in [0.0, 0.5, 4.0] {
            let cfg = guide(&format!("cfg{around}"), w, &blobs, None);
            let by_classifier = guide(&format!("classifier{around}"), w, &blobs, Some(&classifier));
            let ((want, twice), (got, once)) =
                (sample(&plan, &blobs, Some(&cfg)), sample(&plan, &blobs, Some(&by_classifier)));
            assert!(worst(&got, &want) < 1e-8, "{around}, w = {w}: {:e}", worst(&got, &want));
            assert_eq!(once, [plan.nfe(); N as usize], "one pass an evaluation");
            assert!(twice.iter().all(|forwards| *forwards > plan.nfe()));
        }
    }
}

#[test]
fn each_image_may_stand_elsewhere() {
    let (blobs, classifier) = blobs();
    let class = classes();
    let nodes: Vec<Node> =
        (0..N).map(|i| Node { t: 0.0, alpha: 0.9 - 0.02 * i as f64, sigma: 0.3 + 0.1 * i as f64 }).collect();
    let x = noise(2);
    let at = At { nodes: &nodes, start: None, step: 0, steps: 1, stage: 0 };
    let ask = |guide: &Guide| {
        let mut evaluator = Evaluator::new(&blobs, Some(&class), Some(guide), N as usize);
        evaluator.eval(&x, at, Pred::Eps).unwrap().value
    };
    // An interval that holds some of the images.
    for around in ["", "+interval:lo=0.8:hi=2"] {
        let want = ask(&guide(&format!("cfg{around}"), 3.0, &blobs, None));
        let got = ask(&guide(&format!("classifier{around}"), 3.0, &blobs, Some(&classifier)));
        assert!(worst(&got, &want) < 1e-9, "{around}: {:e}", worst(&got, &want));
    }
}

#[test]
fn the_classifier_is_asked_only_where_there_is_guidance() {
    let (blobs, classifier) = blobs();
    let plan = plan("edm", 8);
    let plain = sample(&plan, &blobs, None);
    let asked = |text: &str, w: f64| {
        classifier.calls.store(0, Ordering::Relaxed);
        let out = sample(&plan, &blobs, Some(&guide(text, w, &blobs, Some(&classifier))));
        (classifier.calls.load(Ordering::Relaxed), out)
    };
    let (calls, out) = asked("classifier", 1.0);
    assert!(calls == 0 && out.0.equal(&plain.0) && out.1 == plain.1, "w = 1 is no guidance, to the bit");
    assert_eq!(asked("classifier", 2.0).0, 8);
    assert_eq!(asked("classifier+sparse:every=4", 2.0).0, 2);
    assert_eq!(asked("classifier+cached:every=2", 2.0).0, 4);
    let rhos = plan.nodes.iter().take(8).map(Node::rho);
    let inside = rhos.filter(|rho| 0.2 < *rho && *rho <= 2.0).count();
    assert_eq!(asked("classifier+interval:lo=0.2:hi=2", 2.0).0, inside);
}

#[test]
fn what_the_built_in_classifier_says_of_an_image_does_not_depend_on_its_company() {
    tch::set_num_threads(1);
    let classifier = BuiltIn::new(Device::Cpu).unwrap();
    tch::manual_seed(4);
    let n = 21;
    let x = Tensor::randn([n, 1, 28, 28], cpu(Kind::Float));
    let class = Tensor::arange(n, cpu(Kind::Int64)).remainder(10);
    let nodes: Vec<Node> =
        (0..n).map(|i| Node { t: 0.0, alpha: 1.0 - 0.04 * i as f64, sigma: 0.2 + 0.1 * i as f64 }).collect();
    let all = difference(&classifier, &x, &nodes, &class).unwrap();
    for (first, count) in [(0, 1), (3, 8), (5, 16), (20, 1)] {
        let part = |t: &Tensor| t.narrow(0, first, count);
        let nodes = &nodes[first as usize..(first + count) as usize];
        let alone = difference(&classifier, &part(&x), nodes, &part(&class)).unwrap();
        assert!(alone.equal(&part(&all)), "{first} {count}");
    }
}

#[test]
fn the_built_in_classifier_raises_the_probability_of_the_class() {
    tch::set_num_threads(1);
    let classifier = BuiltIn::new(Device::Cpu).unwrap();
    tch::manual_seed(3);
    let class = Tensor::arange(10, cpu(Kind::Int64));
    for (alpha, sigma) in [(1.0, 0.5), (0.4, 0.9), (0.1, 1.0)] {
        let node = Node { t: 0.5, alpha, sigma };
        let x = Tensor::randn([10, 1, 28, 28], cpu(Kind::Float)) * sigma;
        let d = difference(&classifier, &x, &[node], &class).unwrap();
        assert_eq!((d.size(), d.kind(), d.requires_grad()), (x.size(), Kind::Float, false));
        let told = |x: &Tensor| {
            let told = classifier.log_probs(&(x / alpha), &[node.rho(); 10]).unwrap();
            told.gather(1, &class.view([-1, 1]), false).view(-1)
        };
        // A small step along the gradient gains its squared length, for the f32 of the network.
        let gradient = &d * (alpha / (sigma * sigma));
        let square = gradient.square().flatten(1, -1).sum_dim_intlist(&[1i64][..], false, Kind::Float);
        let h = square.sqrt().reciprocal().view([-1, 1, 1, 1]) * (0.02 * sigma);
        let gain = (told(&(&x + &gradient * &h)) - told(&(&x - &gradient * &h))) / (h.view(-1) * 2.0);
        assert!(f64::try_from((gain / square - 1.0).abs().max()).unwrap() < 0.02, "{alpha} {sigma}");
    }
}

/// How far the built-in classifier and the built-in network say the same: `d` of either for noisy test images.
#[test]
#[ignore = "slow: half a minute; prints the table of the card"]
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "its table stands in the card")]
fn table_of_both_differences() {
    tch::set_num_threads(1);
    let dir = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("data/fashion-mnist");
    if !dir.is_dir() {
        eprintln!("SKIPPED: no {}; `make data` fetches it", dir.display());
        return;
    }
    let n = 500;
    let data = FashionMnist::open_test(&dir).unwrap();
    let clean = data.tensor(0, n).unwrap().to_kind(Kind::Float) / 127.5 - 1.0;
    let class = Tensor::from_slice(&data.labels[..n]).to_kind(Kind::Int64);
    let net = ModelFolder::open("fmnist-edm").unwrap().load(Device::Cpu, Kind::Float).unwrap();
    let classifier = BuiltIn::new(Device::Cpu).unwrap();
    tch::manual_seed(1);
    println!("| rho | cosine | rms of c - u | rms of d |\n| --: | --: | --: | --: |");
    for rho in [0.1, 0.3, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 40.0, 80.0] {
        let node = Node { t: rho, alpha: 1.0, sigma: rho };
        let x = &clean + clean.randn_like() * rho;
        let c = net.predict(&x, &node, Pred::X0, Some(&class)).unwrap();
        let u = net.predict(&x, &node, Pred::X0, Some(&class.full_like(10))).unwrap();
        let (want, d) = (c - u, difference(&classifier, &x, &[node], &class).unwrap());
        let dot = |a: &Tensor, b: &Tensor| f64::try_from((a * b).mean(Kind::Double)).unwrap();
        let (a, b) = (dot(&want, &want).sqrt(), dot(&d, &d).sqrt());
        println!("| {rho} | {:.3} | {a:.4} | {b:.4} |", dot(&want, &d) / (a * b));
    }
}

#[test]
fn what_the_classifier_does_not_know_is_refused() {
    struct Named(ModelSpec);
    impl Denoiser for Named {
        fn predict(
            &self,
            x: &Tensor,
            _: &Node,
            _: Pred,
            _: Option<&Tensor>,
        ) -> fewstep_models::Result<Tensor> {
            Ok(x.shallow_clone())
        }
        fn spec(&self) -> &ModelSpec {
            &self.0
        }
        fn share(&self) -> Box<dyn Denoiser> {
            Box::new(Self(self.0.clone()))
        }
    }
    let rule = Rule::parse("classifier").unwrap();
    let refused = |change: &dyn Fn(&mut ModelSpec)| {
        let mut spec = common::tiny_spec().0;
        change(&mut spec);
        let beside = Beside::Classifier(Box::new(BuiltIn::new(Device::Cpu).unwrap()));
        format!("{:#}", Guide::new(&rule, 2.0, &Named(spec), beside).unwrap_err())
    };
    let text = refused(&|spec| spec.classes = None);
    assert!(text.contains("needs a model with classes"), "{text}");
    let text = refused(&|spec| spec.shape = [3, 28, 28]);
    assert!(text.contains("10 classes of [1, 28, 28] images, the model makes [3, 28, 28]"), "{text}");
    let text = refused(&|spec| spec.classes = Some(7));
    assert!(text.contains("of 7; take another rule"), "{text}");
    let digits = |spec: &mut ModelSpec| spec.class_names = (0..10).map(|i| i.to_string()).collect();
    let text = refused(&digits);
    assert!(text.contains("knows the classes of Fashion-MNIST"), "{text}");
    let (blobs, classifier) = blobs();
    let missing = Guide::new(&rule, 2.0, &blobs, Beside::Nothing).unwrap_err().to_string();
    assert!(missing.contains("needs a classifier"), "{missing}");
    let beside = Beside::Classifier(classifier.share());
    let surplus = Guide::new(&Rule::parse("cfg").unwrap(), 2.0, &blobs, beside).unwrap_err().to_string();
    assert!(surplus.contains("no use for a classifier"), "{surplus}");
    let error = Rule::parse("classifier:s=2").unwrap_err().to_string();
    assert!(error.contains("`s`"), "{error}");
}
