//! Which training images stand in which step: a fresh shuffle each epoch, computed from the step number alone.

use crate::pipeline::NoiseSource;

/// Stream numbers that keep the shuffle apart from other uses of the same seed.
const SHUFFLE: u32 = 0x5348_5546;

/// Cuts shuffled epochs into batches.
#[derive(Debug)]
pub struct EpochSampler {
    count: usize,
    batch: usize,
    source: NoiseSource,
    epoch: Option<(u64, Vec<i64>)>,
}

impl EpochSampler {
    /// Over `count` images.
    ///
    /// # Panics
    /// If `batch` is 0 or larger than `count`.
    pub fn new(seed: u64, count: usize, batch: usize) -> Self {
        assert!(0 < batch && batch <= count, "batch {batch} of {count} images");
        Self { count, batch, source: NoiseSource::new(seed), epoch: None }
    }

    /// Steps in an epoch; the images that do not fill a batch sit this epoch out.
    pub fn steps_per_epoch(&self) -> u64 {
        (self.count / self.batch) as u64
    }

    /// Image numbers of step `step`, from 1.
    pub fn at(&mut self, step: u64) -> Vec<i64> {
        let (epoch, within) = ((step - 1) / self.steps_per_epoch(), (step - 1) % self.steps_per_epoch());
        let (source, count) = (self.source, self.count);
        if self.epoch.as_ref().is_none_or(|(e, _)| *e != epoch) {
            self.epoch = Some((epoch, shuffle(source, epoch, count)));
        }
        let start = within as usize * self.batch;
        self.epoch.as_ref().map(|(_, order)| order[start..start + self.batch].to_vec()).unwrap_or_default()
    }
}

/// Fisher–Yates.
fn shuffle(source: NoiseSource, epoch: u64, count: usize) -> Vec<i64> {
    let mut order: Vec<i64> = (0..count as i64).collect();
    for i in (1..count).rev() {
        let bits = source.bits(i as u32, SHUFFLE, epoch);
        let wide = (u64::from(bits[0]) << 32) | u64::from(bits[1]);
        order.swap(i, (wide % (i as u64 + 1)) as usize);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_image_once_an_epoch_and_repeatable() {
        let mut sampler = EpochSampler::new(3, 100, 8);
        let mut seen: Vec<i64> = (1..=12).flat_map(|s| sampler.at(s)).collect();
        let first = sampler.at(1);
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 96);
        assert_ne!(sampler.at(13), first, "another epoch, another order");
        assert_eq!(EpochSampler::new(3, 100, 8).at(1), first);
    }
}
