//! Ctrl-C: where a loop looks for it, the first one asks that loop to stop at a safe place, and the second one ends the
//! process; elsewhere the first one does.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};

static ASKED: AtomicBool = AtomicBool::new(false);
static HEEDED: AtomicBool = AtomicBool::new(false);

/// Exit code of an interrupted run, as shells give it for SIGINT.
pub const EXIT_CODE: u8 = 130;

/// Installs the handler; call once.
///
/// # Errors
/// If the operating system refuses.
pub fn install() -> Result<()> {
    ctrlc::set_handler(|| {
        if ASKED.swap(true, Ordering::SeqCst) || !HEEDED.load(Ordering::SeqCst) {
            #[expect(
                clippy::exit,
                reason = "nobody else would stop; a handler has no other way to end the process"
            )]
            std::process::exit(i32::from(EXIT_CODE));
        }
    })
    .context("cannot install the Ctrl-C handler")
}

/// From now on some loop looks at [`asked`].
pub fn heed() {
    HEEDED.store(true, Ordering::SeqCst);
}

/// Whether the user asked to stop.
pub fn asked() -> bool {
    ASKED.load(Ordering::SeqCst)
}
