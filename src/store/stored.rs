//! A session with everything that a store keeps of it: what the mirror, a copy and a recording carry from one store to
//! the other.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::store::Commit;
use session::Session;

/// A session's document with the columns that the stores keep beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredSession {
    /// The document.
    pub session: Arc<Session>,
    /// Its score in the due index.
    pub due_at: Option<Timestamp>,
    /// The end of its life; `None` as long as it is open or has effects pending.
    pub kept_until: Option<Timestamp>,
    /// Epoch and version that the mirror last wrote: Redis cannot have lost anything up to here.
    pub replicated: (u64, u64),
}

impl StoredSession {
    /// The document of a session that lives for `ttl` after its last activity. It is kept no longer than Redis keeps
    /// it, which counts from the last commit.
    #[must_use]
    pub fn new(session: Arc<Session>, ttl: Duration) -> Self {
        let due_at = session.due_at(ttl);
        let kept_until = session.kept_for().map(|kept| session.active_at.after(kept));
        let replicated = (session.epoch, session.version);
        Self { session, due_at, kept_until, replicated }
    }

    /// The document that a commit wrote.
    #[must_use]
    pub fn of_commit(commit: &Commit<'_>) -> Self {
        let session = Arc::new(commit.session.clone());
        let kept_until = commit.kept_for.map(|kept| commit.now.after(kept));
        let replicated = (session.epoch, session.version);
        Self { session, due_at: commit.due_at, kept_until, replicated }
    }
}
