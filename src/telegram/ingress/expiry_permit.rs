//! The permit to expire sessions: none may end while an update that would have kept it open may wait in Telegram.
//!
//! This loop only passes on what the intake knows. The service adds what it knows itself, and decides: see
//! `src/service/expiry.rs`.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::service::ValidationSessionService;
use crate::telegram::ingress::status::IntakeStatus;

/// Follows the intake until `stop`: a failure withdraws the permit, and an intake that has caught up gives it.
pub async fn run(
    service: Arc<ValidationSessionService>,
    mut status: watch::Receiver<IntakeStatus>,
    stop: CancellationToken,
) {
    loop {
        let now = *status.borrow_and_update();
        if now.failure.is_some() {
            service.forbid_expiry();
        } else if now.caught_up {
            service.allow_expiry();
        }
        let Some(Ok(())) = stop.run_until_cancelled(status.changed()).await else { return };
    }
}
