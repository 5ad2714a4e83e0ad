//! Fashion-MNIST (Xiao, Rasul & Vollgraf, arXiv 1708.07747; MIT licence): 60,000 + 10,000 grey pictures of
//! clothes, 28x28, ten balanced classes. Debian ships it as `dataset-fashion-mnist`.

use super::idx::{IdxArray, file_name, parse_idx, read_bytes};
use crate::{Error, Result, sha256_hex, tensors};
use std::path::Path;
use tch::Tensor;

/// What the labels 0 to 9 mean.
pub const CLASS_NAMES: [&str; 10] =
    ["t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle-boot"];

/// File names and SHA-256 of the original files.
const TRAIN_IMAGES: Pinned = Pinned {
    name: "train-images-idx3-ubyte.gz",
    sha256: "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7",
};
const TRAIN_LABELS: Pinned = Pinned {
    name: "train-labels-idx1-ubyte.gz",
    sha256: "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056",
};
const TEST_IMAGES: Pinned = Pinned {
    name: "t10k-images-idx3-ubyte.gz",
    sha256: "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",
};
const TEST_LABELS: Pinned = Pinned {
    name: "t10k-labels-idx1-ubyte.gz",
    sha256: "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05",
};

struct Pinned {
    name: &'static str,
    sha256: &'static str,
}

/// Both splits of the data set.
#[derive(Debug)]
pub struct FashionMnist {
    /// 60,000 images.
    pub train: Split,
    /// 10,000 images.
    pub test: Split,
}

/// Half of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What networks learn from, and what generated images are compared with.
    Train,
    /// What nobody has learnt from.
    Test,
}

/// Images and labels in file order.
#[derive(Debug, Clone)]
pub struct Split {
    /// Levels `[n, channels, 28, 28]`, row-major; as grey levels 0 is the background.
    pub images: Vec<u8>,
    /// 1, or 3 in colour ([`Split::colour`]).
    pub channels: usize,
    /// Which half it is.
    pub part: Part,
    /// One class 0 to 9 an image.
    pub labels: Vec<u8>,
    /// SHA-256 of the image file, to be kept with everything derived from it.
    pub sha256: &'static str,
}

impl FashionMnist {
    /// Reads and verifies the four gzipped idx files in `dir`.
    ///
    /// # Errors
    /// [`Error::MissingData`], [`Error::Read`], [`Error::Digest`] or [`Error::Idx`], naming the file.
    pub fn open(dir: &Path) -> Result<Self> {
        Ok(Self { train: Self::open_train(dir)?, test: Self::open_test(dir)? })
    }

    /// Reads and verifies the 60,000 training images and labels alone.
    ///
    /// # Errors
    /// As [`FashionMnist::open`].
    pub fn open_train(dir: &Path) -> Result<Split> {
        Split::open(dir, Part::Train, [&TRAIN_IMAGES, &TRAIN_LABELS], 60_000)
    }

    /// Reads and verifies the 10,000 test images and labels alone.
    ///
    /// # Errors
    /// As [`FashionMnist::open`].
    pub fn open_test(dir: &Path) -> Result<Split> {
        Split::open(dir, Part::Test, [&TEST_IMAGES, &TEST_LABELS], 10_000)
    }
}

impl Split {
    /// Height and width of an image.
    pub const SIDE: usize = 28;

    fn open(dir: &Path, part: Part, [images, labels]: [&Pinned; 2], n: usize) -> Result<Self> {
        // Labels first: they are small, so that a wrong folder is found out at once.
        let label_data = load(dir, labels, &[n])?.data;
        let image_data = load(dir, images, &[n, Self::SIDE, Self::SIDE])?.data;
        Ok(Self { images: image_data, channels: 1, part, labels: label_data, sha256: images.sha256 })
    }

    /// Name of the data, as reports say it.
    pub fn name(&self) -> String {
        let colour = if self.channels == 3 { "-colour" } else { "" };
        let part = match self.part {
            Part::Train => "train",
            Part::Test => "test",
        };
        format!("fashion-mnist{colour}/{part}")
    }

    /// Count of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no images; never true for an opened split.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The first `n` images alone; all of them, if there are no more.
    #[must_use]
    pub fn first(mut self, n: usize) -> Self {
        self.labels.truncate(n);
        self.images.truncate(self.labels.len() * self.channels * Self::SIDE * Self::SIDE);
        self
    }

    /// Images `first .. first + count` as a u8 tensor `[count, channels, 28, 28]` on the CPU.
    ///
    /// # Errors
    /// When the range is empty or goes beyond the split.
    pub fn tensor(&self, first: usize, count: usize) -> Result<Tensor> {
        let pixels = self.channels * Self::SIDE * Self::SIDE;
        let end = first.checked_add(count).filter(|end| count > 0 && *end <= self.len());
        let Some(end) = end else {
            let got = format!("{count} images from {first} on");
            return Err(Error::Value { what: "image range", expected: "inside the data set", got });
        };
        let shape = [count as i64, self.channels as i64, Self::SIDE as i64, Self::SIDE as i64];
        tensors::from_slice(&self.images[first * pixels..end * pixels], &shape)
    }
}

fn load(dir: &Path, pinned: &Pinned, dims: &[usize]) -> Result<IdxArray> {
    let path = dir.join(pinned.name);
    let bytes = read_bytes(&path)?;
    let got = sha256_hex(&bytes);
    if got != pinned.sha256 {
        return Err(Error::Digest { file: file_name(&path), expected: pinned.sha256.to_owned(), got });
    }
    let array = parse_idx(pinned.name, &bytes)?;
    if array.dims == dims {
        return Ok(array);
    }
    let problem = format!("its sizes are {:?} instead of {dims:?}", array.dims);
    Err(Error::Idx { file: pinned.name.to_owned(), problem })
}
