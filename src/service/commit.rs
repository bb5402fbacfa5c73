//! One commit: load, apply, store, and again on a conflict.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::time::Instant;
use tracing::Instrument as _;
use tracing::field::Empty;

use crate::clock::Timestamp;
use crate::rng::Rng;
use crate::service::observer::Applied;
use crate::service::span::session_span;
use crate::service::{CONFLICTS_MAX, Handled, ServiceError, ValidationSessionService};
use crate::store::{Commit, Committed, retry};
use crate::telemetry::milliseconds;
use deposit::{DepositId, DepositRef};
use session::{Cause, Context, Event, Fresh, Lane, SCHEMA, Session, SessionKey, Transition, Verdict};

impl ValidationSessionService {
    /// Loads, applies the steps, commits, and does so again if another commit was first.
    pub(super) async fn advance(
        &self,
        key: SessionKey,
        steps: &[(Cause, &Event)],
    ) -> Result<Handled, ServiceError> {
        self.load_apply_commit(key, steps).instrument(session_span(key)).await
    }

    async fn load_apply_commit(
        &self,
        key: SessionKey,
        steps: &[(Cause, &Event)],
    ) -> Result<Handled, ServiceError> {
        let context = self.context();
        // Read before the document: what was read under one epoch is not committed under the next.
        let mut epoch = self.store.epoch();
        let (mut current, mut is_fresh) = match self.cache.get(key, epoch) {
            Some(cached) => (cached, false),
            None => (self.load(key, epoch).await?, true),
        };
        for _ in 0..CONFLICTS_MAX {
            let transition = apply_all(&current, steps, &context);
            if transition.verdict != Verdict::Changed {
                // Only the store's own document may decide that there is nothing to commit.
                if is_fresh || transition.verdict == Verdict::Duplicate {
                    self.observer.unchanged(&current, steps, transition.verdict);
                    return Ok(done(current, &transition, context.token));
                }
                (current, is_fresh) = (self.load(key, epoch).await?, true);
                continue;
            }
            match self.commit(&current, &transition, epoch).await? {
                Ok(committed) => {
                    let applied = Applied { before: &current, after: &committed, steps, at: context.now };
                    self.observer.applied(&applied);
                    self.count(steps, &committed);
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
        session.commit = self.rng.number();
        session.epoch = epoch;
        // A document of an older release is written in this one's layout.
        session.schema = SCHEMA;
        let commit = Commit {
            expected: current.version,
            session: &session,
            due_at: session.due_at(self.ttl),
            kept_for: session.kept_for(),
            now: self.clock.now(),
        };
        let started = Instant::now();
        let span = tracing::debug_span!(
            "commit",
            from = current.state.name(),
            to = session.state.name(),
            version = session.version,
            epoch,
            store = self.store.name(),
            ms = Empty,
        );
        self.observer.sent(current, &session, self.store.name());
        crate::failpoint!("commit_sent");
        let outcome = retry::commit(self.store.as_ref(), &commit, &self.rng).instrument(span.clone()).await;
        crate::failpoint!("commit_applied");
        span.record("ms", milliseconds(started.elapsed()));
        metrics::histogram!("depot_commit_seconds").record(started.elapsed());
        let key = session.key;
        match outcome {
            Ok(Committed::Applied) => {
                span.in_scope(|| tracing::debug!("committed"));
                Ok(Ok(self.remember(session, epoch)))
            }
            Ok(Committed::Conflict(winner)) => {
                span.in_scope(|| tracing::debug!("another commit was first"));
                self.cache.forget(key);
                Ok(Err(winner.map(|winner| self.remember(*winner, epoch))))
            }
            Err(error) => {
                span.in_scope(|| tracing::debug!(%error, "not committed"));
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
        let session = retry::load(self.store.as_ref(), key, &self.rng).await?;
        let session = session.unwrap_or_else(|| Session::new(key, self.clock.now()));
        Ok(self.remember(session, epoch))
    }

    /// The facts that a step may know beside the document.
    pub(super) fn context(&self) -> Context {
        let now = self.clock.now();
        Context {
            now,
            ttl: self.ttl,
            may_expire: self.expiry.until(now, self.store.heartbeat_age()),
            may_run: self.may_run.load(Ordering::Relaxed),
            fresh: Fresh { id: deposit_id(now, &self.rng), reference: DepositRef(self.rng.number()) },
            token: self.rng.number(),
        }
    }

    /// Caches a document that was read or written under `epoch`, if the store still serves that.
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
                session: next.session,
            },
        });
    }
    whole.unwrap_or_else(|| current.apply(&Cause::Deadline, &Event::DeadlinePassed, context))
}

/// The caller runs the lanes that `token` holds, also when an earlier try took them and its answer was lost: it is drawn for
/// this call alone.
fn done(session: Arc<Session>, transition: &Transition, token: u64) -> Handled {
    if transition.verdict == Verdict::Duplicate {
        metrics::counter!("depot_duplicates_total").increment(1);
    }
    Handled {
        verdict: transition.verdict,
        answer: transition.answer,
        chat: session.holds(Lane::Chat, token).then_some(token),
        compute: session.holds(Lane::Compute, token).then_some(token),
        session,
    }
}

/// A UUID of version 7: sortable by the time it was made.
fn deposit_id(now: Timestamp, rng: &Rng) -> DepositId {
    let millis = u64::try_from(now.0).unwrap_or_default();
    let random = (u128::from(rng.number()) << 64 | u128::from(rng.number())).to_be_bytes();
    let [random @ .., _, _, _, _, _, _] = random;
    DepositId(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
}
