//! The composition root: the only place that knows all concrete types, and how they start and stop.

pub mod boot;
mod bot;
mod health_monitor;
mod learning;
mod retention;
mod start;
mod stores;
mod tables;
pub mod understanding;

use std::net::SocketAddr;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::bot::Bot;
pub use crate::app::start::start;
use crate::app::start::{OpsServer, Persistence, RunningIntake};
pub use crate::app::stores::{redis_store, session_store};
pub use crate::app::tables::Tables;
use crate::http::Health;
use crate::service::ValidationSessionService;
use crate::shutdown::{Stop, Stopped};

/// How long a stop may take: an orchestrator kills after 30 s.
const STOP_WITHIN: Duration = Duration::from_secs(24);

/// A running bot.
#[derive(Debug)]
pub struct App {
    /// The address of the ops server.
    pub http: SocketAddr,
    /// The address of the webhook, if updates come that way.
    pub webhook: Option<SocketAddr>,
    /// Health and metrics over HTTP; it starts first and stops last.
    ops: OpsServer,
    /// The database, and the tables and session stores over it.
    persistence: Persistence,
    /// The service, the effects and the router: an update becomes a commit here, and a commit becomes messages.
    bot: Bot,
    /// Polling or the webhook.
    intake: RunningIntake,
    /// The background loops: deadlines, deliveries, replay, retention, learning, health.
    loops: Loops,
}

/// The background loops of a bot.
#[derive(Debug, Default)]
struct Loops {
    /// Ends them.
    stop: CancellationToken,
    /// Their tasks.
    tasks: TaskTracker,
}

impl App {
    /// The tables of this bot.
    #[must_use]
    pub fn tables(&self) -> &Tables {
        &self.persistence.tables
    }

    /// The state of the process, as the probes see it.
    #[must_use]
    pub fn health(&self) -> &Health {
        &self.ops.health
    }

    /// The conversations.
    #[must_use]
    pub fn service(&self) -> &ValidationSessionService {
        &self.bot.service
    }

    /// Stops in order, each step within its time; work that is given up is as after a crash. The webhook stays set.
    pub async fn stop(self) -> Stopped {
        let mut stop = Stop::begin(STOP_WITHIN);
        // 1. Readiness is off: no balancer sends new work here.
        self.ops.health.drain();
        // 2. No update comes in any more. 3. Those that did are committed and acknowledged.
        stop.step("intake", Duration::from_secs(8), self.intake.stop()).await;
        // 4. Lanes finish the effect they are at, and give their leases back with its outcome.
        self.bot.service.stop_running();
        stop.step("effects", Duration::from_secs(13), self.bot.effects.drained()).await;
        // 5. Answers to taps on their way.
        self.bot.answers.close();
        stop.step("answers", Duration::from_secs(5), self.bot.answers.wait()).await;
        // 6. The loops end their iteration: a delivery that is on its way is noted when it has arrived.
        self.loops.stop.cancel();
        self.loops.tasks.close();
        stop.step("loops", Duration::from_secs(11), self.loops.tasks.wait()).await;
        // 7. The mirror and the writer write what they still hold.
        crate::failpoint!("draining");
        stop.step("mirror", Duration::from_secs(4), self.persistence.stores.stop()).await;
        stop.step("database", Duration::from_secs(5), self.persistence.database.close()).await;
        // 8. The ops server was there to the last.
        stop.step("ops server", Duration::from_secs(3), self.ops.stop()).await;
        let stopped = stop.end();
        let flushed = self.bot.service.flushed();
        tracing::info!(
            commits = flushed.commits,
            documents = flushed.documents,
            leases_given_back = flushed.leases_given_back,
            "the bot is stopped {stopped}: everything committed is stored"
        );
        stopped
    }
}

impl Loops {
    /// Runs a loop that ends by itself after `stop`.
    fn spawn(&self, running: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(running);
    }

    /// Runs a future that may be dropped at `stop`.
    fn spawn_droppable(&self, running: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            stop.run_until_cancelled(running).await;
        });
    }
}
