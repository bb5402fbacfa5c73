//! `ValidationSessionService`: load, apply, commit, and again on a conflict. The only caller of [`Session::apply`].

mod cache;
pub mod clean_up;
mod commit;
mod expiry;
#[cfg(feature = "failpoints")]
mod history;
pub mod observer;
pub mod span;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::Clock;
use crate::rng::Rng;
use crate::service::cache::Cache;
use crate::service::expiry::Expiry;
use crate::service::observer::CommitObserver;
use crate::store::{SessionStore, Statistics, StoreError};
use deposit::{BotId, ChatId, UserId};
use session::{Cause, EffectId, Event, Lane, Session, SessionKey, Tap, TapAnswer, Verdict};

/// How often a commit is tried against a document that other commits keep changing.
const CONFLICTS_MAX: u32 = 16;

/// An event after its commit, and what the caller is to do about it.
#[must_use]
#[derive(Clone, Debug)]
pub struct Handled {
    /// The document as it is now.
    pub session: Arc<Session>,
    /// Whether the event changed the document.
    pub verdict: Verdict,
    /// The answer to a tap.
    pub answer: Option<TapAnswer>,
    /// The token under which the commit took the chat lane, if it did: the caller runs it.
    pub chat: Option<u64>,
    /// The token under which the commit took the compute lane, if it did: the caller runs it.
    pub compute: Option<u64>,
}

/// Why an event could not be committed.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Other commits kept changing the document; the cause may be brought again.
    #[error("the session changed {CONFLICTS_MAX} times while one event was applied")]
    Contended,
}

/// The work of a service since it started; the last line of the log of a process that is told to stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flushed {
    /// Commits that are stored.
    pub commits: u64,
    /// Documents that this instance holds in its cache.
    pub documents: usize,
    /// Lanes with work left that were given back for another instance to go on at once.
    pub leases_given_back: u64,
}

/// The operations on validation sessions, each of them one commit.
#[derive(Debug)]
pub struct ValidationSessionService {
    store: Arc<dyn SessionStore>,
    clock: Clock,
    rng: Rng,
    bot: BotId,
    ttl: Duration,
    cache: Cache,
    expiry: Expiry,
    may_run: AtomicBool,
    commits: AtomicU64,
    leases_given_back: AtomicU64,
    observer: Arc<dyn CommitObserver>,
}

impl ValidationSessionService {
    /// A service over `store`; sessions live for `ttl` without activity.
    #[must_use]
    pub fn new(store: Arc<dyn SessionStore>, clock: Clock, bot: BotId, ttl: Duration) -> Self {
        Self {
            store,
            clock,
            rng: Rng::system(),
            bot,
            ttl,
            cache: Cache::default(),
            expiry: Expiry::default(),
            may_run: AtomicBool::new(true),
            commits: AtomicU64::new(0),
            leases_given_back: AtomicU64::new(0),
            observer: history(),
        }
    }

    /// The same, with its names, tokens and jitter drawn from `rng`.
    #[must_use]
    pub fn with_rng(self, rng: Rng) -> Self {
        Self { rng, ..self }
    }

    /// The same, with another observer of its commits.
    #[must_use]
    pub fn observed_by(self, observer: Arc<dyn CommitObserver>) -> Self {
        Self { observer, ..self }
    }

    /// The observer of its commits.
    #[must_use]
    pub fn observer(&self) -> &dyn CommitObserver {
        self.observer.as_ref()
    }

    /// The key of a user's conversation with this bot: private chats only, where the chat has the user's id.
    #[must_use]
    pub fn key(&self, user: UserId) -> SessionKey {
        SessionKey { bot: self.bot, chat: ChatId(user.0), user }
    }

    /// Lets sessions expire: the intake has caught up with what waited in Telegram.
    pub fn allow_expiry(&self) {
        self.expiry.allow(true);
    }

    /// Lets no session expire: updates may be waiting in Telegram.
    pub fn forbid_expiry(&self) {
        self.expiry.allow(false);
    }

    /// Whether the intake lets sessions expire; changes wake the loop of deadlines.
    #[must_use]
    pub fn expiry_allowed(&self) -> watch::Receiver<bool> {
        self.expiry.allowed()
    }

    /// Takes no lane any more, and gives back the held ones with their next outcome.
    pub fn stop_running(&self) {
        self.may_run.store(false, Ordering::Relaxed);
    }

    /// The primary, and the epoch of its commits.
    #[must_use]
    pub fn store(&self) -> (&'static str, u64) {
        (self.store.name(), self.store.epoch())
    }

    /// The work of this instance since it started.
    #[must_use]
    pub fn flushed(&self) -> Flushed {
        Flushed {
            commits: self.commits.load(Ordering::Relaxed),
            documents: self.cache.len(),
            leases_given_back: self.leases_given_back.load(Ordering::Relaxed),
        }
    }

    /// Opens a session, or shows the open one again.
    ///
    /// # Errors
    /// See [`ValidationSessionService::update`].
    pub async fn create(&self, key: SessionKey, cause: Cause) -> Result<Handled, ServiceError> {
        self.advance(key, &[(cause, &Event::OpeningRequested)]).await
    }

    /// Reads a conversation as the store has it.
    ///
    /// # Errors
    /// The store's.
    pub async fn get(&self, key: SessionKey) -> Result<Option<Session>, ServiceError> {
        Ok(self.store.load(key).await?)
    }

    /// The document of a conversation as it is stored, if it is corrupt.
    ///
    /// # Errors
    /// The store's.
    pub async fn unreadable(&self, key: SessionKey) -> Result<Option<Vec<u8>>, ServiceError> {
        Ok(self.store.unreadable(key).await?)
    }

    /// Removes a corrupt document that is in quarantine, so that the conversation begins anew; returns whether it was
    /// still there.
    ///
    /// # Errors
    /// The store's; it may be repeated.
    pub async fn discard(&self, key: SessionKey, document: &[u8]) -> Result<bool, ServiceError> {
        self.cache.forget(key);
        Ok(self.store.discard(key, document).await?)
    }

    /// Applies one event to a conversation and commits it.
    ///
    /// # Crash
    /// Before the commit: nothing has happened. After it: the document carries everything that is left to do, and a repeat
    /// of the same cause changes nothing.
    ///
    /// # Errors
    /// [`ServiceError::Store`] when nothing is known to be committed; the cause is to be brought again.
    pub async fn update(
        &self,
        key: SessionKey,
        cause: Cause,
        event: &Event,
    ) -> Result<Handled, ServiceError> {
        self.advance(key, &[(cause, event)]).await
    }

    /// Validates the deposit: the tap on ✅.
    ///
    /// # Errors
    /// See [`ValidationSessionService::update`].
    pub async fn complete(&self, key: SessionKey, cause: Cause, tap: Tap) -> Result<Handled, ServiceError> {
        self.advance(key, &[(cause, &Event::Tapped(tap))]).await
    }

    /// Cancels the open deposit.
    ///
    /// # Errors
    /// See [`ValidationSessionService::update`].
    pub async fn cancel(&self, key: SessionKey, cause: Cause) -> Result<Handled, ServiceError> {
        self.advance(key, &[(cause, &Event::CancelRequested)]).await
    }

    /// Settles effects that ran in `lane` under `token`, all in one commit.
    ///
    /// # Errors
    /// See [`ValidationSessionService::update`]; the lease then ends by itself and the effects run again.
    pub async fn settle(
        &self,
        key: SessionKey,
        lane: Lane,
        token: u64,
        outcomes: &[(EffectId, Event)],
    ) -> Result<Handled, ServiceError> {
        let steps: Vec<(Cause, &Event)> = outcomes
            .iter()
            .map(|(effect, event)| (Cause::Outcome { effect: *effect, lane, token }, event))
            .collect();
        self.advance(key, &steps).await
    }

    /// The document as it would be after an outcome that is not committed yet.
    #[must_use]
    pub fn preview(
        &self,
        session: &Session,
        lane: Lane,
        token: u64,
        effect: EffectId,
        event: &Event,
    ) -> Session {
        session.apply(&Cause::Outcome { effect, lane, token }, event, &self.context()).session
    }

    /// The conversations whose due instant has passed, the most overdue first.
    ///
    /// # Errors
    /// The store's.
    pub async fn due(&self, limit: usize) -> Result<Vec<SessionKey>, ServiceError> {
        let due = self.store.due(self.clock.now(), limit).await;
        self.expiry.note_read(due.is_ok(), self.store.heartbeat_age());
        Ok(due?)
    }

    /// The conversations that are open or have effects pending, the next due first; at most `limit`.
    ///
    /// # Errors
    /// The store's.
    pub async fn unfinished(&self, limit: usize) -> Result<Vec<SessionKey>, ServiceError> {
        // Nothing is due later than the end of a session that was active this moment.
        Ok(self.store.due(self.clock.now().after(self.ttl), limit).await?)
    }

    /// Counts, at constant cost.
    ///
    /// # Errors
    /// The store's.
    pub async fn statistics(&self) -> Result<Statistics, ServiceError> {
        Ok(self.store.statistics(self.clock.now()).await?)
    }

    /// Deletes closed documents whose time is over, where the store does not do so by itself.
    ///
    /// # Errors
    /// The store's.
    pub async fn clean_up(&self) -> Result<u64, ServiceError> {
        Ok(self.store.purge(self.clock.now()).await?)
    }

    /// Waits until no single store can lose the session any more: then the update that led to it may be acknowledged.
    ///
    /// # Errors
    /// The update must not be acknowledged; Telegram brings it again.
    pub async fn await_replication(&self, session: &Session) -> Result<(), ServiceError> {
        let replicated = self.store.await_replication(session).await;
        if replicated.is_err() {
            self.cache.forget(session.key);
        } else {
            self.observer.replicated(session);
        }
        Ok(replicated?)
    }
}

/// The observer that the environment asks for, in the builds of the tests.
fn history() -> Arc<dyn CommitObserver> {
    #[cfg(feature = "failpoints")]
    let observer = history::observer();
    #[cfg(not(feature = "failpoints"))]
    let observer = Arc::new(());
    observer
}
