//! The program as a person calls it.

use std::process::{Command, Output, Stdio};

pub(crate) fn fewstep() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fewstep"));
    command.stdin(Stdio::null());
    command
}

pub(crate) fn run(args: &[&str]) -> Output {
    fewstep().args(args).output().unwrap()
}

/// The command must fail with exit code 2, say nothing on stdout, and one error that holds all of `says`.
pub(crate) fn refuses(args: &[&str], says: &[&str]) {
    let out = run(args);
    let stderr = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(2), "{args:?}: {stderr}");
    assert!(out.stdout.is_empty(), "{args:?} wrote to stdout");
    assert_eq!(stderr.matches("error: ").count(), 1, "{args:?}: {stderr}");
    for part in says {
        assert!(stderr.contains(part), "{args:?} does not say `{part}`: {stderr}");
    }
}
