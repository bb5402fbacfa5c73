//! The proof that a delivery comes from Telegram, compared in constant time.

use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

/// The secrets that are accepted, as digests: of equal length, so that not even the length of one can be measured.
pub(super) struct Secrets {
    current: [u8; 32],
    previous: Option<[u8; 32]>,
}

impl Secrets {
    pub(super) fn new(current: &SecretString, previous: Option<&SecretString>) -> Self {
        let of = |secret: &SecretString| digest(secret.expose_secret().as_bytes());
        Self { current: of(current), previous: previous.map(of) }
    }

    /// Whether `shown` is one of them.
    pub(super) fn contain(&self, shown: &[u8]) -> bool {
        let shown = digest(shown);
        let previous = self.previous.map_or(Choice::from(0), |previous| previous.ct_eq(&shown));
        (self.current.ct_eq(&shown) | previous).into()
    }
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
