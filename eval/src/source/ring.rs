//! Decoding ahead of the consumer, in parallel and within bounds.

use super::{Job, Picture, Source};
use crate::Result;
use rayon::prelude::*;
use std::ops::{ControlFlow, Range};
use std::sync::mpsc::sync_channel;

/// How pictures are brought in.
#[derive(Clone, Copy, Debug)]
pub struct Ring<'a> {
    /// Threads that decode and prepare.
    pool: &'a rayon::ThreadPool,
    /// Pictures a batch, at least 1.
    batch: usize,
}

impl<'a> Ring<'a> {
    /// Batches of `batch` pictures, decoded on `pool`. One finished batch waits while the consumer is busy and the next
    /// is being made, so that three are in memory at most.
    pub fn new(pool: &'a rayon::ThreadPool, batch: usize) -> Self {
        Self { pool, batch: batch.max(1) }
    }
}

/// Reads the pictures in `range`, prepares each by `prepare` on the ring's threads and hands them to `consume` in order,
/// batch by batch, with the index of the first. `consume` runs on the calling thread and may break off.
///
/// # Errors
/// The first error in the order of the pictures, whatever thread met it; all batches before it were consumed.
pub fn pictures<T: Send>(
    source: &dyn Source,
    range: Range<u64>,
    ring: Ring<'_>,
    prepare: &(dyn Fn(u64, Picture) -> Result<T> + Sync),
    consume: &mut dyn FnMut(u64, Vec<T>) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let (sender, receiver) = sync_channel::<Result<(u64, Vec<T>)>>(1);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut first = range.start;
            let mut waiting: Vec<Job> = Vec::with_capacity(ring.batch);
            let mut flush = |jobs: Vec<Job>| {
                let made = ring.pool.install(|| {
                    let numbered = jobs.into_par_iter().enumerate();
                    numbered.map(|(i, job)| prepare(first + i as u64, job()?)).collect::<Vec<Result<T>>>()
                });
                let made = made.into_iter().collect::<Result<Vec<T>>>();
                let start = first;
                first += made.as_ref().map_or(0, Vec::len) as u64;
                let failed = made.is_err();
                let gone = sender.send(made.map(|made| (start, made))).is_err();
                if failed || gone { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            let mut broken = ControlFlow::Continue(());
            let fed = source.feed(range, &mut |job| {
                waiting.push(job);
                if waiting.len() == ring.batch {
                    broken = flush(std::mem::take(&mut waiting));
                }
                broken
            });
            if broken.is_continue() && !waiting.is_empty() {
                broken = flush(waiting);
            }
            if let (true, Err(error)) = (broken.is_continue(), fed) {
                // A closed channel means that nobody waits for it.
                let _ = sender.send(Err(error));
            }
        });
        for batch in receiver {
            let (first, batch) = batch?;
            if consume(first, batch)?.is_break() {
                break;
            }
        }
        Ok(())
    })
}
