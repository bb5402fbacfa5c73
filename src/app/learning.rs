//! The loop that brings what people chose to the model that proposes.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::ledger::{Ledger, LedgerError};
use crate::model::Embedded;
use note_reader::site::{Learned, learned};

/// How soon what was chosen at another instance is known here; what was chosen here is known at once.
const TURN: Duration = Duration::from_secs(60);

/// After reading for a while, nothing is read for so many times as long.
const READING_SHARE: u32 = 50;

/// Reads what was chosen, at first at once, until `stop`; while it cannot be read, what was learned before stays.
pub(super) async fn run(
    ledger: Ledger,
    taxonomy: String,
    embedded: Embedded,
    clock: Clock,
    stop: CancellationToken,
) {
    let mut known = Vec::new();
    while !stop.is_cancelled() {
        let began = Instant::now();
        match read(&ledger, &taxonomy).await {
            Ok(read) if read != known => {
                known.clone_from(&read);
                metrics::gauge!("depot_lexicon_learned")
                    .set(f64::from(u32::try_from(read.len()).unwrap_or(u32::MAX)));
                embedded.learn(read);
            }
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(%error, "what was chosen cannot be read; proposals stay as they are")
            }
        }
        // Whoever corrects much must not make the bot read all the time.
        let rest = began.elapsed() * READING_SHARE;
        if stop.run_until_cancelled(tokio::time::sleep(rest)).await.is_none() {
            return;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = ledger.taught() => {}
            () = clock.sleep(TURN) => {}
        }
    }
}

async fn read(ledger: &Ledger, taxonomy: &str) -> Result<Vec<Learned>, LedgerError> {
    let choices = ledger.choices(taxonomy).await?;
    Ok(learned(&choices.made, &choices.forgotten))
}
