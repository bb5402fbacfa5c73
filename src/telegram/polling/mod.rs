//! Long polling that acknowledges only what is committed: the offset moves over the contiguous committed prefix.
//!
//! Facts: an offset confirms everything below it, whoever fetched it; 0 starts at the head and confirms nothing; asked
//! twice for the same offset within half a second, Telegram hands out one update only (`do_get_updates`,
//! `process_get_updates_query` in tdlib/telegram-bot-api). Update ids restart at random after a quiet week, so the
//! offset follows the order of the answer, never the larger number.

mod place;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt as _, stream};
use rand::Rng as _;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::telegram::client::{Batch, CallError, Client, Conflict};
use crate::telegram::intake::{Handled, Intake, IntakeStatus, ParkReason, Trouble, Update};
use crate::telegram::polling::place::Place;

const LIMIT: u8 = 100;
/// Telegram waits at most 50 s; shorter, so that a dead connection is noticed sooner.
const WAIT: Duration = Duration::from_secs(30);
/// While another poller was met: long enough to meet it again, short enough to notice soon that it is gone.
const WAIT_BESIDE_ANOTHER: Duration = Duration::from_secs(4);
/// How many chats are worked on at once: all that one answer brings, since most of the time of each is waiting.
const CHATS_AT_ONCE: usize = LIMIT as usize;
/// After this long a turn begins nothing more, so that other people's taps do not age out (150 s) behind it.
const TURN: Duration = Duration::from_secs(20);
/// The first pause after a failure; twice as long each time. Above the half second of the facts.
const PAUSE_FIRST: Duration = Duration::from_millis(600);
/// The longest pause while Telegram is the trouble, and while we are.
const PAUSE_MAX: Duration = Duration::from_secs(30);
const PAUSE_MAX_STALLED: Duration = Duration::from_secs(3);
/// A long poll that ends without an update sooner than this was not waited for: some Bot API servers know no timeout.
const LULL: Duration = Duration::from_millis(100);
/// What the last confirmation may take on the way out.
const FAREWELL: Duration = Duration::from_secs(3);

/// Where updates are fetched from: Telegram, or a script in a test.
#[async_trait]
pub trait Source: Send + Sync + 'static {
    /// As [`Client::get_updates`].
    async fn get_updates(&self, offset: i64, limit: u8, wait: Duration) -> Result<Batch, CallError>;
}

#[async_trait]
impl Source for Client {
    async fn get_updates(&self, offset: i64, limit: u8, wait: Duration) -> Result<Batch, CallError> {
        Client::get_updates(self, offset, limit, wait).await
    }
}

/// The loop that fetches updates.
pub struct Polling {
    source: Arc<dyn Source>,
    intake: Arc<Intake>,
    clock: Clock,
    status: watch::Sender<IntakeStatus>,
}

/// What became of the updates of one chat.
struct Chain {
    chat: Option<i64>,
    /// The indices of those that were committed.
    committed: Vec<usize>,
    /// Why it ended before its last update, if it did.
    ended: Option<Ended>,
    /// Whether a newer release holds the conversation.
    is_newer: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// The stores cannot take it now, or there was no time left.
    Stalled,
    /// It is held, and its neighbours go on.
    Held,
}

/// When the next call is made.
enum Next {
    AtOnce,
    /// After a pause that doubles from time to time, up to this.
    Backing(Duration),
    /// After just this long, because Telegram says so.
    After(Duration),
}

impl Polling {
    /// A loop that brings what `source` has to `intake`; nothing happens before [`Polling::run`].
    #[must_use]
    pub fn new(source: Arc<dyn Source>, intake: Arc<Intake>, clock: Clock) -> Self {
        Self { source, intake, clock, status: watch::Sender::default() }
    }

    /// What is known of the intake.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<IntakeStatus> {
        self.status.subscribe()
    }

    /// Fetches and handles updates until `shutdown`, whatever goes wrong meanwhile.
    ///
    /// Then the long poll is given up, what is being handled is brought to its end (5 s), nothing new is begun, and what
    /// was committed is confirmed. A crash at any point confirms nothing that was not committed: it comes again.
    pub async fn run(&self, shutdown: CancellationToken) {
        let mut place = Place::default();
        let mut pause = PAUSE_FIRST;
        loop {
            let limit = if place.broken > 0 { 1 } else { LIMIT };
            let (asked_at, wait) = (Instant::now(), self.wait());
            let answer = tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                answer = self.source.get_updates(place.offset, limit, wait) => answer,
            };
            let next = match answer {
                Ok(batch) => {
                    place.confirmed = place.offset;
                    let was_hasty = batch == Batch::default() && !wait.is_zero() && asked_at.elapsed() < LULL;
                    match self.turn(&mut place, batch, limit, &shutdown).await {
                        Next::AtOnce if was_hasty => Next::After(LULL),
                        next => next,
                    }
                }
                Err(error) => self.failed(&error),
            };
            let wait = match next {
                Next::AtOnce => {
                    pause = PAUSE_FIRST;
                    continue;
                }
                Next::Backing(longest) => {
                    let wait = pause.min(longest).mul_f64(rand::rng().random_range(1.0..1.5));
                    pause = (pause * 2).min(longest);
                    wait.min(longest)
                }
                Next::After(wait) => wait,
            };
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = sleep(wait) => {}
            }
        }
        self.confirm_on_the_way_out(&place).await;
    }

    /// How long the next call may wait: not at all where an answer, though empty, shows that all is well.
    fn wait(&self) -> Duration {
        let status = *self.status.borrow();
        match status.trouble {
            None if status.turned_at.is_some() => WAIT,
            // Two pollers meet only while both wait.
            Some(Trouble::OtherPoller) => WAIT_BESIDE_ANOTHER,
            _ => Duration::ZERO,
        }
    }

    /// Handles one answer.
    async fn turn(&self, place: &mut Place, batch: Batch, limit: u8, shutdown: &CancellationToken) -> Next {
        let came = batch.updates.len();
        let mut updates = place.with_unsettled(batch.updates);
        if let Some(raw) = place.look_at_broken(came, batch.broken) {
            updates.push(Arc::new(raw));
        }
        let (settled, stalled) = self.settle_all(place, &updates, shutdown).await;
        let before = place.offset;
        if !place.advance(&updates, &settled) {
            if !stalled {
                self.turned(came < usize::from(limit) && place.broken == 0);
                return Next::After(PAUSE_FIRST);
            }
            if !shutdown.is_cancelled() {
                self.is_in_trouble(Trouble::Stalled);
            }
            return Next::Backing(PAUSE_MAX_STALLED);
        }
        self.turned(came < usize::from(limit) && place.broken == 0);
        // An answer that moves nothing would come again at once.
        let stands_still = place.offset == before && (came > 0 || place.broken > 0);
        if stands_still { Next::Backing(PAUSE_MAX_STALLED) } else { Next::AtOnce }
    }

    /// Settles updates, those of one chat in order and chats beside each other; says for each whether it is committed, and
    /// whether any is not because the stores are away.
    async fn settle_all(
        &self,
        place: &mut Place,
        updates: &[Arc<Update>],
        shutdown: &CancellationToken,
    ) -> (Vec<bool>, bool) {
        let began = Instant::now();
        let mut chains: Vec<Vec<(usize, Arc<Update>)>> = Vec::new();
        let mut chain_of: HashMap<i64, usize> = HashMap::new();
        let mut settled = vec![false; updates.len()];
        for ((index, update), done) in updates.iter().enumerate().zip(&mut settled) {
            *done = place.knows(update);
            if *done {
                continue;
            }
            let next = chains.len();
            let chain = update.lane().map_or(next, |lane| *chain_of.entry(lane).or_insert(next));
            match chains.get_mut(chain) {
                Some(chain) => chain.push((index, update.clone())),
                None => chains.push(vec![(index, update.clone())]),
            }
        }
        let handled = stream::iter(chains).map(|chain| {
            let chat = chain.first().and_then(|(_, update)| update.lane());
            let may_park = chat.is_some_and(|chat| place.has_been_held(chat, updates.len()));
            self.settle_chain(chain, may_park, began, shutdown)
        });
        let chains: Vec<Chain> = handled.buffer_unordered(CHATS_AT_ONCE).collect().await;
        for chain in &chains {
            if let Some(chat) = chain.chat {
                place.hold(chat, chain.is_newer);
            }
        }
        let stalled = chains.iter().any(|chain| chain.ended == Some(Ended::Stalled));
        for index in chains.into_iter().flat_map(|chain| chain.committed) {
            if let (Some(done), Some(update)) = (settled.get_mut(index), updates.get(index)) {
                *done = true;
                place.remember_nameless(update);
            }
        }
        (settled, stalled)
    }

    /// Settles the updates of one chat up to the first that cannot be committed; those of a conversation that only a newer
    /// release can read are parked if that may be.
    async fn settle_chain(
        &self,
        updates: Vec<(usize, Arc<Update>)>,
        may_park: bool,
        began: Instant,
        shutdown: &CancellationToken,
    ) -> Chain {
        let chat = updates.first().and_then(|(_, update)| update.lane());
        let mut chain = Chain { chat, committed: Vec::new(), ended: None, is_newer: false };
        for (index, update) in updates {
            if shutdown.is_cancelled() || began.elapsed() > TURN {
                chain.ended = Some(Ended::Stalled);
                break;
            }
            let mut handled = self.intake.settle(&update).await;
            chain.is_newer = handled == Handled::Held;
            if chain.is_newer && may_park {
                handled = self.intake.park(&update, ParkReason::NewerSession).await;
            }
            chain.ended = match handled {
                Handled::Committed => None,
                Handled::Retry => Some(Ended::Stalled),
                Handled::Held => Some(Ended::Held),
            };
            if chain.ended.is_some() {
                break;
            }
            chain.committed.push(index);
        }
        chain
    }

    fn turned(&self, caught_up: bool) {
        let now = self.clock.now();
        self.status.send_modify(|status| {
            if status.trouble.is_some() {
                tracing::info!("updates are coming in again");
            }
            *status = IntakeStatus { turned_at: Some(now), caught_up, trouble: None };
        });
    }

    /// Notes a failed call.
    fn failed(&self, error: &CallError) -> Next {
        let trouble = match error {
            CallError::NotSent | CallError::Unknown => Trouble::Network,
            CallError::Server { .. } | CallError::RetryAfter(_) => Trouble::Server,
            CallError::Unauthorized => Trouble::Unauthorized,
            CallError::Conflict(Conflict::WebhookSet) => Trouble::WebhookSet,
            CallError::Conflict(Conflict::OtherPoller) => Trouble::OtherPoller,
            CallError::Blocked
            | CallError::NotModified
            | CallError::MessageGone
            | CallError::QueryTooOld
            | CallError::Rejected { .. } => Trouble::Rejected,
        };
        if self.is_in_trouble(trouble) {
            match trouble {
                Trouble::Network | Trouble::Server | Trouble::OtherPoller | Trouble::Stalled => {
                    tracing::warn!("no updates: {error}");
                }
                Trouble::Unauthorized | Trouble::WebhookSet | Trouble::Rejected => {
                    tracing::error!("no updates: {error}");
                }
            }
        }
        match error {
            CallError::RetryAfter(pause) => Next::After(*pause),
            _ => Next::Backing(PAUSE_MAX),
        }
    }

    /// Whether the trouble is news.
    fn is_in_trouble(&self, trouble: Trouble) -> bool {
        let news = self.status.borrow().trouble != Some(trouble);
        if news && trouble == Trouble::Stalled {
            tracing::warn!("updates cannot be committed; nothing is acknowledged, and Telegram keeps them");
        }
        self.status.send_modify(|status| {
            status.trouble = Some(trouble);
            status.caught_up = false;
        });
        news
    }

    /// Tells Telegram what was committed since the last call. What it answers is neither handled nor confirmed.
    async fn confirm_on_the_way_out(&self, place: &Place) {
        if place.offset != place.confirmed {
            let farewell = self.source.get_updates(place.offset, 1, Duration::ZERO);
            match timeout(FAREWELL, farewell).await {
                Ok(Ok(_)) => tracing::debug!("the last updates are confirmed"),
                Ok(Err(_)) | Err(_) => tracing::info!("the last updates will come again; they are known"),
            }
        }
    }
}

impl std::fmt::Debug for Polling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Polling")
    }
}
