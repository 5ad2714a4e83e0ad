//! Ctrl-C: the first one asks the running loop to stop at a safe place, the second one ends the process.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};

static ASKED: AtomicBool = AtomicBool::new(false);

/// Exit code of an interrupted run, as shells give it for SIGINT.
pub const EXIT_CODE: u8 = 130;

/// Installs the handler; call once.
///
/// # Errors
/// If the operating system refuses.
pub fn install() -> Result<()> {
    ctrlc::set_handler(|| {
        if ASKED.swap(true, Ordering::SeqCst) {
            #[expect(
                clippy::exit,
                reason = "the user asked twice; a handler has no other way to end the process"
            )]
            std::process::exit(i32::from(EXIT_CODE));
        }
    })
    .context("cannot install the Ctrl-C handler")
}

/// Whether the user asked to stop.
pub fn asked() -> bool {
    ASKED.load(Ordering::SeqCst)
}
