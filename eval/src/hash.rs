//! SHA-256 as lower-case hexadecimal.

use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// Streaming SHA-256 of several byte strings; lengths are the caller's business.
#[derive(Default)]
pub(crate) struct Hasher(Sha256);

impl Hasher {
    /// Appends bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest: 64 hexadecimal digits.
    pub(crate) fn finish(self) -> String {
        self.finish_bytes().iter().fold(String::with_capacity(64), |mut hex, byte| {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }

    /// The digest as bytes.
    pub(crate) fn finish_bytes(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

/// SHA-256 of `bytes`: 64 lower-case hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    let mut hasher = Hasher::default();
    hasher.update(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sha256_of_abc_is_the_fips_180_vector() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256_hex(b"abc"), expected);
    }
}
