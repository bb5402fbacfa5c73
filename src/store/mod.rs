//! The contract of a session store, and what a crash before and after each write means.
//!
//! Four stores pass the same contract suite (`tests/it/store_contract.rs`): Redis, SQLite, PostgreSQL, and the
//! in-memory store of the tests, which is the oracle. A store knows documents, versions and one due index, and nothing
//! of what they mean.
//!
//! With `REDIS_URL` set, [`replication`] makes one store of Redis and SQL: the primary takes commits, and a mirror
//! copies to SQL what Redis commits.

pub mod document;
pub mod keys;
pub mod redis;
pub mod replication;
pub mod retry;
pub mod sql;
mod stored;

use std::time::Duration;

use async_trait::async_trait;

pub use crate::store::stored::StoredSession;

use crate::clock::Timestamp;
use session::{Session, SessionKey};

/// Where sessions live: one document per [`SessionKey`], written by one compare-and-set. What else a caller may want of
/// a store is in [`Replicated`] and [`SessionInspection`].
#[async_trait]
pub trait SessionStore: Replicated + SessionInspection {
    /// Reads the current document, if there is one.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] and [`StoreError::Newer`] name an unreadable document; it is left as it is.
    async fn load(&self, key: SessionKey) -> Result<Option<Session>, StoreError>;

    /// Writes `commit.session` if the stored version is still `commit.expected`, and its entry in the due index with
    /// it.
    ///
    /// A commit whose outcome was unknown is repeated as it is: if the stored document carries the same version and
    /// commit id, it was applied the first time, and the answer is [`Committed::Applied`] again.
    ///
    /// # Crash
    /// Before: nothing happened; Telegram or the due index brings the cause again. After: the document, its version,
    /// its pending effects and its due instant are all there, and the next instance that loads it goes on.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] was certainly not executed. [`StoreError::Unknown`] may have been: repeat the same
    /// commit on the same store. [`StoreError::Superseded`] was not executed: another epoch has begun.
    async fn commit(&self, commit: &Commit<'_>) -> Result<Committed, StoreError>;

    /// The sessions whose due instant is at or before `now`, the most overdue first, at most `limit`.
    ///
    /// # Crash
    /// Changes nothing: reading takes no lease. Two instances may get the same session, and the commit decides.
    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<SessionKey>, StoreError>;

    /// The epoch of the commits that this store takes.
    ///
    /// To be read before the document that is changed: a document that was read under one epoch is not committed under
    /// the next.
    fn epoch(&self) -> u64;
}

/// The replication of a store to another one, as its callers need to know it. The defaults are those of a store without
/// a replica.
#[async_trait]
pub trait Replicated: Send + Sync {
    /// Waits until this document, or a later one of its session, is where the loss of the primary cannot reach it: then
    /// its update may be acknowledged.
    ///
    /// # Crash
    /// Before: the update was not acknowledged and comes again. After: the replica has the document.
    ///
    /// # Errors
    /// The update must come again: its document may not be replicated, or has lost against another branch.
    async fn await_replication(&self, _session: &Session) -> Result<(), StoreError> {
        Ok(())
    }

    /// This document as a transaction of SQL may bring it there itself; `None` where it is safe already.
    fn unreplicated(&self, _session: &Session) -> Option<StoredSession> {
        None
    }

    /// The age of the oldest heartbeat among the other members: such an instance may hold updates that it cannot
    /// commit. `None` for a sole member.
    fn heartbeat_age(&self) -> Option<Duration> {
        None
    }
}

/// The inspection and upkeep of a store: for operators, metrics and the clean-up.
#[async_trait]
pub trait SessionInspection: std::fmt::Debug + Send + Sync + 'static {
    /// A part of all sessions: `after` is [`SessionPage::next`] of the page before.
    ///
    /// Reads about `limit` documents and takes no lease, so a bot may run beside it. A session that is there from the
    /// first page to the last comes at least once; one that comes or goes meanwhile may come or not.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for a cursor that is not one of this store. An unreadable document is an item.
    async fn page(&self, after: Option<&str>, limit: usize) -> Result<SessionPage, StoreError>;

    /// Counts, at constant cost.
    async fn statistics(&self, now: Timestamp) -> Result<Statistics, StoreError>;

    /// The stored bytes of a document that is [`StoreError::Corrupt`]; `None` if there is none, if it can be read, or
    /// if only a newer release can.
    async fn unreadable(&self, key: SessionKey) -> Result<Option<Vec<u8>>, StoreError>;

    /// Removes a document that [`unreadable`](SessionInspection::unreadable) gave, with its entry in the due index, if
    /// it is still the same bytes; says whether it was. May be repeated.
    ///
    /// # Crash
    /// Before: it is still there and still corrupt. After: the session does not exist.
    async fn discard(&self, key: SessionKey, document: &[u8]) -> Result<bool, StoreError>;

    /// Deletes closed sessions after their retention, where the store does not do so by itself; returns how many.
    ///
    /// # Crash
    /// In between: the rest is deleted by the next call.
    async fn purge(&self, now: Timestamp) -> Result<u64, StoreError>;

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
    /// Its score in the due index; `None` removes it from there.
    pub due_at: Option<Timestamp>,
    /// How long it is kept from now; `None` as long as it is open or has effects pending.
    pub kept_for: Option<Duration>,
    /// The committer's clock.
    pub now: Timestamp,
}

/// The outcome of a commit.
#[must_use]
#[derive(Clone, Debug, PartialEq)]
pub enum Committed {
    /// The document is stored.
    Applied,
    /// Another commit came first; this is the document as it is now (`None`: it does not exist).
    Conflict(Option<Box<Session>>),
}

/// A part of all sessions.
#[derive(Debug, Default)]
pub struct SessionPage {
    /// The sessions, in no particular order; in Redis one may come again on another page.
    pub found: Vec<FoundSession>,
    /// The cursor of the next page, in the store's own notation; `None` after the last page.
    pub next: Option<String>,
}

/// A session that a store holds.
#[derive(Debug)]
pub struct FoundSession {
    /// The session.
    pub key: SessionKey,
    /// Its document, or why it cannot be read: [`StoreError::Corrupt`] or [`StoreError::Newer`].
    pub session: Result<Session, StoreError>,
}

/// Counts of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Sessions that are open or have effects pending.
    pub active: u64,
    /// Those among them whose due instant has passed.
    pub overdue: u64,
    /// The memory that the store uses, in bytes, where it can tell.
    pub memory_bytes: Option<u64>,
}

/// Why a call failed, by what the caller has to decide.
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
        /// The session.
        key: SessionKey,
        /// The kind of damage and its position; never the content.
        reason: String,
    },
    /// The stored document was written by a newer release; it is left as it is.
    #[error("the stored session of user {} has schema {schema}, which is newer than this release knows", key.user)]
    Newer {
        /// The session.
        key: SessionKey,
        /// Its schema.
        schema: u16,
    },
    /// The document is larger than the store takes.
    #[error("the session of user {} would take {bytes} bytes", key.user)]
    TooLarge {
        /// The session.
        key: SessionKey,
        /// How large it would be.
        bytes: usize,
    },
}

/// Reads a cursor, `<chat>:<user>`: the last session of the page before. Without one, the position before all sessions.
///
/// # Errors
/// [`StoreError::Refused`] for anything else.
pub fn position_after(store: &'static str, after: Option<&str>) -> Result<(i64, i64), StoreError> {
    let Some(after) = after else { return Ok((i64::MIN, i64::MIN)) };
    let position =
        after.split_once(':').and_then(|(chat, user)| Some((chat.parse().ok()?, user.parse().ok()?)));
    position.ok_or_else(|| no_such_cursor(store))
}

/// A cursor that no page of this store has named.
fn no_such_cursor(store: &'static str) -> StoreError {
    StoreError::Refused { store, reason: "this is not the cursor of a page".to_owned() }
}
