//! The loop of deadlines: expiry, warnings, retries, and lanes whose lease ended without an outcome.
//!
//! Any instance may handle any due document; the commit decides which was first, so no leader is needed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, Timestamp};
use crate::effects::Effects;
use crate::effects::execute::Chat;
use crate::ledger::Record;
use crate::service::{ServiceError, ValidationSessionService};
use crate::store::StoreError;
use session::{Cause, Event, SessionKey};

/// How often the due index is read.
const READ_EVERY: Duration = Duration::from_millis(500);
/// How many documents are handled before the index is read again.
const BATCH: usize = 128;

/// How long an unreadable document is passed over: it stays the most overdue of all.
const PASSED_OVER: Duration = Duration::from_secs(60);
/// How many such documents are remembered.
const UNREADABLE_MAX: usize = 4_096;

/// Handles due documents until `stop`; feeds the watchdog with each document and after each iteration.
pub async fn run<C: Chat, R: Record>(
    service: Arc<ValidationSessionService>,
    effects: Effects<C, R>,
    clock: Clock,
    stop: CancellationToken,
    feed: impl Fn() + Send + Sync,
) {
    let mut failing = false;
    let mut allowed = service.expiry_allowed();
    let mut unreadable = HashMap::new();
    while !stop.is_cancelled() {
        match handle_due(&service, &effects, &mut unreadable, clock.now(), &feed).await {
            Ok(()) => failing = false,
            // Logged once per change: readiness shows how long it lasts.
            Err(error) if !failing => {
                failing = true;
                tracing::warn!(
                    %error,
                    "the due index cannot be read: expiry and retries wait until the store answers; see /health/ready"
                );
            }
            Err(_) => {}
        }
        feed();
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            Ok(()) = allowed.changed() => {}
            () = clock.sleep(READ_EVERY) => {}
            // With the clock held still by a test, the index is read all the same: a missing read counts as a gap.
            () = tokio::time::sleep(READ_EVERY) => {}
        }
    }
}

async fn handle_due<C: Chat, R: Record>(
    service: &ValidationSessionService,
    effects: &Effects<C, R>,
    unreadable: &mut HashMap<SessionKey, Timestamp>,
    now: Timestamp,
    feed: &(impl Fn() + Sync),
) -> Result<(), ServiceError> {
    unreadable.retain(|_, found_at| now.since(*found_at) < PASSED_OVER);
    loop {
        let known = unreadable.len();
        let mut is_out_of_reach = false;
        // Unreadable documents must not starve the ones after them.
        for key in service.due(BATCH + known).await? {
            if unreadable.contains_key(&key) {
                continue;
            }
            feed();
            match handle(service, effects, key).await {
                DueOutcome::Handled => is_out_of_reach = false,
                DueOutcome::Unreadable if unreadable.len() < UNREADABLE_MAX => {
                    unreadable.insert(key, now);
                }
                DueOutcome::Unreadable => {}
                // After the second one the rest would fail too, each after a deadline.
                DueOutcome::OutOfReach if is_out_of_reach => return Ok(()),
                DueOutcome::OutOfReach => is_out_of_reach = true,
            }
        }
        if unreadable.len() == known {
            return Ok(());
        }
    }
}

/// How handling one due document ended.
enum DueOutcome {
    /// It was committed, needs nothing, or is handled again next time.
    Handled,
    /// It cannot be read.
    Unreadable,
    /// The store does not answer.
    OutOfReach,
}

/// Handles one due document. Its effects are not waited for: a deposit that cannot be recorded would hold up all other
/// documents.
async fn handle<C: Chat, R: Record>(
    service: &ValidationSessionService,
    effects: &Effects<C, R>,
    key: SessionKey,
) -> DueOutcome {
    match service.update(key, Cause::Deadline, &Event::DeadlinePassed).await {
        Ok(handled) => {
            if handled.chat.is_some() {
                crate::failpoint!("timer_claimed");
            }
            let _runs = effects.run(&handled).await;
            DueOutcome::Handled
        }
        Err(error) => {
            tracing::debug!(user.id = key.user.0, %error, "a due session could not be handled");
            match error {
                ServiceError::Store(StoreError::Corrupt { .. } | StoreError::Newer { .. }) => {
                    DueOutcome::Unreadable
                }
                ServiceError::Store(StoreError::TooLarge { .. }) | ServiceError::Contended => {
                    DueOutcome::Handled
                }
                ServiceError::Store(
                    StoreError::Unavailable { .. }
                    | StoreError::Unknown { .. }
                    | StoreError::Refused { .. }
                    | StoreError::Superseded { .. },
                ) => DueOutcome::OutOfReach,
            }
        }
    }
}
