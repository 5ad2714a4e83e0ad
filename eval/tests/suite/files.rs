//! Statistics files of the field.

#![expect(clippy::disallowed_methods, reason = "the crate reads files, so a test has to write them")]

use fewstep_eval::npy::{NpyData, Npz, NpzWriter};
use fewstep_eval::stats::Moments;
use fewstep_eval::stats::files::{About, Layout, StatisticsFile, Stored, UNKNOWN_N, write_npz};
use std::fs;
use std::io::Cursor;

fn npz(arrays: &[(&str, &[usize], NpyData<'_>)]) -> Vec<u8> {
    let mut writer = NpzWriter::default();
    for (name, shape, data) in arrays {
        writer.add(name, shape, *data).unwrap();
    }
    writer.finish().unwrap()
}

fn read(data: &[u8]) -> fewstep_eval::Result<Option<Stored>> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("stats.npz");
    fs::write(&path, data).unwrap();
    StatisticsFile::look(&path)?.map(|file| file.read()).transpose()
}

const MU: [f64; 2] = [1.0, -2.0];
const SIGMA: [f64; 4] = [4.0, 0.3, 0.3, 1.0 / 3.0];

#[test]
fn mean_and_covariance_survive_to_the_bit() {
    let file = npz(&[("mu", &[2], NpyData::F64(&MU)), ("sigma", &[2, 2], NpyData::F64(&SIGMA))]);
    let stored = read(&file).unwrap().unwrap();
    assert_eq!(stored.about, About::default());
    assert_eq!((stored.moments.n(), stored.moments.mean()), (UNKNOWN_N, &MU[..]));
    assert_eq!(stored.moments.covariance().unwrap(), SIGMA);
    // Written again there is no `n`, as nobody told it.
    let again = write_npz(&stored).unwrap();
    assert_eq!(Npz::new("x", Cursor::new(again.as_slice())).unwrap().names(), ["mu", "sigma"]);
    assert_eq!(read(&again).unwrap().unwrap(), stored);
}

#[test]
fn our_own_file_says_where_it_comes_from() {
    let about = About {
        n: Some(50_000),
        extractor: Some("inception-2015:67".to_owned()),
        protocol: Some("tf1".to_owned()),
        data: Some("Bilder é".to_owned()),
        data_sha256: Some(String::new()),
    };
    let moments = Moments::from_covariance(50_000, &MU, &SIGMA).unwrap();
    let spatial = Moments::from_covariance(50_000, &[7.0], &[2.0]).unwrap();
    let stored = Stored { moments, spatial: Some(spatial), about };
    let file = write_npz(&stored).unwrap();
    assert_eq!(file, write_npz(&stored).unwrap());
    let back = read(&file).unwrap().unwrap();
    assert_eq!(back.about, stored.about);
    let expected = stored.moments.covariance().unwrap();
    let close = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-15 * b.abs());
    assert!(close(&back.moments.covariance().unwrap(), &expected));
    assert_eq!(back.spatial.unwrap().dim(), 1);
}

#[test]
fn features_of_other_programs_become_moments() {
    let rows: Vec<f32> = (0..30).map(|i| ((i * 37) % 11) as f32).collect();
    for name in ["pool_3", "feats"] {
        let file = npz(&[(name, &[10, 3], NpyData::F32(&rows))]);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("stats.npz");
        fs::write(&path, file).unwrap();
        let file = StatisticsFile::look(&path).unwrap().unwrap();
        assert_eq!(file.layout(), Layout::Rows(name));
        let stored = file.read().unwrap();
        assert_eq!(stored.moments, Moments::of_rows(&rows, 3));
        assert_eq!(stored.about.n, Some(10));
        let mut seen = Vec::new();
        let features = file.rows().unwrap().unwrap();
        features
            .each(4, &mut |first, chunk| {
                assert_eq!(first as usize * 3, seen.len());
                seen.extend_from_slice(chunk);
                Ok(())
            })
            .unwrap();
        assert_eq!(seen, rows);
        // The first of them alone: those of the file, and nothing said of what comes after.
        let first = file.read_first(4).unwrap();
        assert_eq!((first.moments, first.about.n), (Moments::of_rows(&rows[..12], 3), Some(4)));
        let mut seen = Vec::new();
        let features = file.rows().unwrap().unwrap().first(4);
        assert_eq!(features.n(), 4);
        features
            .each(3, &mut |_, chunk| {
                seen.extend_from_slice(chunk);
                Ok(())
            })
            .unwrap();
        assert_eq!(seen, rows[..12]);
        assert_eq!(file.rows().unwrap().unwrap().first(99).n(), 10);
    }
}

#[test]
fn adm_files_are_read_by_their_moments() {
    let pictures = [0; 12];
    let file = npz(&[
        ("arr_0", &[1, 2, 2, 3], NpyData::U8(&pictures)),
        ("mu", &[2], NpyData::F64(&MU)),
        ("mu_s", &[1], NpyData::F64(&[5.0])),
        ("sigma", &[2, 2], NpyData::F64(&SIGMA)),
        ("sigma_s", &[1, 1], NpyData::F64(&[6.0])),
    ]);
    let stored = read(&file).unwrap().unwrap();
    assert_eq!(stored.moments.mean(), MU);
    assert_eq!(stored.spatial.unwrap().covariance().unwrap(), [6.0]);
    // What headers tell of them, and of features.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("stats.npz");
    fs::write(&path, file).unwrap();
    let adm = StatisticsFile::look(&path).unwrap().unwrap();
    assert!(adm.has_pictures());
    assert_eq!((adm.dim().unwrap(), adm.spatial_dim().unwrap()), (2, Some(1)));
    assert_eq!(adm.about_first(5).unwrap(), About::default());
    let feats = npz(&[
        ("data", &[], NpyData::Text("x")),
        ("data_sha256", &[], NpyData::Text("67")),
        ("feats", &[4, 3], NpyData::F32(&[0.0; 12])),
    ]);
    fs::write(&path, feats).unwrap();
    let feats = StatisticsFile::look(&path).unwrap().unwrap();
    assert_eq!((feats.dim().unwrap(), feats.spatial_dim().unwrap()), (3, None));
    let all = feats.about_first(4).unwrap();
    assert_eq!((all.n, all.data_sha256.as_deref()), (Some(4), Some("67")));
    let some = feats.about_first(3).unwrap();
    assert_eq!((some.n, some.data.as_deref(), some.data_sha256), (Some(3), Some("x"), None));
    assert!(read(&npz(&[("arr_0", &[1, 2, 2, 3], NpyData::U8(&pictures))])).unwrap().is_none());
}

#[test]
fn bad_statistics_are_named() {
    let mu = ("mu", &[2][..], NpyData::F64(&MU));
    let sigma = |values| ("sigma", &[2, 2][..], NpyData::F64(values));
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (npz(&[mu, sigma(&[1.0, f64::NAN, 0.0, 1.0])]), "sigma`: value 1 is NaN"),
        (npz(&[("mu", &[2], NpyData::F64(&[f64::INFINITY, 0.0])), sigma(&SIGMA)]), "mu`: value 0 is inf"),
        (npz(&[("mu", &[3], NpyData::F64(&[0.0; 3])), sigma(&SIGMA)]), "expected [3, 3]"),
        (npz(&[("mu", &[2, 1], NpyData::F64(&MU)), sigma(&SIGMA)]), "expected [d]"),
        (npz(&[("mu", &[0], NpyData::F64(&[])), sigma(&SIGMA)]), "expected [d]"),
        (npz(&[mu, sigma(&[1.0, 0.5, 0.2, 1.0])]), "not symmetric"),
        (npz(&[mu, sigma(&[-1.0, 0.0, 0.0, 1.0])]), "variance 0 is -1"),
        (npz(&[mu, sigma(&SIGMA), ("n", &[], NpyData::Count(1))]), "says 1 pictures"),
        (npz(&[mu, sigma(&SIGMA), ("n", &[], NpyData::Text("many"))]), "text where numbers"),
        (npz(&[mu, sigma(&SIGMA), ("protocol", &[], NpyData::Count(1))]), "no text"),
        (npz(&[("feats", &[2], NpyData::F64(&MU))]), "features are"),
        (npz(&[("feats", &[1, 2], NpyData::F64(&[f64::NAN, 0.0]))]), "row 0 holds NaN"),
        (npz(&[("feats", &[0, 2], NpyData::F64(&[]))]), "features are"),
        // Their covariance would take 4 TB.
        (npz(&[("feats", &[1, 1 << 20], NpyData::F32(&vec![0.0; 1 << 20]))]), "1048576 long"),
    ];
    for (file, says) in cases {
        let error = read(&file).unwrap_err().to_string();
        assert!(error.contains(says) && error.contains("stats.npz:"), "`{error}` does not say `{says}`");
    }
    let whole = npz(&[mu, sigma(&SIGMA)]);
    for length in [2, 30, whole.len() / 2, whole.len() - 1] {
        let error = read(&whole[..length]).unwrap_err().to_string();
        assert!(error.contains("no whole npz"), "{length}: {error}");
    }
}

#[test]
fn headers_promise_no_memory() {
    // 2^61 values and not one byte.
    for shape in ["(2305843009213693951,)", "(4294967296, 4294967295)", "(100000, 100000)"] {
        let text = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}\n");
        let array = [b"\x93NUMPY\x01\x00", &(text.len() as u16).to_le_bytes()[..], text.as_bytes()].concat();
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for name in ["mu.npy", "sigma.npy"] {
            zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            std::io::Write::write_all(&mut zip, &array).unwrap();
        }
        let error = read(&zip.finish().unwrap().into_inner()).unwrap_err().to_string();
        assert!(error.contains("stats.npz:mu"), "{error}");
    }
}
