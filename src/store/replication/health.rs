//! The health of the two stores as the monitor has observed it: what counts as an outage, and when Redis may return.
//! Each outage and each recovery is logged once.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::store::StoreError;
use crate::store::replication::{Probe, VolatileStore};

/// How many failures in a row make an outage, and the pause between two probes of a Redis that fails.
const FAILURES: u32 = 2;
pub(super) const BETWEEN_FAILURES: Duration = Duration::from_millis(100);
/// How long Redis must answer before it becomes the primary again; doubled after each return that did not last.
const RETURN_DELAY: Duration = Duration::from_secs(5);
const RETURN_DELAY_MAX: Duration = Duration::from_secs(60);
/// How long a return must last for the next one to come as quickly.
const LASTS: Duration = Duration::from_secs(60);

/// The health of Redis.
pub(super) struct RedisHealth {
    /// How many probes failed in a row.
    failures: u32,
    /// Since when it answers, as far as it has to prove that.
    answers_since: Option<Instant>,
    return_delay: Duration,
    returned_at: Option<Instant>,
    /// An outage was logged, and its end was not.
    is_out: bool,
}

impl RedisHealth {
    pub(super) fn new() -> Self {
        Self {
            failures: 0,
            answers_since: None,
            return_delay: RETURN_DELAY,
            returned_at: None,
            is_out: false,
        }
    }

    /// Probes a second time where the first one failed: one lost packet is no outage.
    pub(super) async fn probe_again(
        &mut self,
        mut probe: Result<Probe, StoreError>,
        redis: &impl VolatileStore,
    ) -> Result<Probe, StoreError> {
        loop {
            match &probe {
                Ok(_) => self.failures = 0,
                Err(_) => self.failures += 1,
            }
            if probe.is_ok() || self.failures >= FAILURES {
                return probe;
            }
            sleep(BETWEEN_FAILURES).await;
            probe = redis.probe().await;
        }
    }

    /// Redis cannot be the primary; logged once.
    pub(super) fn failed(&mut self, error: &StoreError) {
        self.answers_since = None;
        if !std::mem::replace(&mut self.is_out, true) {
            tracing::error!(
                %error,
                "Redis is unavailable: sessions go on from the database as soon as it takes them over; check that Redis runs \
                 and can be reached under REDIS_URL, it becomes the primary again by itself"
            );
        }
    }

    /// Whether Redis has answered for the whole return delay, which begins with the first call.
    pub(super) fn is_proven(&mut self) -> bool {
        self.answers_since.get_or_insert_with(Instant::now).elapsed() >= self.return_delay
    }

    /// Redis is the primary and takes commits; logged once after an outage.
    pub(super) fn recovered(&mut self, epoch: u64) {
        if std::mem::take(&mut self.is_out) {
            tracing::info!(epoch, "Redis is the primary again");
        }
    }

    /// Redis became the primary again, or could not be filled: its next return counts from then.
    pub(super) fn returned(&mut self, at: Option<Instant>) {
        self.returned_at = at;
    }

    /// Another instance made Redis the primary again.
    pub(super) fn returned_by_another(&self, epoch: u64) {
        if !self.is_out {
            tracing::info!(epoch, "Redis is the primary again");
        }
    }

    /// This instance elected SQL.
    pub(super) fn left_by_this(&mut self, epoch: u64) {
        self.left();
        tracing::warn!(
            epoch,
            "failed over to the database: it is the primary for sessions until Redis has answered for a while; nothing is to \
             be done here, see the error about Redis before this line"
        );
        metrics::counter!("depot_failovers_total", "to" => "sql").increment(1);
    }

    /// Another instance elected SQL; what this one has observed of Redis before does not count.
    pub(super) fn left_by_another(&mut self, epoch: u64, is_starting: bool) {
        self.left();
        if !is_starting {
            tracing::warn!(
                epoch,
                "another instance failed over to the database: it is the primary for sessions; if Redis answers here, check \
                 that the other instance reaches it"
            );
        }
    }

    /// The next return waits twice as long if this one did not last.
    fn left(&mut self) {
        self.answers_since = None;
        let lasted = self.returned_at.is_none_or(|at| at.elapsed() >= LASTS);
        self.return_delay = if lasted { RETURN_DELAY } else { (self.return_delay * 2).min(RETURN_DELAY_MAX) };
    }
}

/// The health of SQL.
#[derive(Default)]
pub(super) struct SqlHealth {
    failures: u32,
    pub(super) is_out: bool,
}

impl SqlHealth {
    pub(super) fn answered(&mut self) {
        self.failures = 0;
        if std::mem::take(&mut self.is_out) {
            tracing::info!("the database answers again: the replication backlog is being written");
        }
    }

    pub(super) fn failed(&mut self, error: &StoreError) {
        self.failures += 1;
        if self.failures == FAILURES {
            self.is_out = true;
            tracing::error!(
                %error,
                "the database does not answer: deposits wait to be recorded; check that it runs and can be reached under \
                 DATABASE_URL, the bot goes on by itself"
            );
        }
    }
}
