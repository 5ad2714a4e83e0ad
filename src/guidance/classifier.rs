//! What a classifier of noisy images has to say, as a difference of predictions.
//!
//! With `p(x)` the density of noisy images at a node, the posterior mean of the clean image is
//! `(x + sigma^2 grad ln p(x)) / alpha` (Tweedie), with the label `y` as well as without. By Bayes
//! `p(y | x) = p(x | y) p(y) / p(x)`, so that the difference of the two is
//!
//! `d = c - u = sigma^2 / alpha * grad_x ln p(y | x)`.
//!
//! A classifier that knows `p(y | x)` at that noise level thus tells `d` without a second pass of the network.
//! Guidance is `c + (w - 1) d`, as classifier-free guidance is; with an ideal classifier both are the same.

use anyhow::{Context, Result, ensure};
use fewstep_eval::data::CLASS_NAMES;
use fewstep_eval::feature::NoisyClassifier;
use fewstep_models::ModelSpec;
use fewstep_samplers::Node;
use tch::{Device, Kind, Tensor};

/// Tells the class of images with noise, in the frame of EDM: `z = x0 + rho n` for the noise level `rho`.
pub trait LevelClassifier: Send {
    /// Logarithms of the probabilities of the classes. Differentiable in `z`.
    ///
    /// # Shapes
    /// `z: [n, c, h, w]`, `rho`: n, above 0, up to [`LevelClassifier::highest`]; output `[n, classes]`
    ///
    /// # Errors
    /// If `z` does not fit the classifier.
    fn log_probs(&self, z: &Tensor, rho: &[f64]) -> Result<Tensor>;

    /// Highest noise level that it knows. What stands above is taken for an image of this level.
    fn highest(&self) -> f64;

    /// Whether it knows the images and classes of a model.
    ///
    /// # Errors
    /// If it does not.
    fn check(&self, spec: &ModelSpec) -> Result<()>;

    /// Another instance over the same weights, for another thread.
    fn share(&self) -> Box<dyn LevelClassifier>;
}

/// The difference `d` that a classifier finds for the states `x` of labels `class`.
///
/// The gradient is taken with respect to `z = x / alpha`, in whose frame `d = rho^2 grad_z ln p(y | z)`; what the
/// classifier does to `z` before its first layer is part of what is differentiated. Where `rho` is too high for the
/// classifier, infinite even where a path begins with pure noise, `x` is scaled to the highest level it knows: there
/// `d` hardly depends on the level any more.
///
/// # Shapes
/// `x: [n, c, h, w]`, `nodes`: one, or n, `class: [n]` i64; output as `x`, without gradient
///
/// # Errors
/// If the classifier refuses the images, or has no such class.
pub fn difference(
    classifier: &dyn LevelClassifier,
    x: &Tensor,
    nodes: &[Node],
    class: &Tensor,
) -> Result<Tensor> {
    let n = x.size()[0];
    let hi = classifier.highest();
    let each = |of: &dyn Fn(&Node) -> f64| -> Vec<f64> {
        match nodes {
            [node] => vec![of(node); n as usize],
            _ => nodes.iter().map(of).collect(),
        }
    };
    let column = |values: &[f64]| {
        Tensor::from_slice(values).view([-1, 1, 1, 1]).to_device(x.device()).to_kind(x.kind())
    };
    let rho = each(&|node| node.rho().min(hi));
    let frame = each(&|node| (1.0 / node.alpha).min(hi / node.sigma));
    let z = (x * column(&frame)).detach().set_requires_grad(true);
    let gradient = tch::with_grad(|| -> Result<Tensor> {
        let told = classifier.log_probs(&z, &rho)?;
        let of_class = told.f_gather(1, &class.view([-1, 1]), false).context("a label without a class")?;
        // Images do not see each other, so that the gradient of the sum has that of each in its rows.
        let gradients = Tensor::f_run_backward(&[of_class.sum(of_class.kind())], &[&z], false, false)?;
        gradients.into_iter().next().context("libtorch gave no gradient")
    })?;
    let square: Vec<f64> = rho.iter().map(|rho| rho * rho).collect();
    Ok(gradient * column(&square))
}

/// Images in one pass of the built-in classifier, the last one filled up. libtorch chooses its kernels by shape, and they
/// round differently: in passes of one size a picture does not depend on those beside it. One of 8 takes a sixth more time
/// an image than one of 16, and little more than half as much for a single image.
const BLOCK: usize = 8;

/// The built-in classifier of noisy images.
#[derive(Debug)]
pub struct BuiltIn(NoisyClassifier);

impl BuiltIn {
    /// Puts the weights that ship with the program on `device`.
    ///
    /// # Errors
    /// If libtorch cannot copy them.
    pub fn new(device: Device) -> Result<Self> {
        Ok(Self(fewstep_eval::feature::fmnist_noisy_cnn()?.to_device(device)?))
    }

    /// Name and hash of the network.
    ///
    /// # Errors
    /// If the weights cannot be read.
    pub fn id(&self) -> Result<String> {
        Ok(self.0.id()?)
    }
}

impl LevelClassifier for BuiltIn {
    fn log_probs(&self, z: &Tensor, rho: &[f64]) -> Result<Tensor> {
        let z = z.to_kind(Kind::Float);
        let mut told = Vec::new();
        for (i, levels) in rho.chunks(BLOCK).enumerate() {
            let (count, missing) = (levels.len() as i64, (BLOCK - levels.len()) as i64);
            let images = z.f_narrow(0, (i * BLOCK) as i64, count)?;
            let images = images.f_constant_pad_nd([0, 0, 0, 0, 0, 0, 0, missing])?;
            let mut levels = levels.to_vec();
            levels.resize(BLOCK, 1.0);
            told.push(self.0.log_probs(&images, &levels)?.f_narrow(0, 0, count)?);
        }
        Ok(Tensor::f_cat(&told, 0)?)
    }

    fn highest(&self) -> f64 {
        NoisyClassifier::LEVELS.1
    }

    fn check(&self, spec: &ModelSpec) -> Result<()> {
        let classes = spec.classes.unwrap_or(0);
        ensure!(
            spec.shape == [1, 28, 28] && classes == CLASS_NAMES.len() as i64,
            "the built-in classifier tells {} classes of [1, 28, 28] images, the model makes {:?} images of {classes}; \
             take another rule",
            CLASS_NAMES.len(),
            spec.shape
        );
        let names = &spec.class_names;
        ensure!(
            names.is_empty() || names.iter().eq(CLASS_NAMES),
            "the built-in classifier knows the classes of Fashion-MNIST, the model has others ({}); take another rule",
            names.join(", ")
        );
        Ok(())
    }

    fn share(&self) -> Box<dyn LevelClassifier> {
        Box::new(Self(self.0.share()))
    }
}
