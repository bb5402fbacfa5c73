//! The loop that looks at both stores: every quarter of a second, and at once when somebody met trouble.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::store::StoreError;
use crate::store::replication::{ClusterState, Leadership, Primary, Probe};
use crate::store::replication::{Lease, Shared};

/// How often the row is read and Redis is looked at.
const TURN: Duration = Duration::from_millis(250);
/// How many looks at a store must fail in a row before it counts as away, and the pause between two at Redis.
const FAILURES: u32 = 2;
const BETWEEN_FAILURES: Duration = Duration::from_millis(100);
/// How long Redis must be well before it takes charge again; twice as long after each return that did not last.
const RETURN_AFTER: Duration = Duration::from_secs(5);
const RETURN_AFTER_MAX: Duration = Duration::from_secs(60);
/// How long a return must last for the next one to come as quickly.
const LASTS: Duration = Duration::from_secs(60);
/// How often this instance says that it runs, if nobody or somebody else does.
const SIGN_ON_EVERY: Duration = Duration::from_secs(2);
const SIGN_ON_EVERY_BESIDE_OTHERS: Duration = Duration::from_millis(500);
/// For how long others believe that, with something to spare: they forget who was not seen for ten seconds.
const SIGNED_ON: Duration = Duration::from_secs(8);
/// What was not mirrored for so long is not on its way: its instance is gone, or SQL was.
const DEBT_AGE: Duration = Duration::from_secs(4);
/// How many documents of others one turn brings to the mirror.
const DEBTS: usize = 256;
/// How long a start waits for a store to be in charge.
const BEGIN: Duration = Duration::from_secs(6);

pub(super) struct Monitor {
    pub(super) shared: Arc<Shared>,
    /// How many looks at Redis failed in a row.
    failures: u32,
    /// Since when Redis is well.
    pub(super) good_since: Option<Instant>,
    pub(super) return_after: Duration,
    pub(super) returned_at: Option<Instant>,
    /// Whether the outage was said in the log.
    pub(super) is_out: bool,
    sql_is_out: bool,
    /// How many looks at SQL failed in a row.
    sql_failures: u32,
    /// Since when copying fails; it was said then.
    pub(super) cannot_copy_since: Option<Instant>,
    /// When this instance last tried to say that it runs, and when it last began to with success.
    signing_on_at: Option<Instant>,
    signed_on_at: Option<Instant>,
    /// Nobody has been served yet: Redis need not prove itself.
    pub(super) is_first: bool,
}

impl Monitor {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            failures: 0,
            good_since: None,
            return_after: RETURN_AFTER,
            returned_at: None,
            is_out: false,
            sql_is_out: false,
            sql_failures: 0,
            cannot_copy_since: None,
            signing_on_at: None,
            signed_on_at: None,
            is_first: true,
        }
    }

    /// Looks until a store is in charge, but not for ever.
    pub(super) async fn begin(&mut self) {
        let began = Instant::now();
        while !self.shared.view.borrow().is_open && began.elapsed() < BEGIN {
            if !self.turn().await {
                sleep(BETWEEN_FAILURES).await;
            }
        }
        self.is_first = false;
    }

    /// Looks until the bot stops.
    pub(super) async fn run(mut self) {
        let stop = self.shared.stop.clone();
        let mut failure_reports = self.shared.failure_reports.subscribe();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                _ = failure_reports.changed() => {}
                () = sleep(TURN) => {}
            }
            self.turn().await;
        }
    }

    /// One look at both, and what follows from it; says whether a store is in charge.
    async fn turn(&mut self) -> bool {
        let shared = Arc::clone(&self.shared);
        let asked = *shared.failure_reports.borrow();
        self.heartbeat().await;
        let read_at = Instant::now();
        let (row, probe) =
            tokio::join!(shared.sql.read_cluster(shared.instance, shared.clock.now()), shared.redis.probe());
        let row = self.learn(row, read_at).await;
        let probe = self.judge(probe).await;
        if let Some(row) = &row {
            self.adopt(row).await;
        }
        self.act(&probe, row.is_some_and(|row| row.is_sole_member())).await;
        self.pay_debts(&probe).await;
        self.report(&probe);
        shared.answered.store(asked, Ordering::Relaxed);
        shared.turned.notify_waiters();
        shared.view.borrow().is_open
    }

    async fn heartbeat(&mut self) {
        let alone = self.shared.others().heartbeat_age().is_none();
        let every = if alone { SIGN_ON_EVERY } else { SIGN_ON_EVERY_BESIDE_OTHERS };
        if self.signing_on_at.is_some_and(|at| at.elapsed() < every) {
            return;
        }
        let began = Instant::now();
        self.signing_on_at = Some(began);
        match self.shared.sql.heartbeat(self.shared.instance, self.shared.clock.now()).await {
            Ok(()) => self.signed_on_at = Some(began),
            Err(error) => tracing::debug!(%error, "this instance could not say that it runs"),
        }
    }

    /// Whether the others know of this instance, and SQL takes writes.
    fn is_signed_on(&self) -> bool {
        self.signed_on_at.is_some_and(|at| at.elapsed() < SIGNED_ON)
    }

    /// Keeps what was read of the row; without it the right to use Redis ends by itself.
    async fn learn(
        &mut self,
        row: Result<ClusterState, StoreError>,
        read_at: Instant,
    ) -> Option<ClusterState> {
        match row {
            Ok(mut row) => {
                self.sql_failures = 0;
                if std::mem::take(&mut self.sql_is_out) {
                    tracing::info!("the database answers again: what was owed to it is written");
                }
                self.shared.others().hear(&mut row.other_members, read_at);
                // Whom the others have forgotten they do not wait for when they change the row.
                let read_at = self.is_signed_on().then_some(read_at);
                *self.shared.lease() = Lease { read_at, alone: row.is_sole_member() };
                Some(row)
            }
            Err(error) => {
                self.sql_failures += 1;
                if self.sql_failures == FAILURES {
                    self.sql_is_out = true;
                    tracing::error!(%error, "the database does not answer: deposits wait to be recorded");
                }
                None
            }
        }
    }

    /// Looks a second time at what failed: one lost packet is no outage.
    async fn judge(&mut self, mut probe: Result<Probe, StoreError>) -> Result<Probe, StoreError> {
        loop {
            match &probe {
                Ok(_) => self.failures = 0,
                Err(_) => self.failures += 1,
            }
            if probe.is_ok() || self.failures >= FAILURES {
                return probe;
            }
            sleep(BETWEEN_FAILURES).await;
            probe = self.shared.redis.probe().await;
        }
    }

    /// Follows a change that another instance made.
    async fn adopt(&mut self, row: &ClusterState) {
        let Some(leadership) = &row.leadership else {
            self.shared.elect(None, Leadership::sql(1)).await;
            return;
        };
        if self.shared.view.borrow().leadership == *leadership {
            return;
        }
        match &leadership.primary {
            Primary::Sql => {
                // Another instance has lost Redis; what was seen of it from here before does not count.
                if !self.is_first {
                    tracing::warn!(epoch = leadership.epoch, "conversations go on from the database");
                }
                self.good_since = None;
                self.cannot_copy_since = None;
                self.note_flap();
                self.shared.settle_on_sql(leadership, row.is_sole_member()).await;
            }
            Primary::Redis { run_id } => {
                if leadership.opened && !self.is_first && !self.is_out {
                    tracing::info!(epoch = leadership.epoch, "Redis is in charge again");
                }
                self.shared.redis.serve(leadership.epoch, run_id);
                self.shared.publish_view(leadership.clone(), false);
            }
        }
    }

    /// What follows from a look: leaving Redis, opening it, going to it, or nothing.
    async fn act(&mut self, probe: &Result<Probe, StoreError>, alone: bool) {
        let view = self.shared.view.borrow().clone();
        let leadership = &view.leadership;
        match (&leadership.primary, probe) {
            (Primary::Redis { .. }, Err(error)) => self.leave(leadership, error, alone).await,
            (Primary::Redis { run_id }, Ok(probe)) => {
                let is_same = probe.run_id == *run_id;
                match probe.epoch {
                    Some(epoch) if is_same && epoch == leadership.epoch => {
                        self.cannot_copy_since = None;
                        self.shared.publish_view(leadership.clone(), true);
                    }
                    // The copy was begun and not ended: whoever finds that goes on with it.
                    Some(epoch) if is_same && epoch < leadership.epoch && !leadership.opened => {
                        self.copy(leadership).await;
                    }
                    None if is_same && !leadership.opened => self.copy(leadership).await,
                    // Restarted, emptied, rolled back, or ahead of a database that was restored.
                    Some(_) | None => self.go_to_redis(leadership, probe).await,
                }
                self.recovered();
            }
            (Primary::Sql, Err(error)) => {
                self.good_since = None;
                self.is_away(error);
                self.shared.publish_view(leadership.clone(), leadership.epoch > 0);
            }
            (Primary::Sql, Ok(probe)) => {
                let since = *self.good_since.get_or_insert_with(Instant::now);
                let may_at_once = self.is_first && alone;
                if leadership.epoch > 0 && (may_at_once || since.elapsed() >= self.return_after) {
                    self.go_to_redis(leadership, probe).await;
                }
            }
        }
    }

    /// Brings to the mirror what other instances left, or what SQL missed.
    async fn pay_debts(&self, probe: &Result<Probe, StoreError>) {
        let view = self.shared.view.borrow().clone();
        let owed = probe.as_ref().is_ok_and(|probe| probe.lag >= DEBT_AGE);
        let primary = view.is_open && view.leadership.primary != Primary::Sql;
        if !owed || !primary || self.sql_is_out {
            return;
        }
        if let Err(error) = self.shared.pay(DEBT_AGE, DEBTS, view.leadership.epoch).await {
            tracing::debug!(%error, "what is owed to the database could not be paid yet");
        }
    }

    /// What is owed to SQL is noted in Redis; while that is silent, this instance tells what it remembers itself.
    fn report(&self, probe: &Result<Probe, StoreError>) {
        let view = self.shared.view.borrow().clone();
        let (backlog, lag) = match probe {
            Ok(probe) => (probe.backlog, probe.lag),
            Err(_) => {
                let (owed, age) = self.shared.mirror.owed();
                (owed as u64, age)
            }
        };
        let sql_answers = !self.sql_is_out && self.is_signed_on();
        self.shared.report(&view, probe, sql_answers, backlog, lag);
    }

    /// Says once that Redis is away.
    pub(super) fn is_away(&mut self, error: &StoreError) {
        if !std::mem::replace(&mut self.is_out, true) {
            tracing::error!(%error, "Redis is away");
        }
    }

    /// Says once that Redis is back in charge.
    pub(super) fn recovered(&mut self) {
        let view = self.shared.view.borrow();
        if view.is_open && view.leadership.primary != Primary::Sql && std::mem::take(&mut self.is_out) {
            tracing::info!(epoch = view.leadership.epoch, "Redis is in charge again");
        }
    }

    /// How long Redis must be well next time: twice as long if it did not stay for long.
    pub(super) fn note_flap(&mut self) {
        let lasted = self.returned_at.is_none_or(|at| at.elapsed() >= LASTS);
        self.return_after = if lasted { RETURN_AFTER } else { (self.return_after * 2).min(RETURN_AFTER_MAX) };
    }
}
