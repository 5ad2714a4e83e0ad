//! A metric of a report as rows and columns.

use super::label::{apart, grid};
use super::table::Show;
use super::{Cell, Metric, Report};

/// A metric of one cell.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Value {
    /// Mean over the blocks.
    pub(crate) mean: f64,
    /// Standard deviation over the blocks, and their count.
    pub(crate) spread: Option<(f64, f64)>,
}

impl Value {
    fn new(report: &Report, cell: &Cell, metric: Metric<'_>, show: Show) -> Option<Self> {
        let mean = *cell.metrics.get(metric.key)?;
        if show == Show::Best {
            return Some(Self {
                mean: best_block(cell, metric, report.reference.real(metric.key)).unwrap_or(mean),
                spread: None,
            });
        }
        Some(Self { mean, spread: cell.sd(metric.key).map(|sd| (sd, cell.blocks.len() as f64)) })
    }

    /// With the metric's digits, and the deviation where it is known.
    pub(crate) fn show(self, metric: Metric<'_>) -> String {
        let mean = metric.format(self.mean);
        self.spread.map_or(mean.clone(), |(sd, _)| format!("{mean} ±{}", metric.format(sd)))
    }

    /// Two standard errors of the mean.
    fn margin(self) -> f64 {
        self.spread.map_or(0.0, |(sd, blocks)| 2.0 * sd / blocks.sqrt())
    }
}

/// The best value of a metric over a cell's blocks; `None` without blocks.
pub(crate) fn best_block(cell: &Cell, metric: Metric<'_>, real: Option<f64>) -> Option<f64> {
    let values = cell.blocks.iter().filter_map(|block| block.get(metric.key).copied());
    values.reduce(|best, v| if metric.better(v, best, real) { v } else { best })
}

/// Head of the columns of a sweep.
const SCALE: &str = "w";

/// A metric laid out by method (rows, in order of appearance) and setting (columns, ascending).
pub(crate) struct Layout<'a> {
    /// What the columns are.
    pub(crate) head: &'static str,
    /// Distinct settings, ascending.
    pub(crate) columns: Vec<f64>,
    /// Label and one optional value a column.
    pub(crate) rows: Vec<(String, Vec<Option<Value>>)>,
    /// What real images have.
    pub(crate) real: Option<f64>,
    metric: Metric<'a>,
}

impl<'a> Layout<'a> {
    /// By guidance scale where the cells differ in it, else by NFE.
    pub(crate) fn new(report: &Report, metric: Metric<'a>, show: Show) -> Self {
        if report.sweeps() {
            Self::by_scale(report, metric, show)
        } else {
            Self::by_nfe(report, metric, show)
        }
    }

    /// A row a solver with its guidance, a column an NFE.
    pub(crate) fn by_nfe(report: &Report, metric: Metric<'a>, show: Show) -> Self {
        let places = report.cells.iter().map(|cell| (report.label(cell), f64::from(cell.nfe), cell));
        Self::of("NFE", places.collect(), report, metric, show)
    }

    /// A row a solver and rule, and an NFE where there are several; a column a scale. A cell without guidance stands in the
    /// column 1 of every row of its solver, but in a row of its own where there are others in its place: which of them a
    /// guided row goes with is not known.
    pub(crate) fn by_scale(report: &Report, metric: Metric<'a>, show: Show) -> Self {
        let several = report.cells.iter().any(|cell| cell.nfe != report.cells[0].nfe);
        let label = |cell: &Cell, rule: Option<&str>, apart: &str| {
            let rule = rule.map(|rule| format!(" · {rule}")).unwrap_or_default();
            let nfe = if several { format!(", {} NFE", cell.nfe) } else { String::new() };
            format!("{}{rule}{}{nfe}{apart}", cell.solver, grid(report, cell))
        };
        let mut places = Vec::new();
        for cell in &report.cells {
            let own = apart(report, cell);
            if let Some(g) = &cell.guidance {
                places.push((label(cell, Some(&g.rule), &own), g.scale, cell));
                continue;
            }
            let alike = |c: &&Cell| {
                own.is_empty() && (&c.solver, &c.grid, c.nfe) == (&cell.solver, &cell.grid, cell.nfe)
            };
            let before = places.len();
            for guided in report.cells.iter().filter(alike) {
                let Some(g) = &guided.guidance else { continue };
                let label = label(cell, Some(&g.rule), &apart(report, guided));
                if places[before..].iter().all(|(l, ..)| *l != label) {
                    places.push((label, 1.0, cell));
                }
            }
            if places.len() == before {
                places.push((label(cell, None, &own), 1.0, cell));
            }
        }
        Self::of(SCALE, places, report, metric, show)
    }

    /// Of two cells in the same place the later one counts.
    fn of(
        head: &'static str,
        places: Vec<(String, f64, &Cell)>,
        report: &Report,
        metric: Metric<'a>,
        show: Show,
    ) -> Self {
        let places: Vec<(String, f64, Value)> = places
            .into_iter()
            .filter_map(|(label, at, cell)| Some((label, at, Value::new(report, cell, metric, show)?)))
            .collect();
        let mut columns: Vec<f64> = places.iter().map(|(_, at, _)| *at).collect();
        columns.sort_by(f64::total_cmp);
        columns.dedup();
        let mut rows: Vec<(String, Vec<Option<Value>>)> = Vec::new();
        for (label, at, value) in places {
            let row = rows.iter().position(|(l, _)| *l == label).unwrap_or_else(|| {
                rows.push((label, vec![None; columns.len()]));
                rows.len() - 1
            });
            if let Ok(column) = columns.binary_search_by(|c| c.total_cmp(&at)) {
                rows[row].1[column] = Some(value);
            }
        }
        let real = report.reference.real(metric.key);
        Self { head, columns, rows, real, metric }
    }

    /// Each row at the best of its own columns, in words, where rows are swept over the guidance scale.
    pub(crate) fn own_best(&self) -> Option<String> {
        if self.head != SCALE || !self.metric.ranks(self.real) {
            return None;
        }
        let best = |(label, row): &(String, Vec<Option<Value>>)| {
            let cells = self.columns.iter().zip(row).filter_map(|(w, value)| Some((w, (*value)?)));
            let (w, value) = cells.reduce(|best, next| {
                if self.metric.better(next.1.mean, best.1.mean, self.real) { next } else { best }
            })?;
            Some(format!("{label} {} at w = {w}", value.show(self.metric)))
        };
        Some(self.rows.iter().filter_map(best).collect::<Vec<_>>().join("; "))
    }

    /// Whether a value is the best of its column, with something other to compare with, or tied with it: the same as
    /// printed, or nearer to it than two standard errors of their difference.
    pub(crate) fn is_best(&self, column: usize, value: Value) -> bool {
        let others = || self.rows.iter().filter_map(|(_, row)| row[column]);
        let differs = |other: Value| self.metric.format(other.mean) != self.metric.format(value.mean);
        let beats = |other: Value| {
            self.metric.better(other.mean, value.mean, self.real)
                && differs(other)
                && (other.mean - value.mean).abs() > other.margin().hypot(value.margin())
        };
        self.metric.ranks(self.real) && others().any(differs) && !others().any(beats)
    }
}
