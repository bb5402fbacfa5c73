//! The span of a session in the log: every line about one conversation carries the same key.

use std::fmt;

use sha2::{Digest as _, Sha256};
use tracing::Span;

use session::SessionKey;

/// The span of a session, or the current one where that is a session's: no line is about two sessions. Its `key` is a
/// hash, so that a log that is passed on names no user.
#[must_use]
pub fn session_span(key: SessionKey) -> Span {
    let current = Span::current();
    if current.metadata().is_some_and(|span| span.name() == "session") {
        return current;
    }
    tracing::info_span!("session", key = %SessionHash(key))
}

/// The first six bytes of the SHA-256 of `bot:chat:user`, as twelve hexadecimal digits: the same on each instance and in
/// each release.
struct SessionHash(SessionKey);

impl fmt::Display for SessionHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SessionKey { bot, chat, user } = self.0;
        let digest = Sha256::digest(format!("{}:{}:{}", bot.0, chat.0, user.0));
        digest.iter().take(6).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
