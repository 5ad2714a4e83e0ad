//! `fewstep completions`: for the shell.

use anyhow::Result;
use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, Exit, print};

/// Print a completion script, as `fewstep completions bash > fewstep.bash`
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// For which shell
    shell: Shell,
}

/// Prints the script.
///
/// # Errors
/// If the script is not text, which clap rules out.
pub(super) fn run(args: &Args) -> Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "fewstep", &mut script);
    print(&String::from_utf8(script)?);
    Ok(Exit::Done)
}
