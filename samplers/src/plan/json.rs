//! The JSON form of plans.

use serde::Deserialize;

use super::Plan;
use crate::text::printable;
use crate::{Error, Result};

impl Plan {
    /// Longest accepted text. The largest valid plan that anybody would run is far smaller.
    pub const MAX_BYTES: usize = 64 << 20;

    /// Writes the plan as JSON, one line per node and per op. Reading it back gives exactly the same plan, to the last
    /// bit of every number.
    #[must_use]
    pub fn to_json(&self) -> String {
        let lines = |items: Vec<String>| items.join(",\n    ");
        let nodes = lines(self.nodes.iter().map(compact).collect());
        let ops = lines(self.ops.iter().map(compact).collect());
        format!(
            "{{\n  \"version\": {},\n  \"solver\": {},\n  \"path\": {},\n  \"grid\": {},\n  \"steps\": {},\n  \
             \"nodes\": [\n    {nodes}\n  ],\n  \"ops\": [\n    {ops}\n  ],\n  \"output\": {}\n}}\n",
            self.version,
            compact(&self.solver),
            compact(&self.path),
            compact(&self.grid),
            self.steps,
            compact(&self.output),
        )
    }

    /// Reads a plan and checks it with [`Plan::validate`].
    ///
    /// # Errors
    /// [`Error::PlanSyntax`] for text that is not a plan, [`Error::PlanVersion`] for another schema version,
    /// [`Error::InvalidPlan`] for a plan that breaks a rule. No input panics.
    pub fn from_json(text: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Header {
            version: u64,
        }
        if text.len() > Self::MAX_BYTES {
            let reason = format!("{} bytes are more than the allowed {}", text.len(), Self::MAX_BYTES);
            return Err(Error::PlanSyntax { reason });
        }
        // The version first: a plan of a later version should say so and not complain about its unknown fields.
        let syntax = |e: serde_json::Error| Error::PlanSyntax { reason: printable(&e.to_string()) };
        let Header { version } = serde_json::from_str(text).map_err(syntax)?;
        if version != u64::from(Self::VERSION) {
            return Err(Error::PlanVersion { found: version, supported: Self::VERSION });
        }
        let plan: Self = serde_json::from_str(text).map_err(syntax)?;
        plan.validate()?;
        Ok(plan)
    }
}

fn compact(value: &impl serde::Serialize) -> String {
    // Serialising plain data with string keys into a string has no way to fail.
    serde_json::to_string(value).unwrap_or_else(|e| unreachable!("plain data serialises: {e}"))
}
