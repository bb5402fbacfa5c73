//! Every key in Redis.
//!
//! | key | type | life | why |
//! |---|---|---|---|
//! | `<prefix><bot>:s:<chat>:<user>` | string | open: for ever; at rest: 72 h (`PX`) | one session: `<epoch>:<version>:<commit>:` and its JSON document |
//! | `<prefix><bot>:due` | sorted set | for ever | the due index: members `<chat>:<user>`, scored by the millisecond at which the session is due |
//! | `<prefix><bot>:dirty` | sorted set | for ever | the dirty markers: members `<chat>:<user>` whose last commit is not replicated yet, scored by the millisecond of the first such commit |
//! | `<prefix><bot>:epoch` | string | for ever | the epoch whose commits are taken; missing or lower: the sessions are to be copied from SQL |
//! | `<prefix><bot>:copying:<copier>` | string | 1 h (`PX`) | the marker of a copy from SQL that is under way; if it is gone at the end, Redis was emptied meanwhile |
//! | `<prefix><bot>:cache:<kind>:<sha256>` | string | 1 to 7 days (`PX`) | an answer of a paid server |
//! | `<prefix><bot>:calls:<kind>:<day>` | string | 2 days (`EX`) | the number of paid calls of a day |
//! | `<prefix><bot>:probe` | string | 10 s (`PX`) | written by each probe, which fails on a server that is full or read-only |
//!
//! An open session has no expiry in Redis: its *logical* end is a commit, which must find the document.

use std::time::Duration;

use deposit::{BotId, ChatId, UserId};
use session::SessionKey;

/// The prefix if none is configured.
pub const PREFIX: &str = "depot:";
/// How long the key of a probe lives: longer than the pause between two, so that an operator sees the last one.
pub const PROBE_KEPT: Duration = Duration::from_secs(10);
/// How long the marker of a copy lives: longer than any copy takes.
pub const COPYING_KEPT: Duration = Duration::from_secs(3_600);

/// How long the calls of a day are counted, in seconds: clocks of instances differ.
pub const CALLS_KEPT: i64 = 2 * 86_400;

/// The keys of one bot.
#[derive(Clone, Debug)]
pub struct Keys {
    bot: BotId,
    due: String,
    dirty: String,
    epoch: String,
    probe: String,
    sessions: String,
}

impl Keys {
    /// The keys of `bot`, each beginning with `prefix`.
    #[must_use]
    pub fn new(prefix: &str, bot: BotId) -> Self {
        Self {
            bot,
            due: format!("{prefix}{bot}:due"),
            dirty: format!("{prefix}{bot}:dirty"),
            epoch: format!("{prefix}{bot}:epoch"),
            probe: format!("{prefix}{bot}:probe"),
            sessions: format!("{prefix}{bot}:s:"),
        }
    }

    /// The due index.
    #[must_use]
    pub fn due(&self) -> &str {
        &self.due
    }

    /// The dirty markers.
    #[must_use]
    pub fn dirty(&self) -> &str {
        &self.dirty
    }

    /// The epoch whose commits are taken.
    #[must_use]
    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    /// The marker of one copy from SQL.
    #[must_use]
    pub fn copying(&self, copier: u64) -> String {
        format!("{}:copying:{copier:016x}", self.epoch.trim_end_matches(":epoch"))
    }

    /// An answer of a paid server; `asked` is its kind and a hash.
    #[must_use]
    pub fn cache(&self, asked: &str) -> String {
        format!("{}:cache:{asked}", self.epoch.trim_end_matches(":epoch"))
    }

    /// The number of paid calls of a kind on a day.
    #[must_use]
    pub fn calls(&self, kind: &str, day: i64) -> String {
        format!("{}:calls:{kind}:{day}", self.epoch.trim_end_matches(":epoch"))
    }

    /// The key that a probe writes.
    #[must_use]
    pub fn probe(&self) -> &str {
        &self.probe
    }

    /// The prefix of each document's key; the rest is its member of the indexes.
    #[must_use]
    pub fn sessions(&self) -> &str {
        &self.sessions
    }

    /// The `SCAN` pattern of the documents' keys.
    #[must_use]
    pub fn pattern(&self) -> String {
        let mut pattern = String::with_capacity(self.sessions.len() + 1);
        for letter in self.sessions.chars() {
            if matches!(letter, '*' | '?' | '[' | ']' | '^' | '\\') {
                pattern.push('\\');
            }
            pattern.push(letter);
        }
        pattern + "*"
    }

    /// The key of one document.
    #[must_use]
    pub fn session(&self, key: SessionKey) -> String {
        format!("{}{}:{}", self.sessions, key.chat, key.user)
    }

    /// The member that stands for a session in the due index and among the dirty markers.
    #[must_use]
    pub fn member(key: SessionKey) -> String {
        format!("{}:{}", key.chat, key.user)
    }

    /// The session that a member stands for; `None` if it is not one of this bot.
    #[must_use]
    pub fn session_of(&self, member: &str) -> Option<SessionKey> {
        let (chat, user) = member.split_once(':')?;
        Some(SessionKey { bot: self.bot, chat: ChatId(chat.parse().ok()?), user: UserId(user.parse().ok()?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_of_the_due_index_finds_its_document() {
        let keys = Keys::new(PREFIX, BotId(42));
        let key = SessionKey { bot: BotId(42), chat: ChatId(-7), user: UserId(8) };
        assert_eq!(keys.due(), "depot:42:due");
        assert_eq!(keys.session(key), "depot:42:s:-7:8");
        assert_eq!(keys.session(key), format!("{}{}", keys.sessions(), Keys::member(key)));
        assert_eq!(keys.session_of(&Keys::member(key)), Some(key));
        assert_eq!(keys.session_of("seven"), None);
        assert_eq!(keys.cache("lines:ab"), "depot:42:cache:lines:ab");
        assert_eq!(keys.calls("model", 20_000), "depot:42:calls:model:20000");
        assert_eq!(Keys::new("a*[b]:", BotId(42)).pattern(), r"a\*\[b\]:42:s:*");
    }
}
