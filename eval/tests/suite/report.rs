//! Reports: the record is strict, and its three views are stable.

use fewstep_eval::Error;
use fewstep_eval::report::{
    Cell, Figure, GuidanceInfo, GuidanceLevel, Level, Metric, Plot, Point, RealInfo, ReferenceInfo, Report,
    Scale, Series, Show, Style, TeacherInfo, Ticks, csv, fd_vs_nfe, guidance_figures, html, latex, markdown,
    metric_figures, metric_vs_nfe, metric_vs_scale, table, table_of,
};
use std::collections::BTreeMap;

const SHOWN: [Metric<'static>; 3] = [Metric::FD, Metric::RMSE, Metric::ACCURACY];

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
            rows: None,
            real: None,
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
NFE               5      10      20
-----------  -------  ------  ------
ddim         31.250   9.500   3.000
deis-tab3         –   1.062*      –
heun              –   1.063       –
real images   0.093   0.093   0.093
";
    let markdown = "\
| NFE         |      5 |        10 |    20 |
|-------------|-------:|----------:|------:|
| ddim        | 31.250 |     9.500 | 3.000 |
| deis-tab3   |      – | **1.062** |     – |
| heun        |      – |     1.063 |     – |
| real images |  0.093 |     0.093 | 0.093 |
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
            cell.take_block(measured, BTreeMap::from([("fd".to_owned(), fd)]), 5.0);
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
    assert!(html(&report, &SHOWN, &[]).unwrap().contains("3 blocks of 5,000 samples"));
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
    html(&single, &SHOWN, &[]).unwrap();
}

#[test]
fn the_page_is_self_contained_and_escaped() {
    let mut report = full();
    report.model = "<script>alert(1)</script>".to_owned();
    let page = html(&report, &SHOWN, &[("same seeds & solvers", Figure::Png(b"PNG"))]).unwrap();
    assert_eq!(page, html(&report, &SHOWN, &[("same seeds & solvers", Figure::Png(b"PNG"))]).unwrap());
    assert!(
        !page.contains("<script")
            && page.contains("&lt;script&gt;")
            && page.contains("two cores &amp; 1 thread")
    );
    assert!(page.contains("data:image/png;base64,UE5H") && page.contains("same seeds &amp; solvers"));
    assert!(!page.contains("src=\"http") && !page.contains("<link") && !page.contains("@import"));
    assert_eq!(page.matches("<svg ").count(), SHOWN.len());
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
        ("report.html", html(&full(), &SHOWN, &[]).unwrap()),
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
        for (block, factor) in [0.9, 1.0, 1.1].into_iter().enumerate() {
            let metrics = middle.iter().map(|(name, v)| (name.clone(), v * factor));
            cell.take_block(block, metrics.collect(), seconds);
        }
    }
    report
}

#[test]
fn latex_tables_and_the_best_block() {
    let expected = "\
\\begin{tabular}{lrrr}
\\toprule
NFE         &      5 &             10 &    20 \\\\
\\midrule
dd\\_im      & 31.250 &          9.500 & 3.000 \\\\
deis-tab3   &     -- & \\textbf{1.062} &    -- \\\\
heun        &     -- &          1.063 &    -- \\\\
\\midrule
real images &  0.093 &          0.093 & 0.093 \\\\
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
    assert!(html(&report, &SHOWN, &[]).unwrap().contains("<h2>Saturation"));
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
    let best: f64 = accuracy.split(',').rev().nth(4).unwrap().parse().unwrap();
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
        x: ("cfg_scale".to_owned(), Scale::Log, Ticks::AtData),
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

/// Two rules at w = 2 and 8 beside no guidance, NFE 10, two blocks each; levels from infinite noise down.
fn sweep() -> Report {
    let level = |rho: f64, w: f64| GuidanceLevel {
        rho,
        guided: 1.0,
        d_rms: 0.1 * w,
        cosine: 1.0 - 0.01 * w,
        capped: (w > 2.0).then_some(0.25),
    };
    let mut cells = vec![cell("ddim", 10, 6.0)];
    for (rule, fd) in [("cfg", 10.0), ("apg", 4.0)] {
        for w in [2.0, 8.0] {
            let mut cell = cell("ddim", 10, fd + w);
            cell.plan_hash = format!("{rule}-{w}");
            let levels = [f64::MAX, 80.0, 1.0, 0.01].map(|rho| level(rho, w)).to_vec();
            cell.guidance =
                Some(GuidanceInfo { rule: rule.to_owned(), scale: w, forwards: 20.0, beside: None, levels });
            cells.push(cell);
        }
    }
    for (i, cell) in cells.iter_mut().enumerate() {
        cell.metrics.insert("contrast".to_owned(), 0.2 + 0.02 * i as f64);
    }
    let mut report = report(cells);
    report.reference.real = Some(RealInfo {
        data: "fashion-mnist/test".to_owned(),
        n: 10_000,
        set: 5_000,
        metrics: BTreeMap::from([("contrast".to_owned(), 0.25)]),
    });
    blocked(report)
}

#[test]
fn a_sweep_is_drawn_over_the_scale_with_the_line_of_real_images() {
    // The legend; the title of the axis speaks of real images too.
    const REAL: &str = ">\nreal images\n<";
    let report = sweep();
    let contrast = Metric::named("contrast");
    let figures = metric_figures(&report, contrast).unwrap();
    let files: Vec<&str> = figures.iter().map(|f| f.file.as_str()).collect();
    assert_eq!(files, ["contrast_vs_scale.svg"], "at one NFE there is nothing to see against NFE");
    let svg = &figures[0].svg;
    for text in ["ddim · cfg", "ddim · apg", REAL, "guidance scale w", ">\n1\n<", ">\n8\n<"] {
        assert!(svg.contains(text), "{text}");
    }
    assert_eq!(svg.matches("opacity=\"0.15\"").count(), 2, "a band for each rule");
    // Without real images there is no line.
    let mut alone = report.clone();
    alone.reference.real = None;
    let svg = metric_vs_scale(&alone, contrast).unwrap().unwrap();
    assert!(!svg.contains(REAL));
    // Several NFEs: both figures. One scale: no figure over it.
    let mut more = report.clone();
    more.cells.push(cell("ddim", 20, 5.0));
    let files: Vec<String> = metric_figures(&more, Metric::FD).unwrap().into_iter().map(|f| f.file).collect();
    assert_eq!(files, ["fd_vs_nfe.svg", "fd_vs_scale.svg"]);
    assert!(metric_vs_scale(&full(), Metric::FD).unwrap().is_none());
    assert!(metric_figures(&report, Metric::KID).unwrap().is_empty());

    let diagnostics = guidance_figures(&report).unwrap();
    let files: Vec<&str> = diagnostics.iter().map(|f| f.file.as_str()).collect();
    assert_eq!(
        files,
        ["guidance_d_vs_sigma.svg", "guidance_cosine_vs_sigma.svg", "guidance_capped_vs_sigma.svg"]
    );
    assert!(diagnostics[0].svg.contains("ddim · cfg w=8") && diagnostics[0].svg.contains("sigma / alpha"));
    assert!(!diagnostics[2].svg.contains("w=2"), "nothing was capped there");
    assert!(!diagnostics[0].svg.contains("e30"), "infinite noise has no place on an axis");

    let page = html(&report, &[Metric::FD, contrast], &[]).unwrap();
    assert_eq!(page.matches("<svg ").count(), 2 + 3);
    assert!(page.contains(contrast.definition()) && page.contains("10,000 images of fashion-mnist/test"));
    assert!(page.contains("<tr class=\"real\"><th>real images</th><td>0.250</td>"));
}

#[test]
fn a_table_of_a_sweep_has_a_row_a_rule() {
    let mut report = sweep();
    for cell in &mut report.cells {
        cell.blocks = vec![];
    }
    report.blocks = 1;
    let got = table(&report, Metric::named("contrast"), Style::Plain);
    let expected = "\
w                1       2       8
-----------  ------  ------  ------
ddim · cfg   0.200   0.220   0.240*
ddim · apg   0.200   0.260*  0.280
real images  0.250   0.250   0.250
";
    assert_eq!(got, expected, "\n{got}");
    let text = markdown(&report, &[Metric::FD, Metric::named("contrast"), Metric::KID]);
    assert_eq!(text.matches("\n## ").count(), 2, "{text}");
    assert!(text.contains("| real images | ") && text.contains("; best near real images.\n"), "{text}");
    assert!(text.contains("own best scale: ddim · cfg 0.240 at w = 8; ddim · apg 0.260 at w = 2."), "{text}");
    let text = latex(&report, &[Metric::FD]);
    assert!(text.contains("\\caption{Fréchet distance (FD)") && text.contains("\\toprule"), "{text}");
    assert!(csv(&report).lines().any(|line| line.ends_with(",apg,8")));
}

#[test]
fn a_block_may_get_further_metrics() {
    let mut cell = cell("ddim", 10, 2.0);
    let kid = |v: f64| BTreeMap::from([("kid".to_owned(), v)]);
    cell.take_block(0, kid(1.0), 20.0);
    assert_eq!((cell.measured(), cell.metrics["kid"], cell.metrics["fd"]), (1, 1.0, 2.0));
    assert!((cell.seconds - 20.0).abs() < 1e-12, "measured again: the later time counts");
    cell.take_block(1, BTreeMap::from([("fd".to_owned(), 4.0)]), 10.0);
    assert_eq!((cell.measured(), cell.metrics.get("kid"), cell.metrics["fd"]), (2, None, 3.0));
    cell.take_block(1, kid(3.0), 20.0);
    assert_eq!((cell.measured(), cell.metrics["kid"], cell.metrics["fd"]), (2, 2.0, 3.0));
    assert!((cell.seconds - 35.0).abs() < 1e-12);
    assert_eq!(cell.block(1).unwrap()["kid"].to_bits(), 3.0_f64.to_bits());
    assert!(cell.block(2).is_none());
}
