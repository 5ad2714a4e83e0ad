//! Text from files on its way into messages.

pub(crate) use fewstep_samplers::text::{printable, steers};

/// One problem as it is, several on a line each.
pub(crate) fn listed(problems: &[String]) -> String {
    match problems {
        [one] => one.clone(),
        several => format!("\n  {}", several.join("\n  ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_problems_have_lines_of_their_own() {
        assert_eq!(listed(&["a".into()]), "a");
        assert_eq!(listed(&["a".into(), "b".into()]), "\n  a\n  b");
    }
}
