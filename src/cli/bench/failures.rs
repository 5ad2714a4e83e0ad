//! Cells that could not be measured. Nothing else hangs on one, so that the run goes on and tells of them at its end.

use anyhow::{Error, Result};

use super::tasks::Task;
use crate::cli::warn;

/// Those of a run.
#[derive(Debug, Default)]
pub(super) struct Failures {
    hashes: Vec<String>,
    /// Name of the first, and why it failed.
    first: Option<(String, Error)>,
}

impl Failures {
    /// Tells of a cell whose images could not be made or measured: its sampling diverged, for instance.
    pub(super) fn add(&mut self, task: &Task<'_>, error: Error) {
        let name = task.label();
        warn(&format!("`{name}` is left out: {error:#}"));
        self.hashes.push(task.hash.clone());
        if self.first.is_none() {
            self.first = Some((name, error));
        }
    }

    /// Whether this cell is among them.
    pub(super) fn has(&self, task: &Task<'_>) -> bool {
        self.hashes.contains(&task.hash)
    }

    /// # Errors
    /// If there are any: how many of `cells`, and why the first one failed.
    pub(super) fn end(self, cells: usize) -> Result<()> {
        let Some((name, error)) = self.first else { return Ok(()) };
        Err(error.context(format!("{} of {cells} cells failed, first `{name}`", self.hashes.len())))
    }
}
