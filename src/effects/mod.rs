//! Effects: the pending ones are executed, and their outcomes go back to the service.
//!
//! A commit that takes a lane hands it to [`Effects::run`]. The lane's effects run one after the other, each outcome is
//! committed under the lane's token, and the commit tells what is next. A crash leaves a lease that ends by itself; then
//! the document is due and [`deadlines`] takes the lane over.

pub mod deadlines;
pub mod execute;
pub mod retry;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::clock::Clock;
use crate::effects::execute::{Chat, Executor};
use crate::ledger::Record;
use crate::service::span::session_span;
use crate::service::{Handled, ValidationSessionService};
use session::{Effect, EffectId, Event, Lane, Session, Verdict};

/// How many lanes one instance runs at a time; an update that brings more work waits before it is acknowledged.
const LANES_MAX: usize = 512;
/// How often the lease of long work is renewed: several times while it lasts.
const RENEW_EVERY: Duration = Duration::from_secs(4);
/// How long an update waits for the first attempt to write its deposit to the ledger.
const FIRST_ATTEMPT: Duration = Duration::from_secs(2);

/// Runs the lanes that this instance took.
#[derive(Debug)]
pub struct Effects<C, R> {
    service: Arc<ValidationSessionService>,
    executor: Arc<Executor<C, R>>,
    clock: Clock,
    permits: Arc<Semaphore>,
    running: TaskTracker,
}

impl<C, R> Clone for Effects<C, R> {
    /// A clone runs the same lanes.
    fn clone(&self) -> Self {
        Self {
            service: Arc::clone(&self.service),
            executor: Arc::clone(&self.executor),
            clock: self.clock.clone(),
            permits: Arc::clone(&self.permits),
            running: self.running.clone(),
        }
    }
}

/// A lane that this instance holds under a token.
struct HeldLane {
    lane: Lane,
    token: u64,
    /// The document as it was last committed.
    session: Arc<Session>,
    /// Told once whether the first attempt recorded the deposit.
    first_attempt: Option<oneshot::Sender<bool>>,
    /// A lane that another one handed over has none: lanes that hold a permit must not wait for another.
    _permit: Option<OwnedSemaphorePermit>,
}

/// Resolves when the deposit that an update validated was tried on the ledger once.
#[derive(Debug)]
#[must_use]
pub struct FirstAttempt(Option<oneshot::Receiver<bool>>);

impl FirstAttempt {
    /// Waits for it, at most 2 s: a failure is retried behind the update's back. Returns whether a deposit was recorded;
    /// then the decision about it is in SQL too.
    pub async fn is_recorded(self) -> bool {
        let Some(attempt) = self.0 else { return false };
        matches!(tokio::time::timeout(FIRST_ATTEMPT, attempt).await, Ok(Ok(true)))
    }
}

impl<C: Chat, R: Record> Effects<C, R> {
    /// A runner over `service` that reaches the outside world through `executor`.
    #[must_use]
    pub fn new(service: Arc<ValidationSessionService>, executor: Executor<C, R>, clock: Clock) -> Self {
        let permits = Arc::new(Semaphore::new(LANES_MAX));
        Self { service, executor: Arc::new(executor), clock, permits, running: TaskTracker::new() }
    }

    /// Runs the lanes that a commit took, each in a task of its own; waits while too many run already.
    pub async fn run(&self, handled: &Handled) -> FirstAttempt {
        let mut recorded = None;
        for (lane, token) in [(Lane::Chat, handled.chat), (Lane::Compute, handled.compute)] {
            let Some(token) = token else { continue };
            let session = Arc::clone(&handled.session);
            let first_attempt = (lane == Lane::Chat && records_a_deposit(&session)).then(|| {
                let (attempted, attempt) = oneshot::channel();
                recorded = Some(attempt);
                attempted
            });
            let permit = Arc::clone(&self.permits).acquire_owned().await.ok();
            let held = HeldLane { lane, token, session, first_attempt, _permit: permit };
            let span = session_span(handled.session.key);
            self.running.spawn(self.clone().run_lane(held).instrument(span));
        }
        FirstAttempt(recorded)
    }

    /// How many lanes run here now.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// Waits until every lane that runs here has come to an end.
    pub async fn drained(&self) {
        self.running.close();
        self.running.wait().await;
        self.running.reopen();
    }

    /// Executes the effects of a lane and settles their outcomes, until nothing is left or the lease is lost.
    async fn run_lane(self, mut held: HeldLane) {
        while held.session.holds(held.lane, held.token) {
            let Some((id, effect, attempts)) = held.session.next_effect(held.lane, self.clock.now()) else {
                // Only when the wall clock was set back: the lease ends by itself.
                return;
            };
            crate::failpoint!("effect_claimed");
            let span = tracing::info_span!("effect", kind = effect.name(), attempt = attempts + 1);
            let work = self.executor.execute(&held.session, &effect, attempts).instrument(span.clone());
            let event = match held.lane {
                Lane::Chat => work.await,
                Lane::Compute => match self.renewing_the_lease(&held, id, work).await {
                    Ok(event) => event,
                    Err(current) => {
                        held.session = current;
                        continue;
                    }
                },
            };
            span.in_scope(|| tracing::debug!(outcome = event.name(), "executed"));
            self.observe_age(&held.session, id, &event);
            if let Event::Recorded(_) = event {
                self.service.observer().recorded(&held.session);
            }
            held.tell_first_attempt(&effect, &event);
            let card = self.card_of_recorded(&held, id, &event).await;
            let outcomes: Vec<_> = [(id, event)].into_iter().chain(card).collect();
            match self.service.settle(held.session.key, held.lane, held.token, &outcomes).await {
                Ok(handled) => held.session = self.settled(&held, &handled),
                Err(error) => {
                    tracing::warn!(
                        lane = ?held.lane, %error,
                        "the outcome of an effect could not be committed: the effect runs again when its lease ends"
                    );
                    return;
                }
            }
        }
    }

    /// Runs work that may take longer than a lease, which is renewed meanwhile. Work whose effect is no longer pending is
    /// dropped, and so is that of an instance that stops: then the error is the current document.
    async fn renewing_the_lease(
        &self,
        held: &HeldLane,
        id: EffectId,
        work: impl Future<Output = Event> + Send,
    ) -> Result<Event, Arc<Session>> {
        tokio::pin!(work);
        let prolonged = [(id, Event::Prolonged)];
        loop {
            tokio::select! {
                biased;
                event = &mut work => return Ok(event),
                () = self.clock.sleep(RENEW_EVERY) => {}
                // A clock that stands still renews nothing, but superseded work ends there too.
                () = tokio::time::sleep(RENEW_EVERY) => {}
            }
            // Never dropped half-way: the commit may have taken the other lane.
            match self.service.settle(held.session.key, held.lane, held.token, &prolonged).await {
                Ok(handled) => {
                    self.hand_over(&handled);
                    let is_pending = handled.session.pending.iter().any(|it| EffectId::Pending(it.id) == id);
                    if !is_pending || !handled.session.holds(held.lane, held.token) {
                        return Err(handled.session);
                    }
                }
                // If another instance takes the lane over meanwhile, the outcome of this one does not count.
                Err(error) => tracing::debug!(%error, "a lease could not be renewed"),
            }
        }
    }

    /// Shows the card of a deposit that was just recorded: recording is idempotent, so both outcomes may share a commit.
    async fn card_of_recorded(
        &self,
        held: &HeldLane,
        id: EffectId,
        event: &Event,
    ) -> Option<(EffectId, Event)> {
        let Event::Recorded(_) = event else { return None };
        let preview = self.service.preview(&held.session, held.lane, held.token, id, event);
        match preview.next_effect(held.lane, self.clock.now()) {
            Some((EffectId::Card, card, attempts)) => {
                crate::failpoint!("ledger_written");
                let span = tracing::info_span!("effect", kind = card.name(), attempt = attempts + 1);
                let event = self.executor.execute(&preview, &card, attempts).instrument(span.clone()).await;
                span.in_scope(|| tracing::debug!(outcome = event.name(), "executed"));
                Some((EffectId::Card, event))
            }
            Some((EffectId::Pending(_), _, _)) | None => None,
        }
    }

    /// The document after outcomes were settled.
    fn settled(&self, held: &HeldLane, handled: &Handled) -> Arc<Session> {
        // A late outcome changed nothing: the commit id is then that of another instance's commit.
        if handled.verdict == Verdict::Changed {
            self.service.observer().lane_committed(&handled.session, held.lane, held.token);
        }
        self.hand_over(handled);
        Arc::clone(&handled.session)
    }

    /// The commit of one lane may have taken the other, which then runs beside it; that of a late outcome its own, anew.
    fn hand_over(&self, handled: &Handled) {
        for (lane, token) in [(Lane::Chat, handled.chat), (Lane::Compute, handled.compute)] {
            let Some(token) = token else { continue };
            let session = Arc::clone(&handled.session);
            let held = HeldLane { lane, token, session, first_attempt: None, _permit: None };
            self.running.spawn(self.clone().run_lane(held).in_current_span());
        }
    }

    /// How long a finished effect took since it was committed, its retries included.
    fn observe_age(&self, session: &Session, id: EffectId, event: &Event) {
        let since = session.pending.iter().find(|pending| EffectId::Pending(pending.id) == id);
        if let (Some(pending), false) = (since, matches!(event, Event::Deferred { .. } | Event::GivenUp)) {
            let age = self.clock.now().since(pending.since);
            metrics::histogram!("depot_effect_age_seconds").record(age);
        }
    }
}

impl HeldLane {
    fn tell_first_attempt(&mut self, effect: &Effect, event: &Event) {
        let is_recorded = matches!(event, Event::Recorded(_));
        if let Effect::RecordDeposit(_) = effect
            && let Some(first_attempt) = self.first_attempt.take()
        {
            let _the_update_waits_no_more = first_attempt.send(is_recorded);
        }
    }
}

fn records_a_deposit(session: &Session) -> bool {
    session.pending.iter().any(|pending| matches!(pending.effect, Effect::RecordDeposit(_)))
}
