//! What a checkpoint and a network can disagree about, gathered so that it is reported at once.

use std::fmt;

use crate::text::printable;

/// Everything in which a checkpoint and a network disagree.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Problems {
    /// Names that the network needs and the file lacks.
    pub missing: Vec<String>,
    /// Names that the file has and the network does not know.
    pub unexpected: Vec<String>,
    /// `name: network shape, file shape`.
    pub shape: Vec<String>,
    /// `name: dtype in the file`.
    pub dtype: Vec<String>,
    /// Tensors that hold NaN or infinity.
    pub not_finite: Vec<String>,
}

impl Problems {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.lists().iter().all(|(_, list)| list.is_empty())
    }

    fn lists(&self) -> [(&'static str, &Vec<String>); 5] {
        [
            ("missing", &self.missing),
            ("unexpected", &self.unexpected),
            ("wrong shape (network, file)", &self.shape),
            ("unsupported dtype (f32, f16 and bf16 are read)", &self.dtype),
            ("NaN or infinity in", &self.not_finite),
        ]
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 20;
        let mut lines = Vec::new();
        for (what, list) in self.lists() {
            if list.is_empty() {
                continue;
            }
            // Some of the names are the file's.
            let shown = list.iter().take(SHOWN).map(|entry| printable(entry)).collect::<Vec<_>>().join(", ");
            let more =
                if list.len() > SHOWN { format!(", and {} more", list.len() - SHOWN) } else { String::new() };
            lines.push(format!("  {what}: {shown}{more} ({} in all)", list.len()));
        }
        f.write_str(&lines.join("\n"))
    }
}
