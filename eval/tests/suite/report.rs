//! Reports: the record is strict, and its three views are stable.

use fewstep_eval::Error;
use fewstep_eval::report::{
    Cell, Figure, Level, Metric, Plot, Point, ReferenceInfo, Report, Scale, Series, Show, Style, TeacherInfo,
    csv, fd_vs_nfe, html, metric_vs_nfe, table, table_of,
};
use std::collections::BTreeMap;

fn cell(solver: &str, nfe: u32, fd: f64) -> Cell {
    let metrics = [("fd", fd), ("rmse", fd / 100.0), ("accuracy", 0.9 - fd / 1000.0)];
    Cell {
        solver: solver.to_owned(),
        grid: "uniform-t".to_owned(),
        steps: nfe,
        nfe,
        forwards: nfe,
        samples: 5_000,
        metrics: metrics.map(|(name, value)| (name.to_owned(), value)).into(),
        blocks: vec![],
        seconds: 12.5,
        seconds_per_image: 0.0025,
        plan_hash: format!("{solver}-{nfe}-0123456789abcdef"),
        guidance: None,
    }
}

fn report(cells: Vec<Cell>) -> Report {
    Report {
        schema: 1,
        created_by: "fewstep 0.1.0".to_owned(),
        machine: "two cores & 1 thread".to_owned(),
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
        },
        teacher: Some(TeacherInfo {
            solver: "heun".to_owned(),
            grid: "karras".to_owned(),
            steps: 128,
            nfe: 255,
            plan_hash: "teacher-plan".to_owned(),
            metrics: BTreeMap::from([("fd".to_owned(), 0.8123), ("accuracy".to_owned(), 0.931)]),
            blocks: vec![],
        }),
        config: BTreeMap::from([("dtype".to_owned(), "f32".to_owned())]),
        cells,
    }
}

fn small() -> Report {
    let cells = [
        ("ddim", 5, 31.25),
        ("ddim", 10, 9.5),
        ("deis-tab3", 10, 1.0625),
        ("heun", 10, 1.0626),
        ("ddim", 20, 3.0),
    ];
    report(cells.map(|(solver, nfe, fd)| cell(solver, nfe, fd)).to_vec())
}

/// About what a real run gives: errors that fall with powers of NFE towards the teacher.
fn full() -> Report {
    let solvers = [
        ("ddim", 400.0, 1.6),
        ("heun", 9e4, 3.6),
        ("dpmpp-2m", 900.0, 2.6),
        ("deis-tab1", 500.0, 2.2),
        ("deis-tab2", 700.0, 2.6),
        ("deis-tab3", 900.0, 3.0),
    ];
    let nfes = [4, 5, 6, 8, 10, 15, 20, 50_u32];
    let value = |a: f64, p: f64, nfe: u32| 0.8 + a * f64::from(nfe).powf(-p);
    let cells = solvers.iter().flat_map(|(solver, a, p)| {
        nfes.iter()
            .filter(|nfe| *solver != "heun" || *nfe % 2 == 0)
            .map(move |nfe| cell(solver, *nfe, value(*a, *p, *nfe)))
    });
    report(cells.collect())
}

#[test]
fn json_round_trips_to_the_bit() {
    let report = full();
    let text = report.to_json().unwrap();
    assert!(text.ends_with("}\n"));
    let again = Report::from_json(&text).unwrap();
    assert_eq!(again, report);
    assert_eq!(again.to_json().unwrap(), text);
}

#[test]
fn foreign_and_damaged_json_is_refused_with_the_reason() {
    let good = small().to_json().unwrap();
    let cases = [
        ("[1, 2]".to_owned(), "not a bench report"),
        (String::new(), "not a bench report"),
        (good[..good.len() / 2].to_owned(), "not a bench report"),
        (good.replace("\"schema\": 1", "\"schema\": 2"), "has schema 2, this program reads 1"),
        (good.replace("\"plan_hash\"", "\"planhash\""), "unknown field `planhash`"),
        (good.replace("  \"model\": \"fmnist-unet\",\n", ""), "missing field `model`"),
        (good.replace("\"nfe\": 5,", "\"nfe\": 0,"), "ddim at 0 NFE claims 5000 samples"),
        (good.replace("\"nfe\": 5,", "\"nfe\": -5,"), "-5"),
    ];
    for (text, expected) in cases {
        let error = Report::from_json(&text).unwrap_err();
        assert!(
            matches!(error, Error::Report { .. }) && error.to_string().contains(expected),
            "{error} / {expected}"
        );
    }
    let mut nan = small();
    nan.cells[2].metrics.insert("fd".to_owned(), f64::NAN);
    let message = nan.to_json().unwrap_err().to_string();
    assert!(message.contains("`fd` of deis-tab3 at 10 NFE is NaN"), "{message}");
}

#[test]
fn resume_finds_finished_cells_of_the_same_run_only() {
    let mut report = small();
    let hash = report.cells[1].plan_hash.clone();
    assert_eq!(report.finished(&hash, 5_000).unwrap().nfe, 10);
    assert!(report.finished(&hash, 50).is_none() && report.finished("other", 5_000).is_none());

    let count = report.cells.len();
    report.record(cell("ddim", 10, 8.0));
    assert_eq!((report.cells.len(), report.cells[1].metrics["fd"].to_bits()), (count, 8.0_f64.to_bits()));
    report.record(cell("ddim", 15, 5.0));
    assert_eq!(report.cells.len(), count + 1);

    report.same_run(&full()).unwrap();
    let mut other = full();
    other.reference.extractor = "fmnist-cnn:ffff".to_owned();
    let message = report.same_run(&other).unwrap_err().to_string();
    assert!(message.contains("feature networks do not match"), "{message}");
    let mut other = full();
    other.config.insert("guidance".to_owned(), "cfg 2".to_owned());
    assert!(report.same_run(&other).is_err());
}

#[test]
fn tables() {
    let plain = "\
NFE             5      10      20
---------  -------  ------  ------
ddim       31.250   9.500   3.000
deis-tab3       –   1.062*      –
heun            –   1.063       –
";
    let markdown = "\
| NFE       |      5 |        10 |    20 |
|-----------|-------:|----------:|------:|
| ddim      | 31.250 |     9.500 | 3.000 |
| deis-tab3 |      – | **1.062** |     – |
| heun      |      – |     1.063 |     – |
";
    let got = table(&small(), Metric::FD, Style::Plain);
    assert_eq!(got, plain, "\n{got}");
    let got = table(&small(), Metric::FD, Style::Markdown);
    assert_eq!(got, markdown, "\n{got}");
    let accuracy = table(&small(), Metric::ACCURACY, Style::Markdown);
    assert!(accuracy.contains("**0.899**"), "\n{accuracy}");
    assert_eq!(table(&small(), Metric::named("kid"), Style::Plain), "no finished cell has `kid`\n");

    let mut two_grids = small();
    two_grids.cells[0].grid = "karras".to_owned();
    let got = table(&two_grids, Metric::FD, Style::Plain);
    assert!(got.contains("ddim (karras)") && got.contains("ddim (uniform-t)"), "\n{got}");
}

#[test]
fn blocks_give_deviations_and_ties() {
    let mut report = report(vec![cell("ddim", 10, 0.0), cell("heun", 10, 0.0), cell("deis-tab3", 10, 0.0)]);
    report.blocks = 3;
    // Means 10, 10.2 and 12 with deviations 0.1, 0.3 and 1: the second is tied with the best, the third is not.
    for (cell, values) in
        report.cells.iter_mut().zip([[9.9, 10.0, 10.1], [9.9, 10.2, 10.5], [11.0, 12.0, 13.0]])
    {
        (cell.metrics, cell.seconds) = (BTreeMap::new(), 0.0);
        for (measured, fd) in values.into_iter().enumerate() {
            assert_eq!(cell.measured(), measured);
            cell.push_block(BTreeMap::from([("fd".to_owned(), fd)]), 5.0);
        }
        assert!((cell.seconds_per_image - 0.001).abs() < 1e-15);
    }
    assert!((report.cells[1].sd("fd").unwrap() - 0.3).abs() < 1e-12);
    assert_eq!(cell("ddim", 1, 1.0).sd("fd"), None);
    let got = table(&report, Metric::FD, Style::Markdown);
    assert!(got.contains("**10.000 ±0.100**") && got.contains("**10.200 ±0.300**"), "\n{got}");
    assert!(got.contains(" 12.000 ±1.000 "), "\n{got}");
    let text = report.to_json().unwrap();
    assert_eq!(Report::from_json(&text).unwrap(), report);
    let svg = fd_vs_nfe(&report).unwrap();
    assert!(svg.contains("3 x 5,000 samples a point"));
    assert!(html(&report, &[]).unwrap().contains("3 blocks of 5,000 samples"));
    report.cells[2].blocks.pop();
    assert!(report.to_json().is_ok(), "a cell may still lack a block");
    report.blocks = 2;
    let error = report.to_json().unwrap_err().to_string();
    assert!(error.contains("ddim at 10 NFE lists 3 blocks in a report of 2"), "{error}");
}

#[test]
fn the_chart_is_stable_and_self_contained() {
    let svg = fd_vs_nfe(&full()).unwrap();
    assert_eq!(svg, fd_vs_nfe(&full()).unwrap());
    assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
    for text in [
        "deis-tab3",
        "teacher, 255 NFE",
        "real images",
        ">\n50\n<",
        ">\n100\n<",
        "fmnist-unet along vp-linear",
    ] {
        assert!(svg.contains(text), "{text}");
    }
    assert!(!svg.contains("href") && !svg.contains("@font-face"));

    let mut single = report(vec![cell("ddim", 10, 2.0)]);
    single.teacher = None;
    single.reference.floor = 0.0;
    fd_vs_nfe(&single).unwrap();
    single.cells[0].metrics.insert("fd".to_owned(), -1e-12);
    assert!(matches!(fd_vs_nfe(&single), Err(Error::Figure { .. })));
    html(&single, &[]).unwrap();
}

#[test]
fn the_page_is_self_contained_and_escaped() {
    let mut report = full();
    report.model = "<script>alert(1)</script>".to_owned();
    let page = html(&report, &[("same seeds & solvers", Figure::Png(b"PNG"))]).unwrap();
    assert_eq!(page, html(&report, &[("same seeds & solvers", Figure::Png(b"PNG"))]).unwrap());
    assert!(
        !page.contains("<script")
            && page.contains("&lt;script&gt;")
            && page.contains("two cores &amp; 1 thread")
    );
    assert!(page.contains("data:image/png;base64,UE5H") && page.contains("same seeds &amp; solvers"));
    assert!(!page.contains("src=\"http") && !page.contains("<link") && !page.contains("@import"));
    assert_eq!(page.matches("<svg ").count(), 1);
    assert!(page.contains("<td class=\"best\">"));
}

#[test]
#[ignore = "writes report.html, fd_vs_nfe.svg and a crowded chart into target/tmp, to be looked at"]
fn figures_for_the_eye() {
    let dir = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let mut crowded = full();
    for i in 0..6 {
        let more: Vec<Cell> =
            (3..40).map(|nfe| cell(&format!("solver-{i}"), nfe, 90.0 / f64::from(nfe + 3 * i))).collect();
        crowded.cells.extend(more);
    }
    let files = [
        ("fd_vs_nfe.svg", fd_vs_nfe(&full()).unwrap()),
        ("crowded.svg", fd_vs_nfe(&crowded).unwrap()),
        ("bands.svg", fd_vs_nfe(&blocked(full())).unwrap()),
        ("accuracy.svg", metric_vs_nfe(&blocked(full()), Metric::ACCURACY).unwrap()),
        ("report.html", html(&full(), &[]).unwrap()),
    ];
    for (name, text) in files {
        #[expect(clippy::disallowed_methods, reason = "this test is for its files")]
        std::fs::write(dir.join(name), text).unwrap();
    }
}

/// Three blocks around each mean.
fn blocked(mut report: Report) -> Report {
    report.blocks = 3;
    for cell in &mut report.cells {
        let (middle, seconds) = (std::mem::take(&mut cell.metrics), std::mem::take(&mut cell.seconds));
        for factor in [0.9, 1.0, 1.1] {
            cell.push_block(middle.iter().map(|(name, v)| (name.clone(), v * factor)).collect(), seconds);
        }
    }
    report
}

#[test]
fn latex_tables_and_the_best_block() {
    let expected = "\
\\begin{tabular}{lrrr}
\\toprule
NFE       &      5 &             10 &    20 \\\\
\\midrule
dd\\_im    & 31.250 &          9.500 & 3.000 \\\\
deis-tab3 &     -- & \\textbf{1.062} &    -- \\\\
heun      &     -- &          1.063 &    -- \\\\
\\bottomrule
\\end{tabular}
";
    let mut small = small();
    for cell in small.cells.iter_mut().filter(|cell| cell.solver == "ddim") {
        cell.solver = "dd_im".to_owned();
    }
    let got = table(&small, Metric::FD, Style::Latex);
    assert_eq!(got, expected, "\n{got}");
    let report = blocked(small);
    let got = table(&report, Metric::FD, Style::Latex);
    assert!(got.contains("31.250 $\\pm$3.125"), "\n{got}");
    let got = table_of(&report, Metric::FD, Show::Best, Style::Plain);
    assert!(got.contains("28.125") && !got.contains('±'), "\n{got}");
    let got = table_of(&report, Metric::ACCURACY, Show::Best, Style::Plain);
    assert!(got.contains(&format!("{:.3}", 1.1 * (0.9 - 0.0095))), "\n{got}");
}

#[test]
fn a_metric_that_is_good_near_real_images_has_no_best() {
    let mut report = small();
    for (i, cell) in report.cells.iter_mut().enumerate() {
        cell.metrics.insert("saturation".to_owned(), 0.1 * i as f64);
    }
    let got = table(&report, Metric::SATURATION, Style::Plain);
    assert!(got.contains("0.300") && !got.contains('*'), "\n{got}");
    assert_eq!(Metric::SATURATION.direction(), "best near real images");
    assert!(html(&report, &[]).unwrap().contains("<h2>Saturation"));
}

#[test]
fn csv_has_a_line_for_every_number() {
    let mut report = blocked(small());
    report.model = "a, \"b\"".to_owned();
    let text = csv(&report);
    assert_eq!(text.lines().count(), 1 + 5 * 3);
    let line = text.lines().find(|line| line.contains(",fd,")).unwrap();
    assert!(
        line.starts_with("\"a, \"\"b\"\"\",vp-linear,ddim,uniform-t,5,5,5,5000,3,fd,31.25,3.125"),
        "{line}"
    );
    assert!(line.contains(",28.125,0.0025,ddim-5-"), "{line}");
    let accuracy = text.lines().find(|line| line.contains(",accuracy,")).unwrap();
    let best: f64 = accuracy.split(',').rev().nth(2).unwrap().parse().unwrap();
    assert!((best - 1.1 * (0.9 - 0.03125)).abs() < 1e-15, "{accuracy}");
    assert!(csv(&small()).contains(",1,fd,31.25,,31.25,"));
}

#[test]
fn any_metric_over_any_setting_is_a_plot() {
    let scales: [f64; 5] = [1.0, 1.5, 4.0, 8.0, 16.0];
    let line = |label: &str, slope: f64, spread: f64| Series {
        label: label.to_owned(),
        points: scales.iter().map(|x| Point { x: *x, y: 0.2 + slope * x, spread }).collect(),
    };
    let mut plot = Plot {
        title: "saturation against scale".to_owned(),
        subtitle: "made up".to_owned(),
        x: ("cfg_scale".to_owned(), Scale::Log),
        y: ("saturation".to_owned(), Scale::Linear),
        series: vec![line("cfg", 0.03, 0.01), line("apg", -0.02, 0.0)],
        levels: vec![Level { label: "real images".to_owned(), value: 0.21 }],
    };
    let svg = plot.svg("sweep").unwrap();
    assert_eq!(svg, plot.svg("sweep").unwrap());
    for text in ["cfg", "apg", "real images", ">\n1.5\n<", ">\n16\n<", ">\n0.4\n<", "cfg_scale"] {
        assert!(svg.contains(text), "{text}");
    }
    // One band, of the line that has a spread.
    assert_eq!(svg.matches("opacity=\"0.15\"").count(), 1);
    // A logarithmic axis leaves out what it cannot hold.
    plot.y.1 = Scale::Log;
    plot.levels[0].value = -1.0;
    let svg = plot.svg("sweep").unwrap();
    assert!(!svg.contains("real images") && svg.contains("apg"));
    plot.series.truncate(1);
    plot.series[0].points.retain(|p| p.y < 0.0);
    assert!(matches!(plot.svg("sweep"), Err(Error::Figure { figure: "sweep", .. })));

    let report = blocked(full());
    for metric in [Metric::RMSE, Metric::ACCURACY] {
        let svg = metric_vs_nfe(&report, metric).unwrap();
        assert!(svg.contains(metric.title()) && svg.contains(metric.direction()));
    }
    assert!(matches!(metric_vs_nfe(&report, Metric::KID), Err(Error::Figure { .. })));
}
