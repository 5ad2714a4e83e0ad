//! Ctrl-C, and being told to end or that the terminal is gone: where a loop looks for it, the first signal asks that loop to
//! stop at a safe place, and the second one ends the process; elsewhere the first one does.

use std::sync::atomic::{AtomicBool, Ordering};
use std::{fs, thread};

use anyhow::{Context, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level;

static ASKED: AtomicBool = AtomicBool::new(false);
static HEEDED: AtomicBool = AtomicBool::new(false);

/// Exit code of an interrupted run, as shells give it for SIGINT.
pub const EXIT_CODE: u8 = 130;

/// Installs the handler; call once. A signal that the process was started to ignore, as under `nohup` or in the background of
/// a script, stays ignored.
///
/// # Errors
/// If the operating system refuses.
pub fn install() -> Result<()> {
    let ignored = ignored(&fs::read_to_string("/proc/self/status").unwrap_or_default());
    let heard = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| ignored >> (signal - 1) & 1 == 0);
    let mut signals = Signals::new(heard).context("cannot install the Ctrl-C handler")?;
    thread::spawn(move || {
        for _ in signals.forever() {
            if ASKED.swap(true, Ordering::SeqCst) || !HEEDED.load(Ordering::SeqCst) {
                // At once: destructors would take libtorch down under the threads that run it.
                low_level::exit(i32::from(EXIT_CODE));
            }
        }
    });
    Ok(())
}

/// The signals that a process ignores, bit `n - 1` for signal `n`, from its `/proc/PID/status`.
fn ignored(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// From now on some loop looks at [`asked`].
pub fn heed() {
    HEEDED.store(true, Ordering::SeqCst);
}

/// Whether the user asked to stop.
pub fn asked() -> bool {
    ASKED.load(Ordering::SeqCst)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_the_status() {
        let status = "Name:\tx\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001003\nSigCgt:\t0\n";
        assert_eq!(ignored(status), 0x1003);
        assert_eq!(ignored(status) >> (SIGHUP - 1) & 1, 1);
        assert_eq!(ignored(status) >> (SIGTERM - 1) & 1, 0);
        assert_eq!(ignored(""), 0);
    }
}
