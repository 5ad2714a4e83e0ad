//! Plans that share answers of the network: the same bits with fewer calls.

#![expect(clippy::unwrap_used, reason = "a test")]

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{silent, tiny};
use fewstep::pipeline::{Batches, Job, Share};
use fewstep_models::{Denoiser, ModelSpec, NetDenoiser};
use fewstep_samplers::{GridRule, Node, Path, Plan, Pred, Questions, solver};
use tch::{Device, Tensor};

/// A network that counts its calls.
struct Counted {
    inner: Box<dyn Denoiser>,
    calls: Arc<AtomicUsize>,
}

impl Counted {
    fn new(inner: &NetDenoiser) -> Self {
        Self { inner: inner.share(), calls: Arc::default() }
    }

    fn calls(&self) -> usize {
        self.calls.swap(0, Ordering::Relaxed)
    }
}

impl Denoiser for Counted {
    fn predict(
        &self,
        x: &Tensor,
        node: &Node,
        want: Pred,
        class: Option<&Tensor>,
    ) -> fewstep_models::Result<Tensor> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.inner.predict(x, node, want, class)
    }

    fn spec(&self) -> &ModelSpec {
        self.inner.spec()
    }

    fn any_batch(&self) -> bool {
        self.inner.any_batch()
    }

    fn share(&self) -> Box<dyn Denoiser> {
        Box::new(Self { inner: self.inner.share(), calls: Arc::clone(&self.calls) })
    }
}

const BATCHES: usize = 3;

fn plans() -> Vec<Plan> {
    let path: Path = "vp-linear".parse().unwrap();
    let mut plans = Vec::new();
    for spec in ["ddim", "dpmpp-2m", "unipc", "deis-tab2", "deis-tab3", "sde-dpmpp-2m", "ddim"] {
        for steps in [4, 6] {
            let grid = GridRule::default_for(&path).grid(&path, steps, None, None, None).unwrap();
            plans.push(solver(spec).unwrap().plan(&grid).unwrap());
        }
    }
    plans
}

/// The pictures of a plan and the calls that they took.
fn draw(denoiser: &Counted, plan: &Plan, share: Option<Arc<Share>>, workers: usize) -> (Tensor, usize) {
    let images = (0..3 * BATCHES as u64 - 1).collect();
    let job = Job { seed: 5, images, class: None, init: None, batch: 3, workers, device: Device::Cpu, share };
    let batches = Batches::new(plan, denoiser, &job, &silent());
    let x = Tensor::cat(&batches.map(|batch| batch.unwrap().x).collect::<Vec<_>>(), 0);
    (x, denoiser.calls())
}

#[test]
fn sharing_saves_calls_and_changes_no_bit() {
    tch::set_num_threads(1);
    let (denoiser, plans) = (Counted::new(&tiny()), plans());
    let mut questions = Questions::default();
    let asked: Vec<_> = plans.iter().flat_map(|plan| questions.of(plan)).collect();
    let different = asked.iter().collect::<BTreeSet<_>>().len();
    assert!(different * 10 < asked.len() * 7, "{different} of {}", asked.len());
    let shares = Share::among(&plans.iter().collect::<Vec<_>>(), 0);
    assert_eq!(Share::calls(&shares), (asked.len(), different));
    for workers in [1, 2] {
        let shares = Share::among(&plans.iter().collect::<Vec<_>>(), 1 << 20);
        let mut made = 0;
        for (plan, share) in plans.iter().zip(&shares) {
            let (alone, all) = draw(&denoiser, plan, None, workers);
            let (shared, calls) = draw(&denoiser, plan, Some(Arc::clone(share)), workers);
            assert_eq!(shared, alone, "{}", plan.solver);
            assert_eq!(all, plan.nfe() * BATCHES);
            assert_eq!(calls < all, !share.saved().is_zero(), "{}", plan.solver);
            made += calls;
        }
        assert_eq!(made, different * BATCHES, "each question is asked once a batch");
    }
}

#[test]
fn what_finds_no_room_is_asked_again() {
    tch::set_num_threads(1);
    let (denoiser, plans) = (Counted::new(&tiny()), plans());
    let (first, last) = (&plans[0], &plans[plans.len() - 2]);
    assert_eq!(first, last);
    // A full batch's answer is 3 x 784 x 4 bytes; with room for five, of the twelve answers of a plan five are kept.
    let shares = Share::among(&[first, last], 5 * 3 * 784 * 4);
    let calls = shares.iter().map(|share| draw(&denoiser, first, Some(Arc::clone(share)), 1).1);
    assert_eq!(calls.collect::<Vec<_>>(), [12, 7]);
    // A plan that failed half-way leaves the others what it found.
    let shares = Share::among(&[first, last, first], 1 << 20);
    let calls = [&shares[0], &shares[2]].map(|share| draw(&denoiser, first, Some(Arc::clone(share)), 1).1);
    assert_eq!(calls, [12, 0]);
}
