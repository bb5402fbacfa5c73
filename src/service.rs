//! `ValidationSessionService`: load, apply, commit, and again on a conflict. The only caller of [`Session::apply`].

mod cache;
mod expiry;
mod onlooker;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::chance::Chance;
use crate::clock::{Clock, Timestamp};
use crate::deposit::{BotId, ChatId, DepositId, DepositRef, UserId};
use crate::failpoint::planted;
use crate::service::cache::Cache;
use crate::service::expiry::Expiry;
pub use crate::service::onlooker::{Onlooker, Step, Why};
use crate::session::{
    Answer, Cause, Context, EffectId, Event, Fresh, Lane, SCHEMA, Seen, Session, SessionKey, Tap, Transition,
    Verdict,
};
use crate::store::{Commit, Committed, SessionStore, Statistics, StoreError, retry};

/// How often a commit is tried against documents that others keep changing.
const CONFLICTS_MAX: u32 = 16;
/// What became of an event, and what the caller is to do about it.
#[must_use]
#[derive(Clone, Debug)]
pub struct Handled {
    /// The document as it is now.
    pub session: Arc<Session>,
    /// What became of the event.
    pub verdict: Verdict,
    /// What to answer a tap with.
    pub answer: Option<Answer>,
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
    /// Others kept changing the document; the cause may be brought again.
    #[error("the session changed {CONFLICTS_MAX} times while one event was applied")]
    Contended,
}

/// What a service did since it started; the last words of a process that is told to stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flushed {
    /// Commits that are stored.
    pub commits: u64,
    /// Documents that this instance wrote last and remembers.
    pub documents: usize,
    /// Lanes with work left that were given back for another instance to go on at once.
    pub leases_given_back: u64,
}

/// The operations on validation sessions, each of them one commit.
#[derive(Debug)]
pub struct ValidationSessionService {
    store: Arc<dyn SessionStore>,
    clock: Clock,
    chance: Chance,
    bot: BotId,
    ttl: Duration,
    cache: Cache,
    expiry: Expiry,
    may_run: AtomicBool,
    commits: AtomicU64,
    leases_given_back: AtomicU64,
    onlooker: Option<Onlooker>,
}

impl ValidationSessionService {
    /// A service over `store`; sessions live for `ttl` without activity.
    #[must_use]
    pub fn new(store: Arc<dyn SessionStore>, clock: Clock, bot: BotId, ttl: Duration) -> Self {
        Self {
            store,
            clock,
            chance: Chance::system(),
            bot,
            ttl,
            cache: Cache::default(),
            expiry: Expiry::default(),
            may_run: AtomicBool::new(true),
            commits: AtomicU64::new(0),
            leases_given_back: AtomicU64::new(0),
            onlooker: None,
        }
    }

    /// The same, drawing its names, tokens and pauses from `chance`.
    #[must_use]
    pub fn with_chance(self, chance: Chance) -> Self {
        Self { chance, ..self }
    }

    /// The same, telling each of its commits to `onlooker`.
    #[must_use]
    pub fn with_onlooker(self, onlooker: Option<Onlooker>) -> Self {
        Self { onlooker, ..self }
    }

    /// The key of a user's conversation with this bot: private chats only, where the chat has the user's id.
    #[must_use]
    pub fn key(&self, user: UserId) -> SessionKey {
        SessionKey { bot: self.bot, chat: ChatId(user.0), user }
    }

    /// How long a session lives without activity.
    #[must_use]
    pub fn ttl(&self) -> Duration {
        self.ttl
    }

    /// Lets sessions expire: the intake has caught up with what waited in Telegram.
    pub fn allow_expiry(&self) {
        self.expiry.allow(true);
    }

    /// Lets no session expire: updates may be waiting in Telegram.
    pub fn forbid_expiry(&self) {
        self.expiry.allow(false);
    }

    /// Tells when sessions may expire.
    #[must_use]
    pub fn expiry_allowed(&self) -> watch::Receiver<bool> {
        self.expiry.allowed()
    }

    /// Takes no lane any more and gives back those it holds with their next outcome.
    pub fn stop_running(&self) {
        self.may_run.store(false, Ordering::Relaxed);
    }

    /// Which store is in charge, and since which epoch.
    #[must_use]
    pub fn store(&self) -> (&'static str, u64) {
        (self.store.name(), self.store.epoch())
    }

    /// What this instance did since it started.
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
        self.update(key, cause, &Event::OpeningRequested).await
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

    /// Removes a corrupt document that is kept elsewhere, so that the conversation begins anew; whether it was still
    /// there.
    ///
    /// # Errors
    /// The store's; it may be repeated.
    pub async fn discard(&self, key: SessionKey, document: &[u8]) -> Result<bool, ServiceError> {
        self.cache.forget(key);
        Ok(self.store.discard(key, document).await?)
    }

    /// Applies one event to a conversation and commits it.
    ///
    /// Before the commit nothing has happened; after it the document carries everything that is left to do, and a repeat
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

    /// Validates: the tap that completes a deposit.
    ///
    /// # Errors
    /// See [`ValidationSessionService::update`].
    pub async fn complete(&self, key: SessionKey, cause: Cause, tap: Tap) -> Result<Handled, ServiceError> {
        self.update(key, cause, &Event::Tapped(tap)).await
    }

    /// Gives the open deposit up.
    ///
    /// # Errors
    /// See [`ValidationSessionService::update`].
    pub async fn cancel(&self, key: SessionKey, cause: Cause) -> Result<Handled, ServiceError> {
        self.update(key, cause, &Event::CancelRequested).await
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

    /// What a document would be after an outcome that is not committed yet.
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

    /// The sessions that `user` has open: none or one, since there is one conversation for each user.
    ///
    /// # Errors
    /// The store's.
    pub async fn active_sessions(&self, user: UserId) -> Result<Vec<Session>, ServiceError> {
        Ok(self.get(self.key(user)).await?.into_iter().filter(Session::is_open).collect())
    }

    /// The conversations that are due to be looked at, the most overdue first.
    ///
    /// # Errors
    /// The store's.
    pub async fn due(&self, limit: usize) -> Result<Vec<SessionKey>, ServiceError> {
        let due = self.store.due(self.clock.now(), limit).await;
        self.expiry.looked(due.is_ok(), self.store.silence());
        Ok(due?)
    }

    /// The conversations that are open or have something left to do, the next due first; at most `limit`.
    ///
    /// # Errors
    /// The store's.
    pub async fn unfinished(&self, limit: usize) -> Result<Vec<SessionKey>, ServiceError> {
        // Nothing is due later than the end of a session that was active this moment.
        Ok(self.store.due(self.clock.now().after(self.ttl), limit).await?)
    }

    /// The open sessions whose time is over but whose expiry is not committed yet.
    ///
    /// # Errors
    /// The store's.
    pub async fn expired(&self, limit: usize) -> Result<Vec<Session>, ServiceError> {
        let now = self.clock.now();
        let mut expired = Vec::new();
        for key in self.due(limit).await? {
            let session = self.get(key).await?;
            expired
                .extend(session.filter(|session| session.expires_at(self.ttl).is_some_and(|end| end <= now)));
        }
        Ok(expired)
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

    /// Waits until a conversation is where no store can lose it any more: then what led to it may be acknowledged.
    ///
    /// # Errors
    /// What led to it must come again.
    pub async fn mirrored(&self, session: &Session) -> Result<(), ServiceError> {
        let mirrored = if planted("ack_before_mirror") { Ok(()) } else { self.store.mirrored(session).await };
        if mirrored.is_err() {
            self.cache.forget(session.key);
        } else {
            crate::journal!({ "what": "kept", "mark": session.commit.to_string() });
        }
        Ok(mirrored?)
    }

    async fn advance(&self, key: SessionKey, steps: &[(Cause, &Event)]) -> Result<Handled, ServiceError> {
        let context = self.context();
        // Read before the document: what was read under one epoch is not committed under the next.
        let mut epoch = self.store.epoch();
        let (mut current, mut is_fresh) = match self.cache.get(key, epoch) {
            Some(cached) => (cached, false),
            None => (self.load(key, epoch).await?, true),
        };
        for _ in 0..CONFLICTS_MAX {
            if planted("no_dedup") {
                current = Arc::new(Session { seen: Seen::default(), ..Session::clone(&current) });
            }
            let transition = apply_all(&current, steps, &context);
            if transition.verdict != Verdict::Changed {
                // Only the store's own document may decide that nothing is to be done.
                if is_fresh || transition.verdict == Verdict::Duplicate {
                    journal_still(steps, &current, transition.verdict);
                    return Ok(done(current, &transition, context.token));
                }
                (current, is_fresh) = (self.load(key, epoch).await?, true);
                continue;
            }
            match self.commit(&current, &transition, epoch).await? {
                Ok(committed) => {
                    journal_outcomes(steps, &current, &committed);
                    self.count(steps, &committed);
                    if let Some(onlooker) = &self.onlooker {
                        let cause = steps.first().map(|(cause, _)| cause);
                        // Who has gone need not be told.
                        let _gone = onlooker.send(Step::of(&current, &committed, cause, context.now));
                    }
                    return Ok(done(committed, &transition, context.token));
                }
                Err(winner) => {
                    metrics::counter!("depot_conflicts_total").increment(1);
                    let now_served = self.store.epoch();
                    current = if now_served == epoch {
                        winner.unwrap_or_else(|| Arc::new(Session::new(key, context.now)))
                    } else {
                        epoch = now_served;
                        self.load(key, epoch).await?
                    };
                    is_fresh = true;
                }
            }
        }
        Err(ServiceError::Contended)
    }

    /// Stores the next version; on a conflict returns the document that was there first.
    async fn commit(
        &self,
        current: &Session,
        transition: &Transition,
        epoch: u64,
    ) -> Result<Result<Arc<Session>, Option<Arc<Session>>>, ServiceError> {
        let mut session = transition.session.clone();
        session.version = current.version + 1;
        session.commit = self.chance.number();
        session.epoch = epoch;
        // What an older release wrote is written anew, with what this one may say.
        session.schema = SCHEMA;
        let commit = Commit {
            expected: current.version,
            session: &session,
            due_at: session.due_at(self.ttl),
            kept_for: session.kept_for(),
            now: self.clock.now(),
        };
        let started = Instant::now();
        crate::journal!({
            "what": "sent", "user": session.key.user.0, "epoch": epoch, "version": session.version,
            "store": self.store.name(),
            "mark": session.commit.to_string(), "parent": current.commit.to_string(),
            "updates": session.seen.updates.iter().filter(|id| !current.seen.updates.contains(id)).collect::<Vec<_>>(),
        });
        crate::failpoint!("commit_sent");
        let outcome = retry::commit(self.store.as_ref(), &commit, &self.chance).await;
        crate::failpoint!("commit_applied");
        if let Ok(Committed::Applied) = outcome {
            crate::journal!({ "what": "applied", "mark": session.commit.to_string() });
        }
        metrics::histogram!("depot_commit_seconds").record(started.elapsed());
        let key = session.key;
        match outcome {
            Ok(Committed::Applied) => Ok(Ok(self.remember(session, epoch))),
            Ok(Committed::Conflict(winner)) => {
                self.cache.forget(key);
                Ok(Err(winner.map(|winner| self.remember(*winner, epoch))))
            }
            Err(error) => {
                self.cache.forget(key);
                Err(error.into())
            }
        }
    }

    fn count(&self, steps: &[(Cause, &Event)], committed: &Session) {
        let cause = match steps.first().map(|(cause, _)| cause) {
            Some(Cause::Update { .. }) => "update",
            Some(Cause::Outcome { .. }) => "outcome",
            Some(Cause::Deadline) | None => "deadline",
        };
        metrics::counter!("depot_commits_total", "cause" => cause, "verdict" => "applied").increment(1);
        self.commits.fetch_add(1, Ordering::Relaxed);
        let has_work_left = committed.kept_for().is_none() && !committed.is_open();
        if has_work_left && !self.may_run.load(Ordering::Relaxed) {
            self.leases_given_back.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn load(&self, key: SessionKey, epoch: u64) -> Result<Arc<Session>, ServiceError> {
        let session = retry::load(self.store.as_ref(), key, &self.chance).await?;
        let session = session.unwrap_or_else(|| Session::new(key, self.clock.now()));
        Ok(self.remember(session, epoch))
    }

    fn context(&self) -> Context {
        let now = self.clock.now();
        Context {
            now,
            ttl: self.ttl,
            may_expire: if planted("expiry_in_gap") {
                Some(now)
            } else {
                self.expiry.until(now, self.store.silence())
            },
            may_run: self.may_run.load(Ordering::Relaxed),
            fresh: Fresh { id: deposit_id(now, &self.chance), reference: DepositRef(self.chance.number()) },
            token: self.chance.number(),
        }
    }

    /// Remembers what was read or written under `epoch`, if that still lasts.
    fn remember(&self, session: Session, epoch: u64) -> Arc<Session> {
        let session = Arc::new(session);
        self.cache.put(&session, epoch, || self.store.epoch());
        session
    }
}

/// Applies the steps one after the other; the whole counts as changed if any of them changed something.
fn apply_all(current: &Session, steps: &[(Cause, &Event)], context: &Context) -> Transition {
    let mut whole: Option<Transition> = None;
    for (cause, event) in steps {
        let base = whole.as_ref().map_or(current, |so_far| &so_far.session);
        let next = base.apply(cause, event, context);
        whole = Some(match whole.take() {
            None => next,
            Some(before) => Transition {
                verdict: if before.verdict == Verdict::Changed { Verdict::Changed } else { next.verdict },
                answer: next.answer.or(before.answer),
                takes_chat: before.takes_chat || next.takes_chat,
                takes_compute: before.takes_compute || next.takes_compute,
                session: next.session,
            },
        });
    }
    whole.unwrap_or_else(|| current.apply(&Cause::Deadline, &Event::DeadlinePassed, context))
}

fn done(session: Arc<Session>, transition: &Transition, token: u64) -> Handled {
    if transition.verdict == Verdict::Duplicate {
        metrics::counter!("depot_duplicates_total").increment(1);
    }
    Handled {
        session,
        verdict: transition.verdict,
        answer: transition.answer,
        chat: transition.takes_chat.then_some(token),
        compute: transition.takes_compute.then_some(token),
    }
}

/// Notes for the oracle of the tests which updates led to nothing.
fn journal_still(steps: &[(Cause, &Event)], current: &Session, verdict: Verdict) {
    for (cause, _) in steps {
        if let Cause::Update { id, .. } = cause {
            crate::journal!({
                "what": "still", "update": id, "user": current.key.user.0, "verdict": format!("{verdict:?}"),
            });
        }
    }
}

/// Notes for the oracle of the tests whether outcomes were those of the holder of their lane.
fn journal_outcomes(steps: &[(Cause, &Event)], current: &Session, committed: &Session) {
    for (cause, _) in steps {
        if let Cause::Outcome { lane, token, .. } = cause {
            crate::journal!({
                "what": "outcome", "mark": committed.commit.to_string(), "counted": current.holds(*lane, *token),
                "lane": format!("{lane:?}"), "token": token.to_string(),
            });
        }
    }
}

/// A UUID of version 7: sortable by the time it was made.
fn deposit_id(now: Timestamp, chance: &Chance) -> DepositId {
    let millis = u64::try_from(now.0).unwrap_or_default();
    let random = (u128::from(chance.number()) << 64 | u128::from(chance.number())).to_be_bytes();
    let [random @ .., _, _, _, _, _, _] = random;
    DepositId(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
}
