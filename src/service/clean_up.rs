//! The loop that deletes closed sessions whose time is over, where the store does not do so by itself.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::service::ValidationSessionService;

/// A closed session is kept for 72 hours, so ten minutes more do not matter.
const EVERY: Duration = Duration::from_secs(600);

/// Cleans up at first at once and then every ten minutes, until `stop`.
pub async fn run(service: Arc<ValidationSessionService>, clock: Clock, stop: CancellationToken) {
    while !stop.is_cancelled() {
        match service.clean_up().await {
            Ok(0) => {}
            Ok(sessions) => tracing::info!(sessions, "closed sessions were cleaned up"),
            Err(error) => tracing::warn!(
                %error,
                "closed sessions could not be cleaned up: they stay, and are cleaned up with the next try in ten \
                 minutes; check the stores"
            ),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = clock.sleep(EVERY) => {}
        }
    }
}
