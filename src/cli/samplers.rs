//! `fewstep samplers`: the list of solvers, for a person, for a program, and as docs/samplers.md.

use std::fmt::Write as _;

use anyhow::Result;
use fewstep_samplers::compat::diffusers::{Scheduler, schedulers};
use fewstep_samplers::dynamic::{DynamicEntry, dynamic_registry};
use fewstep_samplers::{Entry, GridRule, Op, Path, Pred, registry, solver};
use serde_json::{Value, json};

use super::{Exit, print};

/// List the solvers: order, cost, whether they draw noise, what they ask of the network, and where they come from
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print one JSON line a solver
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print docs/samplers.md
    #[arg(long)]
    markdown: bool,
}

/// Prints the list.
///
/// # Errors
/// If an entry of the list cannot be built with its defaults, which a test rules out.
pub(super) fn run(args: &Args) -> Result<Exit> {
    let rows: Vec<Row> = registry().iter().map(Row::new).collect::<Result<_>>()?;
    if args.json {
        let others =
            dynamic_registry().iter().map(dynamic_json).chain(schedulers().iter().map(scheduler_json));
        for line in rows.iter().map(Row::json).chain(others) {
            print(&line.to_string());
        }
    } else if args.markdown {
        print(&markdown(&rows));
    } else {
        print(&table(&rows));
    }
    Ok(Exit::Done)
}

/// An entry, and what its plans say about it.
struct Row {
    entry: &'static Entry,
    /// What the network is asked for on a diffusion path and on the flow path.
    asks: [String; 2],
}

impl Row {
    fn new(entry: &'static Entry) -> Result<Self> {
        let asks = |path: Path| -> Result<String> {
            let grid = GridRule::default_for(&path).grid(&path, 6, None, None, None)?;
            let mut names = Vec::new();
            for op in solver(entry.name)?.plan(&grid)?.ops {
                if let Op::Eval { pred, .. } = op
                    && !names.contains(&name(pred))
                {
                    names.push(name(pred));
                }
            }
            Ok(names.join(" + "))
        };
        Ok(Self { entry, asks: [asks(Path::vp_linear())?, asks(Path::Flow)?] })
    }

    fn asks(&self) -> String {
        let [diffusion, flow] = &self.asks;
        if diffusion == flow { diffusion.clone() } else { format!("{diffusion} (flow path: {flow})") }
    }

    fn json(&self) -> Value {
        let e = self.entry;
        json!({
            "name": e.name, "family": e.family, "summary": e.summary, "params": e.params, "order": e.order,
            "evals_per_step": e.evals_per_step, "deterministic": e.deterministic, "reference": e.reference,
            "asks": self.asks[0], "asks_on_flow": self.asks[1],
        })
    }
}

/// `evals_per_step` is null where a step takes as many as it takes.
fn dynamic_json(e: &DynamicEntry) -> Value {
    json!({
        "name": e.name, "family": DYNAMIC, "summary": e.summary, "params": e.params, "order": e.order,
        "evals_per_step": e.evals_per_step, "deterministic": e.deterministic, "reference": e.reference,
        "asks": name(e.pred), "asks_on_flow": name(e.pred),
    })
}

fn noise(deterministic: bool) -> &'static str {
    if deterministic { "none" } else { "drawn" }
}

fn evals(e: &DynamicEntry) -> String {
    e.evals_per_step.map_or_else(|| "varies".to_owned(), |n| n.to_string())
}

/// They bring grids of their own.
fn scheduler_json(s: &Scheduler) -> Value {
    json!({
        "name": format!("diffusers/{}", s.name), "family": "diffusers", "summary": s.summary, "params": s.params,
        "reference": format!("diffusers 0.42.1, {}", s.class),
    })
}

/// The heading of the solvers that choose their steps as they go.
const DYNAMIC: &str = "Dynamic";

fn name(pred: Pred) -> &'static str {
    match pred {
        Pred::Eps => "eps",
        Pred::X0 => "x0",
        Pred::Flow => "flow",
    }
}

fn table(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.entry.name.len()).max().unwrap_or(0) + 2;
    let asks = rows.iter().map(|row| row.asks().len()).max().unwrap_or(0) + 2;
    let mut text = format!("{:<width$}order  NFE/step  noise   {:<asks$}what it is\n", "solver", "asks for");
    let below = width + 25 + asks;
    let more = |text: &mut String, lines: [&str; 2]| {
        for line in lines.iter().filter(|line| !line.is_empty()) {
            let _ = writeln!(text, "{:below$}{line}", "");
        }
    };
    for row in rows {
        let e = row.entry;
        let _ = writeln!(
            text,
            "{:<width$}{:<7}{:<10}{:<8}{:<asks$}{}",
            e.name,
            e.order,
            e.evals_per_step,
            noise(row.entry.deterministic),
            row.asks(),
            e.summary
        );
        more(&mut text, [e.params, e.reference]);
    }
    for e in dynamic_registry() {
        let _ = writeln!(
            text,
            "{:<width$}{:<7}{:<10}{:<8}{:<asks$}{}",
            e.name,
            e.order,
            evals(e),
            noise(e.deterministic),
            name(e.pred),
            e.summary
        );
        more(&mut text, [e.params, e.reference]);
    }
    let names: Vec<String> = schedulers().iter().map(|s| format!("diffusers/{}", s.name)).collect();
    let _ = writeln!(text, "\nas diffusers has them (docs/diffusers.md): {}", names.join(", "));
    text
}

/// docs/samplers.md: one section a family.
fn markdown(rows: &[Row]) -> String {
    let mut text = String::from(
        "# Solvers\n\n\
         Written by `fewstep samplers --markdown`; a test keeps it equal to the program's own list.\n\n\
         *Order* is the order of convergence with default parameters, measured by `samplers/tests/order.rs`; of a \
         stochastic solver, that of its noise-free limit, or in distribution where it has none (`stochastic.rs`). *NFE* are network evaluations a full step. *Asks for* is the \
         prediction that the formulas are written in, where `flow` is the velocity eps - x0; every network answers all of them, by \
         exact conversion. A solver is named on the command line as `name` or `name:key=value:key=value`. *Noise* is drawn \
         by interval, so that more steps refine the same picture, but for the churn of `heun`, `restart` and `consistency`, \
         which draw anew in every step. All but the dynamic ones and diffusers' schedulers take `afs=true` too: it saves the first evaluation, where the state is nearly all noise (analytical first step, arXiv 2210.05475).\n",
    );
    let mut families: Vec<&str> = Vec::new();
    for row in rows {
        if !families.contains(&row.entry.family) {
            families.push(row.entry.family);
        }
    }
    for family in families {
        let _ = write!(
            text,
            "\n## {family}\n\n| solver | what it is | order | NFE | noise | asks for | reference |\n|---|---|---|---|---|---|---|\n"
        );
        for row in rows.iter().filter(|row| row.entry.family == family) {
            let e = row.entry;
            let params = if e.params.is_empty() { String::new() } else { format!("<br>`{}`", e.params) };
            let _ = writeln!(
                text,
                "| `{}` | {}{params} | {} | {} | {} | {} | {} |",
                e.name,
                e.summary,
                e.order,
                e.evals_per_step,
                noise(row.entry.deterministic),
                row.asks(),
                e.reference
            );
        }
    }
    let _ = write!(
        text,
        "\n## {DYNAMIC}\n\nTheir steps depend on what the network says, so that they have no plan, only `generate` runs them, and \
         each image has its own cost. *NFE* are those of an accepted step.\n\n\
         | solver | what it is | order | NFE | noise | asks for | reference |\n|---|---|---|---|---|---|---|\n"
    );
    for e in dynamic_registry() {
        let _ = writeln!(
            text,
            "| `{}` | {}<br>`{}` | {} | {} | {} | {} | {} |",
            e.name,
            e.summary,
            e.params,
            e.order,
            evals(e),
            noise(e.deterministic),
            name(e.pred),
            e.reference
        );
    }
    text.push_str(
        "\n## Schedulers of diffusers\n\nThe same numbers as diffusers 0.42.1, faults included; [diffusers.md](diffusers.md) compares them \
         with proper solvers. They bring their own grids.\n\n| solver | class | what it is |\n|---|---|---|\n",
    );
    for s in schedulers() {
        let _ =
            writeln!(text, "| `diffusers/{}` | `{}` | {}<br>`{}` |", s.name, s.class, s.summary, s.params);
    }
    text
}
