//! The mirror: copies to SQL what Redis commits, in groups, and tells when a document is there.
//!
//! A document that an acknowledgement waits for goes with the next group. The others linger, because the next commit of
//! the same session makes them superfluous.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::clock::Clock;
use crate::store::replication::queue::{QueueEntry, ReplicationQueue, Urgency};
use crate::store::replication::{DurableStore, MirrorOutcome, VolatileStore};
use crate::store::{StoreError, StoredSession};
use session::Session;

/// The pause after a group that could not be written.
const PAUSE: Duration = Duration::from_millis(250);

/// The outcome of a document whose replication was waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReplicationOutcome {
    /// It is in SQL.
    Replicated,
    /// SQL is away: it is in Redis alone, and dirty there.
    Pending,
    /// SQL refuses to write: the disk is full.
    Refused,
    /// It lost against another branch.
    Lost,
}

/// Writes the replication queue to SQL.
pub(super) struct Mirror<D, V> {
    sql: Arc<D>,
    redis: Arc<V>,
    clock: Clock,
    /// How long a session lives after its last activity: it tells when a document is due.
    ttl: Duration,
    queue: Mutex<ReplicationQueue>,
    /// A document came that is waited for.
    wanted: Notify,
    /// A group ended.
    ended: Notify,
}

impl<D: DurableStore, V: VolatileStore> Mirror<D, V> {
    pub(super) fn new(sql: Arc<D>, redis: Arc<V>, clock: Clock, ttl: Duration) -> Self {
        let (queue, wanted, ended) = (Mutex::default(), Notify::new(), Notify::new());
        Self { sql, redis, clock, ttl, queue, wanted, ended }
    }

    /// Queues a document that Redis has committed under `epoch`; it takes the place of an earlier one of its session.
    pub(super) fn enqueue(&self, stored: StoredSession, epoch: u64) {
        self.queue().push(stored, epoch, Urgency::Linger, Instant::now());
    }

    /// A document as the mirror writes it.
    pub(super) fn stored(&self, session: &Session) -> StoredSession {
        StoredSession::new(Arc::new(session.clone()), self.ttl)
    }

    /// Waits until a document is in SQL, and queues it if it is not on its way. While SQL is away no caller waits.
    pub(super) async fn replicate(&self, session: &Session) -> ReplicationOutcome {
        let (waiter, outcome) = oneshot::channel();
        let is_away = {
            let mut queue = self.queue();
            let is_away = queue.failing == Some(ReplicationOutcome::Pending);
            if is_away || !queue.has(session) {
                queue.push(self.stored(session), session.epoch, Urgency::Now, Instant::now());
            }
            if !is_away {
                queue.add_waiter(session.key, waiter);
            }
            is_away
        };
        self.wanted.notify_one();
        if is_away {
            ReplicationOutcome::Pending
        } else {
            outcome.await.unwrap_or(ReplicationOutcome::Pending)
        }
    }

    /// Queues documents that have been dirty in Redis for longer than `age`: their instance is gone, or SQL was.
    pub(super) async fn enqueue_backlog(
        &self,
        age: Duration,
        limit: usize,
        epoch: u64,
    ) -> Result<(), StoreError> {
        for key in self.redis.backlog(age, limit).await? {
            match self.redis.load(key).await {
                Ok(Some(session)) => self.enqueue(self.stored(&session), epoch),
                // Redis has dropped the document after its time; its marker would be the oldest for ever.
                Ok(None) => {
                    let dropped = self.stored(&Session::new(key, self.clock.now()));
                    self.redis.mark_replicated(&[dropped]).await?;
                }
                Err(error @ (StoreError::Corrupt { .. } | StoreError::Newer { .. })) => {
                    tracing::debug!(%error, "an unreadable session is not replicated");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes groups until this is dropped.
    pub(super) async fn run(&self) {
        loop {
            let pause = self.queue().pause(Instant::now());
            tokio::select! {
                biased;
                () = self.wanted.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
            loop {
                let group = self.queue().next_group(Instant::now());
                if group.is_empty() {
                    break;
                }
                if !self.write(group).await {
                    tokio::time::sleep(PAUSE).await;
                    break;
                }
            }
        }
    }

    /// How many documents this instance has not replicated yet, and the replication lag of the oldest.
    pub(super) fn backlog(&self) -> (usize, Duration) {
        self.queue().backlog(Instant::now())
    }

    /// Waits until the queue is written, or `patience` is over; says whether it is.
    pub(super) async fn flush(&self, patience: Duration) -> bool {
        let flushed = async {
            loop {
                let ended = self.ended.notified();
                {
                    let mut queue = self.queue();
                    if queue.is_done() {
                        return;
                    }
                    queue.flush_now();
                }
                self.wanted.notify_one();
                ended.await;
            }
        };
        tokio::time::timeout(patience, flushed).await.is_ok()
    }

    /// Writes one group and answers its waiters; says whether SQL took it.
    async fn write(&self, group: Vec<QueueEntry>) -> bool {
        let began = Instant::now();
        let now = self.clock.now();
        let epoch = group.first().map_or(0, |entry| entry.epoch);
        let documents: Vec<StoredSession> = group.iter().map(|entry| entry.stored.clone()).collect();
        crate::failpoint!("mirror_due");
        let outcome = self.sql.mirror(&documents, epoch, now).await;
        crate::failpoint!("mirrored");
        metrics::histogram!("depot_mirror_seconds").record(began.elapsed());
        let failing = outcome.as_ref().err().map(|error| match error {
            StoreError::Refused { .. } => ReplicationOutcome::Refused,
            _ => ReplicationOutcome::Pending,
        });
        let mut written = Vec::new();
        match outcome {
            Ok(outcomes) => {
                let is_written = |(_, outcome): &(_, &MirrorOutcome)| **outcome == MirrorOutcome::Written;
                written.extend(
                    documents.into_iter().zip(&outcomes).filter(is_written).map(|(stored, _)| stored),
                );
                for (entry, outcome) in group.into_iter().zip(outcomes) {
                    answer(entry, outcome);
                }
            }
            Err(_) => self.put_back(group, failing.unwrap_or(ReplicationOutcome::Pending)),
        }
        {
            let mut queue = self.queue();
            (queue.writing, queue.failing) = (None, failing);
        }
        self.ended.notify_waiters();
        // After the answers, since a marker that stays costs another write and nothing else. What lost stays dirty: if
        // Redis has it all the same, because it came between the two halves of a failover, it is replicated under the
        // next epoch.
        if !written.is_empty()
            && let Err(error) = self.redis.mark_replicated(&written).await
        {
            tracing::debug!(%error, "replicated sessions are still dirty in Redis; they are replicated once more");
        }
        failing.is_none()
    }

    /// A group that could not be written waits on, without its waiters.
    fn put_back(&self, group: Vec<QueueEntry>, outcome: ReplicationOutcome) {
        for mut entry in group {
            wake(entry.waiters.drain(..), outcome);
            self.queue().push(entry.stored, entry.epoch, Urgency::Now, entry.since);
        }
    }

    fn queue(&self) -> MutexGuard<'_, ReplicationQueue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answer(entry: QueueEntry, outcome: MirrorOutcome) {
    let outcome = match outcome {
        MirrorOutcome::Written => ReplicationOutcome::Replicated,
        MirrorOutcome::Lost => {
            metrics::counter!("depot_branches_lost_total").increment(1);
            tracing::warn!(
                user.id = entry.stored.session.key.user.0,
                "a commit of Redis reached the database after its session had gone on there: its document is in `conflicts`, \
                 to be looked at if the user misses a step"
            );
            ReplicationOutcome::Lost
        }
    };
    wake(entry.waiters, outcome);
}

fn wake(waiters: impl IntoIterator<Item = oneshot::Sender<ReplicationOutcome>>, outcome: ReplicationOutcome) {
    for waiter in waiters {
        let _gone = waiter.send(outcome);
    }
}
