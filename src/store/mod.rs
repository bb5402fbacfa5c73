//! The `SessionStore` contract: where conversations live, and what a crash before and after each write means.
//!
//! Four implementations pass the same contract suite (`tests/it/store_contract.rs`): Redis, SQLite and PostgreSQL, and
//! memory, which is the oracle. A store knows documents, versions and one due index; it knows nothing of what they mean.
//!
//! With Redis configured, [`failover`] stands over both stores: it knows which one is in charge ([`leadership`]), and its
//! mirror copies what Redis commits to SQL.

mod document;
pub mod keys;
pub mod memory;
pub mod redis;
pub mod replication;
pub mod retry;
pub mod sql;

use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::session::{Session, SessionKey};
use crate::store::replication::StoredSession;

/// Where conversations live. One document per [`SessionKey`], written by one compare-and-set.
#[async_trait]
pub trait SessionStore: std::fmt::Debug + Send + Sync + 'static {
    /// Reads the current document, if there is one.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] and [`StoreError::Newer`] name a document that cannot be read; it is left as it is.
    async fn load(&self, key: SessionKey) -> Result<Option<Session>, StoreError>;

    /// The epoch that this store serves: commits are written under it.
    ///
    /// To be read before the document that is changed: what was read under one epoch is not committed under the next.
    fn epoch(&self) -> u64;

    /// Writes `commit.session` if the stored version is still `commit.expected`, and its place in the due index with it.
    ///
    /// A commit whose outcome was unknown is repeated as it is: if the stored document carries the same version and
    /// commit mark, it was applied the first time, and the answer is [`Committed::Applied`] again.
    ///
    /// # Crash
    /// Before: nothing happened; Telegram or the due index brings the cause again. After: the document, its version, its
    /// pending effects and its due instant are all there, and whoever looks at it next goes on.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] was certainly not executed. [`StoreError::Unknown`] may have been: repeat the same
    /// commit on the same store. [`StoreError::Superseded`] was not executed: another epoch has begun.
    async fn commit(&self, commit: &Commit<'_>) -> Result<Committed, StoreError>;

    /// Waits until this document, or a later one of its conversation, is where the loss of the store cannot reach it:
    /// what led to it may be acknowledged then.
    ///
    /// # Errors
    /// What led to it must come again: it is not known to be kept, or has lost against another branch.
    async fn replicated(&self, _session: &Session) -> Result<(), StoreError> {
        Ok(())
    }

    /// This document as somebody who writes to SQL anyway may bring it there in the same transaction; `None` where it is
    /// safe already.
    fn unreplicated(&self, _session: &Session) -> Option<StoredSession> {
        None
    }

    /// For how long another instance was not heard of, the longest of them: it may hold updates that it cannot commit.
    /// `None` where no other is known.
    fn heartbeat_age(&self) -> Option<Duration> {
        None
    }

    /// The conversations whose due instant is at or before `now`, the most overdue first, at most `limit`.
    ///
    /// Reading does not claim: two instances may get the same key, and the commit decides.
    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<SessionKey>, StoreError>;

    /// The stored bytes of a document that is [`StoreError::Corrupt`]; `None` if there is none, if it can be read, or if
    /// only a newer release can.
    async fn unreadable(&self, key: SessionKey) -> Result<Option<Vec<u8>>, StoreError>;

    /// Removes a document that [`unreadable`](SessionStore::unreadable) gave, with its place in the due index, if it is
    /// still the same bytes; whether it was. May be repeated.
    ///
    /// # Crash
    /// Before: it is still there and still corrupt. After: the conversation does not exist.
    async fn discard(&self, key: SessionKey, document: &[u8]) -> Result<bool, StoreError>;

    /// Counts, at constant cost.
    async fn statistics(&self, now: Timestamp) -> Result<Statistics, StoreError>;

    /// Deletes documents whose time is over, where the store does not do so by itself; returns how many.
    async fn purge(&self, now: Timestamp) -> Result<u64, StoreError>;

    /// A part of all conversations, for an operator and for nobody else: `after` is [`Page::next`] of the page before.
    ///
    /// Reads about `limit` documents and claims nothing, so a bot may run beside it. What is there from the first page
    /// to the last comes at least once; what comes and goes meanwhile may come or not.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for a place that is not one of this store. A document that cannot be read is an item.
    async fn page(&self, after: Option<&str>, limit: usize) -> Result<Page, StoreError>;

    /// Whether the store answers.
    async fn ping(&self) -> Result<(), StoreError>;

    /// `redis`, `sqlite`, `postgres` or `memory`: for logs, metrics and readiness.
    fn name(&self) -> &'static str;
}

/// One compare-and-set.
#[derive(Clone, Copy, Debug)]
pub struct Commit<'a> {
    /// The version that the document must still have; 0 if it must not exist.
    pub expected: u64,
    /// The new document; its own version is higher than `expected`.
    pub session: &'a Session,
    /// When it is next to be looked at; `None` takes it out of the due index.
    pub due_at: Option<Timestamp>,
    /// How long it is kept from now; `None` as long as it is open or has something left to do.
    pub kept_for: Option<Duration>,
    /// What time the committer thinks it is.
    pub now: Timestamp,
}

/// What became of a commit.
#[must_use]
#[derive(Clone, Debug, PartialEq)]
pub enum Committed {
    /// The document is stored.
    Applied,
    /// Another commit came first; this is the document as it is now (`None`: it does not exist).
    Conflict(Option<Box<Session>>),
}

/// A part of all conversations.
#[derive(Debug, Default)]
pub struct Page {
    /// The documents, in no order that means anything; in Redis one may come again on another page.
    pub found: Vec<Found>,
    /// Where to go on, in the store's own words; `None` after the last page.
    pub next: Option<String>,
}

/// A conversation that a store holds.
#[derive(Debug)]
pub struct Found {
    /// Whose.
    pub key: SessionKey,
    /// Its document, or why it cannot be read: [`StoreError::Corrupt`] or [`StoreError::Newer`].
    pub session: Result<Session, StoreError>,
}

/// Counts of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Conversations that are open or have something left to do.
    pub active: u64,
    /// Those among them whose due instant has passed.
    pub overdue: u64,
    /// The memory that the store uses, in bytes, where it can tell.
    pub memory_bytes: Option<u64>,
}

/// Why a store could not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Certainly not executed; may be tried again.
    #[error("the {store} store is not available: {reason}")]
    Unavailable {
        /// Which store.
        store: &'static str,
        /// Why, without addresses or secrets.
        reason: String,
    },
    /// No answer came in time: it may have been executed or may still be.
    #[error("the {store} store did not answer in time: the outcome is unknown")]
    Unknown {
        /// Which store.
        store: &'static str,
    },
    /// Not executed and will not be: the disk or the memory is full, or the store is read-only.
    #[error("the {store} store refuses writes: {reason}")]
    Refused {
        /// Which store.
        store: &'static str,
        /// Why, without addresses or secrets.
        reason: String,
    },
    /// Not executed: the store serves another epoch than that of the commit, or none at all.
    #[error("the {store} store serves another epoch")]
    Superseded {
        /// Which store.
        store: &'static str,
    },
    /// The stored document cannot be read; it is left as it is for an operator.
    #[error("the stored session of user {} is corrupt: {reason}", key.user)]
    Corrupt {
        /// Whose.
        key: SessionKey,
        /// What is wrong with it; never its content.
        reason: String,
    },
    /// The stored document was written by a newer release; it is left as it is.
    #[error("the stored session of user {} has schema {schema}, which is newer than this release knows", key.user)]
    Newer {
        /// Whose.
        key: SessionKey,
        /// Its schema.
        schema: u16,
    },
    /// The document is larger than the store takes.
    #[error("the session of user {} would take {bytes} bytes", key.user)]
    TooLarge {
        /// Whose.
        key: SessionKey,
        /// How large it would be.
        bytes: usize,
    },
}

/// Reads the place behind a conversation, `<chat>:<user>`, that a page ended with; without one, that before all of them.
fn place_after(store: &'static str, after: Option<&str>) -> Result<(i64, i64), StoreError> {
    let Some(after) = after else { return Ok((i64::MIN, i64::MIN)) };
    let place = after.split_once(':').and_then(|(chat, user)| Some((chat.parse().ok()?, user.parse().ok()?)));
    place.ok_or_else(|| no_such_place(store))
}

/// A place that no page of this store has named.
fn no_such_place(store: &'static str) -> StoreError {
    StoreError::Refused { store, reason: "this is no place of a page".to_owned() }
}
