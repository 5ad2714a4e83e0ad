//! Answers that several plans of one run have in common, kept from the first that asks until the last one has them.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use fewstep_samplers::{Plan, Questions};
use tch::{Cuda, Device, Tensor};

/// One plan's share of the answers that a set of plans has in common, over the same images in the same batches, without
/// guidance. Plans with one grid begin alike: of 14 solvers at eight step counts a quarter of all calls need not be made.
#[derive(Debug)]
pub struct Share {
    /// Of each evaluation its question, and how many evaluations of all plans ask it.
    asks: Vec<(usize, usize)>,
    answers: Arc<Mutex<Answers>>,
    limit: usize,
    saved: AtomicU64,
}

/// A question about a batch.
type Key = (usize, usize);

#[derive(Debug, Default)]
struct Answers {
    kept: HashMap<Key, (Tensor, Duration)>,
    /// How often a question has been asked so far, of those that will be asked again.
    asked: HashMap<Key, usize>,
    bytes: usize,
}

impl Share {
    /// One for each plan. Together they keep up to `limit` bytes on the network's device; what does not fit is asked again.
    pub fn among(plans: &[&Plan], limit: usize) -> Vec<Arc<Self>> {
        let mut questions = Questions::default();
        let asks: Vec<Vec<usize>> = plans.iter().map(|plan| questions.of(plan)).collect();
        let mut uses = HashMap::new();
        for number in asks.iter().flatten() {
            *uses.entry(*number).or_insert(0) += 1;
        }
        let answers = Arc::new(Mutex::new(Answers::default()));
        let share = |asks: Vec<usize>| Self {
            asks: asks.into_iter().map(|number| (number, uses[&number])).collect(),
            answers: Arc::clone(&answers),
            limit,
            saved: AtomicU64::new(0),
        };
        asks.into_iter().map(|asks| Arc::new(share(asks))).collect()
    }

    /// Evaluations of all plans an image, and how many of them are different.
    pub fn calls(shares: &[Arc<Self>]) -> (usize, usize) {
        let asked: Vec<usize> =
            shares.iter().flat_map(|share| &share.asks).map(|(question, _)| *question).collect();
        (asked.len(), asked.iter().collect::<HashSet<_>>().len())
    }

    /// Time that the calls took elsewhere which this plan did not have to make.
    pub fn saved(&self) -> Duration {
        Duration::from_nanos(self.saved.load(Ordering::Relaxed))
    }

    /// The answer to evaluation `nth` about batch number `batch`: that of an earlier plan, or what `ask` says.
    ///
    /// # Errors
    /// Those of `ask`.
    pub(super) fn answer(
        &self,
        (nth, batch): (usize, usize),
        device: Device,
        ask: impl FnOnce() -> Result<Tensor>,
    ) -> Result<Tensor> {
        let Some(&(question, uses)) = self.asks.get(nth).filter(|(_, uses)| *uses > 1) else { return ask() };
        let key = (question, batch);
        let again = {
            let mut answers = self.lock();
            let again = answers.count(key, uses);
            if let Some((value, took)) = answers.get(key, again) {
                self.saved.fetch_add(took.as_nanos() as u64, Ordering::Relaxed);
                return Ok(value);
            }
            again
        };
        if !again {
            return ask();
        }
        wait(device);
        let clock = Instant::now();
        let value = ask()?;
        wait(device);
        self.lock().keep(key, &value, clock.elapsed(), self.limit);
        Ok(value)
    }

    fn lock(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answers {
    /// Counts a question; whether it will be asked again.
    fn count(&mut self, key: Key, uses: usize) -> bool {
        let asked = self.asked.entry(key).or_insert(0);
        *asked += 1;
        let again = *asked < uses;
        if !again {
            self.asked.remove(&key);
        }
        again
    }

    fn get(&mut self, key: Key, again: bool) -> Option<(Tensor, Duration)> {
        if again {
            return self.kept.get(&key).map(|(value, took)| (value.shallow_clone(), *took));
        }
        let last = self.kept.remove(&key);
        self.bytes -= last.as_ref().map_or(0, |(value, _)| bytes(value));
        last
    }

    fn keep(&mut self, key: Key, value: &Tensor, took: Duration, limit: usize) {
        if self.bytes + bytes(value) <= limit
            && self.kept.insert(key, (value.shallow_clone(), took)).is_none()
        {
            self.bytes += bytes(value);
        }
    }
}

fn bytes(value: &Tensor) -> usize {
    value.numel() * value.kind().elt_size_in_bytes()
}

/// Until a GPU has done what it was given: calls return before.
fn wait(device: Device) {
    if let Device::Cuda(n) = device {
        Cuda::synchronize(n as i64);
    }
}
