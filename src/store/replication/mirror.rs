//! The mirror: copies what Redis commits to SQL, in groups, and says when something is there.
//!
//! What somebody waits for (the acknowledgement of an update) goes with the next group; the rest waits for company a
//! moment, because the next commit of the same conversation makes it superfluous.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::clock::Clock;
use crate::session::Session;
use crate::store::StoreError;
use crate::store::replication::queue::{Entry, Haste, Queue};
use crate::store::replication::{DurableStore, MirrorOutcome, StoredSession, VolatileStore};

/// The pause after a group that could not be written.
const PAUSE: Duration = Duration::from_millis(250);

/// What became of a document that somebody waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// It is in SQL.
    Kept,
    /// SQL is away: it is in Redis alone, and noted there as owed.
    Owed,
    /// SQL refuses to write: the disk is full.
    Refused,
    /// It lost against another branch.
    Lost,
}

pub(super) struct Mirror {
    sql: Arc<dyn DurableStore>,
    redis: Arc<dyn VolatileStore>,
    clock: Clock,
    queue: Mutex<Queue>,
    /// Something came that somebody waits for.
    wanted: Notify,
    /// A group was ended.
    turned: Notify,
}

impl Mirror {
    pub(super) fn new(sql: Arc<dyn DurableStore>, redis: Arc<dyn VolatileStore>, clock: Clock) -> Self {
        let (queue, wanted, turned) = (Mutex::default(), Notify::new(), Notify::new());
        Self { sql, redis, clock, queue, wanted, turned }
    }

    /// Takes what was committed to Redis under `epoch`; a later document of a conversation takes the place of one that
    /// still waits.
    pub(super) fn take(&self, stored: StoredSession, epoch: u64) {
        self.queue().put(stored, epoch, Haste::Company, Instant::now());
    }

    /// Waits until a document is in SQL; `stored` makes what is brought there if it is not on its way. While SQL is away
    /// nobody waits.
    pub(super) async fn ensure(&self, session: &Session, stored: impl FnOnce() -> StoredSession) -> Ended {
        let (waiter, ended) = oneshot::channel();
        let is_away = {
            let mut queue = self.queue();
            let is_away = queue.failing == Some(Ended::Owed);
            if is_away || !queue.has(session) {
                queue.put(stored(), session.epoch, Haste::Next, Instant::now());
            }
            if !is_away {
                queue.wait_with(session.key, waiter);
            }
            is_away
        };
        self.wanted.notify_one();
        if is_away { Ended::Owed } else { ended.await.unwrap_or(Ended::Owed) }
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
                let group = self.queue().group(Instant::now());
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

    /// How many documents this instance has not brought to SQL yet, and for how long the first of them waits.
    pub(super) fn owed(&self) -> (usize, Duration) {
        self.queue().owed(Instant::now())
    }

    /// Waits until everything that came before is written, or `patience` is over; says whether it is.
    pub(super) async fn flush(&self, patience: Duration) -> bool {
        let flushed = async {
            loop {
                let turned = self.turned.notified();
                {
                    let mut queue = self.queue();
                    if queue.is_done() {
                        return;
                    }
                    queue.hurry();
                }
                self.wanted.notify_one();
                turned.await;
            }
        };
        tokio::time::timeout(patience, flushed).await.is_ok()
    }

    /// Writes one group and answers who waited; says whether SQL took it.
    async fn write(&self, group: Vec<Entry>) -> bool {
        let began = Instant::now();
        let now = self.clock.now();
        let epoch = group.first().map_or(0, |entry| entry.epoch);
        let documents: Vec<StoredSession> = group.iter().map(|entry| entry.stored.clone()).collect();
        crate::failpoint!("mirror_due");
        let outcome = self.sql.mirror(&documents, epoch, now).await;
        crate::failpoint!("mirrored");
        metrics::histogram!("depot_mirror_seconds").record(began.elapsed());
        let failing = outcome.as_ref().err().map(|error| match error {
            StoreError::Refused { .. } => Ended::Refused,
            _ => Ended::Owed,
        });
        let mut written = Vec::new();
        match outcome {
            Ok(outcomes) => {
                let is_written = |(_, outcome): &(_, &MirrorOutcome)| **outcome == MirrorOutcome::Written;
                written.extend(
                    documents.into_iter().zip(&outcomes).filter(is_written).map(|(stored, _)| stored),
                );
                for (entry, outcome) in group.into_iter().zip(outcomes) {
                    answer(entry, if outcome == MirrorOutcome::Written { Ended::Kept } else { Ended::Lost });
                }
            }
            Err(_) => self.put_back(group, failing.unwrap_or(Ended::Owed)),
        }
        {
            let mut queue = self.queue();
            (queue.writing, queue.failing) = (None, failing);
        }
        self.turned.notify_waiters();
        // Nobody waits for this: a note that stays costs another write. What lost keeps its note: if Redis has it all the
        // same, since it came between the two halves of a change, it is mirrored under the next epoch.
        if !written.is_empty()
            && let Err(error) = self.redis.mark_replicated(&written).await
        {
            tracing::debug!(%error, "what was mirrored is still noted as owed");
        }
        failing.is_none()
    }

    /// What could not be written waits on, without anybody who waits for it.
    fn put_back(&self, group: Vec<Entry>, ended: Ended) {
        for mut entry in group {
            tell(entry.waiters.drain(..), ended);
            self.queue().put(entry.stored, entry.epoch, Haste::Next, entry.since);
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answer(entry: Entry, ended: Ended) {
    if ended == Ended::Lost {
        metrics::counter!("depot_branches_lost_total").increment(1);
        tracing::warn!(
            user.id = entry.stored.session.key.user.0,
            "a session that was committed to Redis came too late for the change to SQL: it is kept in `conflicts`"
        );
    }
    tell(entry.waiters, ended);
}

/// Nobody may be waiting any more.
fn tell(waiters: impl IntoIterator<Item = oneshot::Sender<Ended>>, ended: Ended) {
    for waiter in waiters {
        let _gone = waiter.send(ended);
    }
}
