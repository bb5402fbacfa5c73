//! SHA-256 as text, for values that must not be stored themselves or are too long to compare.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// The SHA-256 of `text`, as 64 hexadecimal digits.
#[must_use]
pub fn sha256_hex(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a string does not fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
