//! How much a file may ask for. Headers are judged before anything is allocated for them.

/// Longest side of a picture, in pixels.
pub const MAX_SIDE: u32 = 16_384;
/// Most pixels of a picture: 8192 x 8192, 192 MiB as RGB.
pub const MAX_PIXELS: u64 = 1 << 26;
/// Largest picture file, on disk or unpacked from an archive: 512 MiB.
pub const MAX_FILE: u64 = 1 << 29;
/// Most entries of an archive or files of a folder.
pub const MAX_ENTRIES: usize = 20_000_000;

/// Why a picture of this size is refused, if it is.
pub(crate) fn refuse_size(width: u64, height: u64) -> Option<String> {
    if width == 0 || height == 0 {
        return Some(format!("it has {width}x{height} pixels; give pictures with at least one"));
    }
    let side = u64::from(MAX_SIDE);
    if width > side || height > side {
        let text = format!("its header says {width}x{height} pixels, the limit is {MAX_SIDE} a side");
        return Some(format!("{text}; make it smaller or take it out"));
    }
    (width * height > MAX_PIXELS).then(|| {
        let text = format!("its header says {width}x{height} pixels, the limit is {MAX_PIXELS} in all");
        format!("{text}; make it smaller or take it out")
    })
}
