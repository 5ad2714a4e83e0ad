//! Moments on disk: a safetensors file that says where its numbers come from.

use super::Moments;
use crate::{Error, Result};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Moments of a feature space over one set of images, with their provenance.
///
/// Stored as safetensors: `mean` f64 `[d]`, `m2` f64 `[d (d + 1) / 2]` (upper triangle of the scatter matrix, row
/// by row; the covariance is m2 / (n - 1)), and a JSON object under the metadata key `fewstep`. No bit is lost.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics {
    /// The numbers.
    pub moments: Moments,
    /// Id of the feature network, see [`crate::feature::FeatureNet::id`].
    pub extractor: String,
    /// Name of the images, e.g. `fashion-mnist/train`.
    pub data: String,
    /// SHA-256 of the file that held the images.
    pub data_sha256: String,
}

/// What the metadata holds; `version` guards the layout.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    version: u32,
    n: u64,
    extractor: String,
    data: String,
    data_sha256: String,
}

const KEY: &str = "fewstep";
const VERSION: u32 = 1;

impl Statistics {
    /// The file's bytes; equal statistics give equal bytes.
    ///
    /// # Errors
    /// [`Error::Statistics`] when the container cannot hold them (it always can).
    pub fn to_safetensors(&self) -> Result<Vec<u8>> {
        let header = Header {
            version: VERSION,
            n: self.moments.n(),
            extractor: self.extractor.clone(),
            data: self.data.clone(),
            data_sha256: self.data_sha256.clone(),
        };
        // One key only: the container keeps metadata in a hash map, whose order would differ from run to run.
        let header = serde_json::to_string(&header).map_err(refuse)?;
        let metadata = HashMap::from([(KEY.to_owned(), header)]);
        let bytes = |values: &[f64]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
        let (mean, m2) = (bytes(self.moments.mean()), bytes(self.moments.scatter()));
        let view = |data| TensorView::new(Dtype::F64, vec![<[u8]>::len(data) / 8], data).map_err(refuse);
        safetensors::serialize([("mean", view(&mean)?), ("m2", view(&m2)?)], Some(metadata)).map_err(refuse)
    }

    /// Reads what [`Statistics::to_safetensors`] wrote.
    ///
    /// # Errors
    /// [`Error::Statistics`] when it is another file, cut short, of another version, or holds no finite numbers.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self> {
        let file = SafeTensors::deserialize(bytes).map_err(refuse)?;
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(refuse)?;
        let header = metadata.metadata().as_ref().and_then(|map| map.get(KEY));
        let header = header.ok_or_else(|| refuse(format!("it has no `{KEY}` metadata")))?;
        let header: Header = serde_json::from_str(header).map_err(refuse)?;
        if header.version != VERSION {
            return Err(refuse(format!("it has version {}, this program reads {VERSION}", header.version)));
        }
        let values = |name: &str| {
            let view = file.tensor(name).map_err(refuse)?;
            if view.dtype() != Dtype::F64 {
                return Err(refuse(format!("`{name}` is stored as {:?}, expected F64", view.dtype())));
            }
            Ok(view.data().as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect::<Vec<f64>>())
        };
        let moments = Moments::from_parts(header.n, values("mean")?, values("m2")?).map_err(refuse)?;
        let Header { extractor, data, data_sha256, .. } = header;
        Ok(Self { moments, extractor, data, data_sha256 })
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`, which hands over the value")]
fn refuse(problem: impl ToString) -> Error {
    Error::Statistics { problem: problem.to_string() }
}
