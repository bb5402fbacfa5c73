//! Redis and SQL as one store: Redis is in charge while it can be, SQL otherwise, and nobody has to restart anything.
//!
//! The row of [`leadership`](crate::store::replication) says which store serves which epoch. This store brings each commit
//! to the one in charge; `watch` looks at both and makes the changes (`change`); the mirror copies to SQL what Redis
//! commits. Callers that meet trouble say so, wait until it was looked at, and go on with whichever store is in charge
//! then.

mod contract;
mod failover;
mod membership;
mod mirror;
mod monitor;
mod queue;

pub use contract::{
    Branch, ClusterState, CopyPage, DurableStore, Leadership, MirrorOutcome, Primary, Probe, StoredSession,
    VolatileStore,
};

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::{Notify, watch as channel};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::{Clock, Timestamp};
use crate::rng::Rng;
use crate::session::{Session, SessionKey};
use crate::store::replication::membership::Members;
use crate::store::replication::mirror::{Ended, Mirror};
use crate::store::replication::monitor::Monitor;
use crate::store::{Commit, Committed, Page, SessionStore, Statistics, StoreError};

/// How long a caller waits while the store in charge changes; within the 5 s that an update has for one try.
const PATIENCE: Duration = Duration::from_millis(2_500);
/// How long Redis may be used after a read of the row, counted from before it was sent.
const LEASE: Duration = Duration::from_secs(1);
/// What the mirror still holds is written within this time when the bot stops.
const FLUSH: Duration = Duration::from_secs(3);

/// Two stores behind one contract; clones share them.
#[derive(Clone)]
pub struct ReplicatedStore {
    shared: Arc<Shared>,
}

/// How the stores are, for readiness and metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplicationStatus {
    /// `redis` or `sql`: which one is in charge.
    pub primary: &'static str,
    /// Since which epoch.
    pub epoch: u64,
    /// Whether conversations can be committed; not while they are being copied.
    pub is_open: bool,
    /// What is wrong with Redis, if anything is.
    pub redis: Option<String>,
    /// Whether SQL answers.
    pub sql_answers: bool,
    /// How many documents are in Redis only.
    pub backlog: u64,
    /// For how long the oldest of them has been.
    pub lag: Duration,
}

struct Shared {
    sql: Arc<dyn DurableStore>,
    redis: Arc<dyn VolatileStore>,
    mirror: Mirror,
    clock: Clock,
    /// How long sessions live: it tells when a document is due.
    ttl: Duration,
    /// A name for this instance, new with each start.
    instance: i64,
    view: channel::Sender<LeaderView>,
    lease: Mutex<Lease>,
    others: Mutex<Members>,
    /// How many callers met trouble, and how many of those were looked after.
    failure_reports: channel::Sender<u64>,
    answered: AtomicU64,
    /// The view changed, or a look came to its end.
    turned: Notify,
    status: channel::Sender<ReplicationStatus>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// Which store is in charge, as far as this instance knows.
#[derive(Clone, Debug, PartialEq, Eq)]
struct LeaderView {
    leadership: Leadership,
    /// Whether it takes commits here; callers wait while it does not.
    is_open: bool,
}

/// The right to use Redis.
#[derive(Clone, Copy, Debug)]
struct Lease {
    /// When the row was last read, taken before the read was sent.
    read_at: Option<Instant>,
    /// Whether this instance was alone then: nobody else could have changed the row since.
    alone: bool,
}

impl ReplicatedStore {
    /// Takes up both stores and looks who is in charge; from then on it is watched until [`ReplicatedStore::stop`].
    ///
    /// Returns when a store is in charge, or after a few seconds without one: then updates wait.
    pub async fn start(
        sql: Arc<dyn DurableStore>,
        redis: Arc<dyn VolatileStore>,
        clock: Clock,
        rng: &Rng,
        ttl: Duration,
    ) -> Self {
        let shared = Arc::new(Shared {
            mirror: Mirror::new(Arc::clone(&sql), Arc::clone(&redis), clock.clone()),
            sql,
            redis,
            clock,
            ttl,
            instance: rng.number().cast_signed(),
            view: channel::Sender::new(LeaderView { leadership: Leadership::sql(0), is_open: false }),
            lease: Mutex::new(Lease { read_at: None, alone: false }),
            others: Mutex::default(),
            failure_reports: channel::Sender::new(0),
            answered: AtomicU64::new(0),
            turned: Notify::new(),
            status: channel::Sender::default(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        let (mirroring, stop) = (Arc::clone(&shared), shared.stop.clone());
        shared.tasks.spawn(async move { stop.run_until_cancelled(mirroring.mirror.run()).await });
        let mut watch = Monitor::new(Arc::clone(&shared));
        Box::pin(watch.begin()).await;
        shared.tasks.spawn(watch.run());
        Self { shared }
    }

    /// Writes what the mirror still holds, and ends; says whether all of it is written. Redis remembers the rest.
    pub async fn stop(&self) -> bool {
        let flushed = self.shared.mirror.flush(FLUSH).await;
        self.shared.stop.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
        if let Err(error) = self.shared.sql.deregister(self.shared.instance).await {
            tracing::debug!(%error, "this instance is not signed off; others believe in it for ten seconds more");
        }
        flushed
    }

    /// How the stores are; changes whenever something about them does.
    #[must_use]
    pub fn status(&self) -> channel::Receiver<ReplicationStatus> {
        self.shared.status.subscribe()
    }
}

impl std::fmt::Debug for ReplicatedStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReplicatedStore").field("view", &*self.shared.view.borrow()).finish_non_exhaustive()
    }
}

impl Shared {
    /// The store in charge, once it takes commits.
    async fn serving(&self, deadline: Instant) -> Result<LeaderView, StoreError> {
        let open = || Some(self.view.borrow().clone()).filter(|view| view.is_open);
        self.wait(deadline, open).await.ok_or_else(|| unavailable("the store in charge is changing"))
    }

    /// Waits until `found` finds something, or for `deadline`; who began to wait first goes on first.
    async fn wait<T>(&self, deadline: Instant, found: impl Fn() -> Option<T>) -> Option<T> {
        loop {
            let turned = self.turned.notified();
            if let Some(found) = found() {
                return Some(found);
            }
            tokio::time::timeout_at(deadline, turned).await.ok()?;
        }
    }

    fn store(&self, view: &LeaderView) -> Result<&dyn SessionStore, StoreError> {
        match view.leadership.primary {
            Primary::Sql => Ok(&*self.sql),
            Primary::Redis { .. } if self.lease().is_valid() => Ok(&*self.redis),
            Primary::Redis { .. } => Err(unavailable("nobody knows whether Redis is still in charge")),
        }
    }

    /// Says that the store in charge made trouble, waits until that was looked at, and says whether another try is worth
    /// while: another store is in charge.
    async fn has_changed(&self, from: &LeaderView, deadline: Instant) -> bool {
        let mut number = 0;
        self.failure_reports.send_modify(|failure_reports| {
            *failure_reports += 1;
            number = *failure_reports;
        });
        let looked = || (self.answered.load(Ordering::Relaxed) >= number).then_some(());
        let _late = self.wait(deadline, looked).await;
        *self.view.borrow() != *from
    }

    /// Runs `attempt` on the store in charge, and once more on each that takes charge while it fails.
    async fn attempt<'s, T>(
        &'s self,
        attempt: impl Fn(LeaderView, &'s dyn SessionStore) -> BoxFuture<'s, Result<T, StoreError>> + Send + Sync,
    ) -> Result<T, StoreError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let view = self.serving(deadline).await?;
            let outcome = match self.store(&view) {
                Ok(store) => attempt(view.clone(), store).await,
                Err(error) => Err(error),
            };
            match outcome {
                Err(error) if is_suspicious(&error, &view) => {
                    if !self.has_changed(&view, deadline).await || Instant::now() >= deadline {
                        return Err(error);
                    }
                }
                outcome => return outcome,
            }
        }
    }

    fn others(&self) -> MutexGuard<'_, Members> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lease(&self) -> MutexGuard<'_, Lease> {
        self.lease.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    fn is_valid(&self) -> bool {
        self.alone || self.read_at.is_some_and(|read_at| read_at.elapsed() < LEASE)
    }
}

/// Whether an error may mean that another store has to take charge, or has done so.
fn is_suspicious(error: &StoreError, view: &LeaderView) -> bool {
    match error {
        StoreError::Superseded { .. } => true,
        StoreError::Unavailable { .. } | StoreError::Unknown { .. } | StoreError::Refused { .. } => {
            view.leadership.primary != Primary::Sql
        }
        StoreError::Corrupt { .. } | StoreError::Newer { .. } | StoreError::TooLarge { .. } => false,
    }
}

fn unavailable(reason: &str) -> StoreError {
    StoreError::Unavailable { store: "sessions", reason: reason.to_owned() }
}

#[async_trait]
impl SessionStore for ReplicatedStore {
    async fn load(&self, key: SessionKey) -> Result<Option<Session>, StoreError> {
        self.shared.attempt(move |_, store| store.load(key)).await
    }

    fn epoch(&self) -> u64 {
        self.shared.view.borrow().leadership.epoch
    }

    async fn commit(&self, commit: &Commit<'_>) -> Result<Committed, StoreError> {
        let shared = &*self.shared;
        shared
            .attempt(move |view: LeaderView, store| {
                async move {
                    if commit.session.epoch != view.leadership.epoch {
                        return overtaken(commit, store).await;
                    }
                    let committed = store.commit(commit).await?;
                    if let (Committed::Applied, Primary::Redis { .. }) =
                        (&committed, &view.leadership.primary)
                    {
                        shared.take(commit);
                    }
                    Ok(committed)
                }
                .boxed()
            })
            .await
    }

    async fn unreadable(&self, key: SessionKey) -> Result<Option<Vec<u8>>, StoreError> {
        self.shared.attempt(move |_, store| store.unreadable(key)).await
    }

    /// The copy in SQL goes first: the conversation begins anew with low versions, which must not meet the old ones.
    async fn discard(&self, key: SessionKey, document: &[u8]) -> Result<bool, StoreError> {
        if self.shared.view.borrow().leadership.primary != Primary::Sql {
            self.shared.sql.forget(key).await?;
        }
        self.shared.attempt(move |_, store| store.discard(key, document)).await
    }

    async fn replicated(&self, session: &Session) -> Result<(), StoreError> {
        let shared = &self.shared;
        if shared.owes_nothing(session) {
            return Ok(());
        }
        let began = Instant::now();
        let ended = shared.mirror.ensure(session, || shared.stored(session)).await;
        metrics::histogram!("depot_mirror_wait_seconds").record(began.elapsed());
        match ended {
            Ended::Kept => Ok(()),
            // Redis has it alone: that is enough only as long as it is the one that is read.
            Ended::Owed if shared.is_redis_in_charge_of(session.epoch) => Ok(()),
            Ended::Refused => Err(StoreError::Refused {
                store: shared.sql.name(),
                reason: "it cannot be written".to_owned(),
            }),
            Ended::Owed | Ended::Lost => Err(StoreError::Superseded { store: shared.redis.name() }),
        }
    }

    fn heartbeat_age(&self) -> Option<Duration> {
        self.shared.others().heartbeat_age()
    }

    fn unreplicated(&self, session: &Session) -> Option<StoredSession> {
        (!self.shared.owes_nothing(session)).then(|| self.shared.stored(session))
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<SessionKey>, StoreError> {
        self.shared.attempt(move |_, store| store.due(now, limit)).await
    }

    async fn statistics(&self, now: Timestamp) -> Result<Statistics, StoreError> {
        self.shared.attempt(move |_, store| store.statistics(now)).await
    }

    /// While SQL alone is in charge, nothing of the mirror is deleted: Redis may come back with an older version of it.
    async fn purge(&self, now: Timestamp) -> Result<u64, StoreError> {
        let view = self.shared.serving(Instant::now()).await?;
        match view.leadership.primary {
            Primary::Redis { .. } => self.shared.sql.purge(now).await,
            Primary::Sql => Ok(0),
        }
    }

    async fn page(&self, after: Option<&str>, limit: usize) -> Result<Page, StoreError> {
        self.shared.attempt(move |_, store| store.page(after, limit)).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.shared.attempt(move |_, store| store.ping()).await
    }

    fn name(&self) -> &'static str {
        match self.shared.view.borrow().leadership.primary {
            Primary::Sql => self.shared.sql.name(),
            Primary::Redis { .. } => self.shared.redis.name(),
        }
    }
}

impl Shared {
    /// Whether SQL is where a document was committed to, or it never was committed.
    fn owes_nothing(&self, session: &Session) -> bool {
        let view = self.view.borrow();
        let is_its_own = view.leadership.epoch == session.epoch;
        let is_in_sql = view.leadership.primary == Primary::Sql && is_its_own;
        session.version == 0 || is_in_sql
    }

    /// Whether what Redis committed under `epoch` is still what everybody reads.
    fn is_redis_in_charge_of(&self, epoch: u64) -> bool {
        let view = self.view.borrow();
        let is_its_own = view.is_open && view.leadership.epoch == epoch;
        is_its_own && view.leadership.primary != Primary::Sql && self.lease().is_valid()
    }

    fn stored(&self, session: &Session) -> StoredSession {
        StoredSession::new(Arc::new(session.clone()), self.ttl)
    }

    fn take(&self, commit: &Commit<'_>) {
        let session = Arc::new(commit.session.clone());
        let stored = StoredSession {
            due_at: commit.due_at,
            kept_until: commit.kept_for.map(|kept| commit.now.after(kept)),
            replicated: (session.epoch, session.version),
            session,
        };
        let epoch = stored.session.epoch;
        self.mirror.take(stored, epoch);
    }
}

/// A commit that was made for an epoch that is over: it was applied if the store has it, and otherwise has to be made anew.
async fn overtaken(commit: &Commit<'_>, store: &dyn SessionStore) -> Result<Committed, StoreError> {
    let current = store.load(commit.session.key).await?;
    let is_there = current.as_ref().is_some_and(|current| {
        (current.version, current.commit) == (commit.session.version, commit.session.commit)
    });
    Ok(if is_there { Committed::Applied } else { Committed::Conflict(current.map(Box::new)) })
}
