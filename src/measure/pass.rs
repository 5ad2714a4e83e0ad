//! All pictures of a source through a network.

use std::ops::{ControlFlow, Range};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context as _, Result, anyhow};
use fewstep_eval::source::{Ring, Source, pictures};

use super::extractor::{Extractor, Network, Outputs, Prepared, Wanted};
use super::gather::{Gather, Gathered, Seen};
use super::shards::Shards;
use crate::interrupt;

/// How a pass is run. None of it changes a value.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// Pictures handed to a worker at a time; rounded up to whole passes of the network.
    pub batch: usize,
    /// Workers, each with a single-threaded network; as many threads decode.
    pub workers: usize,
    /// Told the count of pictures that are done.
    pub progress: &'a dyn Fn(u64),
}

impl std::fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Options {{ batch: {}, workers: {} }}", self.batch, self.workers)
    }
}

/// What is handed to a worker: number of the first picture, the pictures.
type Work = (u64, Vec<(Prepared, Seen)>);
/// What comes back.
type Done = (u64, Vec<Seen>, Result<Outputs>);

/// Runs the first `n` pictures of `source` through the network. What `shards` hold already is not computed again, what is
/// missing there is written. `None` if the user asked to stop.
///
/// # Errors
/// If a picture cannot be read, or a shard not be written. What was finished before is in `shards`.
pub fn extract(
    source: &dyn Source,
    n: u64,
    extractor: &Extractor,
    wanted: Wanted,
    shards: Option<&Shards>,
    options: Options<'_>,
) -> Result<Option<Gathered>> {
    let mut gather = Gather::new(extractor, wanted, n);
    let mut missing: Vec<Range<u64>> = Vec::new();
    let mut done = 0;
    if shards.is_none() {
        missing.push(0..n);
    }
    if let Some(shards) = shards {
        for (number, range) in Shards::ranges(n) {
            if let Some((outputs, seen)) = shards.read(number, &range) {
                gather.push(range.start, &outputs, &seen)?;
                done += range.end - range.start;
                (options.progress)(done);
                continue;
            }
            match missing.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => missing.push(range),
            }
        }
    }
    if !missing.is_empty() {
        let mut keep = Keeper { gather: &mut gather, open: shards.map(Shards::writer), done, n };
        if run(source, &missing, extractor, wanted, options, &mut keep)?.is_break() {
            return Ok(None);
        }
    }
    gather.finish().map(Some)
}

/// Where finished outputs go.
struct Keeper<'a> {
    gather: &'a mut Gather,
    open: Option<super::shards::Writer<'a>>,
    done: u64,
    n: u64,
}

impl Keeper<'_> {
    fn take(&mut self, (first, seen, outputs): Done, progress: &dyn Fn(u64)) -> Result<()> {
        let outputs = outputs.with_context(|| format!("pictures from number {first} on"))?;
        self.gather.push(first, &outputs, &seen)?;
        if let Some(writer) = &mut self.open {
            writer.push(first, &outputs, &seen, self.n)?;
        }
        self.done += seen.len() as u64;
        progress(self.done);
        Ok(())
    }
}

fn run(
    source: &dyn Source,
    missing: &[Range<u64>],
    extractor: &Extractor,
    wanted: Wanted,
    options: Options<'_>,
    keep: &mut Keeper<'_>,
) -> Result<ControlFlow<()>> {
    let workers = options.workers.max(1);
    let batch = options.batch.max(1).next_multiple_of(extractor.pass());
    let pool = rayon::ThreadPoolBuilder::new().num_threads(workers).build();
    let pool = pool.context("cannot start threads; try a smaller --workers")?;
    let (network, preparer) = extractor.parts();
    let networks = (0..workers).map(|_| network.share()).collect::<Result<Vec<_>>>()?;
    let (send, receive) = sync_channel::<Work>(1);
    let (give, take) = channel::<Done>();
    let receive = Arc::new(Mutex::new(receive));
    thread::scope(|scope| {
        for network in networks {
            let (receive, give) = (Arc::clone(&receive), give.clone());
            scope.spawn(move || {
                tch::set_num_threads(1); // a thread does not inherit it
                work(&network, wanted, &receive, &give);
            });
        }
        // The workers hold the only other ends: when they are gone, both channels close.
        drop((receive, give));
        let result = feed(source, missing, Ring::new(&pool, batch), preparer, &send, &take, options, keep);
        drop(send);
        // What the workers still have is kept, whatever went wrong: it may complete a shard.
        let rest = take.into_iter().try_for_each(|done| keep.take(done, options.progress));
        let flow = result?;
        rest.map(|()| flow)
    })
}

/// One worker: until there is no more work, or nobody takes the results.
fn work(
    network: &Network,
    wanted: Wanted,
    receive: &Mutex<Receiver<Work>>,
    give: &std::sync::mpsc::Sender<Done>,
) {
    loop {
        let next = receive.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((first, batch)) = next else { return };
        let (prepared, seen): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        let outputs = network.run(&prepared, wanted);
        if give.send((first, seen, outputs)).is_err() {
            return;
        }
    }
}

#[expect(clippy::too_many_arguments, reason = "the ends of all the pipes meet here")]
fn feed(
    source: &dyn Source,
    missing: &[Range<u64>],
    ring: Ring<'_>,
    preparer: super::extractor::Preparer<'_>,
    send: &SyncSender<Work>,
    take: &Receiver<Done>,
    options: Options<'_>,
    keep: &mut Keeper<'_>,
) -> Result<ControlFlow<()>> {
    let prepare = |number: u64, picture: fewstep_eval::source::Picture| {
        let size = [picture.width(), picture.height()];
        let seen = Seen { digest: picture.digest(), facts: picture.facts(), size };
        Ok((preparer.prepare(|| source.name(number), &picture)?, seen))
    };
    let mut flow = ControlFlow::Continue(());
    for range in missing {
        let mut failed = None;
        pictures(source, range.clone(), ring, &prepare, &mut |first, batch| {
            if interrupt::asked() {
                flow = ControlFlow::Break(());
                return Ok(flow);
            }
            let gone = send.send((first, batch)).is_err();
            let kept = take.try_iter().try_for_each(|done| keep.take(done, options.progress));
            failed = kept.err().or_else(|| {
                gone.then(|| anyhow!("a worker died; is there enough memory? try a smaller --workers"))
            });
            Ok(if failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        match failed {
            Some(error) => return Err(error),
            None if flow.is_break() => break,
            None => {}
        }
    }
    Ok(flow)
}
