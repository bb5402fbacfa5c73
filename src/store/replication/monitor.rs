//! The monitor: the loop that observes both stores every 250 ms, and at once after a failure report, and executes what
//! the [machine](super::machine) decides.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::store::StoreError;
use crate::store::replication::catch_up::CatchUp;
use crate::store::replication::failover::Failover;
use crate::store::replication::health::{BETWEEN_FAILURES, RedisHealth, SqlHealth};
use crate::store::replication::machine::{Action, Observation, decide};
use crate::store::replication::membership::Membership;
use crate::store::replication::mirror::Mirror;
use crate::store::replication::view::{Leader, LeaderView};
use crate::store::replication::{
    ClusterState, DurableStore, Leadership, Primary, Probe, ReplicationStatus, VolatileStore,
};

/// The pause between two iterations.
const EVERY: Duration = Duration::from_millis(250);
/// A document that has been dirty for so long is not on its way: its instance is gone, or SQL was.
const DIRTY_AGE: Duration = Duration::from_secs(4);
/// The most documents of the backlog that one iteration gives to the mirror.
const BACKLOG_MAX: usize = 256;
/// How long a start waits for a primary.
const START: Duration = Duration::from_secs(6);
/// How long copies to Redis may fail before SQL is elected.
const COPY_FAILS: Duration = Duration::from_secs(10);

/// The roles that the monitor observes and sets to work.
pub(super) struct Roles<D, V> {
    pub(super) redis: Arc<V>,
    pub(super) leader: Arc<Leader>,
    pub(super) membership: Arc<Membership<D>>,
    pub(super) mirror: Arc<Mirror<D, V>>,
    pub(super) failover: Failover<D, V>,
    pub(super) catch_up: CatchUp<D, V>,
    pub(super) status: watch::Sender<ReplicationStatus>,
}

pub(super) struct Monitor<D, V> {
    roles: Roles<D, V>,
    redis_health: RedisHealth,
    sql_health: SqlHealth,
    /// Since when copies to Redis fail.
    copy_fails_since: Option<Instant>,
    /// No caller has been served yet: Redis need not prove itself, and the first primary is no news for the log.
    is_starting: bool,
}

impl<D: DurableStore, V: VolatileStore> Monitor<D, V> {
    pub(super) fn new(roles: Roles<D, V>) -> Self {
        Self {
            roles,
            redis_health: RedisHealth::new(),
            sql_health: SqlHealth::default(),
            copy_fails_since: None,
            is_starting: true,
        }
    }

    /// Iterates until a store takes commits, but not for ever.
    pub(super) async fn start(&mut self) {
        let began = Instant::now();
        while !self.roles.leader.view().is_open && began.elapsed() < START {
            self.iterate().await;
            if !self.roles.leader.view().is_open {
                sleep(BETWEEN_FAILURES).await;
            }
        }
        self.is_starting = false;
    }

    /// Iterates until the bot stops.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut reports = self.roles.leader.reports();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                _ = reports.changed() => {}
                () = sleep(EVERY) => {}
            }
            self.iterate().await;
        }
    }

    /// Observes both stores once, and does what follows.
    async fn iterate(&mut self) {
        let reports = *self.roles.leader.reports().borrow();
        self.roles.membership.heartbeat().await;
        let read_at = Instant::now();
        let (cluster, probe) = tokio::join!(self.roles.membership.read_cluster(), self.roles.redis.probe());
        let cluster = self.learn(cluster, read_at);
        let probe = self.redis_health.probe_again(probe, &*self.roles.redis).await;
        let is_sole_member = cluster.as_ref().is_some_and(ClusterState::is_sole_member);
        if let Some(cluster) = cluster {
            self.react(Observation::Row(cluster.leadership), is_sole_member).await;
        }
        let observation = self.observed(&probe, is_sole_member);
        self.react(observation, is_sole_member).await;
        self.announce_recovery(&probe);
        self.replicate_backlog(&probe).await;
        self.publish_status(&probe);
        self.roles.leader.answer(reports);
    }

    /// Takes what was read from SQL; without it the lease on the leader view ends by itself.
    fn learn(&mut self, cluster: Result<ClusterState, StoreError>, read_at: Instant) -> Option<ClusterState> {
        match cluster {
            Ok(mut cluster) => {
                self.sql_health.answered();
                self.roles.membership.learn(&mut cluster, read_at);
                // Members that have forgotten this instance do not wait for it when they change the row.
                let read_at = self.roles.membership.is_registered().then_some(read_at);
                self.roles.leader.renew_lease(read_at, cluster.is_sole_member());
                Some(cluster)
            }
            Err(error) => {
                self.sql_health.failed(&error);
                None
            }
        }
    }

    fn observed(&mut self, probe: &Result<Probe, StoreError>, is_sole_member: bool) -> Observation {
        match probe {
            Err(error) => {
                self.redis_health.failed(error);
                Observation::RedisFailed
            }
            Ok(probe) => Observation::RedisAnswered {
                run_id: probe.run_id.clone(),
                epoch: probe.epoch,
                is_proven: self.redis_health.is_proven() || (self.is_starting && is_sole_member),
            },
        }
    }

    /// Executes what the machine decides, and what it decides on the fact that comes of that, until it decides nothing
    /// more.
    async fn react(&mut self, observation: Observation, mut is_sole_member: bool) {
        let mut next = Some(observation);
        while let Some(observation) = next {
            let before = self.roles.leader.view();
            let action = decide(&before, &observation);
            self.announce(&observation, &action);
            next = self.execute(action, &before, is_sole_member).await;
            // An inspection or a copy takes its time: the members may be others now.
            if matches!(next, Some(Observation::RedisIneligible | Observation::CopyFailed { .. })) {
                is_sole_member = false;
            }
        }
    }

    /// Executes one action; returns the fact that came of it.
    async fn execute(
        &mut self,
        action: Action,
        before: &LeaderView,
        is_sole_member: bool,
    ) -> Option<Observation> {
        if !matches!(action, Action::Elect(_)) {
            self.publish_view(&action, before);
        }
        match action {
            Action::Stay => None,
            Action::Bootstrap => {
                // The next iteration reads the row, whichever instance wrote it.
                self.roles.failover.elect(None, &Leadership::sql(1)).await;
                None
            }
            Action::Elect(to) => self.elect(before, to).await,
            Action::Drain(leadership) => {
                self.copy_fails_since = None;
                self.roles.failover.drain(&leadership, is_sole_member).await;
                Some(Observation::Drained)
            }
            Action::Confirm(leadership) => {
                self.serve_redis(&leadership);
                None
            }
            Action::Copy(leadership) => Some(self.copy(&leadership).await),
            Action::Open(leadership) => {
                if let Primary::Redis { .. } = leadership.primary {
                    self.copy_fails_since = None;
                }
                None
            }
        }
    }

    async fn elect(&mut self, before: &LeaderView, to: Leadership) -> Option<Observation> {
        if to.is_redis() {
            if let Err(error) = self.roles.redis.check_eligibility().await {
                self.redis_health.failed(&error);
                return Some(Observation::RedisIneligible);
            }
            // Only now: an ineligible Redis that is the primary stays open for reads until SQL is elected.
            self.publish_view(&Action::Elect(to.clone()), before);
            if !self.roles.failover.flush_before_election().await {
                return None;
            }
        }
        let row = self.roles.failover.elect(Some(&before.leadership), &to).await?;
        if row == to {
            if row.primary == Primary::Sql {
                self.redis_health.left_by_this(row.epoch);
            }
            return Some(Observation::Elected(row));
        }
        // Another instance was quicker. If it elected SQL too, nothing is to be read before the drain.
        let both_elected_sql = row.primary == Primary::Sql && to.primary == Primary::Sql;
        both_elected_sql.then_some(Observation::Elected(row))
    }

    /// Copies the sessions to the elected Redis.
    async fn copy(&mut self, leadership: &Leadership) -> Observation {
        self.serve_redis(leadership);
        match self.roles.catch_up.copy(leadership).await {
            Ok(copied) => {
                tracing::info!(epoch = leadership.epoch, copied, "sessions were copied to Redis");
                metrics::counter!("depot_failovers_total", "to" => "redis").increment(1);
                self.redis_health.returned((!self.is_starting).then(Instant::now));
                Observation::Copied
            }
            Err(error) => {
                let is_final = self.copy_failed(&error);
                Observation::CopyFailed { is_final }
            }
        }
    }

    /// Commits wait while Redis is being filled; says whether copies have failed for too long, because of Redis.
    fn copy_failed(&mut self, error: &StoreError) -> bool {
        match self.copy_fails_since {
            None => {
                self.copy_fails_since = Some(Instant::now());
                tracing::warn!(
                    %error,
                    "sessions could not be copied to Redis: updates wait, and the copy is repeated; after {} s the database \
                     is elected if Redis is the cause",
                    COPY_FAILS.as_secs()
                );
                false
            }
            Some(since) if since.elapsed() >= COPY_FAILS && self.roles.catch_up.is_of_redis(error) => {
                // As good as a return that did not last: the next one waits for longer.
                self.redis_health.returned(Some(Instant::now()));
                self.redis_health.failed(error);
                true
            }
            Some(_) => false,
        }
    }

    fn publish_view(&self, action: &Action, before: &LeaderView) {
        let view = action.view(before);
        if view != *before {
            self.roles.leader.publish_view(view);
        }
    }

    /// From now on commands are for the run of Redis that the row names.
    fn serve_redis(&self, leadership: &Leadership) {
        if let Primary::Redis { run_id } = &leadership.primary {
            self.roles.redis.serve(leadership.epoch, run_id);
        }
    }

    /// Logs that another instance has changed the primary.
    fn announce(&mut self, observation: &Observation, action: &Action) {
        match (observation, action) {
            (Observation::Row(_), Action::Drain(leadership)) => {
                self.redis_health.left_by_another(leadership.epoch, self.is_starting);
            }
            (Observation::Row(_), Action::Confirm(leadership)) if leadership.opened && !self.is_starting => {
                self.redis_health.returned_by_another(leadership.epoch);
            }
            _ => {}
        }
    }

    /// Logs that an outage of Redis is over.
    fn announce_recovery(&mut self, probe: &Result<Probe, StoreError>) {
        let view = self.roles.leader.view();
        if probe.is_ok() && view.is_redis_open() {
            self.redis_health.recovered(view.leadership.epoch);
        }
    }

    /// Gives to the mirror what other instances left dirty, or what SQL missed.
    async fn replicate_backlog(&self, probe: &Result<Probe, StoreError>) {
        let view = self.roles.leader.view();
        let is_old = probe.as_ref().is_ok_and(|probe| probe.lag >= DIRTY_AGE);
        if !is_old || !view.is_redis_open() || self.sql_health.is_out {
            return;
        }
        let epoch = view.leadership.epoch;
        if let Err(error) = self.roles.mirror.enqueue_backlog(DIRTY_AGE, BACKLOG_MAX, epoch).await {
            tracing::debug!(%error, "the replication backlog could not be read from Redis; it is read again");
        }
    }

    /// The backlog is what is dirty in Redis; while Redis is silent, it is what this instance knows of.
    fn publish_status(&self, probe: &Result<Probe, StoreError>) {
        let LeaderView { leadership, is_open } = self.roles.leader.view();
        let (backlog, lag) = match probe {
            Ok(probe) => (probe.backlog, probe.lag),
            Err(_) => {
                let (backlog, lag) = self.roles.mirror.backlog();
                (backlog as u64, lag)
            }
        };
        let status = ReplicationStatus {
            primary: leadership.primary.name(),
            epoch: leadership.epoch,
            is_open,
            redis: probe.as_ref().err().map(ToString::to_string),
            sql_answers: !self.sql_health.is_out && self.roles.membership.is_registered(),
            backlog,
            lag,
        };
        self.roles.status.send_if_modified(|current| {
            let changes = *current != status;
            *current = status;
            changes
        });
    }
}
