//! The networks behind the metrics: the Inception of the literature on weights that the user has, and our own.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, bail};
use clap::ValueEnum;
use fewstep_eval::Error;
use fewstep_eval::feature::inception::{
    BATCH, INPUT, Inception, Layout, Picture as Bytes, Protocol, Resizer, SIDE, Tap, Trust, Weights,
};
use fewstep_eval::feature::{
    Classifier, EXTRACT_BATCH, FeatureNet as _, Pca, fmnist_cnn, fmnist_colour_cnn, fmnist_patch_pca,
    fmnist_pixel_pca,
};
use fewstep_eval::source::Picture;
use fewstep_eval::stats::Statistics;
use tch::Tensor;

/// What is to be kept of a network's outputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a set: any combination of the four may be wanted")]
pub struct Wanted {
    /// Mean and covariance of the features.
    pub moments: bool,
    /// The features themselves; memory then grows with the pictures.
    pub rows: bool,
    /// The logits.
    pub logits: bool,
    /// Mean and covariance of the spatial features.
    pub spatial: bool,
}

impl Wanted {
    /// What either wants.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            moments: self.moments || other.moments,
            rows: self.rows || other.rows,
            logits: self.logits || other.logits,
            spatial: self.spatial || other.spatial,
        }
    }
}

/// Feature spaces that ship with the program, all of 28x28 pictures of clothes: grey, or painted where the name says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FeatureSpace {
    /// Last hidden layer of a classifier: sees what tells garments apart
    FmnistCnn,
    /// The same for 28x28 pictures in colour, which it sees too
    FmnistColourCnn,
    /// 64 principal components of the pixels: sees where mass is
    FmnistPixelPca,
    /// 49 principal components of 7x7 patches: sees fine texture
    FmnistPatchPca,
}

impl FeatureSpace {
    /// Names of their training sets as references: the grey one, the painted one.
    pub const TRAINING_SETS: [&'static str; 2] = ["fmnist-train", "fmnist-colour-train"];

    fn open(self) -> Result<(Network, Statistics)> {
        Ok(match self {
            Self::FmnistCnn | Self::FmnistColourCnn => {
                let open = if self == Self::FmnistCnn { fmnist_cnn } else { fmnist_colour_cnn };
                let (net, statistics) = open()?;
                (Network::Fmnist(self, net), statistics)
            }
            Self::FmnistPixelPca | Self::FmnistPatchPca => {
                let open = if self == Self::FmnistPixelPca { fmnist_pixel_pca } else { fmnist_patch_pca };
                let (net, statistics) = open()?;
                (Network::Pca(self, net), statistics)
            }
        })
    }

    /// Moments of its training set.
    ///
    /// # Errors
    /// If the built-in files are damaged.
    pub fn statistics(self) -> Result<Statistics> {
        Ok(self.open()?.1)
    }

    /// Channels, height and width of its pictures.
    fn shape(self) -> [usize; 3] {
        [if self == Self::FmnistColourCnn { 3 } else { 1 }, 28, 28]
    }

    /// Which of [`FeatureSpace::TRAINING_SETS`] is its own.
    pub fn training_set(self) -> &'static str {
        let [grey, painted] = Self::TRAINING_SETS;
        if self == Self::FmnistColourCnn { painted } else { grey }
    }

    /// The space that stands for a training set where none is chosen.
    pub(super) fn of_training_set(set: &str) -> Self {
        if set == Self::FmnistColourCnn.training_set() { Self::FmnistColourCnn } else { Self::FmnistCnn }
    }

    /// As the user gives it.
    pub(super) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// A network with its way from pictures to inputs.
#[derive(Debug)]
pub struct Extractor {
    network: Network,
    /// Resizers by size of picture; interpolation weights are computed once.
    resizers: Resizers,
}

#[derive(Debug)]
struct Resizers {
    takes: Takes,
    known: Mutex<BTreeMap<[usize; 2], Arc<Resizer>>>,
}

/// Which pictures a network takes.
#[derive(Clone, Copy, Debug)]
enum Takes {
    /// Any, brought to its size by this protocol.
    Any(Protocol),
    /// Those of these channels, this height and this width, as they are.
    Only([usize; 3]),
}

/// The network itself. It can be shared with another thread, which needs an instance of its own.
#[derive(Debug)]
pub enum Network {
    /// `inception-2015`
    Inception(Box<Inception>),
    /// `fmnist-cnn` or `fmnist-colour-cnn`
    Fmnist(FeatureSpace, Classifier),
    /// `fmnist-pixel-pca` or `fmnist-patch-pca`
    Pca(FeatureSpace, Pca),
}

/// What the network says about some pictures, row by row; empty where it was not wanted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outputs {
    /// Features `[n, d]`.
    pub features: Vec<f32>,
    /// Logits `[n, classes]`.
    pub logits: Vec<f32>,
    /// Spatial features `[n, 2023]`.
    pub spatial: Vec<f32>,
}

/// A picture as the network takes it.
#[derive(Clone, Debug)]
pub(super) enum Prepared {
    Resized(Vec<f32>),
    /// `[c, h, w]`
    Plain(Vec<u8>),
}

/// Sizes whose resizers are kept; a folder in which every picture has another size would fill the memory.
const KEPT_RESIZERS: usize = 256;

impl Extractor {
    /// The Inception network on the weights in a file.
    ///
    /// # Errors
    /// If the file does not hold its weights, or, unless `any`, not the published ones.
    pub fn inception(weights: &Path, protocol: Protocol, any: bool) -> Result<Self> {
        let trust = if any { Trust::Any } else { Trust::Official };
        let net = Inception::new(&Weights::open(weights, trust)?)?;
        Ok(Self::new(Network::Inception(Box::new(net)), Takes::Any(protocol)))
    }

    /// One that ships with the program.
    ///
    /// # Errors
    /// If the built-in files are damaged.
    pub fn builtin(which: FeatureSpace) -> Result<Self> {
        Ok(Self::new(which.open()?.0, Takes::Only(which.shape())))
    }

    /// Which of those that ship with the program this is, if it is one.
    pub fn which(&self) -> Option<FeatureSpace> {
        self.network.which()
    }

    fn new(network: Network, takes: Takes) -> Self {
        Self { network, resizers: Resizers { takes, known: Mutex::default() } }
    }

    /// Name and SHA-256 of the weights, `name:sha256`.
    ///
    /// # Errors
    /// If the weights cannot be hashed.
    pub fn id(&self) -> Result<String> {
        Ok(match &self.network {
            Network::Inception(net) => format!("{}:{}", Inception::NAME, net.sha256()),
            Network::Fmnist(_, net) => net.id()?,
            Network::Pca(_, net) => net.id()?,
        })
    }

    /// The protocol, where there are several.
    pub fn protocol(&self) -> Option<Protocol> {
        match self.resizers.takes {
            Takes::Any(protocol) => Some(protocol),
            Takes::Only(_) => None,
        }
    }

    /// Whether it looks at one channel, so that a grey picture is taken as it is.
    pub fn is_grey(&self) -> bool {
        matches!(self.resizers.takes, Takes::Only([1, ..]))
    }

    /// Whether this is the network that the names of the literature's metrics belong to.
    pub fn is_inception(&self) -> bool {
        matches!(self.network, Network::Inception(_))
    }

    /// Pictures in one pass; the shape is fixed.
    pub fn pass(&self) -> usize {
        if self.is_inception() { BATCH } else { EXTRACT_BATCH }
    }

    /// Length of a feature vector.
    pub fn dim(&self) -> usize {
        match &self.network {
            Network::Inception(_) => Tap::F2048.dim(),
            Network::Fmnist(..) => Classifier::DIM,
            Network::Pca(_, net) => net.dim(),
        }
    }

    /// Count of classes; 0 if it is no classifier.
    pub fn classes(&self) -> usize {
        match self.network {
            Network::Inception(_) => Tap::LogitsUnbiased.dim(),
            Network::Fmnist(..) => Classifier::CLASSES,
            Network::Pca(..) => 0,
        }
    }

    /// Length of the spatial features; 0 if there are none.
    pub fn spatial_dim(&self) -> usize {
        if self.is_inception() { Tap::Spatial.dim() } else { 0 }
    }

    /// Whether it has outputs of all the kinds that are wanted.
    pub(super) fn gives(&self, wanted: Wanted) -> Result<()> {
        self.network.lacks("spatial features", wanted.spatial && self.spatial_dim() == 0)?;
        self.network.lacks("classes", wanted.logits && self.classes() == 0)
    }

    /// Whether it takes pictures of the shape that the header of `name` states, `[channels, height, width]`. Three channels
    /// may be grey, which only the pixels tell.
    pub(super) fn takes(&self, name: &str, stated: Option<[u32; 3]>) -> Result<()> {
        let (Some([_, height, width]), Takes::Only(shape)) = (stated, self.resizers.takes) else {
            return Ok(());
        };
        if [height as usize, width as usize] != shape[1..] {
            bail!("`{name}` holds pictures of {width}x{height}, {}", wants(shape));
        }
        Ok(())
    }

    pub(super) fn parts(&self) -> (&Network, Preparer<'_>) {
        (&self.network, Preparer(&self.resizers))
    }
}

/// The part of an extractor that all threads share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Preparer<'a>(&'a Resizers);

impl Preparer<'_> {
    /// Brings a picture to the network's size. `name` is asked only for messages.
    ///
    /// # Errors
    /// If the network takes no such pictures.
    pub(super) fn prepare(
        self,
        name: impl FnOnce() -> String,
        picture: &Picture,
    ) -> fewstep_eval::Result<Prepared> {
        let [width, height] = [picture.width() as usize, picture.height() as usize];
        let protocol = match self.0.takes {
            Takes::Any(protocol) => protocol,
            Takes::Only(shape) => {
                let plain = plain(picture, shape).map(Prepared::Plain);
                return plain.ok_or_else(|| Error::Picture { file: name(), problem: misfit(picture, shape) });
            }
        };
        let mut out = vec![0.0; INPUT];
        let grey = picture.facts().grey.then(|| picture.grey()).flatten();
        // A grey picture is resized once; its channels are equal.
        let (bytes, channels) = grey.as_deref().map_or((picture.rgb(), 3), |grey| (grey, 1));
        let resizer = self.resizer(protocol, [height, width])?;
        resizer.run(&Bytes::new(bytes, [height, width], channels, Layout::Interleaved)?, &mut out)?;
        Ok(Prepared::Resized(out))
    }

    fn resizer(self, protocol: Protocol, size: [usize; 2]) -> fewstep_eval::Result<Arc<Resizer>> {
        let known = || self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(resizer) = known().get(&size) {
            return Ok(Arc::clone(resizer));
        }
        let resizer = Arc::new(Resizer::new(protocol, size)?);
        let mut known = known();
        if known.len() >= KEPT_RESIZERS {
            known.clear();
        }
        known.insert(size, Arc::clone(&resizer));
        Ok(resizer)
    }
}

impl Network {
    fn which(&self) -> Option<FeatureSpace> {
        match self {
            Self::Inception(_) => None,
            Self::Fmnist(which, _) | Self::Pca(which, _) => Some(*which),
        }
    }

    /// The same network for another thread.
    pub(super) fn share(&self) -> Result<Self> {
        Ok(match self {
            Self::Inception(net) => Self::Inception(Box::new(net.share())),
            Self::Fmnist(which, _) | Self::Pca(which, _) => which.open()?.0,
        })
    }

    /// Runs the network over pictures.
    ///
    /// # Errors
    /// If an output is not finite.
    pub(super) fn run(&self, pictures: &[Prepared], wanted: Wanted) -> Result<Outputs> {
        let n = pictures.len() as i64;
        let features = wanted.moments || wanted.rows;
        match self {
            Self::Inception(net) => {
                let values: Vec<&[f32]> = pictures
                    .iter()
                    .filter_map(|p| if let Prepared::Resized(v) = p { Some(v.as_slice()) } else { None })
                    .collect();
                let side = SIDE as i64;
                let x = Tensor::f_from_slice(&values.concat())?.f_view([n, 3, side, side])?;
                let all = [
                    (features, Tap::F2048),
                    (wanted.logits, Tap::LogitsUnbiased),
                    (wanted.spatial, Tap::Spatial),
                ];
                let taps: Vec<Tap> = all.iter().filter(|(is, _)| *is).map(|(_, tap)| *tap).collect();
                let mut found = net.infer(&x, &taps)?.into_iter();
                let mut next = |(is, _): (bool, Tap)| {
                    is.then(|| found.next()).flatten().map_or(Ok(Vec::new()), |t| rows(&t))
                };
                Ok(Outputs { features: next(all[0])?, logits: next(all[1])?, spatial: next(all[2])? })
            }
            Self::Fmnist(which, net) => {
                self.lacks("spatial features", wanted.spatial)?;
                let out = net.infer(&stacked(pictures, which.shape())?)?;
                let keep = |is: bool, t: &Tensor| if is { rows(t) } else { Ok(Vec::new()) };
                Ok(Outputs {
                    features: keep(features, &out.features)?,
                    logits: keep(wanted.logits, &out.logits)?,
                    spatial: Vec::new(),
                })
            }
            Self::Pca(which, net) => {
                self.lacks("spatial features", wanted.spatial)?;
                self.lacks("classes", wanted.logits)?;
                let out = net.extract(&stacked(pictures, which.shape())?)?;
                Ok(Outputs { features: rows(&out)?, ..Outputs::default() })
            }
        }
    }

    fn lacks(&self, what: &str, wanted: bool) -> Result<()> {
        let Some(which) = self.which().filter(|_| wanted) else { return Ok(()) };
        bail!("`{}` has no {what}; give `--weights`", which.name())
    }
}

/// The bytes of a picture that has this shape already, channel by channel.
fn plain(picture: &Picture, [channels, height, width]: [usize; 3]) -> Option<Vec<u8>> {
    if [picture.height() as usize, picture.width() as usize] != [height, width] {
        return None;
    }
    if channels == 1 {
        return picture.grey();
    }
    let rgb = picture.rgb();
    Some((0..channels).flat_map(|c| rgb.iter().skip(c).step_by(channels).copied()).collect())
}

/// What a picture is and what it should be.
fn misfit(picture: &Picture, shape: [usize; 3]) -> String {
    let is = if picture.grey().is_some() { "grey" } else { "in colour" };
    format!("it is {}x{} {is}, {}", picture.width(), picture.height(), wants(shape))
}

/// What a network of one shape takes, and what to do with other pictures.
fn wants([channels, height, width]: [usize; 3]) -> String {
    let wanted = if channels == 1 { "grey" } else { "RGB" };
    let text = format!("the network takes {width}x{height} {wanted}");
    format!("{text}; choose another `--extractor`, or give `--weights` for pictures of any size")
}

/// `[n, c, h, w]` u8
fn stacked(pictures: &[Prepared], shape: [usize; 3]) -> Result<Tensor> {
    let values: Vec<&[u8]> = pictures
        .iter()
        .filter_map(|p| if let Prepared::Plain(v) = p { Some(v.as_slice()) } else { None })
        .collect();
    let [c, h, w] = shape.map(|size| size as i64);
    Ok(Tensor::f_from_slice(&values.concat())?.f_view([pictures.len() as i64, c, h, w])?)
}

fn rows(t: &Tensor) -> Result<Vec<f32>> {
    Ok(Vec::<f32>::try_from(t.f_contiguous()?.f_view(-1)?)?)
}
