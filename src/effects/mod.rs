//! The outside world: pending effects are executed, and their outcomes go back to the service.
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

use crate::clock::Clock;
use crate::effects::execute::Executor;
use crate::service::{Handled, ServiceError, ValidationSessionService};
use crate::session::{Effect, EffectId, Event, Lane, Session, Verdict};

/// How many lanes one instance runs at a time; who brings more work waits before it is acknowledged.
const LANES_MAX: usize = 512;
/// How often the lease of work that takes long is renewed: several times while it lasts.
const RENEWED_EVERY: Duration = Duration::from_secs(4);
/// How long an update waits for the first attempt to write its deposit to the ledger.
const FIRST_ATTEMPT: Duration = Duration::from_secs(2);

/// Runs the lanes that this instance took.
#[derive(Clone, Debug)]
pub struct Effects {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    service: Arc<ValidationSessionService>,
    executor: Executor,
    clock: Clock,
    permits: Arc<Semaphore>,
    running: TaskTracker,
}

/// What a holder of a lane did.
enum Ran {
    /// Nothing: the lease ends by itself.
    Nothing,
    /// Work that is not wanted any more; the document as it is now.
    Dropped(Arc<Session>),
    /// Effects, and what came of them.
    Outcomes(Vec<(EffectId, Event)>),
}

/// Resolves when the deposit that an update validated was tried on the ledger once.
#[derive(Debug)]
#[must_use]
pub struct FirstAttempt(Option<oneshot::Receiver<bool>>);

impl FirstAttempt {
    /// Waits for it, but not for long: what fails now is retried behind the update's back. Says whether a deposit was
    /// recorded; then the decision about it is safe too.
    pub async fn recorded(self) -> bool {
        let Some(tried) = self.0 else { return false };
        matches!(tokio::time::timeout(FIRST_ATTEMPT, tried).await, Ok(Ok(true)))
    }
}

impl Effects {
    /// A runner over `service` that reaches the outside world through `executor`.
    #[must_use]
    pub fn new(service: Arc<ValidationSessionService>, executor: Executor, clock: Clock) -> Self {
        let permits = Arc::new(Semaphore::new(LANES_MAX));
        Self { shared: Arc::new(Shared { service, executor, clock, permits, running: TaskTracker::new() }) }
    }

    /// Runs the lanes that a commit took, each in a task of its own; waits while too many run already.
    pub async fn run(&self, handled: &Handled) -> FirstAttempt {
        let mut first_attempt = FirstAttempt(None);
        if let Some(token) = handled.chat {
            let records = handled
                .session
                .pending
                .iter()
                .any(|pending| matches!(pending.effect, Effect::RecordDeposit(_)));
            let (tried, attempt) = oneshot::channel();
            first_attempt = FirstAttempt(records.then_some(attempt));
            self.start(Lane::Chat, token, Arc::clone(&handled.session), Some(tried)).await;
        }
        if let Some(token) = handled.compute {
            self.start(Lane::Compute, token, Arc::clone(&handled.session), None).await;
        }
        first_attempt
    }

    /// How many lanes run here now.
    #[must_use]
    pub fn running(&self) -> usize {
        self.shared.running.len()
    }

    /// Waits until every lane that runs here has come to an end.
    pub async fn drained(&self) {
        self.shared.running.close();
        self.shared.running.wait().await;
        self.shared.running.reopen();
    }

    async fn start(
        &self,
        lane: Lane,
        token: u64,
        session: Arc<Session>,
        tried: Option<oneshot::Sender<bool>>,
    ) {
        let permit = Arc::clone(&self.shared.permits).acquire_owned().await.ok();
        self.spawn(lane, token, session, tried, permit);
    }

    fn spawn(
        &self,
        lane: Lane,
        token: u64,
        session: Arc<Session>,
        tried: Option<oneshot::Sender<bool>>,
        permit: Option<OwnedSemaphorePermit>,
    ) {
        let effects = self.clone();
        self.shared.running.spawn(async move {
            if let Err(error) = effects.run_lane(lane, token, session, tried).await {
                // The lease ends by itself, and the document is due then.
                tracing::warn!(?lane, %error, "a lane stops here: the outcome of its effect could not be committed");
            }
            drop(permit);
        });
    }

    async fn run_lane(
        &self,
        lane: Lane,
        token: u64,
        mut session: Arc<Session>,
        mut tried: Option<oneshot::Sender<bool>>,
    ) -> Result<(), ServiceError> {
        let service = &self.shared.service;
        while session.holds(lane, token) {
            let outcomes = match self.execute_next(&session, lane, token, &mut tried).await {
                Ran::Nothing => break,
                Ran::Dropped(current) => {
                    session = current;
                    continue;
                }
                Ran::Outcomes(outcomes) => outcomes,
            };
            let handled = service.settle(session.key, lane, token, &outcomes).await?;
            // What came too late changed nothing: the mark is that of somebody else's commit then.
            if handled.verdict == Verdict::Changed {
                crate::journal!({
                    "what": "ran", "mark": handled.session.commit.to_string(), "token": token.to_string(),
                    "lane": format!("{lane:?}"),
                });
            }
            session = Arc::clone(&handled.session);
            self.hand_over(&handled, lane);
        }
        Ok(())
    }

    /// Executes the next effect, and with a recorded deposit the card that shows it: recording is idempotent, so both
    /// outcomes may share one commit.
    async fn execute_next(
        &self,
        session: &Session,
        lane: Lane,
        token: u64,
        tried: &mut Option<oneshot::Sender<bool>>,
    ) -> Ran {
        let Some((id, effect, attempts)) = session.next_effect(lane, self.shared.clock.now()) else {
            // Only when the wall clock was set back: the lease ends by itself.
            return Ran::Nothing;
        };
        crate::failpoint!("effect_claimed");
        let is_record = matches!(effect, Effect::RecordDeposit(_));
        let work = self.shared.executor.execute(session, &effect, attempts);
        let event = match lane {
            Lane::Chat => work.await,
            Lane::Compute => match self.prolonged(session, token, id, work).await {
                Ok(event) => event,
                Err(current) => return Ran::Dropped(current),
            },
        };
        self.observe_age(session, id, &event);
        if let Event::Recorded(_) = event {
            crate::journal!({ "what": "recorded", "mark": session.commit.to_string() });
        }
        if is_record {
            let _ = tried.take().map(|tried| tried.send(matches!(event, Event::Recorded(_))));
        }
        let mut outcomes = vec![(id, event)];
        if let [(_, event @ Event::Recorded(_))] = outcomes.as_slice() {
            let preview = self.shared.service.preview(session, lane, token, id, event);
            if let Some((EffectId::Card, card, attempts)) = preview.next_effect(lane, self.shared.clock.now())
            {
                crate::failpoint!("ledger_written");
                outcomes
                    .push((EffectId::Card, self.shared.executor.execute(&preview, &card, attempts).await));
            }
        }
        Ran::Outcomes(outcomes)
    }

    /// Does work that may take longer than a lease, which is renewed meanwhile. Work that nobody wants any more is
    /// dropped, and so is that of an instance that stops: then the error is the document as it is.
    async fn prolonged(
        &self,
        session: &Session,
        token: u64,
        id: EffectId,
        work: impl Future<Output = Event> + Send,
    ) -> Result<Event, Arc<Session>> {
        tokio::pin!(work);
        let outcome = [(id, Event::Prolonged)];
        loop {
            tokio::select! {
                biased;
                event = &mut work => return Ok(event),
                () = self.shared.clock.sleep(RENEWED_EVERY) => {}
                // A clock that stands still renews nothing, but work that is not wanted ends there too.
                () = tokio::time::sleep(RENEWED_EVERY) => {}
            }
            // Never dropped half-way: the commit may have taken the other lane.
            match self.shared.service.settle(session.key, Lane::Compute, token, &outcome).await {
                Ok(handled) => {
                    self.hand_over(&handled, Lane::Compute);
                    let is_wanted = handled.session.pending.iter().any(|it| EffectId::Pending(it.id) == id);
                    if !is_wanted || !handled.session.holds(Lane::Compute, token) {
                        return Err(handled.session);
                    }
                }
                // Whoever takes the lane over meanwhile wins: then the outcome of this one does not count.
                Err(error) => tracing::debug!(%error, "a lease could not be renewed"),
            }
        }
    }

    /// How long an effect that is done took since it was committed, its retries included.
    fn observe_age(&self, session: &Session, id: EffectId, event: &Event) {
        let since = session.pending.iter().find(|pending| EffectId::Pending(pending.id) == id);
        if let (Some(pending), false) = (since, matches!(event, Event::Deferred { .. } | Event::GivenUp)) {
            let age = self.shared.clock.now().since(pending.since);
            metrics::histogram!("depot_effect_age_seconds").record(age);
        }
    }

    /// The commit of one lane may have taken the other, which then runs beside it.
    fn hand_over(&self, handled: &Handled, lane: Lane) {
        let (other, token) = match lane {
            Lane::Chat => (Lane::Compute, handled.compute),
            Lane::Compute => (Lane::Chat, handled.chat),
        };
        if let Some(token) = token {
            // Without a permit of its own: lanes that hold one must not wait for another.
            self.spawn(other, token, Arc::clone(&handled.session), None, None);
        }
    }
}
