//! The observers of commits: the demo shows them, and the oracle of the tests judges their history.

use std::fmt::Debug;

use crate::clock::Timestamp;
use session::{Cause, Event, Lane, Session, Verdict};

/// Follows the fate of commits. Each method is called as it happens, and must not wait.
pub trait CommitObserver: Debug + Send + Sync {
    /// A commit is on its way to a store.
    fn sent(&self, _before: &Session, _after: &Session, _store: &'static str) {}

    /// A store has applied a commit.
    fn applied(&self, _commit: &Applied<'_>) {}

    /// Steps led to no commit.
    fn unchanged(&self, _session: &Session, _steps: &[(Cause, &Event)], _verdict: Verdict) {}

    /// No single store can lose the session any more.
    fn replicated(&self, _session: &Session) {}

    /// The effects that were pending in `session` recorded its deposit.
    fn recorded(&self, _session: &Session) {}

    /// The commit that made `session` has the outcomes of a lane that ran under `token`.
    fn lane_committed(&self, _session: &Session, _lane: Lane, _token: u64) {}
}

/// A commit that a store has applied.
#[derive(Clone, Copy, Debug)]
pub struct Applied<'c> {
    /// The document before it.
    pub before: &'c Session,
    /// The document after it.
    pub after: &'c Session,
    /// The causes and events that it was made for.
    pub steps: &'c [(Cause, &'c Event)],
    /// When it was made.
    pub at: Timestamp,
}

/// Follows nothing.
impl CommitObserver for () {}
