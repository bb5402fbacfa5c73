//! Parked updates that an operator asked for: handled once more, by whichever running bot looks first.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::ledger::LedgerError;
use crate::ledger::parked::Parked;
use crate::telegram::incoming::Incoming;
use crate::telegram::updates::{Outcome, Updates};

/// How often the table is looked at: an operator waits for it, and a look costs one read of an index.
const TURN: Duration = Duration::from_secs(2);
/// How long handling one may take.
const TRY: Duration = Duration::from_secs(30);
/// How long an update is ours: longer than handling it may take.
const LEASE: Duration = Duration::from_secs(60);

/// Replays until `stop`.
pub async fn run(updates: Updates, stop: CancellationToken) {
    let updates = Updates { replays: true, ..updates };
    let clock = updates.chat.clock.clone();
    while !stop.is_cancelled() {
        if let Err(error) = turn(&updates, &stop).await {
            tracing::debug!(%error, "parked updates wait: the ledger does not answer");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = clock.sleep(TURN) => {}
        }
    }
}

async fn turn(updates: &Updates, stop: &CancellationToken) -> Result<(), LedgerError> {
    let ledger = &updates.chat.ledger;
    while !stop.is_cancelled()
        && let Some(parked) = ledger.claim_replay(LEASE).await?
    {
        let id = parked.update_id;
        match replay(updates, &parked).await {
            Replayed::Done => {
                ledger.unpark(&parked).await?;
                tracing::info!(update.id = id, "a parked update was handled");
            }
            Replayed::Stays(why) => {
                ledger.leave_parked(&parked).await?;
                tracing::warn!(update.id = id, why, "a parked update could not be handled and stays parked");
            }
            Replayed::Later => {
                tracing::warn!(update.id = id, "a parked update waits: the stores do not answer");
                // It is due again at once, and looked at with the next turn; those behind it keep their places.
                ledger.ask_replay(Some(&parked.name())).await?;
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
async fn replay(updates: &Updates, parked: &Parked) -> Replayed {
    let Ok(incoming) = Incoming::read(&parked.raw) else { return Replayed::Stays("it cannot be read") };
    let (updates, raw) = (updates.clone(), parked.raw.clone());
    let handling = tokio::spawn(async move { updates.settle(&incoming, &raw).await });
    match tokio::time::timeout(TRY, handling).await {
        Ok(Ok(Ok(Outcome::Handled | Outcome::Ignored))) => Replayed::Done,
        Ok(Ok(Ok(Outcome::Refused))) => Replayed::Stays("its sender may not, or sent too much"),
        Ok(Ok(Ok(Outcome::Parked))) => Replayed::Stays("as before"),
        Ok(Ok(Err(_))) => Replayed::Later,
        Ok(Err(_)) => Replayed::Stays("it panicked"),
        Err(_) => Replayed::Stays("it does not come to an end"),
    }
}
