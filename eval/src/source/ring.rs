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

/// Most bytes of pixels that wait to be prepared, unless one picture has more: a small packed file may hold a whole batch of
/// large ones. Batches stay as they are, only the work on them is divided.
const MAX_WAITING: u64 = 1 << 28;

impl<'a> Ring<'a> {
    /// Batches of `batch` pictures, decoded on `pool`. One finished batch waits while the consumer is busy and the next
    /// is being made, so that three are in memory at most.
    pub fn new(pool: &'a rayon::ThreadPool, batch: usize) -> Self {
        Self { pool, batch: batch.max(1) }
    }

    /// Jobs that may wait, at least 1 and no more than a batch.
    fn waiting(self, source: &dyn Source) -> usize {
        let Some(shape) = source.stated() else { return self.batch };
        let bytes: u64 = shape.iter().map(|size| u64::from(*size)).product();
        self.batch.min((MAX_WAITING / bytes.max(1)) as usize).max(1)
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
            let at_once = ring.waiting(source);
            let mut first = range.start;
            let mut waiting: Vec<Job> = Vec::with_capacity(at_once);
            // Of the present batch: how many jobs came, and what was made of them so far.
            let (mut came, mut made) = (0, Vec::<T>::new());
            let mut make = |jobs: Vec<Job>, whole: bool| {
                let next = first + made.len() as u64;
                let part = ring.pool.install(|| {
                    let numbered = jobs.into_par_iter().enumerate();
                    numbered.map(|(i, job)| prepare(next + i as u64, job()?)).collect::<Vec<Result<T>>>()
                });
                match part.into_iter().collect::<Result<Vec<T>>>() {
                    Ok(part) => made.extend(part),
                    Err(error) => {
                        // A closed channel means that nobody waits for it.
                        let _ = sender.send(Err(error));
                        return ControlFlow::Break(());
                    }
                }
                if !whole {
                    return ControlFlow::Continue(());
                }
                let batch = std::mem::take(&mut made);
                let start = first;
                first += batch.len() as u64;
                let gone = sender.send(Ok((start, batch))).is_err();
                if gone { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            let mut broken = ControlFlow::Continue(());
            let fed = source.feed(range, &mut |job| {
                waiting.push(job);
                came += 1;
                let whole = came == ring.batch;
                if whole || waiting.len() == at_once {
                    broken = make(std::mem::take(&mut waiting), whole);
                }
                if whole {
                    came = 0;
                }
                broken
            });
            if broken.is_continue() && came > 0 {
                broken = make(waiting, true);
            }
            if let (true, Err(error)) = (broken.is_continue(), fed) {
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
