//! The replay of dead letters that an operator asked for: each is handled once more, by whichever instance is first.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::database::DatabaseError;
use crate::operations::DeadLetter;
use crate::telegram::incoming::Incoming;
use crate::telegram::routing::{Router, UpdateOutcome};

/// How often the table is read: an operator waits for it, and it costs one read of an index.
const POLL_EVERY: Duration = Duration::from_secs(2);
/// How long handling one dead letter may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// How long this instance holds a dead letter: longer than handling it may take.
const LEASE: Duration = Duration::from_secs(60);

/// Replays until `stop`.
pub async fn run(router: Router, stop: CancellationToken) {
    let router = Router { replays: true, ..router };
    let clock = router.chat.clock.clone();
    while !stop.is_cancelled() {
        if let Err(error) = replay_due(&router, &stop).await {
            tracing::debug!(%error, "dead letters wait: the database does not answer");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = clock.sleep(POLL_EVERY) => {}
        }
    }
}

async fn replay_due(router: &Router, stop: &CancellationToken) -> Result<(), DatabaseError> {
    let dead_letters = &router.chat.dead_letters;
    while !stop.is_cancelled()
        && let Some(letter) = dead_letters.lease_replay(LEASE).await?
    {
        let id = letter.update_id;
        match replay(router, &letter).await {
            Replayed::Done => {
                dead_letters.remove(&letter).await?;
                tracing::info!(update.id = id, "a dead letter was replayed");
            }
            Replayed::Stays(reason) => {
                dead_letters.end_replay(&letter).await?;
                tracing::warn!(
                    update.id = id,
                    reason,
                    "replaying a dead letter failed: it stays in the table; mend the reason and replay it again, or delete it"
                );
            }
            Replayed::Later => {
                tracing::warn!(
                    update.id = id,
                    "a dead letter waits for its replay: the stores do not answer; it is tried again by itself"
                );
                // It is due again at once, and read again with the next poll; those behind it keep their order.
                dead_letters.request_replay(Some(&letter.name())).await?;
                return Ok(());
            }
        }
    }
    Ok(())
}

enum Replayed {
    Done,
    Stays(&'static str),
    Later,
}

/// In a task of its own, so that an update that panics ends nothing but itself.
async fn replay(router: &Router, letter: &DeadLetter) -> Replayed {
    let Ok(incoming) = Incoming::read(&letter.raw) else { return Replayed::Stays("it cannot be read") };
    let (router, raw) = (router.clone(), letter.raw.clone());
    let handling = tokio::spawn(async move {
        let routed = router.route(&incoming).await;
        router.recover(&incoming, &raw, routed).await
    });
    match tokio::time::timeout(DEADLINE, handling).await {
        Ok(Ok(Ok(UpdateOutcome::Handled | UpdateOutcome::Ignored))) => Replayed::Done,
        Ok(Ok(Ok(UpdateOutcome::Refused))) => Replayed::Stays("its sender is no member, or sent too much"),
        Ok(Ok(Ok(UpdateOutcome::DeadLetter))) => Replayed::Stays("as before"),
        Ok(Ok(Err(_))) => Replayed::Later,
        Ok(Err(_)) => Replayed::Stays("it panicked"),
        Err(_) => Replayed::Stays("it does not come to an end"),
    }
}
