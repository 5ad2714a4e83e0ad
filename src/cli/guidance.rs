//! `fewstep guidance`: the list of rules.

use std::fmt::Write as _;

use serde_json::json;

use super::{Exit, print};
use crate::guidance::{Kind, registry};

/// List the guidance rules: what each does, its parameters, and where it comes from
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print one JSON line a rule
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print the tables of docs/guidance.md
    #[arg(long)]
    markdown: bool,
}

/// Prints the list.
pub(super) fn run(args: &Args) -> Exit {
    if args.json {
        for e in registry() {
            let line = json!({
                "name": e.name, "kind": e.kind.title().to_lowercase(), "summary": e.summary, "params": e.params,
                "reference": e.reference,
            });
            print(&line.to_string());
        }
    } else if args.markdown {
        print(&markdown());
    } else {
        let mut text = String::new();
        for e in registry() {
            let _ = writeln!(text, "{:<11}{}", e.name, e.summary);
            if !e.params.is_empty() {
                let _ = writeln!(text, "{:11}  {}", "", e.params);
            }
        }
        print(&text);
    }
    Exit::Done
}

/// One table a kind.
fn markdown() -> String {
    let mut text = String::new();
    for kind in Kind::ALL {
        let _ = write!(text, "### {}\n\n| rule | what it does | reference |\n|---|---|---|\n", kind.title());
        for e in registry().iter().filter(|e| e.kind == kind) {
            let params = if e.params.is_empty() { String::new() } else { format!("<br>`{}`", e.params) };
            let reference = if e.reference.is_empty() { "–" } else { e.reference };
            let _ = writeln!(text, "| `{}` | {}{params} | {reference} |", e.name, e.summary);
        }
        text.push('\n');
    }
    text
}
