//! From one raw update to its commit, whichever way it came: tried up to three times, never twice at once, never
//! dropped half-way, parked if it cannot be digested.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use lru::LruCache;
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::task::TaskTracker;

use crate::clock::Timestamp;
use crate::telegram::incoming::{Incoming, Unreadable};

/// How long one try may take before the update's neighbours go on without it.
const TRY: Duration = Duration::from_secs(5);
/// How often an update is tried before it is parked.
const TRIES_MAX: u32 = 3;
/// How many updates have their failed tries remembered.
const TROUBLED_MAX: NonZeroUsize = NonZeroUsize::new(1024).unwrap();

/// What takes updates to their commit.
#[async_trait]
pub trait Handle: Send + Sync + 'static {
    /// Takes one update to its commit; `raw` is as it was sent.
    ///
    /// Runs in a task of its own, to its end also when nobody waits any more, and at most once at a time for one
    /// update; it may run again after a [`Handled::Retry`], a panic or a crash, so a repetition must be harmless.
    async fn handle(&self, incoming: &Incoming, raw: &str) -> Handled;

    /// Keeps an update that cannot be digested for an operator, which is its commit. May be repeated.
    async fn park(&self, update_id: Option<i64>, raw: &str, reason: ParkReason) -> Handled;
}

/// Whether an update may be acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handled {
    /// Its commit is where it has to be.
    Committed,
    /// The stores cannot take it now: nothing is acknowledged, and Telegram brings it again.
    Retry,
    /// The stores are well, but this conversation is not this release's to go on with: the update is not acknowledged, and
    /// its neighbours are none the worse.
    Held,
}

/// Why an update is parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParkReason {
    /// It is no JSON, or lacks the ids without which nobody can be answered.
    Unreadable,
    /// Handling it panicked three times.
    Panicked,
    /// Handling it did not come to an end three times.
    TimedOut,
    /// Its conversation was written by a newer release, and did not become readable while the update was held.
    NewerSession,
}

impl ParkReason {
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

/// What is known of the intake, for readiness and for expiry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IntakeStatus {
    /// When a turn was last completed: Telegram answered and everything it brought was handled.
    pub turned_at: Option<Timestamp>,
    /// Whether the last turn left nothing waiting at Telegram: until then nobody may be told that time is up.
    pub caught_up: bool,
    /// What is wrong now.
    pub trouble: Option<Trouble>,
}

/// What can be wrong with an intake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Telegram cannot be reached, or does not answer.
    Network,
    /// Telegram answers with errors of its own, or asks for a pause.
    Server,
    /// The token is not valid.
    Unauthorized,
    /// A webhook is set, so nothing can be polled.
    WebhookSet,
    /// Another program polls with the same token.
    OtherPoller,
    /// Telegram refuses the call.
    Rejected,
    /// Updates do not come to their commit: the stores are away, or slow.
    Stalled,
}

impl Trouble {
    /// The word for readiness and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Server => "server",
            Self::Unauthorized => "unauthorized",
            Self::WebhookSet => "webhook_set",
            Self::OtherPoller => "other_poller",
            Self::Rejected => "rejected",
            Self::Stalled => "stalled",
        }
    }
}

/// One update, read.
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

    pub(super) fn lane(&self) -> Option<i64> {
        self.read.as_ref().ok().map(Incoming::lane)
    }
}

/// How a try ended.
#[derive(Clone, Copy, Debug)]
enum Ended {
    Handled(Handled),
    Panicked,
}

/// What every update passes on its way to its commit.
pub struct Intake {
    handler: Arc<dyn Handle>,
    tasks: TaskTracker,
    desk: Mutex<Desk>,
}

struct Desk {
    /// Tries that are under way; whoever brings the same update waits for the same try.
    running: HashMap<Name, watch::Receiver<Option<Ended>>>,
    /// How often the updates that gave trouble were tried.
    failed_tries: LruCache<Name, u32>,
}

/// An update's id and whose turn it is: some Bot API servers give the same id to updates of two chats, and the second
/// must not count as handled with the first.
type Name = (i64, i64);

impl Intake {
    /// An intake that brings updates to `handler`.
    #[must_use]
    pub fn new(handler: Arc<dyn Handle>) -> Self {
        let desk = Desk { running: HashMap::new(), failed_tries: LruCache::new(TROUBLED_MAX) };
        Self { handler, tasks: TaskTracker::new(), desk: Mutex::new(desk) }
    }

    /// Waits until no try is under way, at most `patience`; says whether that was reached. To be called when nothing
    /// new comes in; what is still running then runs on.
    pub async fn finish(&self, patience: Duration) -> bool {
        self.tasks.close();
        timeout(patience, self.tasks.wait()).await.is_ok()
    }

    /// Takes an update to its commit, or says that it cannot be acknowledged now.
    ///
    /// Waits for one try at a time and at most 5 s for each; after the third that failed, the update is parked. Dropping
    /// this future stops waiting, not the try.
    pub(super) async fn settle(self: &Arc<Self>, update: &Arc<Update>) -> Handled {
        let Ok(incoming) = &update.read else {
            return self.park(update, ParkReason::Unreadable).await;
        };
        let (id, name) = (incoming.update_id, (incoming.update_id, incoming.lane()));
        loop {
            let mut running = self.join_or_start(name, update);
            let deadline = Instant::now() + TRY;
            let reason = match timeout_at(deadline, running.wait_for(Option::is_some)).await {
                Ok(Ok(ended)) => match *ended {
                    Some(Ended::Handled(handled)) => {
                        if handled == Handled::Committed {
                            self.desk().failed_tries.pop(&name);
                        }
                        return handled;
                    }
                    Some(Ended::Panicked) | None => ParkReason::Panicked,
                },
                // The runtime is shutting down.
                Ok(Err(_closed)) => return Handled::Retry,
                Err(_elapsed) => ParkReason::TimedOut,
            };
            let tries = self.count_failed_try(name);
            tracing::error!(
                update_id = id,
                tries,
                reason = reason.as_str(),
                "an update could not be handled"
            );
            if tries >= TRIES_MAX {
                return self.park(update, reason).await;
            }
            if reason == ParkReason::TimedOut {
                // It is still under way. Its neighbours go on; who brings it again waits for the same try.
                return Handled::Retry;
            }
        }
    }

    fn join_or_start(self: &Arc<Self>, name: Name, update: &Arc<Update>) -> watch::Receiver<Option<Ended>> {
        let mut desk = self.desk();
        if let Some(running) = desk.running.get(&name) {
            return running.clone();
        }
        let (ended, running) = watch::channel(None);
        desk.running.insert(name, running.clone());
        drop(desk);
        let (intake, update) = (self.clone(), update.clone());
        self.tasks.spawn(async move {
            let outcome = match &update.read {
                Ok(incoming) => {
                    let handling = intake.handler.handle(incoming, &update.raw);
                    match AssertUnwindSafe(handling).catch_unwind().await {
                        Ok(handled) => Ended::Handled(handled),
                        Err(_panic) => Ended::Panicked,
                    }
                }
                Err(_) => Ended::Handled(Handled::Retry),
            };
            intake.desk().running.remove(&name);
            ended.send_replace(Some(outcome));
        });
        running
    }

    /// Keeps an update for an operator, which is its commit.
    pub(super) async fn park(self: &Arc<Self>, update: &Arc<Update>, reason: ParkReason) -> Handled {
        let (intake, update) = (self.clone(), update.clone());
        let (id, lane) = (update.id(), update.lane());
        let parking = self.tasks.spawn(async move {
            AssertUnwindSafe(intake.handler.park(id, &update.raw, reason)).catch_unwind().await
        });
        let handled = match timeout(TRY, parking).await {
            Ok(Ok(Ok(handled))) => handled,
            Ok(Ok(Err(_)) | Err(_)) | Err(_) => Handled::Retry,
        };
        if handled == Handled::Committed {
            metrics::counter!("depot_updates_parked_total", "reason" => reason.as_str()).increment(1);
            tracing::error!(update_id = id, reason = reason.as_str(), "an update was parked for an operator");
            if let Some(name) = id.zip(lane) {
                self.desk().failed_tries.pop(&name);
            }
        }
        handled
    }

    fn count_failed_try(&self, name: Name) -> u32 {
        let mut desk = self.desk();
        let tries = desk.failed_tries.get_or_insert_mut(name, || 0);
        *tries += 1;
        *tries
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Intake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Intake")
    }
}
