//! The contracts of the two stores behind a [`ReplicatedStore`](super::ReplicatedStore): SQL, which is durable and
//! holds the leadership row, and Redis, which is quick and may lose everything.

use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::store::replication::{Leadership, MirrorOutcome};
use crate::store::{SessionStore, StoreError, StoredSession};
use session::SessionKey;

/// The leadership row and the members, as an instance reads them every 250 ms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterState {
    /// The row; `None` before the first start of this bot.
    pub leadership: Option<Leadership>,
    /// The other instances whose heartbeat is younger than ten seconds, and that heartbeat by their own clocks.
    pub other_members: Vec<(i64, Timestamp)>,
}

impl ClusterState {
    /// Whether no other instance runs.
    #[must_use]
    pub fn is_sole_member(&self) -> bool {
        self.other_members.is_empty()
    }
}

/// A document that lost against another branch of its session.
#[derive(Clone, Debug, PartialEq)]
pub struct Branch {
    /// The session.
    pub key: SessionKey,
    /// The document as it was stored.
    pub document: String,
    /// Its epoch, version and commit id.
    pub stamp: (u64, u64, u64),
}

/// A part of the sessions in SQL, in the order of their keys.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CopyPage {
    /// Those that can be read.
    pub documents: Vec<StoredSession>,
    /// The last key of the part; `None` when nothing follows.
    pub last: Option<SessionKey>,
}

/// SQL: the home of the leadership row and the members, and the target of the mirror.
#[async_trait]
pub trait DurableStore: SessionStore {
    /// Reads the leadership row and the other members.
    ///
    /// # Errors
    /// The store's. An instance without an answer for a second stops using Redis, unless it is the sole member.
    async fn read_cluster(&self, instance: i64, now: Timestamp) -> Result<ClusterState, StoreError>;

    /// Compare-and-set of the leadership row: makes it `to` if it still is `from` (`None`: if there is none), and
    /// returns the row as it is then.
    ///
    /// # Crash
    /// Before: nothing changed. After: every commit under the epoch before is refused, and each instance that reads the
    /// row follows it.
    ///
    /// # Errors
    /// After [`StoreError::Unknown`] read the row.
    async fn change_leadership(
        &self,
        from: Option<&Leadership>,
        to: &Leadership,
        now: Timestamp,
    ) -> Result<Option<Leadership>, StoreError>;

    /// Registers `instance` as a member, or renews that.
    ///
    /// # Errors
    /// The store's; the next heartbeat comes soon.
    async fn heartbeat(&self, instance: i64, now: Timestamp) -> Result<(), StoreError>;

    /// Removes `instance` from the members.
    ///
    /// # Errors
    /// The store's; then the other members count on the instance for ten seconds more.
    async fn deregister(&self, instance: i64) -> Result<(), StoreError>;

    /// Writes documents that Redis has committed under `epoch`, each where SQL has nothing higher.
    ///
    /// A late document, whose epoch is over, still enters while SQL is the primary. Once Redis is the primary again it
    /// has missed the copy and is [`MirrorOutcome::Lost`]. Before there is a leadership row nothing enters.
    ///
    /// # Crash
    /// Before: the update of the document was not acknowledged and comes again. After: Redis may lose the document.
    ///
    /// # Errors
    /// The store's; all documents may be written again.
    async fn mirror(
        &self,
        documents: &[StoredSession],
        epoch: u64,
        now: Timestamp,
    ) -> Result<Vec<MirrorOutcome>, StoreError>;

    /// Sessions in the order of their keys, behind `after`; at most `limit`.
    ///
    /// # Errors
    /// The store's. A document that cannot be read is left out, and left where it is.
    async fn sessions_after(&self, after: Option<SessionKey>, limit: usize) -> Result<CopyPage, StoreError>;

    /// Removes the copy of a document that is unreadable in Redis.
    ///
    /// # Errors
    /// The store's; may be repeated.
    async fn remove(&self, key: SessionKey) -> Result<(), StoreError>;

    /// Stores documents that lost in `conflicts`, for an operator.
    ///
    /// # Errors
    /// The store's; may be repeated.
    async fn record_conflicts(&self, branches: &[Branch], now: Timestamp) -> Result<(), StoreError>;

    /// Commits under `epoch` from now on.
    fn serve(&self, epoch: u64);
}

/// The answer of Redis to a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The run of the server that answered.
    pub run_id: String,
    /// Its key `epoch`; `None` if there is none.
    pub epoch: Option<u64>,
    /// The replication backlog: how many sessions are dirty.
    pub backlog: u64,
    /// The replication lag: the age of the oldest dirty marker.
    pub lag: Duration,
}

/// Redis: the primary while it can be.
#[async_trait]
pub trait VolatileStore: SessionStore {
    /// Asks the server which run and which epoch it is, and writes to it: a server that is read-only or full fails.
    ///
    /// # Errors
    /// The store's.
    async fn probe(&self) -> Result<Probe, StoreError>;

    /// Whether the server may be the primary: it must not evict, be a replica, or be too old.
    ///
    /// # Errors
    /// [`StoreError::Refused`] with the remedy.
    async fn check_eligibility(&self) -> Result<(), StoreError>;

    /// Commits under `epoch`, to this run of the server and no other, from now on; a server with another `run_id` is
    /// not available.
    fn serve(&self, epoch: u64, run_id: &str);

    /// Copies documents, each where Redis has nothing higher; returns the dirty ones that they replaced.
    ///
    /// # Crash
    /// In between: the key `epoch` is missing, so that any instance copies again, which changes nothing where it was
    /// done.
    ///
    /// # Errors
    /// The store's; may be repeated.
    async fn restore(&self, documents: &[StoredSession], now: Timestamp) -> Result<Vec<Branch>, StoreError>;

    /// Begins a copy: a server that is emptied from now on refuses [`open`](VolatileStore::open).
    ///
    /// # Errors
    /// The store's; may be repeated.
    async fn begin_copy(&self) -> Result<(), StoreError>;

    /// Writes the key `epoch`, if it is not higher already: from now on commits of that epoch are taken. Refused where
    /// the marker of the copy that this instance began is gone: everything else may be gone with it.
    ///
    /// # Errors
    /// The store's; may be repeated. [`StoreError::Unavailable`] where everything is to be copied again.
    async fn open(&self, epoch: u64) -> Result<(), StoreError>;

    /// Sessions that have been dirty for `age`, the oldest first; at most `limit`.
    ///
    /// # Errors
    /// The store's.
    async fn backlog(&self, age: Duration, limit: usize) -> Result<Vec<SessionKey>, StoreError>;

    /// Removes the dirty markers of documents that still have this epoch, version and commit id. Where a document was
    /// committed again since, its marker counts from now.
    ///
    /// # Errors
    /// The store's; then the documents are replicated once more, which is harmless.
    async fn mark_replicated(&self, documents: &[StoredSession]) -> Result<(), StoreError>;

    /// Waits until nothing that was sent can be executed any more.
    async fn drain(&self);
}
