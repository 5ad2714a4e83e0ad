//! The real images that metrics ask for.

use anyhow::{Context as _, Result};
use fewstep_eval::Error;
use fewstep_eval::data::{FashionMnist, Split};
use fewstep_eval::report::Report;
use fewstep_models::ModelFolder;

use super::Args;
use super::tasks::{Task, Wanted};
use crate::cli::note;

/// Both splits of the data set behind the feature network, as far as they are needed.
pub(super) struct RealImages {
    pub(super) train: Option<Split>,
    pub(super) test: Option<Split>,
}

impl RealImages {
    /// Reads them if there is something to measure that needs them. Without them a metric that compares with single real
    /// images is refused, and all others lack the line of real images.
    pub(super) fn open(
        args: &Args,
        tasks: &[Task<'_>],
        wanted: Wanted<'_>,
        folder: &ModelFolder,
        report: &Report,
    ) -> Result<Option<Self>> {
        let needed = wanted.choice.needs_data().filter(|_| wanted.any(tasks, report));
        let lines = wanted.choice.of_real().any(|name| report.reference.real(name).is_none());
        if needed.is_none() && !lines {
            return Ok(None);
        }
        let coloured = |split: Split| if folder.spec.shape[0] == 3 { split.colour() } else { split };
        let test = FashionMnist::open_test(&args.data).map(coloured);
        if let Some(name) = needed {
            let context = || format!("`{name}` compares with real images, which --data gives");
            let train = FashionMnist::open_train(&args.data).map(coloured).with_context(context)?;
            return Ok(Some(Self { train: Some(train), test: Some(test.with_context(context)?) }));
        }
        match test {
            Ok(test) => Ok(Some(Self { train: None, test: Some(test) })),
            Err(error @ Error::MissingData { .. }) => {
                note(&format!("no line of real images: {error}"));
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }
}
