//! Cells that tables could take for one another, cells of several counts of blocks, runs that go together.

use super::{
    Cell, GuidanceInfo, Metric, ReferenceInfo, Report, Style, fd_vs_nfe, html, markdown, metric_vs_scale,
    table,
};
use std::collections::BTreeMap;

fn cell(solver: &str, nfe: u32, fd: f64) -> Cell {
    Cell {
        solver: solver.to_owned(),
        grid: "uniform-t".to_owned(),
        steps: nfe,
        nfe,
        forwards: nfe,
        samples: 5_000,
        metrics: BTreeMap::from([("fd".to_owned(), fd)]),
        blocks: vec![],
        seconds: 12.5,
        seconds_per_image: 0.0025,
        plan_hash: format!("{solver}-{nfe}"),
        guidance: None,
    }
}

fn planned(steps: u32, plan_hash: &str, fd: f64) -> Cell {
    Cell { steps, plan_hash: plan_hash.to_owned(), ..cell("heun", 10, fd) }
}

fn guided(scale: f64, beside: Option<&str>, fd: f64) -> Cell {
    let guidance = GuidanceInfo {
        rule: "auto".to_owned(),
        scale,
        forwards: 20.0,
        beside: beside.map(str::to_owned),
        levels: vec![],
    };
    let plan_hash = format!("{scale}-{beside:?}");
    Cell { plan_hash, guidance: Some(guidance), ..cell("ddim", 10, fd) }
}

fn report(cells: Vec<Cell>) -> Report {
    Report {
        schema: 1,
        created_by: "fewstep 0.1.0".to_owned(),
        machine: "here".to_owned(),
        model: "fmnist-unet".to_owned(),
        path: "vp-linear".to_owned(),
        seed: 0,
        samples: 5_000,
        blocks: 1,
        reference: ReferenceInfo {
            data: "fashion-mnist/train".to_owned(),
            n: 60_000,
            extractor: "fmnist-cnn:b0564c3eedabfbf8".to_owned(),
            floor: 0.0931,
            rows: None,
            real: None,
        },
        teacher: None,
        config: BTreeMap::from([("dtype".to_owned(), "f32".to_owned())]),
        cells,
    }
}

fn labels(report: &Report) -> Vec<String> {
    report.cells.iter().map(|cell| report.label(cell)).collect()
}

/// What stands behind `label` in a table.
fn row<'a>(table: &'a str, label: &str) -> Vec<&'a str> {
    let rest = table.lines().find_map(|line| line.strip_prefix(label)).unwrap_or_default();
    rest.split_whitespace().collect()
}

#[test]
fn cells_in_one_place_have_names_of_their_own() {
    let mut report = report(vec![cell("ddim", 10, 2.0), planned(5, "aaaaaa11", 3.0), cell("heun", 20, 1.0)]);
    assert_eq!(labels(&report), ["ddim", "heun", "heun"], "nothing where a place has one cell");
    report.cells.push(planned(6, "bbbbbb22", 4.0));
    assert_eq!(labels(&report), ["ddim", "heun · 5 steps", "heun", "heun · 6 steps"]);
    let got = table(&report, Metric::FD, Style::Plain);
    assert_eq!(row(&got, "heun · 5 steps"), ["3.000", "–"], "\n{got}");
    assert_eq!(row(&got, "heun · 6 steps"), ["4.000", "–"], "\n{got}");
    let svg = fd_vs_nfe(&report).unwrap();
    assert!(svg.contains("heun · 5 steps") && svg.contains("heun · 6 steps"));
    // As many steps: the plans are named.
    report.cells.push(planned(6, "cccccc33", 5.0));
    assert_eq!(
        labels(&report)[1..],
        ["heun · 5 steps", "heun", "heun · 6 steps · plan bbbbbb", "heun · 6 steps · plan cccccc"]
    );
    // The same plan is the same computation, whatever it is called for.
    let mut same = report.clone();
    same.cells.truncate(2);
    same.cells.push(Cell { samples: 50, ..planned(5, "aaaaaa11", 3.0) });
    assert_eq!(labels(&same), ["ddim", "heun", "heun"]);
}

#[test]
fn a_rule_beside_two_networks_has_a_row_for_each() {
    let (a, b) = (Some("a1a1a1a1"), Some("net:b2b2b2b2"));
    let mut report = report(vec![
        cell("ddim", 10, 6.0),
        guided(2.0, a, 5.0),
        guided(4.0, a, 4.0),
        guided(4.0, b, 3.0),
        guided(8.0, b, 2.0),
    ]);
    let got = table(&report, Metric::FD, Style::Plain);
    // The cell without guidance stands in both; where only one network was there, the other row has a gap.
    assert_eq!(row(&got, "ddim · auto · beside a1a1a1"), ["6.000", "5.000", "4.000", "–"], "\n{got}");
    assert_eq!(row(&got, "ddim · auto · beside b2b2b2"), ["6.000", "–", "3.000*", "2.000"], "\n{got}");
    assert_eq!(report.label(&report.cells[1]), "ddim · auto w=2 · beside a1a1a1");
    // Two cells without guidance: no row of a rule could hold both.
    report.cells.push(Cell { steps: 9, plan_hash: "other".to_owned(), ..cell("ddim", 10, 7.0) });
    let got = table(&report, Metric::FD, Style::Plain);
    assert_eq!(row(&got, "ddim · auto · beside a1a1a1"), ["–", "5.000", "4.000", "–"], "\n{got}");
    assert_eq!(row(&got, "ddim · 10 steps"), ["6.000*", "–", "–", "–"], "\n{got}");
    assert_eq!(row(&got, "ddim · 9 steps"), ["7.000", "–", "–", "–"], "\n{got}");
}

#[test]
fn reports_tell_how_many_blocks_their_cells_have() {
    let mut report = report(vec![cell("ddim", 10, 2.0), cell("heun", 10, 3.0)]);
    // Asked for, but not there yet.
    report.blocks = 3;
    let page = html(&report, &[], &[]).unwrap();
    assert!(page.contains("<p class=\"lead\">5,000 samples a cell") && page.contains("per cent are ties"));
    assert!(page.contains("<code>1 x 5000</code>") && !page.contains("<th>blocks</th>"));
    for block in 1..3 {
        report.cells[0].take_block(block, BTreeMap::from([("fd".to_owned(), 2.5)]), 5.0);
    }
    let page = html(&report, &[], &[]).unwrap();
    assert!(page.contains("<p class=\"lead\">1 to 3 blocks of 5,000 samples a cell"), "{page}");
    assert!(page.contains("± is the standard deviation") && page.contains("<code>1 to 3 x 5000</code>"));
    assert!(page.contains("<th>samples</th><th>blocks</th><th>seconds</th>"));
    assert!(page.contains("<td>5000</td><td>3</td>") && page.contains("<td>5000</td><td>1</td>"));
    assert!(page.contains("Seconds are wall clock, from the start of a block"));
    assert!(markdown(&report, &[Metric::FD]).contains("\n1 to 3 blocks of 5,000 samples a cell"));
    assert!(fd_vs_nfe(&report).unwrap().contains("1 to 3 x 5,000 samples a point"));
    report.cells.truncate(1);
    assert!(fd_vs_nfe(&report).unwrap().contains("\n3 x 5,000 samples a point"));
}

#[test]
fn scales_of_zero_and_below_have_a_place() {
    let sweep = |scales: &[f64]| {
        let cells = scales.iter().map(|w| guided(*w, None, 10.0 + w));
        report(cells.chain([cell("ddim", 10, 6.0)]).collect())
    };
    let svg = |scales: &[f64]| metric_vs_scale(&sweep(scales), Metric::FD).unwrap().unwrap();
    let linear = svg(&[-1.0, 0.0, 2.0]);
    for tick in [">\n-1\n<", ">\n0\n<", ">\n1\n<", ">\n2\n<"] {
        assert!(linear.contains(tick), "{tick}");
    }
    assert!(svg(&[0.0]).contains(">\n0\n<"), "the only guided one");
}

#[test]
fn an_earlier_report_may_lack_the_hash_of_the_model() {
    let old = report(vec![]);
    let with = |key: &str, value: &str| {
        let mut report = old.clone();
        report.config.insert(key.to_owned(), value.to_owned());
        report
    };
    let (one, other) = (with("model_sha256", "ab"), with("model_sha256", "cd"));
    one.same_run(&one).unwrap();
    one.same_run(&old).unwrap();
    old.same_run(&one).unwrap();
    let error = one.same_run(&other).unwrap_err().to_string();
    assert!(
        error.contains("settings do not match") && error.contains("ab") && error.contains("cd"),
        "{error}"
    );
    assert!(with("batch", "16").same_run(&old).is_err(), "other settings were always written");
    assert!(with("dtype", "bf16").same_run(&one).is_err());
}

#[test]
fn a_report_names_each_machine_once() {
    let mut report = report(vec![]);
    for machine in ["here", "there, cuda:0", "here", "there, cuda:0"] {
        report.measured_on(machine);
    }
    assert_eq!(report.machine, "here; there, cuda:0");
}
