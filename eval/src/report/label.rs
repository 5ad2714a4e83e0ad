//! What cells are called in tables, figures and sheets: no two that did different computations have one place.

use super::{Cell, GuidanceInfo, Report};
use std::fmt::Write as _;

impl Report {
    /// What a cell is called where its NFE is told beside: [`Cell::method`], the grid where one solver ran on several, and
    /// what sets it apart from cells that would stand in its place.
    pub fn label(&self, cell: &Cell) -> String {
        format!("{}{}{}", cell.method(), grid(self, cell), apart(self, cell))
    }
}

/// The grid, where one solver ran on several.
pub(super) fn grid(report: &Report, cell: &Cell) -> String {
    let single = report.cells.iter().filter(|c| c.solver == cell.solver).all(|c| c.grid == cell.grid);
    if single { String::new() } else { format!(" ({})", cell.grid) }
}

/// The network beside the model, where one rule had several; then, of cells with other plans in the same place, the steps if
/// they differ, and the plan where that leaves two alike. Mostly nothing.
pub(super) fn apart(report: &Report, cell: &Cell) -> String {
    let mut text = beside(report, cell);
    let twin = |other: &&Cell| same_place(other, cell) && other.plan_hash != cell.plan_hash;
    let mut twins: Vec<&Cell> = report.cells.iter().filter(twin).collect();
    let tells: [fn(&Cell) -> String; 2] = [steps, plan];
    for tell in tells {
        let own = tell(cell);
        if twins.iter().any(|twin| tell(twin) != own) {
            let _ = write!(text, " · {own}"); // writing to a String cannot fail
            twins.retain(|twin| tell(twin) == own);
        }
    }
    text
}

/// Rows go over many scales and NFEs: the network is named in all of a rule's rows, or a line would join cells of several.
fn beside(report: &Report, cell: &Cell) -> String {
    let Some(guidance) = &cell.guidance else { return String::new() };
    let mut alike =
        report.cells.iter().filter_map(|c| c.guidance.as_ref()).filter(|g| g.rule == guidance.rule);
    if alike.all(|g| g.beside == guidance.beside) {
        return String::new();
    }
    format!(" · beside {}", network(guidance))
}

fn steps(cell: &Cell) -> String {
    format!("{} steps", cell.steps)
}

fn plan(cell: &Cell) -> String {
    format!("plan {}", short(&cell.plan_hash))
}

fn network(guidance: &GuidanceInfo) -> &str {
    guidance.beside.as_deref().map_or("nothing", short)
}

/// Whether two cells would share a row and a column.
fn same_place(a: &Cell, b: &Cell) -> bool {
    let guided = match (&a.guidance, &b.guidance) {
        (None, None) => true,
        (Some(a), Some(b)) => {
            (&a.rule, a.scale.to_bits(), network(a)) == (&b.rule, b.scale.to_bits(), network(b))
        }
        _ => false,
    };
    guided && (&a.solver, &a.grid, a.nfe) == (&b.solver, &b.grid, b.nfe)
}

/// The first digits of a hash, which may stand behind a name and a colon.
fn short(id: &str) -> &str {
    let hash = id.rsplit(':').next().unwrap_or(id);
    hash.get(..6).unwrap_or(hash)
}
