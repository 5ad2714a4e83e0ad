//! Pictures come in one order, whatever holds them, and bad files are told by name.

#![expect(clippy::disallowed_methods, reason = "the crate reads files, so a test has to write them")]

use fewstep_eval::source::{Facts, Job, Picture, Ring, Source, open, pictures};
use fewstep_eval::stats::files::StatisticsFile;
use fewstep_eval::{Error, Result};
use image::{DynamicImage, GrayImage, ImageFormat, Luma, LumaA, Rgb, RgbImage, Rgba, RgbaImage};
use std::fs;
use std::io::{Cursor, Write as _};
use std::ops::{ControlFlow, Range};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use zip::write::SimpleFileOptions;

fn pixel(i: usize, x: u32, y: u32) -> u8 {
    (i as u32 * 31 + x * 7 + y * 13) as u8
}

fn grey(i: usize, width: u32, height: u32) -> GrayImage {
    GrayImage::from_fn(width, height, |x, y| Luma([pixel(i, x, y)]))
}

fn bytes(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    image.write_to(&mut out, format).unwrap();
    out.into_inner()
}

fn png(image: impl Into<DynamicImage>) -> Vec<u8> {
    bytes(&image.into(), ImageFormat::Png)
}

fn zip_of(entries: &[(&str, &[u8])], packed: bool) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let method = if packed { zip::CompressionMethod::Deflated } else { zip::CompressionMethod::Stored };
    for (name, data) in entries {
        zip.start_file(*name, SimpleFileOptions::default().compression_method(method)).unwrap();
        zip.write_all(data).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn npy(shape: &str, data: &[u8]) -> Vec<u8> {
    npy_of("|u1", shape, data)
}

fn npy_of(dtype: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let text = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}\n");
    [b"\x93NUMPY\x01\x00", &(text.len() as u16).to_le_bytes()[..], text.as_bytes(), data].concat()
}

fn all(source: &dyn Source, batch: usize, threads: usize) -> Result<Vec<Picture>> {
    some(source, 0..source.len(), batch, threads)
}

fn some(source: &dyn Source, range: Range<u64>, batch: usize, threads: usize) -> Result<Vec<Picture>> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let mut seen = Vec::new();
    let mut next = range.start;
    pictures(source, range, Ring::new(&pool, batch), &|i, picture| Ok((i, picture)), &mut |first, batch| {
        assert_eq!(first, next);
        for (i, picture) in batch {
            assert_eq!(i, next);
            next += 1;
            seen.push(picture);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(seen)
}

fn refused(path: &Path, says: &[&str]) {
    let error = open(path).and_then(|source| all(source.as_ref(), 4, 2)).unwrap_err().to_string();
    for part in says.iter().chain([&"; "]) {
        assert!(error.contains(part), "`{error}` does not say `{part}`");
    }
    assert!(error.contains(&path.display().to_string()), "`{error}` does not name {}", path.display());
}

#[test]
fn one_set_of_pictures_is_the_same_in_every_container() {
    let dir = tempfile::tempdir().unwrap();
    let (n, w, h) = (13, 5, 4);
    let folder = dir.path().join("folder");
    fs::create_dir_all(folder.join("sub")).unwrap();
    let mut entries = Vec::new();
    let mut raw = Vec::new();
    for i in 0..n {
        let file = png(grey(i, w, h));
        raw.extend_from_slice(grey(i, w, h).as_raw());
        entries.push((format!("sub/{i}.png"), file));
    }
    // Written in another order than they are read in.
    for (name, file) in entries.iter().rev() {
        fs::write(folder.join(name), file).unwrap();
    }
    fs::write(folder.join("readme.txt"), "no picture").unwrap();
    fs::write(folder.join(".hidden.png"), "no picture").unwrap();
    let listed: Vec<(&str, &[u8])> = entries.iter().rev().map(|(n, f)| (n.as_str(), f.as_slice())).collect();
    let rgb: Vec<u8> = raw.iter().flat_map(|v| [*v; 3]).collect();
    let array = npy(&format!("({n}, {h}, {w}, 3)"), &rgb);
    let flat = npy(&format!("({n}, {h}, {w})"), &raw);
    let mut idx = vec![0, 0, 8, 3];
    idx.extend([n as u32, h, w].iter().flat_map(|size| size.to_be_bytes()));
    idx.extend(&raw);
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(&idx).unwrap();
    let files = [
        ("a.zip", zip_of(&listed, true)),
        ("b.zip", zip_of(&listed, false)),
        ("c.npz", zip_of(&[("arr_0.npy", &array), ("arr_1.npy", &[])], true)),
        ("d.npz", zip_of(&[("samples.npy", &array)], false)),
        ("e.npy", array.clone()),
        ("f.npy", flat),
        ("g.idx", idx),
        ("h.gz", gz.finish().unwrap()),
    ];
    let digests = |source: &dyn Source| -> Vec<[u8; 32]> {
        all(source, 4, 2).unwrap().iter().map(Picture::digest).collect()
    };
    let source = open(&folder).unwrap();
    assert_eq!(source.len(), n as u64);
    assert!(source.remarks()[0].contains("1 files"), "{:?}", source.remarks());
    let expected = digests(source.as_ref());
    for (i, picture) in all(source.as_ref(), 1, 1).unwrap().iter().enumerate() {
        assert_eq!(picture.grey().unwrap(), grey(i, w, h).into_raw());
        assert_eq!((picture.width(), picture.height()), (w, h));
        assert!(picture.facts().grey);
    }
    for (name, data) in files {
        let path = dir.path().join(name);
        fs::write(&path, data).unwrap();
        let source = open(&path).unwrap();
        assert_eq!(digests(source.as_ref()), expected, "{name}");
        assert!(source.name(7).starts_with(&path.display().to_string()) && source.name(7).contains('7'));
        let tail: Vec<_> = some(source.as_ref(), 7..11, 3, 2).unwrap().iter().map(Picture::digest).collect();
        assert_eq!(tail, expected[7..11], "{name}");
    }
}

#[test]
fn every_kind_of_picture_becomes_rgb_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let colour = RgbImage::from_fn(6, 3, |x, y| Rgb([pixel(0, x, y), pixel(1, x, y), pixel(2, x, y)]));
    let half = RgbaImage::from_fn(2, 1, |x, _| Rgba([100, 0, 255, if x == 0 { 128 } else { 255 }]));
    let solid = RgbaImage::from_fn(2, 1, |_, _| Rgba([100, 0, 255, 255]));
    let deep = image::ImageBuffer::<Luma<u16>, Vec<u16>>::from_fn(2, 1, |x, _| Luma([x as u16 * 65_535]));
    let faint = image::ImageBuffer::<LumaA<u8>, Vec<u8>>::from_fn(1, 1, |_, _| LumaA([0, 0]));
    let lossless = bytes(&colour.clone().into(), ImageFormat::WebP);
    let files: Vec<(&str, Vec<u8>)> = vec![
        ("0.png", png(colour.clone())),
        ("1.BMP", bytes(&colour.clone().into(), ImageFormat::Bmp)),
        ("2.webp", lossless),
        ("3.jpg", bytes(&colour.clone().into(), ImageFormat::Jpeg)),
        ("4.png", png(half)),
        ("5.png", png(solid)),
        ("6.png", png(DynamicImage::ImageLuma16(deep))),
        ("7.png", png(DynamicImage::ImageLumaA8(faint))),
    ];
    for (name, data) in &files {
        fs::write(dir.path().join(name), data).unwrap();
    }
    let source = open(dir.path()).unwrap();
    let seen = all(source.as_ref(), 3, 2).unwrap();
    assert_eq!(seen.len(), files.len());
    for exact in &seen[..3] {
        assert_eq!(exact.rgb(), colour.as_raw());
    }
    assert!(
        !seen[0].facts().lossy && !seen[1].facts().lossy && seen[2].facts().lossy && seen[3].facts().lossy
    );
    // Half of (100, 0, 255) and half of white.
    assert_eq!(seen[4].rgb(), [177, 127, 255, 100, 0, 255]);
    assert!(seen[4].facts().transparent && !seen[5].facts().transparent);
    assert_eq!(seen[6].rgb(), [0, 0, 0, 255, 255, 255]);
    assert!(seen[6].facts().deep && seen[6].facts().grey);
    assert_eq!(seen[7].rgb(), [255, 255, 255]);
}

/// A PNG that consists of a header only.
fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut file = png(grey(0, 1, 1));
    file[16..20].copy_from_slice(&width.to_be_bytes());
    file[20..24].copy_from_slice(&height.to_be_bytes());
    let mut crc = flate2::Crc::new();
    crc.update(&file[12..29]);
    file[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    file
}

#[test]
fn a_broken_or_hostile_picture_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let whole = png(grey(3, 40, 40));
    let jpeg = bytes(&grey(3, 64, 64).into(), ImageFormat::Jpeg);
    let webp = bytes(&DynamicImage::from(grey(3, 40, 40)).into_rgb8().into(), ImageFormat::WebP);
    let bmp = bytes(&grey(3, 40, 40).into(), ImageFormat::Bmp);
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("x.png", whole[..whole.len() - 60].to_vec(), "replace it"),
        ("x.jpg", jpeg[..jpeg.len() - 40].to_vec(), "ends early"),
        ("x.webp", webp[..webp.len() / 2].to_vec(), "replace it"),
        ("x.bmp", bmp[..bmp.len() / 2].to_vec(), "replace it"),
        ("x.png", vec![], "empty"),
        ("x.png", b"GIF89a\x01\x00\x01\x00".to_vec(), "neither PNG, JPEG, WebP nor BMP"),
        ("x.png", png_header(40_000, 40_000), "40000x40000 pixels, the limit is 16384 a side"),
        ("x.png", png_header(16_000, 16_000), "16000x16000 pixels, the limit is 67108864 in all"),
    ];
    for (name, data, says) in cases {
        let folder = dir.path().join("folder");
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(name);
        fs::write(&path, &data).unwrap();
        fs::write(folder.join("a.png"), &whole).unwrap();
        let source = open(&folder).unwrap();
        let error = all(source.as_ref(), 4, 2).unwrap_err().to_string();
        assert!(error.contains(says) && error.contains(&path.display().to_string()), "{error}");
        let zip = dir.path().join("x.zip");
        fs::write(&zip, zip_of(&[("a.png", &whole), (name, &data)], true)).unwrap();
        refused(&zip, &[says, name]);
        fs::remove_dir_all(&folder).unwrap();
    }
}

#[test]
fn sources_without_a_picture_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    refused(dir.path(), &["no files in it"]);
    fs::write(dir.path().join("a.txt"), "x").unwrap();
    refused(dir.path(), &["none of the 1 files"]);
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (b"hello".to_vec(), "neither a folder"),
        (vec![], "neither a folder"),
        (zip_of(&[("a.txt", b"x")], true), "no picture in it"),
        (zip_of(&[("a.png", b"x")], true)[..60].to_vec(), "no whole zip archive"),
        (npy("(0, 4, 4, 3)", &[]), "holds no picture"),
        (npy("(1, 3, 4, 4)", &[0; 48]), "transpose"),
        (npy("(1, 4, 4, 2)", &[0; 32]), "convert"),
        (
            npy("(4, 4, 3)", &[0; 48]),
            "[4, 4, 3], which is one picture; give [n, height, width, 3], here [1, 4, 4, 3]",
        ),
        (npy("(4, 4, 1)", &[0; 16]), "[4, 4, 1], which is one picture"),
        (npy_of("|b1", "(2, 4, 4)", &[0; 32]), "it is |b1 [2, 4, 4]; pictures are `|u1`"),
        (npy("(1, 40000, 40000, 3)", &[]), "the limit is 16384 a side"),
        (npy("(18446744073709551615, 9, 9, 3)", &[]), "beyond any file"),
        (npy("(2, 4, 4, 3)", &[0; 50]), "[1]"),
        (npy("(2, 4, 4, 3)", &[0; 100]), "more data"),
        (vec![0, 0, 8, 1, 0, 0, 0, 1, 7], "sizes are [1]"),
        (vec![0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3], "promise other data"),
        (vec![0x1f, 0x8b, 8, 0], "whole idx file"),
    ];
    for (data, says) in cases {
        let path = dir.path().join("case");
        fs::write(&path, data).unwrap();
        refused(&path, &[says]);
    }
    let missing = open(Path::new("does/not/exist")).unwrap_err();
    assert!(matches!(missing, Error::Read { .. }));
    // The system's reason stands in the message; the chain of sources must not say it again.
    assert!(missing.to_string().contains("No such file") && std::error::Error::source(&missing).is_none());
}

#[test]
fn an_archive_may_not_unpack_to_more_than_its_directory_says_or_the_limit() {
    // 600 MiB of zeros pack to 0.6 MB.
    let dir = tempfile::tempdir().unwrap();
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("bomb.png", SimpleFileOptions::default()).unwrap();
    let block = vec![0; 1 << 20];
    (0..600).for_each(|_| zip.write_all(&block).unwrap());
    let mut data = zip.finish().unwrap().into_inner();
    let path = dir.path().join("bomb.zip");
    fs::write(&path, &data).unwrap();
    refused(&path, &["bomb.png", "unpacks to 629145600 bytes, the limit is 536870912"]);
    // The directory lies: four bytes.
    let at = data.windows(4).rposition(|w| w == 0x0201_4b50_u32.to_le_bytes()).unwrap();
    data[at + 24..at + 28].copy_from_slice(&4_u32.to_le_bytes());
    fs::write(&path, &data).unwrap();
    refused(&path, &["bomb.png"]);
}

#[test]
fn damage_in_a_packed_array_is_found_by_its_checksum() {
    let dir = tempfile::tempdir().unwrap();
    let array = npy("(2, 4, 4, 3)", &(0..96).collect::<Vec<u8>>());
    let mut data = zip_of(&[("arr_0.npy", &array)], false);
    let at = data.windows(4).position(|w| w == [50, 51, 52, 53]).unwrap();
    data[at] ^= 1;
    let path = dir.path().join("x.npz");
    fs::write(&path, data).unwrap();
    refused(&path, &["fetch it again"]);
}

/// Pictures of which a header says that they have 96 MiB. It counts the jobs that wait.
#[derive(Debug)]
struct Large {
    n: u64,
    waiting: Arc<AtomicUsize>,
    most: AtomicUsize,
}

impl Source for Large {
    fn len(&self) -> u64 {
        self.n
    }

    fn feed(&self, range: Range<u64>, emit: &mut dyn FnMut(Job) -> ControlFlow<()>) -> Result<()> {
        for i in range {
            let now = self.waiting.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(now, Ordering::SeqCst);
            let waiting = Arc::clone(&self.waiting);
            let job: Job = Box::new(move || {
                waiting.fetch_sub(1, Ordering::SeqCst);
                Picture::new(1, 1, vec![i as u8; 3], Facts::default())
            });
            if emit(job).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn name(&self, index: u64) -> String {
        index.to_string()
    }

    fn listing(&self) -> String {
        String::new()
    }

    fn stated(&self) -> Option<[u32; 3]> {
        Some([3, 4096, 8192])
    }
}

#[test]
fn large_pictures_wait_a_few_at_a_time_and_batches_stay_as_they_are() {
    let source = Large { n: 20, waiting: Arc::default(), most: AtomicUsize::default() };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    let mut batches = Vec::new();
    let prepare = |i: u64, picture: Picture| -> Result<(u64, u8)> { Ok((i, picture.rgb()[0])) };
    pictures(&source, 0..20, Ring::new(&pool, 7), &prepare, &mut |first, batch| {
        batches.push((first, batch));
        Ok(ControlFlow::Continue(()))
    })
    .unwrap();
    assert_eq!(source.most.load(Ordering::SeqCst), 2, "256 MiB are two of them");
    let batch = |from: u64, to: u64| (from, (from..to).map(|i| (i, i as u8)).collect::<Vec<_>>());
    assert_eq!(batches, [batch(0, 7), batch(7, 14), batch(14, 20)]);
}

#[test]
fn a_header_states_the_size_of_all_pictures() {
    let dir = tempfile::tempdir().unwrap();
    let mut idx = vec![0, 0, 8, 3];
    idx.extend([2_u32, 5, 4].iter().flat_map(|size| size.to_be_bytes()));
    let cases = [
        ("a.idx", idx, Some([1, 5, 4])),
        ("a.npy", npy("(2, 5, 4, 3)", &[]), Some([3, 5, 4])),
        ("a.zip", zip_of(&[("0.png", &png(grey(0, 4, 5)))], true), None),
    ];
    for (name, data, stated) in cases {
        let path = dir.path().join(name);
        fs::write(&path, data).unwrap();
        assert_eq!(open(&path).unwrap().stated(), stated, "{name}");
    }
}

#[test]
fn the_first_error_in_order_wins_and_what_came_before_is_handed_over() {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..20 {
        let data = if i == 9 || i == 17 { vec![1, 2, 3] } else { png(grey(i, 8, 8)) };
        fs::write(dir.path().join(format!("{i}.png")), data).unwrap();
    }
    let source = open(dir.path()).unwrap();
    for (batch, handed) in [(1, 9), (4, 8), (50, 0)] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        let mut seen = 0;
        let result = pictures(
            source.as_ref(),
            0..20,
            Ring::new(&pool, batch),
            &|_, picture| Ok(picture),
            &mut |_, batch| {
                seen += batch.len();
                Ok(ControlFlow::Continue(()))
            },
        );
        assert!(result.unwrap_err().to_string().contains("9.png"));
        assert_eq!(seen, handed);
    }
}

#[test]
fn the_consumer_may_break_off_or_fail() {
    let dir = tempfile::tempdir().unwrap();
    (0..30).for_each(|i| fs::write(dir.path().join(format!("{i}.png")), png(grey(i, 8, 8))).unwrap());
    let source = open(dir.path()).unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    let mut batches = 0;
    pictures(source.as_ref(), 0..30, Ring::new(&pool, 2), &|_, p| Ok(p), &mut |_, _| {
        batches += 1;
        Ok(if batches == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })
    .unwrap();
    assert_eq!(batches, 3);
    let failed = pictures(source.as_ref(), 0..30, Ring::new(&pool, 2), &|_, p| Ok(p), &mut |_, _| {
        Err(Error::NonFinite { what: "it".to_owned() })
    });
    assert!(matches!(failed.unwrap_err(), Error::NonFinite { .. }));
}

/// A folder as `fewstep generate` leaves it, with three pictures of which it may list some.
fn generated(dir: &Path, list: &str) {
    for i in 0..3 {
        fs::write(dir.join(format!("{i}.png")), png(grey(i, 8, 8))).unwrap();
    }
    fs::write(dir.join("grid.png"), png(grey(9, 28, 8))).unwrap();
    fs::write(dir.join("manifest.jsonl"), list).unwrap();
}

#[test]
fn a_folder_with_a_list_is_what_the_list_says_in_its_order() {
    let dir = tempfile::tempdir().unwrap();
    generated(dir.path(), "{\"file\": \"1.png\", \"seed\": 1}\n{\"seed\": 0, \"file\": \"0.png\"}");
    let source = open(dir.path()).unwrap();
    let seen = all(source.as_ref(), 4, 2).unwrap();
    let expected = [1, 0].map(|i| grey(i, 8, 8).into_raw());
    assert_eq!(seen.iter().map(|picture| picture.grey().unwrap()).collect::<Vec<_>>(), expected);
    assert_eq!(source.name(0), dir.path().join("1.png").display().to_string());
    let remarks = source.remarks();
    assert_eq!(remarks.len(), 1);
    for part in ["the 2 pictures that its `manifest.jsonl` lists", "2 other left out"] {
        assert!(remarks[0].contains(part), "{remarks:?}");
    }
    let before = source.listing();
    generated(dir.path(), "{\"file\": \"0.png\"}\n{\"file\": \"1.png\"}\n");
    assert_ne!(open(dir.path()).unwrap().listing(), before, "the order is a part of it");
}

#[test]
fn a_bad_list_is_one_error() {
    let dir = tempfile::tempdir().unwrap();
    let good = "{\"file\": \"0.png\"}\n";
    let made = dir.path().join("made");
    fs::create_dir(&made).unwrap();
    fs::write(dir.path().join("outside.png"), png(grey(0, 8, 8))).unwrap();
    let cases = [
        ("{\"file\": \"7.png\"}", "line 2 names `7.png`, which is missing"),
        ("{\"file\": \"../outside.png\"}", "no plain file name"),
        ("{\"file\": \"/etc/passwd\"}", "no plain file name"),
        ("{\"file\": \"sub\\\\0.png\"}", "no plain file name"),
        ("{\"file\": \"..\"}", "no plain file name"),
        ("{\"file\": \"\"}", "no plain file name"),
        ("{\"file\": \".\"}", "which is no file"),
        ("{\"file\": \"0.png\"}", "line 2 names `0.png` again"),
        ("{\"name\": \"1.png\"}", "line 2 is no JSON object"),
        ("{\"file\": 1}", "line 2 is no JSON object"),
        ("[\"1.png\"]", "line 2 is no JSON object"),
        ("{\"file\": \"1.pn", "line 2 is no JSON object"),
        ("\n{\"file\": \"7.png\"}", "line 2 is no JSON object with the name of a `file`, and 1 more"),
    ];
    for (line, says) in cases {
        generated(&made, &format!("{good}{line}"));
        refused(&made, &["`manifest.jsonl`", says]);
    }
    generated(&made, "");
    refused(&made, &["`manifest.jsonl` lists no picture"]);
}

/// The entries of an archive of [`generated`], below a folder or not.
fn packed(dir: &Path, below: &str, list: &str) -> Vec<u8> {
    generated(dir, list);
    let names = ["grid.png", "2.png", "manifest.jsonl", "0.png", "1.png"];
    let files = names.map(|name| (format!("{below}{name}"), fs::read(dir.join(name)).unwrap()));
    let mut entries: Vec<(&str, &[u8])> = files.iter().map(|(n, f)| (n.as_str(), f.as_slice())).collect();
    // What stands beside the folder does not hide its list.
    entries.push(("readme.txt", b"no picture"));
    zip_of(&entries, true)
}

#[test]
fn an_archive_of_a_folder_is_what_the_folder_is() {
    let dir = tempfile::tempdir().unwrap();
    let made = dir.path().join("made");
    fs::create_dir(&made).unwrap();
    let path = dir.path().join("made.zip");
    let digests = |path: &Path| -> Vec<[u8; 32]> {
        let source = open(path).unwrap();
        all(source.as_ref(), 4, 2).unwrap().iter().map(Picture::digest).collect()
    };
    for below in ["", "made/", "runs/made/"] {
        fs::write(&path, packed(&made, below, "{\"file\": \"1.png\"}\n{\"file\": \"0.png\"}\n")).unwrap();
        let source = open(&path).unwrap();
        assert_eq!(digests(&path), digests(&made), "{below}");
        assert_eq!(source.len(), 2);
        assert!(source.name(0).ends_with(&format!("{below}1.png")), "{}", source.name(0));
        let remarks = source.remarks();
        let says =
            ["made.zip`: taken are the 2 pictures that its `manifest.jsonl` lists", "2 other left out"];
        assert!(remarks.len() == 1 && says.iter().all(|part| remarks[0].contains(part)), "{remarks:?}");
        // Without a list all are taken, but for the overview.
        let entries = [format!("{below}0.png"), format!("{below}grid.png"), format!("{below}sub/grid.png")];
        let picture = png(grey(0, 8, 8));
        let entries: Vec<(&str, &[u8])> = entries.iter().map(|name| (name.as_str(), &picture[..])).collect();
        fs::write(&path, zip_of(&entries, true)).unwrap();
        let source = open(&path).unwrap();
        assert_eq!(source.len(), 2);
        let remarks = source.remarks();
        assert!(remarks.len() == 1 && remarks[0].contains("`grid.png` in"), "{remarks:?}");
        fs::write(&path, zip_of(&entries[1..2], true)).unwrap();
        refused(&path, &["no picture in it but `grid.png`"]);
    }
    // A list that is not at the top is one of several.
    let entries = ["a/0.png", "a/grid.png", "a/manifest.jsonl", "b/0.png"];
    let picture = png(grey(0, 8, 8));
    let entries: Vec<(&str, &[u8])> = entries.iter().map(|name| (*name, &picture[..])).collect();
    fs::write(&path, zip_of(&entries, true)).unwrap();
    assert_eq!(open(&path).unwrap().len(), 3);
}

#[test]
fn a_bad_list_in_an_archive_is_one_error() {
    let dir = tempfile::tempdir().unwrap();
    let made = dir.path().join("made");
    fs::create_dir(&made).unwrap();
    let path = dir.path().join("made.zip");
    let good = "{\"file\": \"0.png\"}\n";
    let cases = [
        (format!("{good}{{\"file\": \"7.png\"}}"), "line 2 names `7.png`, which is missing"),
        (format!("{good}{good}"), "line 2 names `0.png` again"),
        (format!("{good}{{\"file\": \"../0.png\"}}"), "no plain file name"),
        (format!("{good}[]"), "line 2 is no JSON object"),
        // More lines than the archive has files: it is not read to its end.
        (
            format!("{good}{}", "\n".repeat(50)),
            "line 2 is no JSON object with the name of a `file`, and 5 more",
        ),
        (String::new(), "`manifest.jsonl` lists no picture"),
    ];
    for (list, says) in cases {
        fs::write(&path, packed(&made, "made/", &list)).unwrap();
        refused(&path, &["`manifest.jsonl`", says]);
    }
}

#[test]
fn an_overview_is_no_sample() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("sub")).unwrap();
    for name in ["grid.png", "preview.png"] {
        fs::write(dir.path().join(name), png(grey(0, 28, 28))).unwrap();
    }
    refused(dir.path(), &["nothing in it but", "`grid.png`", "`preview.png`"]);
    for name in ["0.png", "sub/grid.png"] {
        fs::write(dir.path().join(name), png(grey(0, 8, 8))).unwrap();
    }
    let source = open(dir.path()).unwrap();
    let seen = all(source.as_ref(), 4, 2).unwrap();
    assert!(seen.len() == 2 && seen.iter().all(|picture| picture.width() == 8));
    let remarks = source.remarks();
    assert!(remarks.len() == 2 && remarks[0].contains("`grid.png`"), "{remarks:?}");
    assert!(remarks[1].contains("`preview.png`") && remarks[1].contains("left out"), "{remarks:?}");
}

#[test]
fn a_pipe_is_refused_before_anybody_waits_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for path in [pipe.as_path(), Path::new("/dev/zero")] {
        refused(path, &["neither a regular file nor a folder"]);
        let error = StatisticsFile::look(path).unwrap_err().to_string();
        assert!(error.contains("neither a regular file nor a folder; "), "{error}");
    }
}
