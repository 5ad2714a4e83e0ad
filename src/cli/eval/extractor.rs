//! `fewstep eval extractor`: how far the built-in metrics can be trusted.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use fewstep_eval::corrupt::{BLUR_LEVELS, Corruption, NOISE_LEVELS, corruption_curve, rises};
use fewstep_eval::data::FashionMnist;
use fewstep_eval::feature::{FeatureNet, fmnist_cnn};
use fewstep_eval::metrics::ConditionalAccuracy;
use fewstep_eval::stats::{FdReport, Reference, ShardedMoments};
use serde_json::json;

use crate::cli::{Exit, print, set_threads};

/// Check the built-in feature network: accuracy, FD of real images against its floor, FD of damaged images
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder with the four Fashion-MNIST files (`make data`)
    #[arg(long, default_value = "data/fashion-mnist")]
    data: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints the figures; fails if they would make the metric unfit.
///
/// # Errors
/// If the data cannot be read, or FD does not rise with damage.
pub(super) fn run(args: &Args) -> Result<Exit> {
    let Args { data, json } = args;
    set_threads(None)?;
    let test = FashionMnist::open_test(data)?;
    let (net, statistics) = fmnist_cnn()?;
    let reference = Reference::new(&statistics.moments)?;
    let out = net.infer(&test.tensor(0, test.len())?)?;
    let mut accuracy = ConditionalAccuracy::new(10);
    let labels: Vec<usize> = test.labels.iter().map(|&l| usize::from(l)).collect();
    accuracy.push(&out.logits, &labels)?;
    let accuracy = accuracy.value().unwrap_or(f64::NAN);
    let mut moments = ShardedMoments::new(net.dim());
    moments.push_features(&out.features, 0)?;
    let real = reference.distance(&moments.moments()?)?;
    let curve = |doses: &[Corruption]| corruption_curve(&net, &reference, &test.images, doses, 0);
    let (noise, blur) = (curve(&NOISE_LEVELS)?, curve(&BLUR_LEVELS)?);
    if *json {
        print(
            &json!({
                "extractor": net.id()?, "accuracy": accuracy, "fd_test_train": real.fd, "floor": real.floor,
                "noise": pairs(&noise), "blur": pairs(&blur),
            })
            .to_string(),
        );
    } else {
        print(&format!("extractor       {}", net.id()?));
        print(&format!("test accuracy   {accuracy:.4}"));
        print(&format!(
            "FD(test, train) {:.4}, analytic floor {:.4} at n = {} and {}",
            real.fd, real.floor, real.n_samples, real.n_reference
        ));
        print(&format!("FD with noise   {}", row(&noise)));
        print(&format!("FD with blur    {}", row(&blur)));
    }
    ensure!(
        rises(&noise) && rises(&blur),
        "FD does not rise with damage: the feature network is unfit as a metric"
    );
    Ok(Exit::Done)
}

/// `(sigma, FD)` of every dose.
fn pairs(curve: &[(Corruption, FdReport)]) -> Vec<(f64, f64)> {
    curve
        .iter()
        .map(|(dose, report)| match dose {
            Corruption::Noise(sigma) | Corruption::Blur(sigma) => (*sigma, report.fd),
        })
        .collect()
}

fn row(curve: &[(Corruption, FdReport)]) -> String {
    pairs(curve).iter().map(|(sigma, fd)| format!("{sigma}: {fd:.3}")).collect::<Vec<_>>().join("   ")
}
