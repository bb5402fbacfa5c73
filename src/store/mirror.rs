//! The mirror: copies what Redis commits to SQL, in groups, and says when something is there.
//!
//! What somebody waits for (the acknowledgement of an update) goes with the next group; the rest waits for company a
//! moment, because the next commit of the same conversation makes it superfluous.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::clock::Clock;
use crate::session::{Session, SessionKey, State};
use crate::store::StoreError;
use crate::store::authority::{DurableStore, Mirrored, Stored, VolatileStore};

/// How long a document that nobody waits for may wait for company: shorter than what is owed for long enough to be paid by
/// any instance, and than the second whose steps a failover may repeat.
const COMPANY: Duration = Duration::from_millis(750);
/// How many documents one group takes.
const GROUP_MAX: usize = 256;
/// How many documents wait here at most while SQL is away; Redis remembers what is owed beyond them.
const WAITING_MAX: usize = 10_000;
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

#[derive(Default)]
struct Queue {
    waiting: BTreeMap<SessionKey, Entry>,
    /// Whom somebody waits for, in order; one that is gone from `waiting` was written.
    wanted: VecDeque<SessionKey>,
    /// All that wait, the oldest first; one that is gone from `waiting`, or came again since, was written.
    aging: VecDeque<(Instant, SessionKey)>,
    /// How many are being written, or paid.
    writing: usize,
    /// Nothing is to wait for company.
    is_flushing: bool,
    /// How the last group failed, if it did.
    failing: Option<Ended>,
}

struct Entry {
    stored: Stored,
    /// The epoch under which it was committed.
    epoch: u64,
    since: Instant,
    waiters: Vec<oneshot::Sender<Ended>>,
}

impl Mirror {
    pub(super) fn new(sql: Arc<dyn DurableStore>, redis: Arc<dyn VolatileStore>, clock: Clock) -> Self {
        let (queue, wanted, turned) = (Mutex::default(), Notify::new(), Notify::new());
        Self { sql, redis, clock, queue, wanted, turned }
    }

    /// Takes what was committed to Redis under `epoch`; a later document of a conversation takes the place of one that
    /// still waits.
    pub(super) fn take(&self, stored: Stored, epoch: u64) {
        self.put(stored, epoch, None);
    }

    /// Waits until a document is in SQL; `stored` makes what is brought there if it is not on its way. While SQL is away
    /// nobody waits.
    pub(super) async fn ensure(&self, session: &Session, stored: impl FnOnce() -> Stored) -> Ended {
        let (waiter, ended) = oneshot::channel();
        let is_away = self.queue().failing == Some(Ended::Owed);
        if is_away {
            self.put(stored(), session.epoch, None);
            return Ended::Owed;
        }
        if let Some(waiter) = self.join(session, waiter) {
            self.put(stored(), session.epoch, Some(waiter));
        }
        self.wanted.notify_one();
        ended.await.unwrap_or(Ended::Owed)
    }

    /// Waits with a document that is on its way, or gives the waiter back.
    fn join(&self, session: &Session, waiter: oneshot::Sender<Ended>) -> Option<oneshot::Sender<Ended>> {
        let mut queue = self.queue();
        let is_on_its_way = |entry: &&mut Entry| {
            let waiting = &entry.stored.session;
            (waiting.epoch, waiting.version) >= (session.epoch, session.version)
        };
        let Some(entry) = queue.waiting.get_mut(&session.key).filter(is_on_its_way) else {
            return Some(waiter);
        };
        entry.waiters.push(waiter);
        queue.wanted.push_back(session.key);
        None
    }

    fn put(&self, stored: Stored, epoch: u64, waiter: Option<oneshot::Sender<Ended>>) {
        let mut queue = self.queue();
        let key = stored.session.key;
        let is_full = queue.waiting.len() >= WAITING_MAX;
        if is_full && waiter.is_none() && !queue.waiting.contains_key(&key) {
            // Redis has noted it; it is paid from there.
            return;
        }
        if waiter.is_some() {
            queue.wanted.push_back(key);
        }
        if let Some(entry) = queue.waiting.get_mut(&key) {
            let stamp = |stored: &Stored| (stored.session.epoch, stored.session.version);
            if stamp(&stored) >= stamp(&entry.stored) {
                (entry.stored, entry.epoch) = (stored, epoch);
            }
            entry.waiters.extend(waiter);
        } else {
            let since = Instant::now();
            queue.aging.push_back((since, key));
            queue.waiting.insert(key, Entry { stored, epoch, since, waiters: waiter.into_iter().collect() });
        }
    }

    /// Writes groups until this is dropped; Redis is told of one while the next is written.
    pub(super) async fn run(&self) {
        let mut paying = FuturesUnordered::new();
        loop {
            tokio::select! {
                biased;
                Some(()) = paying.next() => {}
                () = self.wanted.notified() => {}
                () = tokio::time::sleep(self.pause()) => {}
            }
            while let Some(group) = self.group() {
                let paid = async { while paying.next().await.is_some() {} };
                let (written, ()) = tokio::join!(self.write(group), paid);
                let Some(documents) = written else {
                    tokio::time::sleep(PAUSE).await;
                    break;
                };
                paying.push(self.pay(documents));
            }
        }
    }

    /// Waits until everything that came before is written, or `patience` is over; says whether it is.
    pub(super) async fn flush(&self, patience: Duration) -> bool {
        let flushed = async {
            loop {
                let turned = self.turned.notified();
                {
                    let mut queue = self.queue();
                    if queue.waiting.is_empty() && queue.writing == 0 {
                        return;
                    }
                    queue.is_flushing = true;
                }
                self.wanted.notify_one();
                turned.await;
            }
        };
        tokio::time::timeout(patience, flushed).await.is_ok()
    }

    fn pause(&self) -> Duration {
        let queue = self.queue();
        if (queue.is_flushing || !queue.wanted.is_empty()) && queue.failing.is_none() {
            return Duration::ZERO;
        }
        queue.aging.front().map_or(COMPANY, |(since, _)| COMPANY.saturating_sub(since.elapsed()))
    }

    /// The next group, if there is one to be written now: with whoever is wanted go those that have waited long enough.
    fn group(&self) -> Option<Vec<Entry>> {
        let mut queue = self.queue();
        let queue = &mut *queue;
        let mut ripe: Vec<SessionKey> = Vec::new();
        while ripe.len() < GROUP_MAX
            && let Some(key) = queue.wanted.pop_front()
        {
            ripe.push(key);
        }
        let now = Instant::now();
        while ripe.len() < GROUP_MAX
            && let Some((since, key)) = queue.aging.front().copied()
        {
            let is_current = queue.waiting.get(&key).is_some_and(|entry| entry.since == since);
            if is_current && !queue.is_flushing && now.duration_since(since) < COMPANY {
                break;
            }
            queue.aging.pop_front();
            if is_current {
                ripe.push(key);
            }
        }
        let epoch = ripe.iter().filter_map(|key| Some(queue.waiting.get(key)?.epoch)).min();
        let Some(epoch) = epoch else {
            queue.is_flushing &= !queue.waiting.is_empty();
            return None;
        };
        let mut group = Vec::with_capacity(ripe.len());
        for key in ripe {
            match queue.waiting.remove(&key) {
                Some(entry) if entry.epoch == epoch => group.push(entry),
                // Those of another epoch go with the next group.
                Some(entry) => {
                    queue.wanted.push_back(key);
                    queue.waiting.insert(key, entry);
                }
                None => {}
            }
        }
        queue.writing += group.len();
        Some(group)
    }

    /// Writes one group and answers who waited; what was written, unless SQL did not take it.
    async fn write(&self, group: Vec<Entry>) -> Option<Vec<Stored>> {
        let (began, now) = (Instant::now(), self.clock.now());
        let epoch = group.first().map_or(0, |entry| entry.epoch);
        let documents: Vec<Stored> = group.iter().map(|entry| entry.stored.clone()).collect();
        crate::failpoint!("mirror_due");
        if documents.iter().any(|stored| matches!(stored.session.state, State::Recording { .. })) {
            crate::failpoint!("decision_due");
        }
        let outcome = self.sql.mirror(&documents, epoch, now).await;
        crate::failpoint!("mirrored");
        metrics::histogram!("depot_mirror_seconds").record(began.elapsed());
        match outcome {
            Ok(outcomes) => {
                self.queue().failing = None;
                for (entry, outcome) in group.into_iter().zip(outcomes) {
                    answer(entry, if outcome == Mirrored::Written { Ended::Kept } else { Ended::Lost });
                }
                Some(documents)
            }
            Err(error) => {
                let failing = match error {
                    StoreError::Refused { .. } => Ended::Refused,
                    _ => Ended::Owed,
                };
                self.queue().failing = Some(failing);
                self.put_back(group, failing);
                self.turned(documents.len());
                None
            }
        }
    }

    /// Tells Redis that it owes this no more. Nobody waits for that: a note that stays costs another write.
    async fn pay(&self, documents: Vec<Stored>) {
        if let Err(error) = self.redis.paid(&documents).await {
            tracing::debug!(%error, "what was mirrored is still noted as owed");
        }
        self.turned(documents.len());
    }

    fn turned(&self, documents: usize) {
        {
            let mut queue = self.queue();
            queue.writing = queue.writing.saturating_sub(documents);
        }
        self.turned.notify_waiters();
    }

    /// What could not be written waits on, without anybody who waits for it.
    fn put_back(&self, group: Vec<Entry>, ended: Ended) {
        for mut entry in group {
            tell(entry.waiters.drain(..), ended);
            self.put(entry.stored, entry.epoch, None);
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
