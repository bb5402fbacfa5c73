//! The loop that looks at documents when they are due: expiry, warnings, retries and lanes whose holder is gone.
//!
//! Any instance may look at any document; the commit decides who was first, so no leader is needed.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::effects::Effects;
use crate::service::ValidationSessionService;
use crate::session::{Cause, Event, SessionKey};

/// How often the due index is read.
const TURN: Duration = Duration::from_millis(500);
/// How many documents one turn looks at before it reads the index again.
const BATCH: usize = 128;

/// Looks at due documents until `stop`; calls `beat` after each turn that read the index.
pub async fn run(
    service: Arc<ValidationSessionService>,
    effects: Effects,
    clock: Clock,
    stop: CancellationToken,
    beat: impl Fn() + Send,
) {
    let mut failing = false;
    let mut allowed = service.expiry_allowed();
    while !stop.is_cancelled() {
        match turn(&service, &effects).await {
            Ok(()) => failing = false,
            // Said once per change: readiness shows how long it lasts.
            Err(error) if !failing => {
                failing = true;
                tracing::warn!(%error, "the due index cannot be read; expiry and retries wait");
            }
            Err(_) => {}
        }
        beat();
        tokio::select! {
            () = stop.cancelled() => {}
            Ok(()) = allowed.changed() => {}
            () = clock.sleep(TURN) => {}
        }
    }
}

async fn turn(
    service: &ValidationSessionService,
    effects: &Effects,
) -> Result<(), crate::service::ServiceError> {
    for key in service.due(BATCH).await? {
        look_at(service, effects, key).await;
    }
    Ok(())
}

/// Looks at one document; what cannot be read or committed is looked at again next time.
async fn look_at(service: &ValidationSessionService, effects: &Effects, key: SessionKey) {
    match service.update(key, Cause::Deadline, &Event::DeadlinePassed).await {
        Ok(handled) => effects.run(&handled).await.done().await,
        Err(error) => tracing::debug!(user.id = key.user.0, %error, "a due session could not be looked at"),
    }
}
