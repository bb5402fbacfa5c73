//! When sessions may expire: not while updates may be waiting that would have come first.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::clock::Timestamp;

/// A due index that was not read for so long was out of reach, or this instance stood still.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long nobody expires after that: what waited meanwhile, here, at other instances or in Telegram, comes first.
const CATCHING_UP: Duration = Duration::from_secs(10);
/// Another instance that was not heard of for so long may hold updates that it cannot commit.
const SILENT: Duration = Duration::from_secs(2);
/// How long before it was last heard of another instance may still have held an update.
const GRACE: Duration = Duration::from_secs(2);

/// What the intake says, and what the looks at the due index show.
#[derive(Debug, Default)]
pub(super) struct Expiry {
    allowed: watch::Sender<bool>,
    looks: Mutex<Looks>,
}

#[derive(Debug, Default)]
struct Looks {
    last: Option<Instant>,
    /// Nobody expires before this instant.
    catching_up_until: Option<Instant>,
}

impl Expiry {
    /// Takes the word of the intake; whoever listens is told of a change.
    pub(super) fn allow(&self, allowed: bool) {
        self.allowed.send_if_modified(|before| std::mem::replace(before, allowed) != allowed);
    }

    pub(super) fn allowed(&self) -> watch::Receiver<bool> {
        self.allowed.subscribe()
    }

    /// Notes a look, whether it saw anything, and for how long another instance is silent: after a gap between two looks,
    /// or a silence, expiry waits until updates had their time.
    pub(super) fn looked(&self, has_seen: bool, silence: Option<Duration>) {
        let now = Instant::now();
        let is_silent = silence.is_some_and(|silence| silence > SILENT);
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        if !has_seen || is_silent || looks.last.is_some_and(|last| now.duration_since(last) > LOOK_EVERY) {
            looks.catching_up_until = Some(now + CATCHING_UP);
        }
        looks.last = Some(now);
    }

    /// When a session must have ended to expire `now`: beside other instances, before the last of them was heard of.
    pub(super) fn until(&self, now: Timestamp, silence: Option<Duration>) -> Option<Timestamp> {
        let looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due =
            *self.allowed.borrow() && looks.catching_up_until.is_none_or(|until| until <= Instant::now());
        is_due.then(|| silence.map_or(now, |silence| now.before(silence + GRACE)))
    }
}
