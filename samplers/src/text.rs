//! Text from files and from the command line on its way into messages.

/// Whether a terminal obeys `c` in place of showing it: a control character, or a mark that turns the direction of
/// writing.
#[must_use]
pub fn steers(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `text` with what steers a terminal written out, as `\u{1b}`; names and values in a file are anybody's.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_a_terminal() {
        for (text, shown) in [
            ("plain `text` with \"quotes\", ümlauts and \\", "plain `text` with \"quotes\", ümlauts and \\"),
            ("evil\u{1b}[31m", r"evil\u{1b}[31m"),
            ("two\nlines\r\t", r"two\nlines\r\t"),
            ("\u{7f}\u{9b}31m", r"\u{7f}\u{9b}31m"),
            ("gpj.\u{202e}exe", r"gpj.\u{202e}exe"),
        ] {
            assert_eq!(printable(text), shown);
        }
    }
}
