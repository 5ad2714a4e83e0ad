//! Guidance in the executor: what it costs, what it leaves alone, and what it does on a known distribution.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test; its figures stand in docs/guidance.md"
)]

mod common;

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use common::guidance::{Blobs, Place, Table, cpu, fixture, images, worst};
use fewstep::guidance::{Beside, Guide, Needs, Rule};
use fewstep::pipeline::{
    Batches, Evaluator, Job, Look, Observer, Outcome, Program, Silent, StepInfo, execute, quantise,
};
use fewstep_models::{Denoiser, ModelFolder, NetDenoiser, Prediction};
use fewstep_samplers::dynamic::dynamic_solver;
use fewstep_samplers::{Grid, GridRule, Node, Path, Plan, Pred, solver};
use tch::{Device, Kind, Tensor};

fn tiny() -> NetDenoiser {
    let dir = tempfile::tempdir().unwrap();
    common::tiny_model(dir.path());
    ModelFolder::open(dir.path().to_str().unwrap()).unwrap().load(Device::Cpu, Kind::Float).unwrap()
}

fn grid(path: &str, steps: usize) -> Grid {
    let path: Path = path.parse().unwrap();
    GridRule::default_for(&path).grid(&path, steps, None, None, None).unwrap()
}

fn plan(name: &str, path: &str, steps: usize) -> Plan {
    solver(name).unwrap().plan(&grid(path, steps)).unwrap()
}

fn guide(text: &str, scale: f64, denoiser: &dyn Denoiser) -> Guide {
    let rule = Rule::parse(text).unwrap();
    let beside = match rule.guidance().needs() {
        Needs::Weak => Beside::Weak(denoiser.share()),
        _ => Beside::Nothing,
    };
    Guide::new(&rule, scale, denoiser, beside).unwrap()
}

fn job(images: std::ops::Range<u64>, batch: usize) -> Job {
    let images = images.collect();
    Job { seed: 5, images, class: None, init: None, batch, workers: 2, device: Device::Cpu }
}

/// Pixels and network passes of each image.
fn pictures(
    program: impl Into<Program>,
    denoiser: &dyn Denoiser,
    guide: Option<&Guide>,
    job: &Job,
) -> anyhow::Result<Vec<(Vec<u8>, usize)>> {
    let mut all = Vec::new();
    for batch in Batches::guided(program, denoiser, guide, job, &(Arc::new(Silent) as Arc<dyn Observer>)) {
        let batch = batch?;
        let pixels = quantise(&batch.x);
        for (i, &forwards) in batch.forwards.iter().enumerate() {
            all.push((Vec::try_from(pixels.get(i as i64).view(-1)).unwrap(), forwards));
        }
    }
    Ok(all)
}

#[test]
fn a_scale_of_one_is_bit_equal_to_no_guidance() {
    tch::set_num_threads(1);
    let denoiser = tiny();
    let job = job(0..4, 4);
    for name in ["deis-tab3", "dpmpp-2m", "heun"] {
        let plan = plan(name, "vp-linear", 4);
        let plain = pictures(&plan, &denoiser, None, &job).unwrap();
        assert!(plain.iter().all(|(_, forwards)| *forwards == plan.nfe()));
        let one = guide("apg:beta=-0.5+cached", 1.0, &denoiser);
        assert_eq!(pictures(&plan, &denoiser, Some(&one), &job).unwrap(), plain, "{name}");
        let none = guide("none", 7.0, &denoiser);
        assert_eq!(pictures(&plan, &denoiser, Some(&none), &job).unwrap(), plain, "{name}");
        let strong = guide("cfg", 4.0, &denoiser);
        assert_ne!(pictures(&plan, &denoiser, Some(&strong), &job).unwrap(), plain, "{name}");
    }
}

#[test]
fn passes_of_the_network_are_counted() {
    tch::set_num_threads(1);
    let denoiser = tiny();
    let plan = plan("dpmpp-2m", "edm", 8);
    let rhos: Vec<f64> = plan.nodes.iter().take(8).map(Node::rho).collect();
    let inside = rhos.iter().filter(|rho| (0.19..=1.61).contains(*rho)).count();
    assert!((1..8).contains(&inside));
    let count = |text: &str| {
        let guide = guide(text, 3.0, &denoiser);
        let all = pictures(&plan, &denoiser, Some(&guide), &job(0..4, 4)).unwrap();
        all.into_iter().map(|(_, forwards)| forwards).collect::<Vec<_>>()
    };
    for (text, want) in [
        ("cfg", 16),
        ("apg:r_rms=0.1:beta=-0.5", 16),
        ("rescale+threshold", 16),
        ("auto", 16),
        ("interval:lo=0.19:hi=1.61", 8 + inside),
        ("sparse:every=4", 8 + 2),
        ("cached:every=2", 8 + 4),
        ("schedule:shape=linear", 8 + 7),
        ("cfg-zero:zero_steps=1", 14),
        ("adaptive:gamma=-1", 8 + 1),
        ("adaptive:gamma=1", 16),
        // A step without velocity is one whatever the schedule or a closed gate says.
        ("cfg-zero:zero_steps=1+schedule", 14),
        ("cfg-zero:zero_steps=1+sparse:every=8", 7),
        // Computed at steps 0 and 6, carried at 3: a difference does not grow older than asked for.
        ("sparse:every=3+cached:every=4", 8 + 2),
        ("sparse:every=3+cached:every=3", 8 + 3),
    ] {
        assert_eq!(count(text), [want; 4], "{text}");
    }
    // Heun: both stages of a step are guided or neither.
    let heun = self::plan("heun", "edm", 8);
    for (text, more) in [
        ("interval:lo=0.19:hi=1.61", 2 * inside),
        ("adaptive:gamma=-1", 2),
        ("sparse:every=4+cached:every=3", 4),
    ] {
        let guide = guide(text, 3.0, &denoiser);
        let all = pictures(&heun, &denoiser, Some(&guide), &job(0..1, 1)).unwrap();
        assert_eq!(all[0].1, heun.nfe() + more, "{text}");
    }
}

/// UniPC evaluates the next node before its step ends; that answer is the next step's first prediction and guided as such.
#[test]
fn a_corrector_does_not_move_guidance_to_another_step() {
    tch::set_num_threads(1);
    let denoiser = tiny();
    let count = |solver: &str, text: &str| {
        let plan = plan(solver, "edm", 8);
        let guide = guide(text, 3.0, &denoiser);
        pictures(&plan, &denoiser, Some(&guide), &job(0..1, 1)).unwrap()[0].1
    };
    for text in [
        "interval:lo=0.19:hi=1.61",
        "sparse:until=0.5",
        "sparse:every=3",
        "cached:every=3",
        "schedule",
        "adaptive:gamma=-1",
        "cfg-zero:zero_steps=2",
    ] {
        assert_eq!(count("unipc", text), count("dpmpp-2m", text), "{text}");
    }
}

/// On a CPU both branches go one after the other; on a GPU together, unless the memory is too small for that.
#[test]
fn both_branches_in_one_call_are_the_same() {
    /// Dies of more than `most` images, as libtorch does.
    struct Small(NetDenoiser, i64);
    impl Denoiser for Small {
        fn predict(
            &self,
            x: &Tensor,
            node: &Node,
            want: Pred,
            class: Option<&Tensor>,
        ) -> fewstep_models::Result<Tensor> {
            if x.size()[0] > self.1 {
                let reason = "CUDA out of memory.";
                panic!("called `Result::unwrap()` on an `Err` value: Torch({reason:?})");
            }
            self.0.predict(x, node, want, class)
        }
        fn spec(&self) -> &fewstep_models::ModelSpec {
            self.0.spec()
        }
        fn share(&self) -> Box<dyn Denoiser> {
            self.0.share()
        }
    }
    tch::set_num_threads(1);
    let _no_grad = tch::no_grad_guard();
    let rule = Rule::parse("apg:r_rms=0.1+interval:hi=1").unwrap();
    let path = Path::edm();
    let x = Tensor::randn([3, 1, 28, 28], cpu(Kind::Float));
    let class = Tensor::from_slice(&[0i64, 1, 7]);
    for rhos in [vec![0.8], vec![0.8, 2.0, 0.3]] {
        let nodes: Vec<Node> = rhos.iter().map(|rho| path.node(*rho)).collect();
        let eval = |most: i64, together: bool| {
            let denoiser = Small(tiny(), most);
            let guide = Guide::new(&rule, 4.0, &denoiser, Beside::Nothing).unwrap().together(together);
            let mut evaluator = Evaluator::new(&denoiser, Some(&class), Some(&guide), 3);
            let at = fewstep::pipeline::At { nodes: &nodes, start: None, step: 0, steps: 4, stage: 0 };
            let answer = evaluator.eval(&x, at, Pred::X0).unwrap().value;
            (answer, evaluator.forwards().to_vec())
        };
        let (apart, forwards) = eval(3, false);
        for most in [3, 6] {
            let (together, same) = eval(most, true);
            assert!(worst(&together, &apart) < 1e-4, "{rhos:?}");
            assert_eq!(same, forwards);
        }
    }
}

#[test]
fn a_guided_picture_depends_on_its_number_alone() {
    tch::set_num_threads(1);
    let denoiser = tiny();
    let plan = plan("dpmpp-2m", "vp-linear", 5).renoised().unwrap();
    for text in ["apg:r_rms=0.1:beta=-0.5", "cfgpp", "cfg+adaptive:gamma=0.9+cached:every=2"] {
        let guide = guide(text, 3.0, &denoiser);
        let all = pictures(&plan, &denoiser, Some(&guide), &job(0..12, 4)).unwrap();
        for batch in [1, 5, 12] {
            let other = pictures(&plan, &denoiser, Some(&guide), &job(0..12, batch)).unwrap();
            for (i, (a, b)) in all.iter().zip(&other).enumerate() {
                assert!(a.0.iter().zip(&b.0).all(|(x, y)| x.abs_diff(*y) <= 1), "{text}, {batch}, {i}");
            }
        }
        let reversed = Job { images: (0..12).rev().collect(), ..job(0..12, 4) };
        let mut reversed = pictures(&plan, &denoiser, Some(&guide), &reversed).unwrap();
        reversed.reverse();
        assert_eq!(reversed, all, "{text}: a permuted batch gives permuted results");
    }
}

/// arXiv 2406.08070: from sigma 2 to 1.25 with the weight 0.6 (which is w = 7.5).
#[test]
fn cfg_pp_leaves_along_the_unconditional_prediction() {
    let data = fixture();
    let spec = common::tiny_spec().0;
    let table = Table { c: images(&data["c"][0]), u: images(&data["u"][0]), spec };
    let step = Grid::new(&Path::edm(), &[2.0, 1.25], "test").unwrap();
    let plan = solver("ddim").unwrap().plan(&step).unwrap().renoised().unwrap();
    let class = Tensor::from_slice(&[0i64, 1]);
    let guide = guide("cfgpp", 7.5, &table);
    let mut evaluator = Evaluator::new(&table, Some(&class), Some(&guide), 2);
    let mut none = |_| unreachable!("ddim draws no noise");
    let Outcome::Done(x) = execute(&plan, images(&data["x"]), &mut evaluator, &mut none, &Silent).unwrap()
    else {
        panic!("nobody cancelled")
    };
    assert!(worst(&x, &images(&data["cfgpp"])) < 1e-12);
    assert_eq!(evaluator.forwards(), [2, 2]);
}

/// What is asked for, noise or velocity, is the guided image converted: guidance is the same through every solver's door.
#[test]
fn conversions_are_exact() {
    let data = fixture();
    let spec = common::tiny_spec().0;
    let table = Table { c: images(&data["c"][0]), u: images(&data["u"][0]), spec };
    let class = Tensor::from_slice(&[0i64, 1]);
    let x = images(&data["x"]);
    for path in ["edm", "vp-linear", "flow"] {
        let step = grid(path, 4);
        let node = step.nodes()[1];
        let guide = guide("apg:r=0.6", 4.0, &table);
        let mut place = Place::new(&x, 4.0);
        place.node = node;
        let want = place.call(&mut *common::guidance::rule("apg:r=0.6"), 0, &table.c, &table.u);
        let at = fewstep::pipeline::At { nodes: &[node], start: None, step: 0, steps: 4, stage: 0 };
        for pred in [Pred::X0, Pred::Eps, Pred::Flow] {
            let mut evaluator = Evaluator::new(&table, Some(&class), Some(&guide), 2);
            let got = evaluator.eval(&x, at, pred).unwrap().value;
            let eps = (&x - &want * node.alpha) / node.sigma;
            let want = match pred {
                Pred::X0 => want.shallow_clone(),
                Pred::Eps => eps,
                Pred::Flow => eps - &want,
            };
            assert!(worst(&got, &want) < 1e-12, "{path} {pred:?}");
        }
    }
}

#[test]
fn dynamic_solvers_take_rules_without_memory() {
    tch::set_num_threads(1);
    let denoiser = tiny();
    let program = || {
        let solver = dynamic_solver("dpm-12").unwrap();
        Program::Dynamic { solver, grid: grid("vp-linear", 8) }
    };
    let job = job(0..3, 3);
    let plain = pictures(program(), &denoiser, None, &job).unwrap();
    let guide = guide("cfg+interval:lo=0.2:hi=3", 3.0, &denoiser);
    let guided = pictures(program(), &denoiser, Some(&guide), &job).unwrap();
    assert!(plain.iter().zip(&guided).all(|(a, b)| a.0 != b.0 && b.1 > a.1));
    for text in
        ["apg:beta=-0.5", "adaptive", "sparse", "cached", "schedule", "cfgpp", "cfg-zero:zero_steps=1"]
    {
        let guide = self::guide(text, 3.0, &denoiser);
        let error = pictures(program(), &denoiser, Some(&guide), &job).unwrap_err().to_string();
        assert!(error.contains("chooses its steps"), "{text}: {error}");
    }
}

#[test]
fn unusable_guides_are_refused() {
    let denoiser = tiny();
    let rule = |text: &str| Rule::parse(text).unwrap();
    let error = Guide::new(&rule("auto"), 2.0, &denoiser, Beside::Nothing).unwrap_err().to_string();
    assert!(error.contains("--weak-model"), "{error}");
    let weak = Beside::Weak(denoiser.share());
    let error = Guide::new(&rule("cfg"), 2.0, &denoiser, weak).unwrap_err().to_string();
    assert!(error.contains("no use for a weaker network"), "{error}");
    let mut blobs = Table {
        c: Tensor::zeros([1], cpu(Kind::Float)),
        u: Tensor::zeros([1], cpu(Kind::Float)),
        spec: common::tiny_spec().0,
    };
    blobs.spec.classes = None;
    assert!(Guide::new(&rule("none"), 2.0, &blobs, Beside::Nothing).is_ok(), "it guides nowhere");
    let error = Guide::new(&rule("cfg"), 2.0, &blobs, Beside::Nothing).unwrap_err().to_string();
    assert!(error.contains("model with classes"), "{error}");
}

/// The run of the toy: 20 images of each class.
fn toy(blobs: &Blobs, solver: &str, steps: usize, text: &str, w: f64) -> f64 {
    let path = Path::edm();
    let grid = "karras:rho=7".parse::<GridRule>().unwrap().grid(&path, steps, None, None, None).unwrap();
    let plan = fewstep_samplers::solver(solver).unwrap().plan(&grid).unwrap();
    let mut noise = vec![0f32; 200 * Blobs::SIZE as usize];
    fewstep::pipeline::NoiseSource::new(1).fill(0, 0, &mut noise);
    let x =
        Tensor::from_slice(&noise).to_kind(Kind::Double).view([200, Blobs::SIZE, 1, 1]) * plan.init_scale();
    let class = Tensor::arange(200, cpu(Kind::Int64)).remainder(10);
    let guide = guide(text, w, blobs);
    let mut evaluator = Evaluator::new(blobs, Some(&class), Some(&guide), 200);
    let mut none = |_| unreachable!("no noise");
    let Outcome::Done(x) = execute(&plan, x, &mut evaluator, &mut none, &Silent).unwrap() else {
        panic!("nobody cancelled")
    };
    f64::try_from(x.square().mean(Kind::Double)).unwrap().sqrt()
}

/// The root mean square stands for saturation: under CFG it leaves the data, under APG in x0 it stays.
#[test]
fn on_a_known_mixture_apg_does_not_saturate() {
    let blobs = Blobs::new();
    let scales = [1.0, 2.0, 4.0, 8.0, 16.0];
    let rms = |text: &str| scales.map(|w| toy(&blobs, "euler", 20, text, w));
    let cfg = rms("cfg");
    assert!(cfg.windows(2).all(|pair| pair[1] > pair[0]), "{cfg:?}");
    assert!(cfg[4] > 1.2 * cfg[0], "{cfg:?}");
    assert!((cfg[0] / blobs.rms() - 1.0).abs() < 0.08, "unguided it is the data: {cfg:?}");
    let apg = rms("apg:r=2.5:beta=-0.5");
    assert!(apg.iter().all(|v| (v / apg[0] - 1.0).abs() < 0.05), "{apg:?}");
    // The projection in the space of the noise is another rule, under which it does saturate.
    let noise = Blobs::predicting(Prediction::Eps);
    let [raw, x0] = ["apg:space=raw", "apg"].map(|text| toy(&noise, "euler", 20, text, 16.0));
    assert!(raw > 1.15 * cfg[0] && (x0 / cfg[0] - 1.0).abs() < 0.08, "{raw} {x0}");
    println!("data {:.3}, cfg {cfg:.3?}, apg {apg:.3?}", blobs.rms());
}

/// What stands behind the warning about momentum.
#[test]
fn momentum_and_a_multistep_solver_need_steps() {
    let blobs = Blobs::new();
    let rms = |solver: &str, steps: usize, beta: f64| {
        toy(&blobs, solver, steps, &format!("apg:r=2.5:beta={beta}"), 16.0)
    };
    for (solver, steps) in [("euler", 20), ("heun", 20), ("dpmpp-2m", 40), ("dpmpp-2m", 20), ("dpmpp-2m", 10)]
    {
        println!("{solver} {steps}: {:.3} {:.3}", rms(solver, steps, 0.0), rms(solver, steps, -0.5));
    }
    let data = blobs.rms();
    assert!((rms("dpmpp-2m", 40, -0.5) / data - 1.0).abs() < 0.1);
    assert!((rms("euler", 20, -0.5) / data - 1.0).abs() < 0.1);
    assert!(rms("dpmpp-2m", 10, -0.5) > 2.0 * rms("dpmpp-2m", 10, 0.0));
    let rule = Rule::parse("apg:beta=-0.5").unwrap();
    assert!(rule.warning(10, true).unwrap().contains("momentum"));
    // The warning ends where momentum does no harm: within a tenth of the result without.
    assert!(rule.warning(39, true).is_some() && rule.warning(40, true).is_none());
    assert!((rms("dpmpp-2m", 40, -0.5) / rms("dpmpp-2m", 40, 0.0) - 1.0).abs() < 0.1);
    assert!((rms("dpmpp-2m", 20, -0.5) / rms("dpmpp-2m", 20, 0.0) - 1.0).abs() > 0.1);
    assert!(rule.warning(10, false).is_none());
    assert!(Rule::parse("apg").unwrap().warning(10, true).is_none());
}

#[test]
fn an_observer_sees_what_guidance_does() {
    struct Watch(Mutex<Vec<Look>>);
    impl Observer for Watch {
        fn step(&self, _: &StepInfo<'_>) -> ControlFlow<()> {
            ControlFlow::Continue(())
        }
        fn guidance(&self, look: &Look) {
            self.0.lock().unwrap().push(look.clone());
        }
        fn looks(&self) -> bool {
            true
        }
    }
    let data = fixture();
    let table = Table { c: images(&data["c"][0]), u: images(&data["u"][0]), spec: common::tiny_spec().0 };
    let plan = plan("ddim", "edm", 3);
    let class = Tensor::from_slice(&[0i64, 1]);
    let guide = guide("apg:r=0.6", 4.0, &table);
    let mut evaluator = Evaluator::new(&table, Some(&class), Some(&guide), 2);
    let watch = Watch(Mutex::new(Vec::new()));
    let mut none = |_| unreachable!("ddim draws no noise");
    let _ = execute(&plan, images(&data["x"]), &mut evaluator, &mut none, &watch).unwrap();
    let looks = watch.0.into_inner().unwrap();
    assert_eq!(looks.len(), 3);
    for (look, node) in looks.iter().zip(&plan.nodes) {
        assert!((look.rho / node.rho() - 1.0).abs() < 1e-12);
        assert_eq!((look.images, look.capped), (2, Some(0.5)));
        // |d| is 0.734846922835 and 0.234520787991, of four elements.
        assert!((look.d_rms - (0.734_846_922_835 + 0.234_520_787_991) / 4.0).abs() < 1e-10);
        assert!(look.cosine > 0.5 && look.cosine < 1.0);
    }
}
