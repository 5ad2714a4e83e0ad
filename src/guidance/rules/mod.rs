//! The rules, one file each.

/// The part of [`Guidance`](super::Guidance) that every decorator has: the rule in its field `inner`.
macro_rules! decorates {
    () => {
        fn inner(&self) -> Option<&dyn Guidance> {
            Some(&*self.inner)
        }

        fn inner_mut(&mut self) -> Option<&mut (dyn Guidance + 'static)> {
            Some(&mut *self.inner)
        }
    };
}

mod adaptive;
mod apg;
mod auto;
mod cached;
mod cfg;
mod cfg_zero;
mod cfgpp;
mod classifier;
mod gate;
mod interval;
mod rescale;
mod schedule;
mod sparse;
mod threshold;
mod unguided;

pub(super) use self::{
    adaptive::ENTRY as ADAPTIVE, apg::ENTRY as APG, auto::ENTRY as AUTO, cached::ENTRY as CACHED,
    cfg::ENTRY as CFG, cfg_zero::ENTRY as CFG_ZERO, cfgpp::ENTRY as CFGPP, classifier::ENTRY as CLASSIFIER,
    interval::ENTRY as INTERVAL, rescale::ENTRY as RESCALE, schedule::ENTRY as SCHEDULE,
    sparse::ENTRY as SPARSE, threshold::ENTRY as THRESHOLD, unguided::ENTRY as NONE,
};

pub use adaptive::Adaptive;
pub use apg::{Apg, Cap};
pub use auto::Auto;
pub use cached::Cached;
pub use cfg::Cfg;
pub use cfg_zero::CfgZero;
pub use cfgpp::CfgPp;
pub use classifier::Classifier;
pub use gate::{Gate, Gated};
pub use interval::Interval;
pub use rescale::Rescale;
pub use schedule::{Scaled, Shape};
pub use sparse::Sparse;
pub use threshold::Threshold;
pub use unguided::Unguided;
