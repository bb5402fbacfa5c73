//! The intake gap: Telegram keeps a tap for 150 s only, so after a longer gap the question of each open
//! session is asked again.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::Timestamp;
use crate::operations::LastIntake;
use crate::service::ValidationSessionService;
use crate::telegram::ingress::status::IntakeStatus;
use crate::telegram::routing::BotEffects;
use session::{Cause, Event};

/// How long Telegram keeps a tap (`add_update` of a callback query in tdlib/telegram-bot-api).
const TAP_KEPT: Duration = Duration::from_secs(150);
/// How often the last iteration of the intake is noted, so that the next start knows of the gap before it.
const NOTED_EVERY: Duration = Duration::from_secs(30);
/// The most sessions that are asked again after one gap.
const ASKED_MAX: usize = 1_000;

/// Watches the iterations of the intake.
#[derive(Debug)]
pub struct IntakeGap {
    /// The time of the last iteration, stored over a restart.
    pub last_intake: LastIntake,
    /// The open sessions.
    pub service: Arc<ValidationSessionService>,
    /// Runs the lanes of those that are asked again.
    pub effects: BotEffects,
    /// The state of the intake.
    pub status: watch::Receiver<IntakeStatus>,
}

impl IntakeGap {
    /// Watches until `stop`. Updates that waited in Telegram are handled first: no arrived answer is asked for again.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut last = self.last_intake.seen_at().await.unwrap_or_else(|error| {
            tracing::warn!(
                %error,
                "the time of the last update cannot be read: if the bot was away for long, open questions are not asked \
                 again, and their owners have to write once more; check the database"
            );
            None
        });
        // How long the bot was away is not known at the start.
        let (mut noted, mut was_away) = (None, true);
        loop {
            let status = *self.status.borrow_and_update();
            was_away |= status.failure.is_some();
            if let Some(completed) = status.completed_at.filter(|_| status.caught_up) {
                if was_away && last.is_some_and(|last| completed.since(last) > TAP_KEPT) {
                    self.ask_again().await;
                }
                was_away = false;
                last = Some(completed);
                self.note(completed, &mut noted).await;
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

    async fn note(&self, completed: Timestamp, noted: &mut Option<Timestamp>) {
        if noted.is_some_and(|noted| completed.since(noted) < NOTED_EVERY) {
            return;
        }
        match self.last_intake.record(completed).await {
            Ok(()) => *noted = Some(completed),
            Err(error) => tracing::debug!(%error, "the last iteration of the intake could not be noted"),
        }
    }

    async fn ask_again(&self) {
        let keys = match self.service.unfinished(ASKED_MAX).await {
            Ok(keys) => keys,
            Err(error) => {
                tracing::warn!(
                    %error,
                    "after a gap in the intake the open sessions could not be listed: their questions are not asked again, \
                     and their owners have to write once more; check the stores"
                );
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
