//! PNG, JPEG, WebP and BMP to 8-bit RGB.

use super::limits::{MAX_FILE, refuse_size};
use super::{Facts, Picture};
use crate::{Error, Result};
use image::{DynamicImage, ImageDecoder as _, ImageFormat, ImageReader};
use std::io::Cursor;
use std::path::Path;

/// Formats that are read, told by content; the extensions choose which files of a folder are pictures.
pub const EXTENSIONS: [&str; 5] = ["png", "jpg", "jpeg", "webp", "bmp"];

/// Whether a name ends in one of [`EXTENSIONS`], in any case.
pub(super) fn is_picture_name(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, end)| EXTENSIONS.iter().any(|e| end.eq_ignore_ascii_case(e)))
}

/// Reads a picture file; what the header asks for is judged before any pixel is decoded.
///
/// Orientation tags (EXIF) and colour profiles are ignored, as the evaluation tools of the field do.
///
/// # Errors
/// [`Error::Read`] or [`Error::Picture`], naming the file.
pub fn read_picture(path: &Path) -> Result<Picture> {
    let unreadable = |reason| Error::Read { path: path.to_owned(), reason };
    let length = std::fs::metadata(path).map_err(unreadable)?.len();
    let name = path.display().to_string();
    if length > MAX_FILE {
        let problem = format!("it is {length} bytes long, the limit is {MAX_FILE}; take it out");
        return Err(Error::Picture { file: name, problem });
    }
    decode(&name, &std::fs::read(path).map_err(unreadable)?)
}

/// Decodes the bytes of a picture file. `file` names it in messages.
///
/// # Errors
/// [`Error::Picture`].
pub fn decode(file: &str, bytes: &[u8]) -> Result<Picture> {
    decode_or_say(bytes).map_err(|problem| Error::Picture { file: file.to_owned(), problem })
}

fn decode_or_say(bytes: &[u8]) -> std::result::Result<Picture, String> {
    let damaged =
        |e: image::ImageError| format!("{}; replace it or take it out", e.to_string().trim_end_matches('.'));
    if bytes.is_empty() {
        return Err("it is empty; replace it or take it out".to_owned());
    }
    let reader = ImageReader::new(Cursor::new(bytes));
    let reader = reader.with_guessed_format().map_err(|e| damaged(e.into()))?;
    let lossy = match reader.format() {
        Some(ImageFormat::Png | ImageFormat::Bmp) => false,
        Some(ImageFormat::Jpeg | ImageFormat::WebP) => true,
        _ => return Err("it is neither PNG, JPEG, WebP nor BMP; convert it or take it out".to_owned()),
    };
    if reader.format() == Some(ImageFormat::Jpeg) && !jpeg_is_whole(bytes) {
        return Err("the JPEG data ends early; replace it or take it out".to_owned());
    }
    let decoder = reader.into_decoder().map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    if let Some(problem) = refuse_size(u64::from(width), u64::from(height)) {
        return Err(problem);
    }
    let image = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    to_rgb(image, lossy).map_err(|e| e.to_string())
}

/// Whether the entropy-coded data after the first scan header is closed by an end marker. The decoder fills what is
/// missing with grey, which must not become somebody's FID. (Within entropy-coded data 0xff is followed by a zero or a
/// restart marker, so that the pair ff d9 means the end: ITU T.81, B.1.1.5.)
fn jpeg_is_whole(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some([0xff, marker, rest @ ..]) = bytes.get(at..) {
        match (*marker, rest) {
            (0xff, _) => at += 1,
            (0xda, _) => return rest.windows(2).any(|pair| pair == [0xff, 0xd9]),
            (_, [high, low, ..]) => at += 2 + usize::from(u16::from_be_bytes([*high, *low])),
            _ => return false,
        }
    }
    false
}

/// 8-bit RGB; transparency is put on white, 16 bits are rounded to 8.
fn to_rgb(image: DynamicImage, lossy: bool) -> Result<Picture> {
    let color = image.color();
    let deep = color.bytes_per_pixel() > color.channel_count(); // 8 bits a channel otherwise
    let facts = Facts { grey: !color.has_color(), deep, lossy, transparent: false };
    let (width, height) = (image.width(), image.height());
    if !color.has_alpha() {
        return Picture::new(width, height, image.into_rgb8().into_raw(), facts);
    }
    let rgba = image.into_rgba8().into_raw();
    let pixels = rgba.as_chunks::<4>().0;
    let transparent = pixels.iter().any(|[.., alpha]| *alpha < 255);
    let rgb = pixels.iter().flat_map(|[r, g, b, alpha]| [*r, *g, *b].map(|v| on_white(v, *alpha))).collect();
    Picture::new(width, height, rgb, Facts { transparent, ..facts })
}

/// `alpha v + (1 - alpha) 255`, rounded to nearest.
fn on_white(value: u8, alpha: u8) -> u8 {
    let (value, alpha) = (u32::from(value), u32::from(alpha));
    ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
}
