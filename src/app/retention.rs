//! The loop that removes rows past their retention, and counts them.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config;
use crate::database::DatabaseError;
use crate::operations::{Retained, Retention};

/// How often it purges: rows that are retained for days may stay an hour longer.
const PURGE_INTERVAL: Duration = Duration::from_secs(3600);

/// Purges at once and then every hour, until `stop`. Each of several instances does, and the first one finds the rows.
pub(super) async fn run(
    keep: config::RetentionSettings,
    retention: Retention,
    clock: Clock,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        for kind in Retained::ALL {
            if let Err(error) = purge(kind, kept_for(&keep, kind), &retention, &clock).await {
                tracing::warn!(
                    kind = kind.as_str(),
                    %error,
                    "rows past their retention could not be removed: they stay, and the purge is tried again in an hour; \
                     check the database"
                );
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = clock.sleep(PURGE_INTERVAL) => {}
        }
    }
}

async fn purge(
    kind: Retained,
    keep: Option<Duration>,
    retention: &Retention,
    clock: &Clock,
) -> Result<(), DatabaseError> {
    let name = kind.as_str();
    if let Some(keep) = keep {
        let purged = retention.purge(kind, clock.now().before(keep)).await?;
        metrics::counter!("depot_purged_total", "kind" => name).increment(purged);
        if purged > 0 {
            tracing::info!(kind = name, rows = purged, "rows past their retention were removed");
        }
    }
    let age = retention.oldest(kind).await?.map(|oldest| clock.now().since(oldest));
    metrics::gauge!("depot_retained_oldest_seconds", "kind" => name)
        .set(age.unwrap_or_default().as_secs_f64());
    Ok(())
}

fn kept_for(keep: &config::RetentionSettings, kind: Retained) -> Option<Duration> {
    match kind {
        Retained::DeadLetters => keep.dead_letters,
        Retained::Conflicts => keep.conflicts,
        Retained::Quarantine => keep.quarantine,
        Retained::Drafts => keep.drafts,
        Retained::Deliveries => keep.deliveries,
        // Each answer has its own expiry.
        Retained::Cache => Some(Duration::ZERO),
    }
}
