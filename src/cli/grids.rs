//! `fewstep grids`: the rules that place steps, and the paths on which they do, as docs/grids.md too.

use std::fmt::Write as _;

use anyhow::Result;
use fewstep_samplers::{GridRule, Path, Shift};
use serde_json::json;

use super::{Exit, print};

/// List the step grids, the shift of flow grids and the paths: what each does, with its parameters
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print one JSON line a name
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print docs/grids.md
    #[arg(long)]
    markdown: bool,
}

/// Names and what they mean.
type Rows = Vec<(String, String)>;

/// One list of what stands behind an option.
struct Section {
    /// What one of them is.
    kind: &'static str,
    title: &'static str,
    /// What to know before reading the list.
    about: &'static str,
    rows: Rows,
}

/// Prints the lists.
///
/// # Errors
/// If the name of a path does not make a path, which a test rules out.
pub(super) fn run(args: &Args) -> Result<Exit> {
    let sections = sections()?;
    if args.json {
        for Section { kind, rows, .. } in &sections {
            for (name, summary) in rows {
                print(&json!({"kind": kind, "name": name, "summary": summary}).to_string());
            }
        }
    } else if args.markdown {
        print(&markdown(&sections));
    } else {
        print(&table(&sections));
    }
    Ok(Exit::Done)
}

fn sections() -> Result<Vec<Section>> {
    let rows = |list: &[(&str, &str)]| list.iter().map(|(n, s)| ((*n).to_owned(), (*s).to_owned())).collect();
    let paths = Path::NAMES.iter().map(|(name, summary)| {
        let grid = GridRule::default_for(&name.parse()?);
        Ok(((*name).to_owned(), format!("{summary}; default grid {grid}")))
    });
    Ok(vec![
        Section {
            kind: "grid",
            title: "Grids",
            about: "--grid NAME or NAME:key=value; a value shown is the default. Where a rule does not end at zero \
                    noise, --end zero adds or moves the last step there; where it does, --end t-min leaves that out.",
            rows: rows(GridRule::NAMES),
        },
        Section {
            kind: "list",
            title: "Lists",
            about: "--grid LIST, from noise to data.",
            rows: rows(GridRule::LISTS),
        },
        Section {
            kind: "shift",
            title: "Shift",
            about: "Behind any rule on the flow path, as --grid uniform-t:shift=3; once only.",
            rows: rows(Shift::PARAMS),
        },
        Section {
            kind: "path",
            title: "Paths",
            about: "--path NAME or NAME:key=value: how signal and noise depend on the time, x = alpha x0 + sigma eps.",
            rows: paths.collect::<Result<_>>()?,
        },
    ])
}

fn table(sections: &[Section]) -> String {
    let mut text = String::new();
    let width = sections.iter().flat_map(|s| &s.rows).map(|(name, _)| name.len()).max().unwrap_or(0) + 2;
    for Section { title, about, rows, .. } in sections {
        let _ = writeln!(text, "{title}: {about}");
        for (name, summary) in rows {
            let _ = writeln!(text, "  {name:<width$}{summary}");
        }
        text.push('\n');
    }
    text
}

/// docs/grids.md.
fn markdown(sections: &[Section]) -> String {
    let mut text = String::from(
        "# Grids and paths\n\n\
         Written by `fewstep grids --markdown`; a test keeps it equal to the program's own list. `fewstep plan --grid ... \
         --svg` draws where the steps stand.\n",
    );
    for Section { kind, title, about, rows } in sections {
        let _ = write!(text, "\n## {title}\n\n{about}\n\n| {kind} | what it is |\n|---|---|\n");
        for (name, summary) in rows {
            let _ = writeln!(text, "| `{name}` | {summary} |");
        }
    }
    text
}
