//! The permit to expire sessions: none ends while an update that would have kept it open may still be on its way.
//!
//! Three things hold expiry up: the intake, which has not caught up with Telegram or has failed; a gap between two reads of
//! the due index, when this instance stood still or could not reach its store; and another instance without a heartbeat,
//! which may hold updates that it cannot commit.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::clock::Timestamp;

/// The longest pause between two reads of the due index that is no gap.
const READ_EVERY: Duration = Duration::from_secs(2);
/// How long no session expires after a gap: updates that waited meanwhile, here, at other instances or in Telegram, come
/// first.
const CATCHING_UP: Duration = Duration::from_secs(10);
/// The age of a heartbeat from which on its instance may hold updates that it cannot commit.
const SILENT: Duration = Duration::from_secs(2);
/// How long before its last heartbeat another instance may still have held an update.
const GRACE: Duration = Duration::from_secs(2);

/// The permit of the intake, and the reads of the due index.
#[derive(Debug, Default)]
pub(super) struct Expiry {
    allowed: watch::Sender<bool>,
    reads: Mutex<DueReads>,
}

#[derive(Debug, Default)]
struct DueReads {
    last: Option<Instant>,
    /// No session expires before this instant.
    catching_up_until: Option<Instant>,
}

impl Expiry {
    /// Sets the permit of the intake; receivers wake when it changes.
    pub(super) fn allow(&self, allowed: bool) {
        self.allowed.send_if_modified(|before| std::mem::replace(before, allowed) != allowed);
    }

    pub(super) fn allowed(&self) -> watch::Receiver<bool> {
        self.allowed.subscribe()
    }

    /// Notes a read of the due index, whether it succeeded, and the age of the oldest heartbeat of another instance: after
    /// a gap or a silence, expiry waits until updates had their time.
    pub(super) fn note_read(&self, has_succeeded: bool, heartbeat_age: Option<Duration>) {
        let now = Instant::now();
        let is_silent = heartbeat_age.is_some_and(|age| age > SILENT);
        let mut reads = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
        let is_gap = reads.last.is_some_and(|last| now.duration_since(last) > READ_EVERY);
        if !has_succeeded || is_silent || is_gap {
            reads.catching_up_until = Some(now + CATCHING_UP);
        }
        reads.last = Some(now);
    }

    /// The instant at which a session must have ended to expire `now`; `None` while none may. Beside other instances it
    /// lies before the oldest of their heartbeats.
    pub(super) fn until(&self, now: Timestamp, heartbeat_age: Option<Duration>) -> Option<Timestamp> {
        let reads = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
        let has_caught_up = reads.catching_up_until.is_none_or(|until| until <= Instant::now());
        let may_expire = *self.allowed.borrow() && has_caught_up;
        may_expire.then(|| heartbeat_age.map_or(now, |age| now.before(age + GRACE)))
    }
}
