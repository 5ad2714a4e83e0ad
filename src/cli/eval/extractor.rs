//! `fewstep eval extractor`: how far the built-in metrics can be trusted.

use std::path::PathBuf;

use anyhow::Result;
use fewstep_eval::corrupt::{
    BLUR_LEVELS, Corruption, FADED_LEVELS, NOISE_LEVELS, VIVID_LEVELS, corruption_curve, rises,
};
use fewstep_eval::data::FashionMnist;
use fewstep_eval::feature::{FeatureNet, fmnist_cnn, fmnist_colour_cnn};
use fewstep_eval::metrics::ConditionalAccuracy;
use fewstep_eval::stats::{FdReport, Reference, ShardedMoments};
use serde_json::json;

use crate::cli::{Exit, note, print, set_threads};

/// Check the built-in feature network: accuracy, FD of real images against its floor, FD of damaged images
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder with the four Fashion-MNIST files (`make data`)
    #[arg(long, default_value = "data/fashion-mnist")]
    data: PathBuf,
    /// Check the network for colour images, on painted garments
    #[arg(long)]
    colour: bool,
    /// Look at so many of the test images: a fifth of them shows the same in a fifth of the time
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(2..=10_000))]
    images: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Name of a damage, and the distance at each dose of it.
type Curve = (&'static str, Vec<(Corruption, FdReport)>);

/// Prints the figures; the check fails if they make the metric unfit.
///
/// # Errors
/// If the data cannot be read.
pub(super) fn run(args: &Args) -> Result<Exit> {
    let Args { data, colour, images, json } = args;
    set_threads(None)?;
    let test = FashionMnist::open_test(data)?.first(*images as usize);
    let test = if *colour { test.colour() } else { test };
    let (net, statistics) = if *colour { fmnist_colour_cnn()? } else { fmnist_cnn()? };
    let reference = Reference::new(&statistics.moments)?;
    let out = net.infer(&test.tensor(0, test.len())?)?;
    let mut accuracy = ConditionalAccuracy::new(10);
    let labels: Vec<usize> = test.labels.iter().map(|&l| usize::from(l)).collect();
    accuracy.push(&out.logits, &labels)?;
    let accuracy = accuracy.value().unwrap_or(f64::NAN);
    let mut moments = ShardedMoments::new(net.dim());
    moments.push_features(&out.features, 0)?;
    let real = reference.distance(&moments.moments()?)?;
    let mut damages = vec![("noise", NOISE_LEVELS), ("blur", BLUR_LEVELS)];
    if *colour {
        damages.extend([("faded", FADED_LEVELS), ("vivid", VIVID_LEVELS)]);
    }
    let mut curves: Vec<Curve> = Vec::new();
    for (name, doses) in damages {
        curves.push((name, corruption_curve(&net, &reference, &test.images, &doses, 0)?));
    }
    if *json {
        let mut out = json!({
            "extractor": net.id()?, "accuracy": accuracy, "fd_test_train": real.fd, "floor": real.floor,
        });
        for (name, curve) in &curves {
            out[*name] = json!(pairs(curve));
        }
        print(&out.to_string());
    } else {
        print(&format!("extractor       {}", net.id()?));
        print(&format!("test accuracy   {accuracy:.4}"));
        print(&format!(
            "FD(test, train) {:.4}, analytic floor {:.4} at n = {} and {}",
            real.fd, real.floor, real.n_samples, real.n_reference
        ));
        for (name, curve) in &curves {
            let row = pairs(curve).iter().map(|(dose, fd)| format!("{dose}: {fd:.3}")).collect::<Vec<_>>();
            print(&format!("FD {name:<13}{}", row.join("   ")));
        }
    }
    Ok(verdict(&curves))
}

/// Whether FD rises with every damage.
fn verdict(curves: &[Curve]) -> Exit {
    let flat = curves.iter().filter(|(_, curve)| !rises(curve));
    let flat: Vec<String> = flat.map(|(name, _)| format!("`{name}`")).collect();
    if flat.is_empty() {
        return Exit::Done;
    }
    let names = flat.join(", ");
    note(&format!("error: FD does not rise with damage ({names}); the feature network is unfit as a metric"));
    Exit::CheckFailed
}

/// `(dose, FD)` of each.
fn pairs(curve: &[(Corruption, FdReport)]) -> Vec<(f64, f64)> {
    curve.iter().map(|(dose, report)| (dose.dose(), report.fd)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distance_that_does_not_rise_fails_the_check() {
        let report = |fd| FdReport {
            fd,
            mean_term: fd,
            cov_term: 0.0,
            n_reference: 2,
            n_samples: 2,
            floor: 0.0,
            rank_deficient: true,
        };
        let curve = |name, fds: [f64; 2]| -> Curve {
            (name, NOISE_LEVELS.into_iter().zip(fds.map(report)).collect())
        };
        let up = || curve("noise", [1.0, 2.0]);
        assert_eq!(verdict(&[up(), curve("blur", [0.0, 3.0])]), Exit::Done);
        assert_eq!(verdict(&[up(), curve("blur", [3.0, 3.0])]), Exit::CheckFailed);
    }
}
