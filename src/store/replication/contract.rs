//! Who is in charge of conversations, and what the two stores must be able to do so that this can change.
//!
//! One row in SQL says it for all instances. Each change begins a new epoch; a store serves only its own: SQL checks the
//! row inside each committing transaction, the scripts of Redis check its key `epoch`.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::session::{Session, SessionKey};
use crate::store::{SessionStore, StoreError};

/// The row: who is in charge, since which epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leadership {
    /// Grows by one or more with each change.
    pub epoch: u64,
    /// Which store.
    pub primary: Primary,
    /// False while conversations are being copied to the store that is to take charge.
    pub opened: bool,
}

/// A store that is in charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Primary {
    /// The database, which also holds this row.
    Sql,
    /// This run of a Redis server: after a restart it may have lost something, so it is another one.
    Redis {
        /// What `INFO` calls `run_id`.
        run_id: String,
    },
}

impl Primary {
    /// `sql` or `redis`, for logs, metrics and readiness.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sql => "sql",
            Self::Redis { .. } => "redis",
        }
    }
}

impl Leadership {
    /// SQL in charge from `epoch` on; it has everything already.
    #[must_use]
    pub fn sql(epoch: u64) -> Self {
        Self { epoch, primary: Primary::Sql, opened: true }
    }

    /// A run of Redis that is to take charge once everything is copied to it.
    #[must_use]
    pub fn redis(epoch: u64, run_id: &str) -> Self {
        Self { epoch, primary: Primary::Redis { run_id: run_id.to_owned() }, opened: false }
    }
}

/// What an instance reads every quarter of a second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterState {
    /// The row; `None` before the first start of this bot.
    pub leadership: Option<Leadership>,
    /// The other instances that were seen within the last ten seconds, and when that was, by their own clocks.
    pub other_members: Vec<(i64, Timestamp)>,
}

impl ClusterState {
    /// Whether no other instance was seen lately.
    #[must_use]
    pub fn is_sole_member(&self) -> bool {
        self.other_members.is_empty()
    }
}

/// A document with what the stores keep beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredSession {
    /// The document.
    pub session: Arc<Session>,
    /// When it is next to be looked at.
    pub due_at: Option<Timestamp>,
    /// Until when it is kept; `None` as long as it is open or has something left to do.
    pub kept_until: Option<Timestamp>,
    /// Epoch and version that the mirror last wrote: Redis cannot have lost anything up to here.
    pub replicated: (u64, u64),
}

impl StoredSession {
    /// The document as it is to be kept, for sessions that live for `ttl`; never for longer than Redis keeps it, which
    /// counts from its last commit.
    #[must_use]
    pub fn new(session: Arc<Session>, ttl: Duration) -> Self {
        let due_at = session.due_at(ttl);
        let kept_until = session.kept_for().map(|kept| session.active_at.after(kept));
        let replicated = (session.epoch, session.version);
        Self { session, due_at, kept_until, replicated }
    }
}

/// A document that lost against another branch of its conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Branch {
    /// Whose.
    pub key: SessionKey,
    /// The document as it was stored.
    pub document: String,
    /// Its epoch, version and commit mark.
    pub stamp: (u64, u64, u64),
}

/// What became of a document on its way into SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MirrorOutcome {
    /// It is there, or a later one of the same branch is.
    Written,
    /// It lost: SQL has another branch, or it came after the conversations were copied back. It was kept as a conflict.
    Lost,
}

/// SQL, as failover sees it.
#[async_trait]
pub trait DurableStore: SessionStore {
    /// Reads the leadership row, and which other instances were seen lately.
    ///
    /// # Errors
    /// The store's; a caller that gets none within a second stops using Redis, unless it is alone.
    async fn read_cluster(&self, instance: i64, now: Timestamp) -> Result<ClusterState, StoreError>;

    /// Makes the row `to` if it still is `from` (`None`: if there is none), and returns it as it is then.
    ///
    /// # Crash
    /// Before: nothing changed. After: every commit under the epoch before is refused; whoever reads the row goes on.
    ///
    /// # Errors
    /// After [`StoreError::Unknown`] read the row.
    async fn change_leadership(
        &self,
        from: Option<&Leadership>,
        to: &Leadership,
        now: Timestamp,
    ) -> Result<Option<Leadership>, StoreError>;

    /// Says that `instance` runs.
    ///
    /// # Errors
    /// The store's; it is said again soon.
    async fn heartbeat(&self, instance: i64, now: Timestamp) -> Result<(), StoreError>;

    /// Says that `instance` runs no more.
    ///
    /// # Errors
    /// The store's; others then believe for ten seconds more that it runs.
    async fn deregister(&self, instance: i64) -> Result<(), StoreError>;

    /// Writes documents that Redis has committed under `epoch`, each where SQL has nothing higher.
    ///
    /// A document of an epoch that is over still enters while SQL is in charge; once Redis is in charge again it has
    /// missed the copy, and is [`MirrorOutcome::Lost`]. Before anybody is in charge nothing enters.
    ///
    /// # Crash
    /// Before: its update was not acknowledged and comes again. After: Redis may lose the document.
    ///
    /// # Errors
    /// The store's; all documents may be written again.
    async fn mirror(
        &self,
        documents: &[StoredSession],
        epoch: u64,
        now: Timestamp,
    ) -> Result<Vec<MirrorOutcome>, StoreError>;

    /// Documents by key, behind `after`; at most `limit`.
    ///
    /// # Errors
    /// The store's. A document that cannot be read is left out: it stays where it is.
    async fn sessions_after(&self, after: Option<SessionKey>, limit: usize) -> Result<CopyPage, StoreError>;

    /// Removes the copy of a document that Redis has and nobody can read.
    ///
    /// # Errors
    /// The store's; may be repeated.
    async fn forget(&self, key: SessionKey) -> Result<(), StoreError>;

    /// Keeps documents that lost, for an operator.
    ///
    /// # Errors
    /// The store's; may be repeated.
    async fn record_conflicts(&self, branches: &[Branch], now: Timestamp) -> Result<(), StoreError>;

    /// Serves `epoch` from now on.
    fn serve(&self, epoch: u64);
}

/// A part of the documents, by key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CopyPage {
    /// Those that can be read.
    pub documents: Vec<StoredSession>,
    /// The last key of the part; `None` when nothing follows.
    pub last: Option<SessionKey>,
}

/// What a look at Redis tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Which run of the server answered.
    pub run_id: String,
    /// What its key `epoch` says; `None` if it is not there.
    pub epoch: Option<u64>,
    /// How many documents are not mirrored yet.
    pub backlog: u64,
    /// How old the oldest commit among them is.
    pub lag: Duration,
}

/// Redis, as failover sees it.
#[async_trait]
pub trait VolatileStore: SessionStore {
    /// Looks at the server by writing to it: one that is read-only or full fails.
    ///
    /// # Errors
    /// The store's.
    async fn probe(&self) -> Result<Probe, StoreError>;

    /// Whether the server may be put in charge: not one that evicts, that is a replica or too old.
    ///
    /// # Errors
    /// [`StoreError::Refused`] with what is to be mended.
    async fn check_eligibility(&self) -> Result<(), StoreError>;

    /// Serves `epoch` with this run of the server and no other from now on; one that answers with another `run_id` is
    /// not available.
    fn serve(&self, epoch: u64, run_id: &str);

    /// Copies documents, each where Redis has nothing higher; returns those that were not mirrored and lost.
    ///
    /// # Crash
    /// In between: whoever finds the key `epoch` missing copies again, which changes nothing where it was done.
    ///
    /// # Errors
    /// The store's; may be repeated.
    async fn restore(&self, documents: &[StoredSession], now: Timestamp) -> Result<Vec<Branch>, StoreError>;

    /// Begins a copy: what is emptied from now on cannot be opened.
    ///
    /// # Errors
    /// The store's; may be repeated.
    async fn begin_copy(&self) -> Result<(), StoreError>;

    /// Writes the key `epoch`, if it is not higher already: from now on commits of that epoch are taken. Not where the
    /// copy that this instance began has vanished meanwhile: then nobody knows what else has.
    ///
    /// # Errors
    /// The store's; may be repeated. [`StoreError::Unavailable`] where everything is to be copied again.
    async fn open(&self, epoch: u64) -> Result<(), StoreError>;

    /// Conversations whose last commit was not mirrored for `age`, the oldest first; at most `limit`.
    ///
    /// # Errors
    /// The store's.
    async fn backlog(&self, age: Duration, limit: usize) -> Result<Vec<SessionKey>, StoreError>;

    /// Takes the note `unmirrored` off those that still have this epoch, version and mark; that of those that were
    /// committed again since begins anew.
    ///
    /// # Errors
    /// The store's; then they are mirrored once more, which is harmless.
    async fn mark_replicated(&self, documents: &[StoredSession]) -> Result<(), StoreError>;

    /// Waits until nothing that was sent can be executed any more.
    async fn drain(&self);
}
