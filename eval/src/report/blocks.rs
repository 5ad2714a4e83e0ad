//! Metrics of one block, or of several with their means.

use super::Cell;
use std::collections::BTreeMap;
use std::fmt;

type Metrics = BTreeMap<String, f64>;

/// Least and most blocks that cells have: `3`, or `1 to 3`.
#[derive(Clone, Copy)]
pub(super) struct Count {
    least: usize,
    most: usize,
}

impl Count {
    /// One where there are no cells.
    pub(super) fn of(cells: &[Cell]) -> Self {
        let counts = || cells.iter().map(|cell| cell.measured().max(1));
        Self { least: counts().min().unwrap_or(1), most: counts().max().unwrap_or(1) }
    }

    /// Whether any cell has more than one.
    pub(super) fn several(self) -> bool {
        self.most > 1
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.least == self.most {
            return write!(f, "{}", self.most);
        }
        write!(f, "{} to {}", self.least, self.most)
    }
}

/// A single block is not listed: it is what stands in `metrics`.
pub(super) fn measured(metrics: &Metrics, blocks: &[Metrics]) -> usize {
    if metrics.is_empty() { 0 } else { blocks.len().max(1) }
}

/// Metrics of one block.
pub(super) fn block<'a>(metrics: &'a Metrics, blocks: &'a [Metrics], number: usize) -> Option<&'a Metrics> {
    if blocks.is_empty() {
        Some(metrics).filter(|m| number == 0 && !m.is_empty())
    } else {
        blocks.get(number)
    }
}

/// Adds metrics to a block; numbers beyond the next one are the next one.
pub(super) fn take(metrics: &mut Metrics, blocks: &mut Vec<Metrics>, number: usize, found: Metrics) {
    let before = measured(metrics, blocks);
    if before == 0 || (number == 0 && before == 1) {
        metrics.extend(found);
        return;
    }
    if before == 1 {
        blocks.push(metrics.clone());
    }
    match blocks.get_mut(number) {
        Some(block) => block.extend(found),
        None => blocks.push(found),
    }
    *metrics = means(blocks);
}

/// Means over blocks of every metric that all of them have.
fn means(blocks: &[Metrics]) -> Metrics {
    let Some(first) = blocks.first() else { return BTreeMap::new() };
    let mean = |name: &String| {
        let values: Option<Vec<f64>> = blocks.iter().map(|block| block.get(name).copied()).collect();
        Some((name.clone(), values?.iter().sum::<f64>() / blocks.len() as f64))
    };
    first.keys().filter_map(mean).collect()
}
