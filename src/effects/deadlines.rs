//! The loop that looks at documents when they are due: expiry, warnings, retries and lanes whose holder is gone.
//!
//! Any instance may look at any document; the commit decides who was first, so no leader is needed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, Timestamp};
use crate::effects::Effects;
use crate::service::{ServiceError, ValidationSessionService};
use crate::session::{Cause, Event, SessionKey};
use crate::store::StoreError;

/// How often the due index is read.
const TURN: Duration = Duration::from_millis(500);
/// How many documents one turn looks at before it reads the index again.
const BATCH: usize = 128;

/// How long a document that cannot be read is passed over: it stays the most overdue of all.
const PASSED_OVER: Duration = Duration::from_secs(60);
/// How many such documents are remembered.
const UNREADABLE_MAX: usize = 4_096;

/// Looks at due documents until `stop`; calls `feed` with each look and after each turn.
pub async fn run(
    service: Arc<ValidationSessionService>,
    effects: Effects,
    clock: Clock,
    stop: CancellationToken,
    feed: impl Fn() + Send + Sync,
) {
    let mut failing = false;
    let mut allowed = service.expiry_allowed();
    let mut unreadable = HashMap::new();
    while !stop.is_cancelled() {
        match turn(&service, &effects, &mut unreadable, clock.now(), &feed).await {
            Ok(()) => failing = false,
            // Said once per change: readiness shows how long it lasts.
            Err(error) if !failing => {
                failing = true;
                tracing::warn!(%error, "the due index cannot be read; expiry and retries wait");
            }
            Err(_) => {}
        }
        feed();
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            Ok(()) = allowed.changed() => {}
            () = clock.sleep(TURN) => {}
            // A look that does not come counts as a gap; a clock that is held still must not seem to be one.
            () = tokio::time::sleep(TURN) => {}
        }
    }
}

async fn turn(
    service: &ValidationSessionService,
    effects: &Effects,
    unreadable: &mut HashMap<SessionKey, Timestamp>,
    now: Timestamp,
    feed: &(impl Fn() + Sync),
) -> Result<(), ServiceError> {
    unreadable.retain(|_, found_at| now.since(*found_at) < PASSED_OVER);
    loop {
        let known = unreadable.len();
        let mut is_out_of_reach = false;
        // Those that cannot be read must not take the places of those behind them.
        for key in service.due(BATCH + known).await? {
            if unreadable.contains_key(&key) {
                continue;
            }
            feed();
            match look_at(service, effects, key).await {
                Looked::Through => is_out_of_reach = false,
                Looked::Unreadable if unreadable.len() < UNREADABLE_MAX => {
                    unreadable.insert(key, now);
                }
                Looked::Unreadable => {}
                // After a second one it would be the same with those behind it, each after a deadline.
                Looked::OutOfReach if is_out_of_reach => return Ok(()),
                Looked::OutOfReach => is_out_of_reach = true,
            }
        }
        if unreadable.len() == known {
            return Ok(());
        }
    }
}

/// What came of a look at one document.
enum Looked {
    /// It was moved on, needs nothing, or is looked at again next time.
    Through,
    /// Nobody can read it.
    Unreadable,
    /// The store could not be asked.
    OutOfReach,
}

/// Looks at one document. What follows from that is not waited for: a deposit that cannot be recorded would hold up
/// everybody else.
async fn look_at(service: &ValidationSessionService, effects: &Effects, key: SessionKey) -> Looked {
    match service.update(key, Cause::Deadline, &Event::DeadlinePassed).await {
        Ok(handled) => {
            if handled.chat.is_some() {
                crate::failpoint!("timer_claimed");
            }
            let _runs = effects.run(&handled).await;
            Looked::Through
        }
        Err(error) => {
            tracing::debug!(user.id = key.user.0, %error, "a due session could not be looked at");
            match error {
                ServiceError::Store(StoreError::Corrupt { .. } | StoreError::Newer { .. }) => {
                    Looked::Unreadable
                }
                ServiceError::Store(StoreError::TooLarge { .. }) | ServiceError::Contended => Looked::Through,
                ServiceError::Store(
                    StoreError::Unavailable { .. }
                    | StoreError::Unknown { .. }
                    | StoreError::Refused { .. }
                    | StoreError::Superseded { .. },
                ) => Looked::OutOfReach,
            }
        }
    }
}
