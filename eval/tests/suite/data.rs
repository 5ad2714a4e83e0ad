//! Data files: the real ones, and hostile ones.

use crate::common::{Lcg, data_dir, fashion_mnist};
use fewstep_eval::Error;
use fewstep_eval::data::{CLASS_NAMES, FashionMnist, parse_idx, read_idx};
use flate2::{Compression, write::GzEncoder};
use std::io::Write as _;

fn idx(kind: u8, dims: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, kind, dims.len() as u8];
    bytes.extend(dims.iter().flat_map(|d| d.to_be_bytes()));
    bytes.extend(data);
    bytes
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn plain_and_gzipped_idx_read_alike() {
    let bytes = idx(8, &[2, 3], &[1, 2, 3, 4, 5, 6]);
    for stored in [gz(&bytes), bytes] {
        let array = parse_idx("x", &stored).unwrap();
        assert_eq!((array.dims.as_slice(), array.data.as_slice()), (&[2, 3][..], &[1, 2, 3, 4, 5, 6][..]));
    }
}

#[test]
fn hostile_idx_gets_one_clear_error() {
    let good = gz(&idx(8, &[1000], &Lcg(1).bytes(1000)));
    let mut bad_checksum = good.clone();
    let crc = bad_checksum.len() - 8;
    bad_checksum[crc] ^= 1;
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (vec![], "ends within its header"),
        (vec![0, 0, 8], "ends within its header"),
        (b"PNG image data".to_vec(), "starts with"),
        (idx(13, &[1], &[0; 4]), "element type is 0x0d"),
        (idx(8, &[], &[]), "claims 0 dimensions"),
        (idx(8, &[1; 5], &[0]), "claims 5 dimensions"),
        (idx(8, &[2, 3], &[])[..6].to_vec(), "ends within its list of sizes"),
        (idx(8, &[0, 3], &[]), "make no array"),
        (idx(8, &[u32::MAX; 4], &[1]), "make no array"),
        (idx(8, &[1 << 30, 2], &[1]), "make no array"),
        // A header that promises a gigabyte must not cost one.
        (idx(8, &[1 << 30], &[1, 2]), "there are only 2"),
        (idx(8, &[2], &[1, 2, 3]), "there are more"),
        (good[..good.len() / 2].to_vec(), "readable"),
        (good[..good.len() - 4].to_vec(), "readable"),
        (bad_checksum, "readable"),
        (vec![0x1f, 0x8b, 0, 0], "ends within its header"),
    ];
    for (bytes, expected) in cases {
        let error = parse_idx("some-file.gz", &bytes).unwrap_err();
        let message = error.to_string();
        assert!(matches!(error, Error::Idx { .. }), "{message}");
        assert!(message.contains(expected) && message.contains("some-file.gz"), "{message} / {expected}");
    }
}

#[test]
fn missing_and_altered_files_say_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let message = FashionMnist::open(dir.path()).unwrap_err().to_string();
    assert!(message.contains("make data") && message.contains("train-labels-idx1-ubyte.gz"), "{message}");
    assert!(matches!(read_idx(&dir.path().join("none")), Err(Error::MissingData { .. })));
    assert!(matches!(read_idx(dir.path()), Err(Error::Read { .. })));

    #[expect(clippy::disallowed_methods, reason = "the test makes the broken file")]
    std::fs::write(dir.path().join("train-labels-idx1-ubyte.gz"), gz(&idx(8, &[1], &[0]))).unwrap();
    let error = FashionMnist::open_train(dir.path()).unwrap_err();
    assert!(matches!(error, Error::Digest { .. }), "{error}");
}

#[test]
fn fashion_mnist_is_what_it_should_be() {
    let Some(data) = fashion_mnist("fashion_mnist_is_what_it_should_be") else { return };
    for (split, n) in [(&data.train, 60_000), (&data.test, 10_000)] {
        assert_eq!((split.len(), split.images.len()), (n, n * 28 * 28));
        for class in 0..CLASS_NAMES.len() {
            assert_eq!(split.labels.iter().filter(|l| usize::from(**l) == class).count(), n / 10);
        }
        assert!(!split.is_empty());
        assert_eq!(split.tensor(n - 3, 3).unwrap().size(), [3, 1, 28, 28]);
        for (first, count) in [(n - 3, 4), (0, 0), (usize::MAX, 2)] {
            assert!(matches!(split.tensor(first, count), Err(Error::Value { .. })));
        }
    }
    let labels = read_idx(&data_dir().join("t10k-labels-idx1-ubyte.gz")).unwrap();
    assert_eq!(labels.data, data.test.labels);
}
