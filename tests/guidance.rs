//! Guidance in the executor: what it costs, what it leaves alone, and what it does on a known distribution.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test; its figures stand in docs/guidance.md"
)]

mod common;

use std::ops::ControlFlow;
use std::sync::Mutex;

use common::guidance::{Blobs, Place, Table, cpu, fixture, images, worst};
use common::{silent, tiny};
use fewstep::guidance::{Beside, Guide, Needs, Rule};
use fewstep::pipeline::{
    Batches, Evaluator, Job, Look, Observer, Outcome, Program, Silent, StepInfo, execute, quantise,
};
use fewstep_models::{Denoiser, NetDenoiser, Prediction};
use fewstep_samplers::dynamic::dynamic_solver;
use fewstep_samplers::{Grid, GridRule, Node, Path, Plan, Pred, solver};
use tch::{Device, Kind, Tensor};

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
    Job { seed: 5, images, class: None, init: None, batch, workers: 2, device: Device::Cpu, share: None }
}

/// Pixels and network passes of each image.
fn pictures(
    program: impl Into<Program>,
    denoiser: &dyn Denoiser,
    guide: Option<&Guide>,
    job: &Job,
) -> anyhow::Result<Vec<(Vec<u8>, usize)>> {
    let mut all = Vec::new();
    for batch in Batches::guided(program, denoiser, guide, job, &silent()) {
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
        ("cfg-zero", 14),
        ("cfg-zero:zero_steps=0", 16),
        ("adaptive:gamma=-1", 8 + 1),
        ("adaptive:gamma=1", 16),
        // A step without velocity is one whatever the schedule or a closed gate says.
        ("cfg-zero+schedule", 14),
        ("cfg-zero+sparse:every=8", 7),
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
    /// Dies of more than `most` images, as libtorch does; notes how many each call had.
    struct Small {
        net: NetDenoiser,
        most: i64,
        calls: Mutex<Vec<i64>>,
    }
    impl Small {
        fn enter(&self, images: i64) {
            self.calls.lock().unwrap().push(images);
            if images > self.most {
                let reason = "CUDA out of memory.";
                panic!("called `Result::unwrap()` on an `Err` value: Torch({reason:?})");
            }
        }
    }
    impl Denoiser for Small {
        fn predict(
            &self,
            x: &Tensor,
            node: &Node,
            want: Pred,
            class: Option<&Tensor>,
        ) -> fewstep_models::Result<Tensor> {
            self.enter(x.size()[0]);
            self.net.predict(x, node, want, class)
        }
        fn predict_each(
            &self,
            x: &Tensor,
            nodes: &[Node],
            want: Pred,
            class: Option<&Tensor>,
        ) -> fewstep_models::Result<Tensor> {
            self.enter(x.size()[0]);
            self.net.predict_each(x, nodes, want, class)
        }
        fn spec(&self) -> &fewstep_models::ModelSpec {
            self.net.spec()
        }
        fn share(&self) -> Box<dyn Denoiser> {
            self.net.share()
        }
    }
    tch::set_num_threads(1);
    let _no_grad = tch::no_grad_guard();
    let rule = Rule::parse("apg:r_rms=0.1+interval:hi=1").unwrap();
    let path = Path::edm();
    let x = Tensor::randn([3, 1, 28, 28], cpu(Kind::Float));
    let class = Tensor::from_slice(&[0i64, 1, 7]);
    // Images that are guided: all, or two of three.
    for (rhos, guided) in [(vec![0.8], 3), (vec![0.8, 2.0, 0.3], 2)] {
        let nodes: Vec<Node> = rhos.iter().map(|rho| path.node(*rho)).collect();
        let eval = |most: i64, together: bool| {
            let denoiser = Small { net: tiny(), most, calls: Mutex::default() };
            let guide = Guide::new(&rule, 4.0, &denoiser, Beside::Nothing).unwrap().together(together);
            let mut evaluator = Evaluator::new(&denoiser, Some(&class), Some(&guide), 3);
            let at = fewstep::pipeline::At { nodes: &nodes, start: None, step: 0, steps: 4, stage: 0 };
            let answer = evaluator.eval(&x, at, Pred::X0).unwrap().value;
            let _ = evaluator.eval(&x, at, Pred::X0).unwrap();
            // Another batch, on another thread, works with what this one learnt.
            let (guide, forwards) = (guide.share(), evaluator.forwards().to_vec());
            let mut other = Evaluator::new(&denoiser, Some(&class), Some(&guide), 3);
            let _ = other.eval(&x, at, Pred::X0).unwrap();
            let calls = denoiser.calls.lock().unwrap().clone();
            (answer, forwards, calls)
        };
        let (apart, forwards, calls) = eval(3, false);
        assert_eq!(calls, [3, guided].repeat(3));
        // Two calls an evaluation if the memory allows one of three only, and no second attempt; one if it allows all.
        let short = [&[3 + guided][..], &[3, guided].repeat(3)].concat();
        for (most, want) in [(3, short), (6, vec![3 + guided; 3])] {
            let (together, same, calls) = eval(most, true);
            assert!(worst(&together, &apart) < 1e-4, "{rhos:?}");
            assert_eq!(same, forwards);
            assert_eq!(calls, want, "{rhos:?}, at most {most}");
        }
    }
}

#[test]
fn a_guided_picture_depends_on_its_number_alone() {
    tch::set_num_threads(1);
    let denoiser = tiny();
    let plan = plan("dpmpp-2m", "vp-linear", 5).renoised().unwrap();
    let all_of =
        |text: &str| pictures(&plan, &denoiser, Some(&guide(text, 3.0, &denoiser)), &job(0..12, 4)).unwrap();
    // Where some images stop before others.
    let unequal = |text: &String| {
        let all = all_of(text);
        all.iter().any(|(_, forwards)| *forwards != all[0].1)
    };
    let adaptive = (1..=40)
        .map(|k| format!("cfg+adaptive:gamma={}+cached:every=2", 1.0 - 0.7f64.powi(k)))
        .find(unequal)
        .expect("a gamma between the images' cosines");
    for text in ["apg:r_rms=0.1:beta=-0.5", "cfgpp", &adaptive] {
        let guide = guide(text, 3.0, &denoiser);
        let all = all_of(text);
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
    for text in ["apg:beta=-0.5", "adaptive", "sparse", "cached", "schedule", "cfgpp", "cfg-zero"] {
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

/// The run of the toy, so many images of each class from the noise of `seed`: root mean square of the result.
fn toy(blobs: &Blobs, (seed, each): (u64, i64), solver: &str, steps: usize, text: &str, w: f64) -> f64 {
    let path = Path::edm();
    let grid = "karras:rho=7".parse::<GridRule>().unwrap().grid(&path, steps, None, None, None).unwrap();
    let plan = fewstep_samplers::solver(solver).unwrap().plan(&grid).unwrap();
    let n = 10 * each;
    let mut noise = vec![0f32; (n * Blobs::SIZE) as usize];
    fewstep::pipeline::NoiseSource::new(seed).fill(0, 0, &mut noise);
    let x = Tensor::from_slice(&noise).to_kind(Kind::Double).view([n, Blobs::SIZE, 1, 1]) * plan.init_scale();
    let class = Tensor::arange(n, cpu(Kind::Int64)).remainder(10);
    let guide = guide(text, w, blobs);
    let mut evaluator = Evaluator::new(blobs, Some(&class), Some(&guide), n as usize);
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
    let rms = |text: &str| scales.map(|w| toy(&blobs, (1, 20), "euler", 20, text, w));
    let cfg = rms("cfg");
    assert!(cfg.windows(2).all(|pair| pair[1] > pair[0]), "{cfg:?}");
    assert!(cfg[4] > 1.2 * cfg[0], "{cfg:?}");
    assert!((cfg[0] / blobs.rms() - 1.0).abs() < 0.08, "unguided it is the data: {cfg:?}");
    let apg = rms("apg:r=2.5:beta=-0.5");
    assert!(apg.iter().all(|v| (v / apg[0] - 1.0).abs() < 0.05), "{apg:?}");
    // The projection in the space of the noise is another rule, under which it does saturate.
    let noise = Blobs::predicting(Prediction::Eps);
    let [raw, x0] = ["apg:space=raw", "apg"].map(|text| toy(&noise, (1, 20), "euler", 20, text, 16.0));
    assert!(raw > 1.15 * cfg[0] && (x0 / cfg[0] - 1.0).abs() < 0.08, "{raw} {x0}");
    println!("data {:.3}, cfg {cfg:.3?}, apg {apg:.3?}", blobs.rms());
}

/// What stands behind the warning about momentum: size of the result as a share of the data's, over eight draws of the
/// mixture and of the noise, at w = 16.
#[test]
fn momentum_needs_steps() {
    // Seeds apart: means and noise come from one generator.
    let draws: Vec<(u64, Blobs)> = (1..=8).map(|seed| (100 + seed, Blobs::drawn(seed))).collect();
    // Mean, and the draw that is furthest from the data.
    let sizes = |solver: &str, steps: usize, w: f64, beta: f64| {
        let text = format!("apg:r=2.5:beta={beta}");
        let all: Vec<f64> = draws
            .iter()
            .map(|(seed, blobs)| toy(blobs, (*seed, 10), solver, steps, &text, w) / blobs.rms())
            .collect();
        let off = |size: &f64| (size - 1.0).abs();
        let worst = all.iter().copied().max_by(|a, b| off(a).total_cmp(&off(b))).unwrap();
        (all.iter().sum::<f64>() / all.len() as f64, worst)
    };
    let row = |solver: &str, steps: usize, w: f64| {
        let [plain, with] = [0.0, -0.5].map(|beta| sizes(solver, steps, w, beta));
        println!(
            "| {solver}, {steps} | {w} | {:.2} ({:.2}) | {:.2} ({:.2}) |",
            plain.0, plain.1, with.0, with.1
        );
        (plain, with)
    };
    let enough = [("euler", 20), ("heun", 20), ("dpmpp-2m", 30)].map(|(solver, n)| row(solver, n, 16.0));
    let (plain, with) = row("dpmpp-2m", 20, 16.0);
    let few = ["euler", "heun", "dpmpp-2m"].map(|solver| (row(solver, 10, 16.0), row(solver, 10, 8.0)));
    // Enough steps: momentum leaves the size where the data have it.
    for (_, (mean, worst)) in enough {
        assert!((mean - 1.0).abs() < 0.05 && (worst - 1.0).abs() < 0.1, "{mean} {worst}");
    }
    // Too few for a solver that looks back.
    assert!(with.0 > 1.03 && with.1 > 1.1 && plain.0 < 1.03, "{plain:?} {with:?}");
    // Too few for any: larger than without momentum, and less so at w = 8.
    for ((plain, with), (_, modest)) in few {
        assert!(with.0 > 1.2 && with.0 > 1.2 * plain.0, "{plain:?} {with:?}");
        assert!((modest.0 - 1.0).abs() < 0.5 * (with.0 - 1.0), "{with:?} {modest:?}");
    }

    let rule = Rule::parse("apg:beta=-0.5").unwrap();
    for (steps, looks_back, says) in [
        (30, true, None),
        (29, true, Some("at least 30 steps, or ddim")),
        (20, true, Some("at least 30 steps, or ddim")),
        (19, true, Some("at least 30 steps")),
        (20, false, None),
        (19, false, Some("at least 20 steps")),
    ] {
        let warning = rule.warning(16.0, steps, looks_back);
        assert_eq!(warning.is_some(), says.is_some(), "{steps}: {warning:?}");
        assert!(warning.unwrap_or_default().contains(says.unwrap_or_default()), "{steps}");
    }
    let modest = |scale: f64, steps: usize| {
        rule.warning(scale, steps, false).unwrap().contains("a scale of 8 at most")
    };
    assert!(modest(8.5, 10) && !modest(8.0, 10) && !modest(8.5, 11));
    assert!(Rule::parse("apg").unwrap().warning(16.0, 10, true).is_none());
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
