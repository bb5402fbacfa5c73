//! The update pipeline: from one raw update to its acknowledgement, whichever intake received it.
//!
//! An update is handled by one task at a time, tried up to three times, never dropped half-way, and kept as a dead letter
//! when it cannot be handled. Its [`Disposition`] states whether the update may be acknowledged to Telegram.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use lru::LruCache;
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::telegram::incoming::{Incoming, Unreadable};

/// How long one attempt may take before the updates behind it go on without it.
const ATTEMPT: Duration = Duration::from_secs(5);
/// After how many failed attempts an update becomes a dead letter.
const ATTEMPTS_MAX: u32 = 3;
/// How many updates have their failed attempts counted.
const COUNTED_MAX: NonZeroUsize = NonZeroUsize::new(1024).unwrap();

/// Handles updates for the pipeline: the [`Router`](crate::telegram::routing::Router), or a script in a test.
pub trait HandleUpdate: Send + Sync + 'static {
    /// Commits the outcome of one update; `raw` is the update as Telegram sent it.
    ///
    /// The pipeline runs it in a task of its own, to its end also when no caller waits any more, and at most once at a
    /// time for one update. It runs again after a [`Disposition::Retry`], a panic or a crash, so it must be idempotent.
    fn handle(&self, incoming: &Incoming, raw: &str) -> impl Future<Output = Disposition> + Send;

    /// Keeps an update that cannot be handled for an operator, which is its commit. May be repeated.
    fn dead_letter(
        &self,
        update_id: Option<i64>,
        raw: &str,
        reason: DeadLetterReason,
    ) -> impl Future<Output = Disposition> + Send;
}

/// Whether an update may be acknowledged to Telegram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Its commit cannot be lost any more: acknowledge it.
    Committed,
    /// The stores cannot take it now: do not acknowledge it, and Telegram brings it again.
    Retry,
    /// The stores are well, but only a newer release can read this conversation: do not acknowledge the update, and go on
    /// with those of other chats.
    Held,
}

/// Why an update became a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadLetterReason {
    /// It is no JSON, or lacks the ids without which no chat can be answered.
    Unreadable,
    /// Handling it panicked three times.
    Panicked,
    /// Handling it did not come to an end three times.
    TimedOut,
    /// Its conversation was written by a newer release, and did not become readable while the update was held.
    NewerSession,
}

impl DeadLetterReason {
    /// The word for the table and the metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Panicked => "panicked",
            Self::TimedOut => "timed_out",
            Self::NewerSession => "newer_session",
        }
    }
}

/// One update, as Telegram sent it and as it was read.
#[derive(Debug)]
pub(super) struct Update {
    pub(super) read: Result<Incoming, Unreadable>,
    pub(super) raw: String,
}

impl Update {
    pub(super) fn new(raw: String) -> Self {
        Self { read: Incoming::read(&raw), raw }
    }

    pub(super) fn id(&self) -> Option<i64> {
        match &self.read {
            Ok(incoming) => Some(incoming.update_id),
            Err(unreadable) => unreadable.update_id,
        }
    }

    /// The chat within which updates keep their order.
    pub(super) fn chat(&self) -> Option<i64> {
        self.read.as_ref().ok().map(Incoming::lane)
    }

    fn kind(&self) -> &'static str {
        self.read.as_ref().map_or("unreadable", Incoming::name)
    }

    /// Some Bot API servers give one id to updates of two chats, and the second must not count as handled with the first.
    fn key(&self) -> Option<UpdateKey> {
        self.id().zip(self.chat())
    }
}

/// An update's id and its chat.
type UpdateKey = (i64, i64);

/// How an attempt ended.
#[derive(Clone, Copy, Debug)]
enum Attempted {
    Handled(Disposition),
    Panicked,
}

/// Brings updates to the handler. It is shared by the intake and the tasks that it spawns.
pub struct Pipeline<H> {
    handler: H,
    tasks: TaskTracker,
    attempts: Mutex<Attempts>,
}

struct Attempts {
    /// Attempts under way; a caller that brings the same update waits for the same attempt.
    running: HashMap<UpdateKey, watch::Receiver<Option<Attempted>>>,
    /// How many attempts failed, for updates that were not handled since.
    failed: LruCache<UpdateKey, u32>,
}

impl<H: HandleUpdate> Pipeline<H> {
    /// A pipeline that brings updates to `handler`.
    #[must_use]
    pub fn new(handler: H) -> Self {
        let attempts = Attempts { running: HashMap::new(), failed: LruCache::new(COUNTED_MAX) };
        Self { handler, tasks: TaskTracker::new(), attempts: Mutex::new(attempts) }
    }

    /// Waits until no attempt is under way, at most `patience`; returns whether that was reached. To be called when no
    /// update comes in any more; an attempt that is still running then runs on.
    pub async fn drain(&self, patience: Duration) -> bool {
        self.tasks.close();
        timeout(patience, self.tasks.wait()).await.is_ok()
    }

    /// Brings an update to its commit, or returns that it cannot be acknowledged now.
    ///
    /// Waits for one attempt at a time and at most 5 s for each; after the third that failed, the update becomes a dead
    /// letter. Dropping this future stops the waiting, not the attempt.
    pub(super) async fn submit(self: &Arc<Self>, update: &Arc<Update>) -> Disposition {
        let Some(key) = update.key() else {
            return self.dead_letter(update, DeadLetterReason::Unreadable).await;
        };
        loop {
            let (pipeline, handled) = (Arc::clone(self), Arc::clone(update));
            let handling = async move {
                match &handled.read {
                    Ok(incoming) => pipeline.handler.handle(incoming, &handled.raw).await,
                    Err(_) => Disposition::Retry,
                }
            };
            let span = tracing::info_span!("update", id = key.0, kind = update.kind());
            let mut attempt = self.join_or_spawn(key, handling.instrument(span));
            let deadline = Instant::now() + ATTEMPT;
            let reason = match timeout_at(deadline, attempt.wait_for(Option::is_some))
                .await
                .map(|end| end.map(|end| *end))
            {
                Ok(Ok(Some(Attempted::Handled(disposition)))) => {
                    if disposition == Disposition::Committed {
                        self.attempts().failed.pop(&key);
                    }
                    return disposition;
                }
                Ok(Ok(Some(Attempted::Panicked) | None)) => DeadLetterReason::Panicked,
                // The runtime is shutting down.
                Ok(Err(_closed)) => return Disposition::Retry,
                Err(_elapsed) => DeadLetterReason::TimedOut,
            };
            let failed = self.count_failed(key);
            tracing::error!(
                update.id = key.0,
                reason = reason.as_str(),
                attempt = failed,
                "handling an update failed: it is tried {ATTEMPTS_MAX} times, then kept as a dead letter for an \
                 operator to replay"
            );
            if failed >= ATTEMPTS_MAX {
                return self.dead_letter(update, reason).await;
            }
            if reason == DeadLetterReason::TimedOut {
                // The attempt is still under way: the updates behind it go on, and when Telegram brings this one again,
                // the caller waits for the same attempt.
                return Disposition::Retry;
            }
        }
    }

    /// Joins the attempt at this update that is under way, or spawns `handling` as one.
    fn join_or_spawn(
        self: &Arc<Self>,
        key: UpdateKey,
        handling: impl Future<Output = Disposition> + Send + 'static,
    ) -> watch::Receiver<Option<Attempted>> {
        let mut attempts = self.attempts();
        if let Some(running) = attempts.running.get(&key) {
            return running.clone();
        }
        let (ended, running) = watch::channel(None);
        attempts.running.insert(key, running.clone());
        drop(attempts);
        let pipeline = Arc::clone(self);
        self.tasks.spawn(async move {
            let attempted = match AssertUnwindSafe(handling).catch_unwind().await {
                Ok(disposition) => Attempted::Handled(disposition),
                Err(_panic) => Attempted::Panicked,
            };
            pipeline.attempts().running.remove(&key);
            ended.send_replace(Some(attempted));
        });
        running
    }

    /// Keeps an update as a dead letter, which is its commit.
    pub(super) async fn dead_letter(
        self: &Arc<Self>,
        update: &Arc<Update>,
        reason: DeadLetterReason,
    ) -> Disposition {
        let (pipeline, kept) = (Arc::clone(self), Arc::clone(update));
        let keeping = self.tasks.spawn(async move {
            let keeping = pipeline.handler.dead_letter(kept.id(), &kept.raw, reason);
            AssertUnwindSafe(keeping).catch_unwind().await
        });
        let disposition = match timeout(ATTEMPT, keeping).await {
            Ok(Ok(Ok(disposition))) => disposition,
            Ok(Ok(Err(_)) | Err(_)) | Err(_) => Disposition::Retry,
        };
        if disposition == Disposition::Committed {
            metrics::counter!("depot_dead_letters_total", "reason" => reason.as_str()).increment(1);
            tracing::error!(
                update.id = update.id(),
                reason = reason.as_str(),
                "an update is kept as a dead letter: it has no effect until an operator replays it \
                 (`depot-bot sessions dead-letters`)"
            );
            if let Some(key) = update.key() {
                self.attempts().failed.pop(&key);
            }
        }
        disposition
    }

    fn count_failed(&self, key: UpdateKey) -> u32 {
        let mut attempts = self.attempts();
        let failed = attempts.failed.get_or_insert_mut(key, || 0);
        *failed += 1;
        *failed
    }

    fn attempts(&self) -> MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<H> std::fmt::Debug for Pipeline<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pipeline")
    }
}

impl<H: HandleUpdate> HandleUpdate for Arc<H> {
    fn handle(&self, incoming: &Incoming, raw: &str) -> impl Future<Output = Disposition> + Send {
        H::handle(self, incoming, raw)
    }

    fn dead_letter(
        &self,
        update_id: Option<i64>,
        raw: &str,
        reason: DeadLetterReason,
    ) -> impl Future<Output = Disposition> + Send {
        H::dead_letter(self, update_id, raw, reason)
    }
}
