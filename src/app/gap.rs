//! After a gap in the intake: Telegram keeps a tap for 150 s only, so the question of each open session is asked again.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::Timestamp;
use crate::effects::Effects;
use crate::ledger::Ledger;
use crate::service::ValidationSessionService;
use crate::session::{Cause, Event};
use crate::telegram::intake::IntakeStatus;

/// How long Telegram keeps a tap (`add_update` of a callback query in tdlib/telegram-bot-api).
const TAP_KEPT: Duration = Duration::from_secs(150);
/// How often the last turn of the intake is noted, so that the next start knows of the gap before it.
const NOTED_EVERY: Duration = Duration::from_secs(30);
/// The most sessions that are asked again after one gap.
const ASKED_MAX: usize = 1_000;

/// Watches the turns of the intake.
#[derive(Debug)]
pub(super) struct Gap {
    pub(super) ledger: Ledger,
    pub(super) service: Arc<ValidationSessionService>,
    pub(super) effects: Effects,
    pub(super) status: watch::Receiver<IntakeStatus>,
}

impl Gap {
    /// Watches until `stop`. What waited in Telegram is handled first: an answer that did arrive is not asked for again.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut last = self.ledger.intake_seen_at().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "nobody knows when updates last came in; a gap before this start is not noticed");
            None
        });
        // At the start nobody knows how long the bot was away.
        let (mut noted, mut was_away) = (None, true);
        loop {
            let status = *self.status.borrow_and_update();
            was_away |= status.trouble.is_some();
            if let Some(turned) = status.turned_at.filter(|_| status.caught_up) {
                if was_away && last.is_some_and(|last| turned.since(last) > TAP_KEPT) {
                    self.ask_again().await;
                }
                was_away = false;
                last = Some(turned);
                self.note(turned, &mut noted).await;
            }
            tokio::select! {
                () = stop.cancelled() => return,
                changed = self.status.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
            }
        }
    }

    async fn note(&self, turned: Timestamp, noted: &mut Option<Timestamp>) {
        if noted.is_some_and(|noted| turned.since(noted) < NOTED_EVERY) {
            return;
        }
        match self.ledger.intake_seen(turned).await {
            Ok(()) => *noted = Some(turned),
            Err(error) => tracing::debug!(%error, "the last turn of the intake could not be noted"),
        }
    }

    async fn ask_again(&self) {
        let keys = match self.service.unfinished(ASKED_MAX).await {
            Ok(keys) => keys,
            Err(error) => {
                tracing::warn!(%error, "open sessions could not be asked again after a gap in the intake");
                return;
            }
        };
        tracing::info!(
            sessions = keys.len(),
            "updates come in again after a gap: open questions are asked again"
        );
        for key in keys {
            match self.service.update(key, Cause::Deadline, &Event::IntakeResumed).await {
                Ok(handled) => drop(self.effects.run(&handled).await),
                Err(error) => tracing::debug!(%error, "an open session could not be asked again"),
            }
        }
    }
}
