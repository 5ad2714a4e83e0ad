//! A value and everything without which it means nothing.

use fewstep_eval::stats::files::About;
use serde_json::{Map, Value as Json, json};

/// One measured value.
#[derive(Clone, Debug)]
pub struct Value {
    /// `fid`, `kid`, …
    pub name: &'static str,
    /// The value.
    pub value: f64,
    /// Further numbers of the same metric: deviations, parts, floors.
    pub more: Vec<(&'static str, f64)>,
    /// What it was measured with and on.
    pub tags: Vec<(&'static str, String)>,
}

/// Digits of a hash that are shown.
const DIGITS: usize = 8;

impl Value {
    /// A value of `samples` against `reference`, if there is one.
    pub fn new(name: &'static str, value: f64, samples: &About, reference: Option<&About>) -> Self {
        let mut tags = Vec::new();
        let from = |about: &About, key: fn(&About) -> &Option<String>| {
            key(about).clone().or_else(|| reference.and_then(|r| key(r).clone()))
        };
        if let Some(protocol) = from(samples, |a| &a.protocol) {
            tags.push(("protocol", protocol));
        }
        let count = |n: Option<u64>| n.map_or_else(|| "?".to_owned(), |n| n.to_string());
        tags.push(("n", count(samples.n)));
        tags.push(("data", label(samples)));
        if let Some(reference) = reference {
            tags.push(("ref", label(reference)));
            tags.push(("nref", count(reference.n)));
        }
        match from(samples, |a| &a.extractor) {
            Some(id) if id.starts_with("inception-2015:") => {
                tags.push(("weights", short(id.trim_start_matches("inception-2015:"))));
            }
            Some(id) => tags
                .push(("net", id.split_once(':').map_or(id.clone(), |(n, h)| format!("{n}:{}", short(h))))),
            None => tags.push(("weights", "?".to_owned())),
        }
        Self { name, value, more: Vec::new(), tags }
    }

    /// Adds further numbers.
    #[must_use]
    pub fn with(mut self, more: &[(&'static str, f64)]) -> Self {
        self.more.extend_from_slice(more);
        self
    }

    /// `fid[tf1,n=2000,data=…,ref=…,nref=…,weights=…] 12.3456`, with further numbers behind the value.
    pub fn line(&self) -> String {
        let tag = |(key, text): &(&str, String)| match *key {
            "protocol" => text.clone(),
            key => format!("{key}={text}"),
        };
        let tags: Vec<String> = self.tags.iter().map(tag).collect();
        let more: Vec<String> = self.more.iter().map(|(key, v)| format!("{key} {v:.4}")).collect();
        let more = if more.is_empty() { String::new() } else { format!("  ({})", more.join(", ")) };
        format!("{}[{}] {:.4}{more}", self.name, tags.join(","), self.value)
    }

    /// The same as an object, with all digits.
    pub fn json(&self) -> Json {
        let mut object = Map::new();
        object.insert("metric".to_owned(), json!(self.name));
        object.insert("value".to_owned(), json!(self.value));
        for (key, value) in &self.more {
            object.insert((*key).to_owned(), json!(value));
        }
        for (key, text) in &self.tags {
            let count = if matches!(*key, "n" | "nref") { text.parse::<u64>().ok() } else { None };
            object.insert((*key).to_owned(), count.map_or_else(|| json!(text), |n| json!(n)));
        }
        Json::Object(object)
    }
}

fn short(hash: &str) -> String {
    hash.chars().take(DIGITS).collect()
}

/// `name:hash`
fn label(about: &About) -> String {
    let name = about.data.as_deref().unwrap_or("?");
    let hash = about.data_sha256.as_deref().map(short);
    hash.map_or_else(|| name.to_owned(), |hash| format!("{name}:{hash}"))
}
