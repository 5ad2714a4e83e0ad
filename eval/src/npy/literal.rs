//! The small part of Python's literals that a header consists of: one dictionary of strings, truth values and tuples
//! of whole numbers.

/// A value in the dictionary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Literal {
    Text(String),
    Truth(bool),
    Sizes(Vec<u64>),
}

type Parsed<T> = std::result::Result<T, String>;

/// Parses `{'key': value, ...}` with nothing but white space after it.
pub(super) fn dictionary(text: &str) -> Parsed<Vec<(String, Literal)>> {
    let mut p = Parser { rest: text };
    let mut entries = Vec::new();
    p.expect('{')?;
    while !p.take('}') {
        let key = p.text()?;
        p.expect(':')?;
        entries.push((key, p.value()?));
        if !p.take(',') {
            p.expect('}')?;
            break;
        }
    }
    p.skip();
    if p.rest.is_empty() { Ok(entries) } else { Err(p.unexpected("the end")) }
}

struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    fn skip(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\n', '\t', '\r', '\0']);
    }

    fn take(&mut self, c: char) -> bool {
        self.skip();
        let rest = self.rest.strip_prefix(c);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, c: char) -> Parsed<()> {
        if self.take(c) { Ok(()) } else { Err(self.unexpected(&format!("`{c}`"))) }
    }

    fn unexpected(&self, wanted: &str) -> String {
        let found: String = self.rest.chars().take(12).collect();
        format!("its header has {found:?} where {wanted} should be")
    }

    /// A quoted string without escapes, which no header needs.
    fn text(&mut self) -> Parsed<String> {
        let quote = if self.take('\'') { '\'' } else { self.expect('"').map(|()| '"')? };
        let end = self.rest.find([quote, '\\', '\n']).filter(|at| self.rest[*at..].starts_with(quote));
        let Some(end) = end else { return Err(self.unexpected("a plain string")) };
        let text = self.rest[..end].to_owned();
        self.rest = &self.rest[end + 1..];
        Ok(text)
    }

    fn value(&mut self) -> Parsed<Literal> {
        self.skip();
        match self.rest.chars().next() {
            Some('\'' | '"') => self.text().map(Literal::Text),
            Some('(') => self.sizes().map(Literal::Sizes),
            _ => {
                for (word, truth) in [("True", true), ("False", false)] {
                    if let Some(rest) = self.rest.strip_prefix(word) {
                        self.rest = rest;
                        return Ok(Literal::Truth(truth));
                    }
                }
                Err(self.unexpected("a string, a truth value or a tuple of sizes"))
            }
        }
    }

    fn sizes(&mut self) -> Parsed<Vec<u64>> {
        let mut sizes = Vec::new();
        self.expect('(')?;
        while !self.take(')') {
            self.skip();
            let digits = self.rest.chars().take_while(char::is_ascii_digit).count();
            let size = self.rest[..digits].parse().map_err(|_| self.unexpected("a size below 2^64"))?;
            sizes.push(size);
            // Python 2 wrote long integers with a suffix.
            self.rest = self.rest[digits..].trim_start_matches('L');
            if !self.take(',') {
                self.expect(')')?;
                break;
            }
        }
        Ok(sizes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_numpy_writes_is_read() {
        let text = "{'descr': '<f8', 'fortran_order': False, 'shape': (2048, 2048), }          \n";
        let parsed = dictionary(text).unwrap();
        assert_eq!(parsed[0], ("descr".to_owned(), Literal::Text("<f8".to_owned())));
        assert_eq!(parsed[1], ("fortran_order".to_owned(), Literal::Truth(false)));
        assert_eq!(parsed[2], ("shape".to_owned(), Literal::Sizes(vec![2048, 2048])));
        assert_eq!(dictionary("{'shape': (3L,)}").unwrap()[0].1, Literal::Sizes(vec![3]));
        assert_eq!(dictionary("{'shape': ()}").unwrap()[0].1, Literal::Sizes(vec![]));
    }

    #[test]
    fn other_text_is_refused() {
        let texts = [
            "",
            "{",
            "{'a'}",
            "{'a': }",
            "{'a': (1 2)}",
            "{'a': (99999999999999999999,)}",
            "{'a': __import__('os')}",
            "{'a': 'b'} x",
            "{'a': 'b",
            "{'a': 'b\\'}",
            "{'é': (é)}",
        ];
        for text in texts {
            assert!(dictionary(text).is_err(), "{text}");
        }
    }
}
