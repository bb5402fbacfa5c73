//! The loop that removes what is kept for a time only, and says in numbers that it did.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config;
use crate::database::DatabaseError;
use crate::operations::{Retained, Retention};

/// How often it is looked: what is kept for days may stay an hour longer.
const TURN: Duration = Duration::from_secs(3600);

/// Purges at first at once and then every hour, until `stop`; of several instances each does, and whoever comes first
/// finds the rows.
pub(super) async fn run(
    keep: config::Retention,
    retention: Retention,
    clock: Clock,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        for kind in Retained::ALL {
            if let Err(error) = purge(kind, kept_for(&keep, kind), &retention, &clock).await {
                tracing::warn!(kind = kind.as_str(), %error, "what is too old could not be removed; it is tried again");
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = clock.sleep(TURN) => {}
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
            tracing::info!(kind = name, rows = purged, "what was kept long enough is removed");
        }
    }
    let age = retention.oldest(kind).await?.map(|oldest| clock.now().since(oldest));
    metrics::gauge!("depot_retained_oldest_seconds", "kind" => name)
        .set(age.unwrap_or_default().as_secs_f64());
    Ok(())
}

fn kept_for(keep: &config::Retention, kind: Retained) -> Option<Duration> {
    match kind {
        Retained::DeadLetters => keep.dead_letters,
        Retained::Conflicts => keep.conflicts,
        Retained::Quarantine => keep.quarantine,
        Retained::Drafts => keep.drafts,
        Retained::Deliveries => keep.deliveries,
        // Each answer says itself how long it is kept.
        Retained::Cache => Some(Duration::ZERO),
    }
}
