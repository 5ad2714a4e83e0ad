//! Pictures.

use std::io::Cursor;
use std::path::Path;

use anyhow::{Context, Result, bail};
use fewstep_eval::sha256_hex;
use png::{BitDepth, ColorType, Compression, Encoder};
use serde_json::Value;
use tch::Tensor;

use super::write_whole;

/// One picture and what is to be known about it. Plain memory, so that pictures can be encoded in parallel.
#[derive(Debug)]
pub struct Picture {
    pixels: Vec<u8>,
    width: u32,
    height: u32,
    color: ColorType,
    /// Parameters, written into the file as a text chunk each.
    pub text: Value,
}

impl Picture {
    /// # Shapes
    /// `image: [1 or 3, h, w]` u8
    ///
    /// # Errors
    /// If the picture is neither grey nor RGB.
    pub fn new(image: &Tensor, text: Value) -> Result<Self> {
        let size = image.size();
        let [channels, height, width] = size[..] else {
            bail!("a picture has the shape [c, h, w], got {size:?}")
        };
        let color = color(channels)?;
        let pixels = Vec::<u8>::try_from(image.permute([1, 2, 0]).contiguous().view(-1))?;
        Ok(Self { pixels, width: width as u32, height: height as u32, color, text })
    }

    /// Encodes and writes the picture; gives the hash of the file.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<String> {
        let bytes = encode(&self.pixels, self.width, self.height, self.color, &self.text)?;
        write_whole(path, &bytes)?;
        Ok(sha256_hex(&bytes))
    }
}

fn color(channels: i64) -> Result<ColorType> {
    match channels {
        1 => Ok(ColorType::Grayscale),
        3 => Ok(ColorType::Rgb),
        other => bail!("a picture has 1 or 3 channels, got {other}"),
    }
}

fn encode(pixels: &[u8], width: u32, height: u32, color: ColorType, text: &Value) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, width, height);
    encoder.set_color(color);
    encoder.set_depth(BitDepth::Eight);
    // As small as the default for pictures of this kind, in a fraction of its time.
    encoder.set_compression(Compression::Fast);
    if let Value::Object(map) = text {
        for (key, value) in map {
            let value = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
            encoder.add_itxt_chunk(key.clone(), value)?;
        }
    }
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(bytes)
}

/// Pixels between the pictures of a grid.
const GAP: u32 = 2;

/// Writes `images` side by side, `columns` in a row, as one PNG.
///
/// # Shapes
/// `images: [n, 1 or 3, h, w]` u8
///
/// # Errors
/// If the file cannot be written, or the images are neither grey nor RGB.
pub fn write_grid(path: &Path, images: &Tensor, columns: usize) -> Result<()> {
    let size = images.size();
    let [n, channels, h, w] = size[..] else { bail!("a grid is made of images [n, c, h, w], got {size:?}") };
    let color = color(channels)?;
    let columns = columns.clamp(1, (n as usize).max(1)) as u32;
    let rows = (n as u32).div_ceil(columns);
    let (h, w) = (h as u32, w as u32);
    let (height, width) = (rows * (h + GAP) - GAP, columns * (w + GAP) - GAP);
    let bytes = Vec::<u8>::try_from(images.permute([0, 2, 3, 1]).contiguous().view(-1))?;
    let mut sheet = vec![255u8; height as usize * width as usize * channels as usize];
    let row_len = w as usize * channels as usize;
    for i in 0..n as u32 {
        let (x0, y0) = ((i % columns) * (w + GAP), (i / columns) * (h + GAP));
        for y in 0..h {
            let from = (i * h + y) as usize * w as usize * channels as usize;
            let to = ((y0 + y) as usize * width as usize + x0 as usize) * channels as usize;
            sheet[to..to + row_len].copy_from_slice(&bytes[from..from + row_len]);
        }
    }
    write_whole(path, &encode(&sheet, width, height, color, &Value::Null)?)
}

/// Reads a PNG that [`write_grid`] wrote.
///
/// # Shapes
/// `[1, 1 or 3, h, w]` u8
///
/// # Errors
/// If the file cannot be read or decoded.
pub fn read_grey_or_rgb(path: &Path) -> Result<Tensor> {
    let damaged = || format!("cannot read the picture `{}`", path.display());
    let bytes = std::fs::read(path).with_context(damaged)?;
    let image = image::ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .with_context(damaged)?
        .decode()
        .with_context(damaged)?;
    let (w, h) = (i64::from(image.width()), i64::from(image.height()));
    let (channels, pixels) = if image.color().has_color() {
        (3, image.to_rgb8().into_raw())
    } else {
        (1, image.to_luma8().into_raw())
    };
    Ok(Tensor::from_slice(&pixels).view([1, h, w, channels]).permute([0, 3, 1, 2]).contiguous())
}
