//! Long polling that acknowledges committed updates only: the offset moves over the contiguous committed prefix.
//!
//! Facts: an offset confirms everything below it, whichever poller fetched it; 0 starts at the head and confirms nothing;
//! asked twice for the same offset within half a second, Telegram hands out one update only (`do_get_updates`,
//! `process_get_updates_query` in tdlib/telegram-bot-api). Update ids restart at random after a quiet week, so the
//! offset follows the order of the answer, never the larger number.

mod cursor;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use rand::Rng as _;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::telegram::client::{Batch, CallError, Client, Conflict};
use crate::telegram::ingress::pipeline::{DeadLetterReason, Disposition, HandleUpdate, Pipeline, Update};
use crate::telegram::ingress::polling::cursor::{Chain, OffsetCursor, Submitted};
use crate::telegram::ingress::status::{IntakeFailure, IntakeStatus};

/// The most updates in one answer; Telegram's own maximum.
const BATCH_MAX: u8 = 100;
/// How long Telegram holds a call open. It allows 50 s; shorter, so that a dead connection is noticed sooner.
const LONG_POLL: Duration = Duration::from_secs(30);
/// The same while another poller was met: long enough to meet it again, short enough to notice soon that it is gone.
const LONG_POLL_BESIDE_ANOTHER: Duration = Duration::from_secs(4);
/// How many chats are worked on at once: all of one batch, since most of the time of each is waiting.
const CHATS_AT_ONCE: usize = BATCH_MAX as usize;
/// After this long a batch begins no further update, so that the taps behind it do not age out (150 s).
const BATCH_BUDGET: Duration = Duration::from_secs(20);
/// The first pause after a failure; twice as long each time. Above the half second of the facts.
const PAUSE_FIRST: Duration = Duration::from_millis(600);
/// The longest pause after failures of Telegram, and after failures of the stores.
const PAUSE_MAX: Duration = Duration::from_secs(30);
const PAUSE_MAX_STALLED: Duration = Duration::from_secs(3);
/// A long poll that ends without an update sooner than this did not wait: some Bot API servers know no timeout.
const LULL: Duration = Duration::from_millis(100);
/// How long the last confirmation may take at shutdown.
const LAST_CONFIRMATION: Duration = Duration::from_secs(3);

/// The source of updates: Telegram, or a script in a test.
pub trait UpdateSource: Send + Sync + 'static {
    /// As [`Client::get_updates`].
    fn get_updates(
        &self,
        offset: i64,
        limit: u8,
        wait: Duration,
    ) -> impl Future<Output = Result<Batch, CallError>> + Send;
}

impl UpdateSource for Client {
    async fn get_updates(&self, offset: i64, limit: u8, wait: Duration) -> Result<Batch, CallError> {
        Client::get_updates(self, offset, limit, wait).await
    }
}

impl<S: UpdateSource> UpdateSource for Arc<S> {
    fn get_updates(
        &self,
        offset: i64,
        limit: u8,
        wait: Duration,
    ) -> impl Future<Output = Result<Batch, CallError>> + Send {
        S::get_updates(self, offset, limit, wait)
    }
}

/// The loop that fetches updates.
pub struct Polling<S, H> {
    source: S,
    pipeline: Arc<Pipeline<H>>,
    clock: Clock,
    status: watch::Sender<IntakeStatus>,
}

/// When the next call is made.
enum Next {
    AtOnce,
    /// After a pause that doubles from time to time, up to this.
    Backoff(Duration),
    /// After just this long, because Telegram asks for it.
    After(Duration),
}

/// An answer of Telegram, and how it was asked for.
struct Fetched {
    batch: Batch,
    /// Whether it holds as many updates as were asked for: more may wait.
    is_full: bool,
    /// Whether it came at once and empty although a long poll was asked for.
    is_hasty: bool,
}

impl<S: UpdateSource, H: HandleUpdate> Polling<S, H> {
    /// A loop that brings updates from `source` to `pipeline`; nothing happens before [`Polling::run`].
    #[must_use]
    pub fn new(source: S, pipeline: Arc<Pipeline<H>>, clock: Clock) -> Self {
        Self { source, pipeline, clock, status: watch::Sender::default() }
    }

    /// The state of the intake.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<IntakeStatus> {
        self.status.subscribe()
    }

    /// Fetches and handles updates until `shutdown`, whatever goes wrong meanwhile.
    ///
    /// Then the long poll is given up, updates under way are brought to their end (5 s), no other is begun, and the
    /// committed ones are confirmed. A crash at any point confirms no uncommitted update: it comes again.
    pub async fn run(&self, shutdown: CancellationToken) {
        let mut cursor = OffsetCursor::default();
        let mut pause = PAUSE_FIRST;
        while let Some(answer) = self.fetch(&cursor, &shutdown).await {
            let next = match answer {
                Ok(fetched) => {
                    let (is_full, is_hasty) = (fetched.is_full, fetched.is_hasty);
                    let (updates, chains) = cursor.receive(fetched.batch);
                    let began = Instant::now();
                    let chains =
                        chains.into_iter().map(|chain| self.submit_in_order(chain, began, &shutdown));
                    let submitted = stream::iter(chains).buffer_unordered(CHATS_AT_ONCE).collect().await;
                    match self.advance(&mut cursor, &updates, submitted, is_full, &shutdown) {
                        Next::AtOnce if is_hasty => Next::After(LULL),
                        next => next,
                    }
                }
                Err(error) => self.failed(&error),
            };
            if shutdown.run_until_cancelled(wait_for(next, &mut pause)).await.is_none() {
                break;
            }
        }
        self.confirm_at_shutdown(&cursor).await;
    }

    /// Asks Telegram for the updates from the offset on; `None` at shutdown.
    async fn fetch(
        &self,
        cursor: &OffsetCursor,
        shutdown: &CancellationToken,
    ) -> Option<Result<Fetched, CallError>> {
        let limit = if cursor.broken > 0 { 1 } else { BATCH_MAX };
        let (asked_at, long_poll) = (Instant::now(), self.long_poll());
        let answer = self.source.get_updates(cursor.offset, limit, long_poll);
        let answer = tokio::select! {
            biased;
            () = shutdown.cancelled() => return None,
            answer = answer => answer,
        };
        Some(answer.map(|batch| Fetched {
            is_full: batch.updates.len() >= usize::from(limit),
            is_hasty: batch == Batch::default() && !long_poll.is_zero() && asked_at.elapsed() < LULL,
            batch,
        }))
    }

    /// How long the next call may wait: not at all where an answer, though empty, shows that all is well.
    fn long_poll(&self) -> Duration {
        let status = *self.status.borrow();
        match status.failure {
            None if status.completed_at.is_some() => LONG_POLL,
            // Two pollers meet only while both wait.
            Some(IntakeFailure::OtherPoller) => LONG_POLL_BESIDE_ANOTHER,
            _ => Duration::ZERO,
        }
    }

    /// Submits the updates of one chat up to the first that cannot be committed; those of a conversation that only a
    /// newer release can read become dead letters once they were held long enough.
    async fn submit_in_order(&self, chain: Chain, began: Instant, shutdown: &CancellationToken) -> Submitted {
        let mut submitted = Submitted::nothing_of(chain.chat);
        for (index, update) in chain.updates {
            if shutdown.is_cancelled() || began.elapsed() > BATCH_BUDGET {
                submitted.is_stalled = true;
                return submitted;
            }
            let mut disposition = self.pipeline.submit(&update).await;
            submitted.is_newer = disposition == Disposition::Held;
            if submitted.is_newer && chain.was_held_long_enough {
                disposition = self.pipeline.dead_letter(&update, DeadLetterReason::NewerSession).await;
            }
            match disposition {
                Disposition::Committed => submitted.committed.push(index),
                Disposition::Retry => {
                    submitted.is_stalled = true;
                    return submitted;
                }
                Disposition::Held => return submitted,
            }
        }
        submitted
    }

    /// Moves the offset over the committed prefix, and returns when the next call is made.
    fn advance(
        &self,
        cursor: &mut OffsetCursor,
        updates: &[Arc<Update>],
        submitted: Vec<Submitted>,
        is_full: bool,
        shutdown: &CancellationToken,
    ) -> Next {
        let is_stalled = submitted.iter().any(|chain| chain.is_stalled);
        let before = cursor.offset;
        let all_committed = cursor.advance(updates, &submitted);
        if !all_committed && is_stalled {
            if !shutdown.is_cancelled() {
                self.note_failure(IntakeFailure::Stalled);
            }
            return Next::Backoff(PAUSE_MAX_STALLED);
        }
        self.completed(!is_full && cursor.broken == 0);
        if !all_committed {
            return Next::After(PAUSE_FIRST);
        }
        // An answer that moves nothing would come again at once.
        let stands_still = cursor.offset == before && (!updates.is_empty() || cursor.broken > 0);
        if stands_still { Next::Backoff(PAUSE_MAX_STALLED) } else { Next::AtOnce }
    }

    /// Notes that an answer of Telegram was handled.
    fn completed(&self, caught_up: bool) {
        let now = self.clock.now();
        self.status.send_modify(|status| {
            if status.failure.is_some() {
                tracing::info!("updates are coming in again");
            }
            *status = IntakeStatus { completed_at: Some(now), caught_up, failure: None };
        });
    }

    /// Notes a failed call.
    fn failed(&self, error: &CallError) -> Next {
        let failure = match error {
            CallError::NotSent | CallError::Unknown => IntakeFailure::Network,
            CallError::Server { .. } | CallError::RetryAfter(_) => IntakeFailure::Server,
            CallError::Unauthorized => IntakeFailure::Unauthorized,
            CallError::Conflict(Conflict::WebhookSet) => IntakeFailure::WebhookSet,
            CallError::Conflict(Conflict::OtherPoller) => IntakeFailure::OtherPoller,
            CallError::Blocked
            | CallError::NotModified
            | CallError::MessageGone
            | CallError::QueryTooOld
            | CallError::Rejected { .. } => IntakeFailure::Rejected,
        };
        if self.note_failure(failure) {
            let remedy = failure.remedy();
            match failure {
                IntakeFailure::Network
                | IntakeFailure::Server
                | IntakeFailure::OtherPoller
                | IntakeFailure::Stalled => {
                    tracing::warn!(%error, "no updates come in; Telegram keeps them for 24 hours: {remedy}");
                }
                IntakeFailure::Unauthorized | IntakeFailure::WebhookSet | IntakeFailure::Rejected => {
                    tracing::error!(%error, "no updates come in; Telegram keeps them for 24 hours: {remedy}");
                }
            }
        }
        match error {
            CallError::RetryAfter(pause) => Next::After(*pause),
            _ => Next::Backoff(PAUSE_MAX),
        }
    }

    /// Notes a failure of the intake; returns whether it is another than before.
    fn note_failure(&self, failure: IntakeFailure) -> bool {
        let is_new = self.status.borrow().failure != Some(failure);
        if is_new && failure == IntakeFailure::Stalled {
            tracing::warn!(
                "updates cannot be committed: none is acknowledged, and Telegram keeps them for 24 hours; \
                 see the stores in /health/ready"
            );
        }
        self.status.send_modify(|status| {
            status.failure = Some(failure);
            status.caught_up = false;
        });
        is_new
    }

    /// Confirms to Telegram the updates committed since the last call; its answer is neither handled nor confirmed.
    async fn confirm_at_shutdown(&self, cursor: &OffsetCursor) {
        if cursor.offset != cursor.confirmed {
            let confirmation = self.source.get_updates(cursor.offset, 1, Duration::ZERO);
            match timeout(LAST_CONFIRMATION, confirmation).await {
                Ok(Ok(_)) => tracing::debug!("the last updates are confirmed"),
                Ok(Err(_)) | Err(_) => tracing::info!(
                    "the last updates could not be confirmed: Telegram brings them again, and they are known as duplicates"
                ),
            }
        }
    }
}

/// Waits until the next call is due.
async fn wait_for(next: Next, pause: &mut Duration) {
    match next {
        Next::AtOnce => *pause = PAUSE_FIRST,
        Next::Backoff(longest) => {
            let wait = (*pause).min(longest).mul_f64(rand::rng().random_range(1.0..1.5));
            *pause = (*pause * 2).min(longest);
            sleep(wait.min(longest)).await;
        }
        Next::After(wait) => sleep(wait).await,
    }
}

impl<S, H> std::fmt::Debug for Polling<S, H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Polling")
    }
}
