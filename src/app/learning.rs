//! The loop that brings members' feedback to the model that proposes.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::database::DatabaseError;
use crate::ledger::Feedback;
use crate::model::Embedded;
use note_reader::site::{Learned, learned};

/// How often feedback given at another instance is read here; feedback given here is read at once.
const POLL_INTERVAL: Duration = Duration::from_secs(60);

/// After each reading, nothing is read for so many times as long as it took.
const READING_SHARE: u32 = 50;

/// Reads the feedback, at first at once, until `stop`; while it cannot be read, the model stays as it is.
pub(super) async fn run(
    feedback: Feedback,
    taxonomy: String,
    embedded: Embedded,
    clock: Clock,
    stop: CancellationToken,
) {
    let mut known = Vec::new();
    while !stop.is_cancelled() {
        let began = Instant::now();
        match read(&feedback, &taxonomy).await {
            Ok(read) if read != known => {
                known.clone_from(&read);
                metrics::gauge!("depot_lexicon_learned")
                    .set(f64::from(u32::try_from(read.len()).unwrap_or(u32::MAX)));
                embedded.learn(read);
            }
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(%error, "feedback cannot be read: proposals stay as they are")
            }
        }
        // Many corrections in a row must not make the bot read all the time.
        let rest = began.elapsed() * READING_SHARE;
        if stop.run_until_cancelled(tokio::time::sleep(rest)).await.is_none() {
            return;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = feedback.changed() => {}
            () = clock.sleep(POLL_INTERVAL) => {}
        }
    }
}

async fn read(feedback: &Feedback, taxonomy: &str) -> Result<Vec<Learned>, DatabaseError> {
    let feedback = feedback.read(taxonomy).await?;
    Ok(learned(&feedback.choices, &feedback.retracted))
}
