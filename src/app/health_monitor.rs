//! The health monitor: a loop that asks each component for its condition, for readiness and for the gauges.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::app::Tables;
use crate::clock::Clock;
use crate::config::Config;
use crate::database::Database;
use crate::http::{Component, Condition, Health, Watchdog};
use crate::ledger::LedgerError;
use crate::service::ValidationSessionService;
use crate::store::replication::ReplicationStatus;
use crate::telegram::ingress::status::IntakeStatus;

/// How often each component is asked.
const EVERY: Duration = Duration::from_secs(1);
/// Counting the ledger reads an index of all of it, so it is done once in so many iterations.
const ITERATIONS_PER_COUNT: u64 = 60;
/// An intake that completed no iteration for so long is deaf: a long poll ends within 30 s.
const DEAF_AFTER: Duration = Duration::from_secs(90);
/// How long one iteration may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Asks the components, and reports their condition.
#[derive(Debug)]
pub(super) struct HealthMonitor {
    watchdog: Watchdog,
    intake: Component,
    sessions: Component,
    database: Component,
    redis: Option<(Component, watch::Receiver<ReplicationStatus>)>,
    polls: bool,
    service: Arc<ValidationSessionService>,
    tables: Tables,
    sql: Database,
    status: watch::Receiver<IntakeStatus>,
}

impl HealthMonitor {
    pub(super) fn new(
        config: &Config,
        health: &Health,
        service: &Arc<ValidationSessionService>,
        tables: &Tables,
        database: &Database,
        status: watch::Receiver<IntakeStatus>,
        stores: Option<watch::Receiver<ReplicationStatus>>,
    ) -> Self {
        Self {
            watchdog: health.watchdog("health_monitor", LIMIT),
            intake: health.component("intake"),
            sessions: health.component("sessions"),
            redis: stores.map(|stores| (health.component("redis"), stores)),
            database: health.component(database.engine().name()),
            polls: config.webhook.is_none(),
            service: Arc::clone(service),
            tables: tables.clone(),
            sql: database.clone(),
            status,
        }
    }

    /// Checks every second until `stop`, at first at once, and whenever the stores or the intake change.
    pub(super) async fn run(mut self, clock: Clock, stop: CancellationToken) {
        let mut seen = self.status.clone();
        let mut stores = self.redis.as_ref().map(|(_, stores)| stores.clone());
        for iteration in 0_u64.. {
            self.check(&clock).await;
            if iteration % ITERATIONS_PER_COUNT == 0 {
                self.count().await;
            }
            self.watchdog.feed();
            tokio::select! {
                () = stop.cancelled() => return,
                // Readiness follows the intake at once.
                Ok(()) = seen.changed() => {}
                Some(Ok(())) = changed(&mut stores) => {}
                () = clock.sleep(EVERY) => {}
            }
        }
    }

    async fn check(&mut self, clock: &Clock) {
        self.check_intake(clock);
        match self.service.statistics().await {
            Ok(statistics) => {
                let (store, epoch) = self.service.store();
                self.sessions.set(Condition::Ok, format!("{store} is the primary, epoch {epoch}"));
                metrics::gauge!("depot_sessions_active").set(as_gauge(statistics.active));
                metrics::gauge!("depot_effects_pending").set(as_gauge(statistics.overdue));
                if let Some(bytes) = statistics.memory_bytes {
                    metrics::gauge!("depot_redis_memory_bytes").set(as_gauge(bytes));
                }
            }
            Err(_) => self.sessions.set(Condition::Down, "cannot be reached: updates wait in Telegram"),
        }
        match self.sql.ping().await {
            Ok(()) => self.database.set(Condition::Ok, "answers"),
            Err(_) => self.database.set(Condition::Degraded, "does not answer: deposits wait to be recorded"),
        }
        self.check_redis();
    }

    fn check_redis(&mut self) {
        let Some((component, stores)) = &mut self.redis else { return };
        let stores = stores.borrow_and_update().clone();
        metrics::gauge!("depot_store_epoch").set(as_gauge(stores.epoch));
        for store in ["redis", "sql"] {
            let is_primary = stores.is_open && stores.primary == store;
            metrics::gauge!("depot_store_primary", "store" => store).set(f64::from(u8::from(is_primary)));
        }
        metrics::gauge!("depot_replication_backlog").set(as_gauge(stores.backlog));
        metrics::gauge!("depot_replication_lag_seconds").set(stores.lag.as_secs_f64());
        match stores.redis {
            Some(error) => {
                component.set(
                    Condition::Degraded,
                    format!("is unavailable ({error}): sessions go on from the database"),
                );
            }
            None if stores.primary == "sql" => {
                component.set(
                    Condition::Degraded,
                    "answers again, and becomes the primary once it has answered without a pause",
                );
            }
            None => component.set(Condition::Ok, "answers"),
        }
        if !stores.sql_answers {
            let (backlog, lag) = (stores.backlog, stores.lag.as_secs());
            let detail = match backlog {
                0 => "does not answer, or takes no writes: deposits wait to be recorded".to_owned(),
                _ => format!(
                    "does not answer, or takes no writes: {backlog} sessions are unreplicated, the replication lag is {lag} s"
                ),
            };
            self.database.set(Condition::Degraded, detail);
        }
    }

    fn check_intake(&mut self, clock: &Clock) {
        let status = *self.status.borrow_and_update();
        let age = status.completed_at.map(|at| clock.now().since(at));
        metrics::gauge!("depot_intake_age_seconds").set(age.unwrap_or_default().as_secs_f64());
        match (status.failure, age) {
            (Some(failure), _) => self.intake.set(Condition::Down, failure.remedy()),
            (None, Some(age)) if self.polls && age > DEAF_AFTER => {
                self.intake.set(Condition::Down, "nothing was fetched for too long");
            }
            (None, Some(_)) => self.intake.set(Condition::Ok, "updates come in"),
            (None, None) => self.intake.set(Condition::Down, "has not completed an iteration yet"),
        }
    }

    async fn count(&self) {
        if let Err(error) = self.count_rows().await {
            tracing::debug!(%error, "the rows in SQL could not be counted: their gauges stay as they were");
        }
    }

    async fn count_rows(&self) -> Result<(), LedgerError> {
        let Tables { ledger, deliveries, dead_letters, .. } = &self.tables;
        for (status, count) in ledger.count_by_status().await? {
            metrics::gauge!("depot_deposits", "status" => status.as_str()).set(as_gauge(count));
        }
        metrics::gauge!("depot_deliveries_pending").set(as_gauge(deliveries.count_pending().await?));
        metrics::gauge!("depot_dead_letters").set(as_gauge(dead_letters.count().await?));
        Ok(())
    }
}

async fn changed(
    stores: &mut Option<watch::Receiver<ReplicationStatus>>,
) -> Option<Result<(), watch::error::RecvError>> {
    Some(stores.as_mut()?.changed().await)
}

/// Gauges are floating-point numbers; ours stay far below where they lose whole ones.
#[expect(clippy::cast_precision_loss, reason = "counts stay below 2^52")]
fn as_gauge(count: u64) -> f64 {
    count as f64
}
