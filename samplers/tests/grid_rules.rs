//! Grid rules against published values and closed forms.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod common;

use common::{close, grid, grid_to, levels, times};
use fewstep_samplers::{End, GridRule, Path};

const AYS: [(&str, [f64; 10]); 3] = [
    (
        "sd15",
        [
            14.614_641_229_3,
            6.474_576_095_6,
            3.863_674_598_5,
            2.694_615_152_0,
            1.884_192_117_7,
            1.394_380_509_2,
            0.964_258_390_4,
            0.652_368_601_6,
            0.397_745_627_2,
            0.151_523_266_2,
        ],
    ),
    (
        "sdxl",
        [
            14.614_641_229_3,
            6.318_448_528_7,
            3.768_179_031_5,
            2.181_148_076_9,
            1.340_524_494_5,
            0.862_072_114_1,
            0.555_069_328_9,
            0.379_854_070_8,
            0.233_236_413_4,
            0.111_418_817_7,
        ],
    ),
    ("svd", [700.0, 54.5, 15.886, 7.977, 4.248, 1.789, 0.981, 0.403, 0.173, 0.034]),
];

#[test]
fn align_your_steps() {
    for (table, want) in AYS {
        let path = if table == "svd" { "edm:sigma_max=700" } else { "sd" };
        let g = grid(path, &format!("ays:table={table}"), 10);
        assert_eq!((g.steps(), g.to_zero(), g.times().next()), (10, true, Some(g.path().range().1)));
        for (got, want) in levels(&g).into_iter().zip(want) {
            close(got, want, 1e-9, table);
        }
        let to_t_min = grid_to(path, &format!("ays:table={table}"), 10, End::TMin);
        assert_eq!((to_t_min.steps(), times(&to_t_min)[10]), (10, g.path().range().0));
        assert_eq!(times(&to_t_min)[..10], times(&g)[..10]);
    }
    // The paper gives the rows too, rounded.
    for (table, rows) in [
        ("sd15", [999, 850, 736, 645, 545, 455, 343, 233, 124, 24]),
        ("sdxl", [999, 845, 730, 587, 443, 310, 193, 116, 53, 13]),
    ] {
        let got: Vec<i32> =
            times(&grid("sd", &format!("ays:table={table}"), 10)).iter().map(|t| t.round() as i32).collect();
        assert_eq!(got[..10], rows);
    }
}

#[test]
fn published_lists_of_other_lengths() {
    // Twice the steps: every second node is one of the list, the others are geometric means.
    let twice = levels(&grid("sd", "ays", 20));
    let ten = AYS[0].1;
    for i in 0..9 {
        close(twice[2 * i], ten[i], 1e-9, "old node");
        close(twice[2 * i + 1], (ten[i] * ten[i + 1]).sqrt(), 1e-9, "new node");
    }
    // Node 19 stands between node 9 of the list and its last level before that is replaced.
    close(twice[19], (0.151_523_266_2f64 * 0.029_167_158_2).sqrt(), 1e-9, "last but one");
    assert!(grid("sd", "ays", 20).to_zero());
    let five = levels(&grid("sd", "ays", 5));
    for i in 0..5 {
        close(five[i], ten[2 * i], 1e-9, "half");
    }
    // Three steps: positions 10/3 and 20/3 of the list.
    let three = levels(&grid("sd", "ays", 3));
    close(three[1], (2.694_615_152_0f64.powi(2) * 1.884_192_117_7).cbrt(), 1e-9, "third");
    assert_eq!(times(&grid("sd", "ays", 1)), [999.0, -1.0]);
    assert_eq!(times(&grid_to("sd", "gits", 1, End::TMin)), [999.0, 0.0]);
}

#[test]
fn trajectory_optimised_grids() {
    let lists: [&[f64]; 4] = [
        &[14.614_641_19, 2.844_849_82, 1.241_532_44, 0.595_163_23, 0.250_533_67],
        &[14.614_641_19, 5.855_200_77, 2.050_390_96, 0.953_509_21, 0.455_736_91, 0.170_260_83],
        &[
            14.614_641_19,
            5.855_200_77,
            2.450_702_67,
            1.369_644_64,
            0.803_307,
            0.455_736_91,
            0.250_533_67,
            0.098_245_32,
        ],
        &[
            14.614_641_19,
            5.855_200_77,
            2.844_849_82,
            1.670_500_16,
            1.088_953_38,
            0.748_070_48,
            0.501_183_81,
            0.321_048_23,
            0.198_949_16,
            0.098_245_32,
        ],
    ];
    for want in lists {
        let g = grid("sd", "gits", want.len());
        assert_eq!((g.to_zero(), g.times().next()), (true, Some(999.0)));
        for (got, want) in levels(&g).into_iter().zip(want) {
            close(got, *want, 1e-8, "gits");
        }
    }
    // 4 steps come from the list of 5, 7 from that of 8, 20 from that of 10.
    close(
        levels(&grid("sd", "gits", 4))[1],
        2.844_849_82f64.powf(0.75) * 1.241_532_44f64.powf(0.25),
        1e-8,
        "4",
    );
    close(
        levels(&grid("sd", "gits", 7))[1],
        5.855_200_77f64.powf(6.0 / 7.0) * 2.450_702_67f64.powf(1.0 / 7.0),
        1e-8,
        "7",
    );
    close(levels(&grid("sd", "gits", 20))[2], 5.855_200_77, 1e-8, "20");
}

#[test]
fn exponential_and_poly_exponential() {
    let (hi, lo) = (80f64.ln(), 0.002f64.ln());
    for (rule, rho) in [("exponential", 1.0), ("poly-exponential", 1.0), ("poly-exponential:rho=2.5", 2.5)] {
        let g = grid("edm", rule, 9);
        assert_eq!((g.steps(), g.to_zero(), times(&g)[0], times(&g)[8]), (9, true, 80.0, 0.002));
        for (i, t) in times(&g)[..9].iter().enumerate() {
            let r: f64 = 1.0 - i as f64 / 8.0;
            close(*t, (r.powf(rho) * (hi - lo) + lo).exp(), 1e-12, rule);
        }
    }
    assert_eq!(
        times(&grid_to("sd", "exponential", 7, End::TMin)),
        times(&grid_to("sd", "logsnr", 7, End::TMin))
    );
}

/// diff-sampler on EDM's levels, 80 to 0.002: `beta_d` = 17.537957, `beta_min` = -0.004769.
#[test]
fn time_uniform_fits_a_path_to_the_levels() {
    for (rule, k) in [("time-uniform", 1.0), ("time-uniform:k=2", 2.0)] {
        let g = grid("edm", rule, 6);
        assert_eq!((g.steps(), times(&g)[0], times(&g)[6]), (6, 80.0, 0.002));
        let end = 1e-3f64.powf(1.0 / k);
        for (i, sigma) in times(&g)[..6].iter().enumerate() {
            let s = (1.0 + i as f64 / 6.0 * (end - 1.0)).powf(k);
            let level = (0.5 * 17.537_957 * s * s - 0.004_769 * s).exp_m1().sqrt();
            close(*sigma / level, 1.0, 1e-5, rule);
        }
    }
    // On the path that it fits, it is that path's own time.
    let own: GridRule = "time-uniform:k=2".parse().unwrap();
    let own = own.grid(&Path::vp_linear(), 7, None, None, None).unwrap();
    for (a, b) in times(&own).iter().zip(times(&grid("vp-linear", "power-t:k=2", 7))) {
        close(*a, b, 1e-10, "vp-linear");
    }
}

#[test]
fn kl_optimal() {
    let g = grid("edm", "kl-optimal", 12);
    assert_eq!((g.steps(), g.to_zero(), times(&g)[0], times(&g)[11]), (12, true, 80.0, 0.002));
    for (i, t) in times(&g)[..12].iter().enumerate() {
        let u = i as f64 / 11.0;
        close(*t, (u * 0.002f64.atan() + (1.0 - u) * 80f64.atan()).tan(), 1e-12, "level");
    }
    // The arc tangent is finite at both ends of the flow path: u = 1/3 and 2/3 of a right angle are tan 60 and tan 30.
    let flow = levels(&grid("flow", "kl-optimal", 3));
    assert_eq!((flow[0], flow[3]), (f64::INFINITY, 0.0));
    close(flow[1], 3f64.sqrt(), 1e-14, "60 degrees");
    close(flow[2], 1.0 / 3f64.sqrt(), 1e-14, "30 degrees");
}

#[test]
fn beta_on_rows_and_on_levels() {
    // Quantiles at 0.8, 0.6, 0.4, 0.2 with 20 digits, times 999 and rounded.
    let quantiles = [0.877_078_249_541_667, 0.637_299_009_246_785_7f64];
    let rows: Vec<f64> = [1.0, quantiles[0], quantiles[1], 1.0 - quantiles[1], 1.0 - quantiles[0]]
        .iter()
        .map(|q| (q * 999.0).round())
        .collect();
    let g = times(&grid("sd", "beta", 5));
    assert_eq!((&g[..5], g[5]), (&rows[..], -1.0));
    let to_row_0 = times(&grid_to("sd", "beta", 5, End::TMin));
    assert_eq!((&to_row_0[..5], to_row_0[5]), (&rows[..], 0.0));
    // Without rows nothing is rounded.
    close(times(&grid("flow", "beta", 5))[1], quantiles[0], 1e-12, "t");
    // On levels: quantiles at 1, 3/4, 1/2, 1/4, 0 between the limits, then zero.
    let edm = grid("edm", "beta:on=rho", 5);
    let width = 80.0 - 0.002;
    let (low, high) = (0.175_680_378_652_695, 1.0 - 0.175_680_378_652_695);
    for (got, share) in levels(&edm).iter().zip([1.0, high, 0.5, low, 0.0]) {
        close(*got, 0.002 + share * width, 1e-11, "level");
    }
    assert_eq!((edm.steps(), edm.to_zero()), (5, true));
    // The two parameters are not exchangeable: a small alpha gathers nodes at the data.
    let skewed = times(&grid("flow", "beta:alpha=0.5:beta=2", 4));
    let other = times(&grid("flow", "beta:alpha=2:beta=0.5", 4));
    assert!(skewed[2] < 0.2 && other[2] > 0.8, "{skewed:?} {other:?}");
    let crowded = GridRule::BetaT { alpha: 0.6, beta: 0.6 }.grid(&Path::sd(), 200, None, None, None);
    assert!(crowded.unwrap_err().to_string().contains("would stand on one row of the table: ask for fewer"));
}
