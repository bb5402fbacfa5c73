//! The session store over both: each call goes to the primary, and once more to the next primary if that one fails.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::{Clock, Timestamp};
use crate::rng::Rng;
use crate::store::replication::catch_up::CatchUp;
use crate::store::replication::failover::Failover;
use crate::store::replication::membership::Membership;
use crate::store::replication::mirror::{Mirror, ReplicationOutcome};
use crate::store::replication::monitor::{Monitor, Roles};
use crate::store::replication::view::{Leader, LeaderView, unavailable};
use crate::store::replication::{DurableStore, Primary, ReplicationStatus, VolatileStore};
use crate::store::{
    Commit, Committed, Replicated, SessionInspection, SessionPage, SessionStore, Statistics, StoreError,
    StoredSession,
};
use session::{Session, SessionKey};

/// How long a call waits while the primary changes; within the 5 s that an update has for one try.
const PATIENCE: Duration = Duration::from_millis(2_500);
/// How long a stop waits for the replication queue.
const FLUSH: Duration = Duration::from_secs(3);

/// Two stores behind one contract; clones share them.
pub struct ReplicatedStore<D, V> {
    sql: Arc<D>,
    redis: Arc<V>,
    leader: Arc<Leader>,
    membership: Arc<Membership<D>>,
    mirror: Arc<Mirror<D, V>>,
    status: watch::Receiver<ReplicationStatus>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl<D: DurableStore, V: VolatileStore> ReplicatedStore<D, V> {
    /// Starts the mirror and the monitor, which run until [`ReplicatedStore::stop`]. Returns as soon as a store takes
    /// commits, or after a few seconds without one: then updates wait.
    pub async fn start(sql: Arc<D>, redis: Arc<V>, clock: Clock, rng: &Rng, ttl: Duration) -> Self {
        let leader = Arc::new(Leader::new());
        let membership = Membership::new(Arc::clone(&sql), clock.clone(), rng.number().cast_signed());
        let membership = Arc::new(membership);
        let mirror = Arc::new(Mirror::new(Arc::clone(&sql), Arc::clone(&redis), clock.clone(), ttl));
        let (sender, status) = watch::channel(ReplicationStatus::default());
        let mut monitor = Monitor::new(Roles {
            redis: Arc::clone(&redis),
            leader: Arc::clone(&leader),
            membership: Arc::clone(&membership),
            mirror: Arc::clone(&mirror),
            failover: Failover::new(Arc::clone(&sql), Arc::clone(&redis), Arc::clone(&mirror), clock.clone()),
            catch_up: CatchUp::new(Arc::clone(&sql), Arc::clone(&redis), clock),
            status: sender,
        });
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let (mirroring, stopped) = (Arc::clone(&mirror), stop.clone());
        tasks.spawn(async move { stopped.run_until_cancelled(mirroring.run()).await });
        Box::pin(monitor.start()).await;
        tasks.spawn(monitor.run(stop.clone()));
        Self { sql, redis, leader, membership, mirror, status, stop, tasks }
    }

    /// Flushes the replication queue, and ends; says whether all of it is in SQL. The rest is dirty in Redis.
    pub async fn stop(&self) -> bool {
        let flushed = self.mirror.flush(FLUSH).await;
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.membership.deregister().await;
        flushed
    }

    /// How the stores are; changes whenever something about them does.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<ReplicationStatus> {
        self.status.clone()
    }

    /// The store that a view names.
    fn primary(&self, view: &LeaderView) -> Result<&dyn SessionStore, StoreError> {
        match view.leadership.primary {
            Primary::Sql => Ok(&*self.sql),
            Primary::Redis { .. } if self.leader.is_leased() => Ok(&*self.redis),
            Primary::Redis { .. } => Err(unavailable("the leadership lease has expired")),
        }
    }

    /// Runs `attempt` on the primary, and once more on each store that becomes the primary while it fails.
    async fn attempt<'s, T>(
        &'s self,
        attempt: impl Fn(LeaderView, &'s dyn SessionStore) -> BoxFuture<'s, Result<T, StoreError>> + Send + Sync,
    ) -> Result<T, StoreError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let view = self.leader.open_view(deadline).await?;
            let outcome = match self.primary(&view) {
                Ok(store) => attempt(view.clone(), store).await,
                Err(error) => Err(error),
            };
            match outcome {
                Err(error) if is_failure_of_primary(&error, &view) => {
                    if !self.leader.report_failure(&view, deadline).await || Instant::now() >= deadline {
                        return Err(error);
                    }
                }
                outcome => return outcome,
            }
        }
    }

    /// Commits to the primary of `view`; what Redis takes is queued for the mirror.
    async fn commit_to(
        &self,
        view: &LeaderView,
        store: &dyn SessionStore,
        commit: &Commit<'_>,
    ) -> Result<Committed, StoreError> {
        if commit.session.epoch != view.leadership.epoch {
            return superseded(commit, store).await;
        }
        let committed = store.commit(commit).await?;
        if committed == Committed::Applied && view.leadership.is_redis() {
            self.mirror.enqueue(StoredSession::of_commit(commit), commit.session.epoch);
        }
        Ok(committed)
    }

    /// Whether SQL is where a document was committed, or it never was committed.
    fn is_in_sql(&self, session: &Session) -> bool {
        session.version == 0 || self.leader.is_sql_primary_of(session.epoch)
    }
}

impl<D, V> Clone for ReplicatedStore<D, V> {
    fn clone(&self) -> Self {
        Self {
            sql: Arc::clone(&self.sql),
            redis: Arc::clone(&self.redis),
            leader: Arc::clone(&self.leader),
            membership: Arc::clone(&self.membership),
            mirror: Arc::clone(&self.mirror),
            status: self.status.clone(),
            stop: self.stop.clone(),
            tasks: self.tasks.clone(),
        }
    }
}

impl<D, V> fmt::Debug for ReplicatedStore<D, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplicatedStore").field("view", &self.leader.view()).finish_non_exhaustive()
    }
}

/// Whether an error may mean that another store has to be the primary, or is already.
fn is_failure_of_primary(error: &StoreError, view: &LeaderView) -> bool {
    match error {
        StoreError::Superseded { .. } => true,
        StoreError::Unavailable { .. } | StoreError::Unknown { .. } | StoreError::Refused { .. } => {
            view.leadership.is_redis()
        }
        StoreError::Corrupt { .. } | StoreError::Newer { .. } | StoreError::TooLarge { .. } => false,
    }
}

/// A commit that was made for an epoch that is over: it was applied if the store has it, and otherwise has to be made
/// anew.
async fn superseded(commit: &Commit<'_>, store: &dyn SessionStore) -> Result<Committed, StoreError> {
    let current = store.load(commit.session.key).await?;
    let is_there = current.as_ref().is_some_and(|current| {
        (current.version, current.commit) == (commit.session.version, commit.session.commit)
    });
    Ok(if is_there { Committed::Applied } else { Committed::Conflict(current.map(Box::new)) })
}

#[async_trait]
impl<D: DurableStore, V: VolatileStore> SessionStore for ReplicatedStore<D, V> {
    async fn load(&self, key: SessionKey) -> Result<Option<Session>, StoreError> {
        self.attempt(move |_, store| store.load(key)).await
    }

    fn epoch(&self) -> u64 {
        self.leader.view().leadership.epoch
    }

    async fn commit(&self, commit: &Commit<'_>) -> Result<Committed, StoreError> {
        self.attempt(move |view, store| async move { self.commit_to(&view, store, commit).await }.boxed())
            .await
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<SessionKey>, StoreError> {
        self.attempt(move |_, store| store.due(now, limit)).await
    }
}

#[async_trait]
impl<D: DurableStore, V: VolatileStore> Replicated for ReplicatedStore<D, V> {
    async fn await_replication(&self, session: &Session) -> Result<(), StoreError> {
        if self.is_in_sql(session) {
            return Ok(());
        }
        let began = Instant::now();
        let outcome = self.mirror.replicate(session).await;
        metrics::histogram!("depot_mirror_wait_seconds").record(began.elapsed());
        match outcome {
            ReplicationOutcome::Replicated => Ok(()),
            // Redis has it alone: that is enough only as long as every instance reads that Redis.
            ReplicationOutcome::Pending if self.leader.is_redis_primary_of(session.epoch) => Ok(()),
            ReplicationOutcome::Refused => {
                Err(StoreError::Refused { store: self.sql.name(), reason: "it cannot be written".to_owned() })
            }
            ReplicationOutcome::Pending | ReplicationOutcome::Lost => {
                Err(StoreError::Superseded { store: self.redis.name() })
            }
        }
    }

    fn unreplicated(&self, session: &Session) -> Option<StoredSession> {
        (!self.is_in_sql(session)).then(|| self.mirror.stored(session))
    }

    fn heartbeat_age(&self) -> Option<Duration> {
        self.membership.heartbeat_age()
    }
}

#[async_trait]
impl<D: DurableStore, V: VolatileStore> SessionInspection for ReplicatedStore<D, V> {
    async fn unreadable(&self, key: SessionKey) -> Result<Option<Vec<u8>>, StoreError> {
        self.attempt(move |_, store| store.unreadable(key)).await
    }

    /// The copy in SQL goes first: the session begins anew with low versions, which must not meet the old ones.
    async fn discard(&self, key: SessionKey, document: &[u8]) -> Result<bool, StoreError> {
        if self.leader.view().leadership.is_redis() {
            self.sql.remove(key).await?;
        }
        self.attempt(move |_, store| store.discard(key, document)).await
    }

    async fn statistics(&self, now: Timestamp) -> Result<Statistics, StoreError> {
        self.attempt(move |_, store| store.statistics(now)).await
    }

    /// While SQL is the primary it purges nothing: Redis may come back with an older version.
    async fn purge(&self, now: Timestamp) -> Result<u64, StoreError> {
        let view = self.leader.open_view(Instant::now()).await?;
        if view.leadership.is_redis() { self.sql.purge(now).await } else { Ok(0) }
    }

    async fn page(&self, after: Option<&str>, limit: usize) -> Result<SessionPage, StoreError> {
        self.attempt(move |_, store| store.page(after, limit)).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.attempt(move |_, store| store.ping()).await
    }

    fn name(&self) -> &'static str {
        match self.leader.view().leadership.primary {
            Primary::Sql => self.sql.name(),
            Primary::Redis { .. } => self.redis.name(),
        }
    }
}
