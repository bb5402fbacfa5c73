//! The mirror: copies what Redis commits to SQL, in groups, and says when something is there.
//!
//! What somebody waits for (the acknowledgement of an update) goes with the next group; the rest waits for company a
//! moment, because the next commit of the same conversation makes it superfluous.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::clock::Clock;
use crate::session::{Session, SessionKey};
use crate::store::StoreError;
use crate::store::authority::{DurableStore, Mirrored, Stored, VolatileStore};

/// How long a document that nobody waits for may wait for company; much less than the second after which a note in Redis
/// counts as somebody's debt, which is paid by writing the document once more.
const COMPANY: Duration = Duration::from_millis(200);
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
    /// How many are being written.
    writing: usize,
    is_wanted: bool,
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
    /// Its update may have been acknowledged, and it is in Redis alone.
    is_owed: bool,
    waiters: Vec<oneshot::Sender<Ended>>,
}

impl Entry {
    /// Whether it goes with a group that is gathered `now`.
    fn is_ripe(&self, now: Instant) -> bool {
        self.is_owed || !self.waiters.is_empty() || now.saturating_duration_since(self.since) >= COMPANY
    }
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
            self.owe(stored(), session.epoch);
            self.wanted.notify_one();
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
        queue.is_wanted = true;
        None
    }

    /// Takes what cannot be brought to SQL now, and is to go there as soon as anything can.
    fn owe(&self, stored: Stored, epoch: u64) {
        let key = stored.session.key;
        self.put(stored, epoch, None);
        if let Some(entry) = self.queue().waiting.get_mut(&key) {
            entry.is_owed = true;
        }
    }

    fn put(&self, stored: Stored, epoch: u64, waiter: Option<oneshot::Sender<Ended>>) {
        let mut queue = self.queue();
        queue.is_wanted |= waiter.is_some();
        let is_full = queue.waiting.len() >= WAITING_MAX;
        if is_full && waiter.is_none() && !queue.waiting.contains_key(&stored.session.key) {
            // Redis has noted it; it is paid from there.
            return;
        }
        let since = Instant::now();
        let entry = queue.waiting.entry(stored.session.key).or_insert_with(|| Entry {
            stored: stored.clone(),
            epoch,
            since,
            is_owed: false,
            waiters: Vec::new(),
        });
        let stamp = |stored: &Stored| (stored.session.epoch, stored.session.version);
        if stamp(&stored) >= stamp(&entry.stored) {
            (entry.stored, entry.epoch) = (stored, epoch);
        }
        entry.waiters.extend(waiter);
    }

    /// Writes groups until this is dropped.
    pub(super) async fn run(&self) {
        loop {
            let pause = self.pause();
            tokio::select! {
                biased;
                () = self.wanted.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
            while let Some(group) = self.group() {
                if !self.write(group).await {
                    tokio::time::sleep(PAUSE).await;
                    break;
                }
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
                    (queue.is_wanted, queue.is_flushing) = (true, true);
                }
                self.wanted.notify_one();
                turned.await;
            }
        };
        tokio::time::timeout(patience, flushed).await.is_ok()
    }

    fn pause(&self) -> Duration {
        let queue = self.queue();
        if queue.is_wanted && queue.failing.is_none() {
            return Duration::ZERO;
        }
        if queue.waiting.values().any(|entry| entry.is_owed) {
            return Duration::ZERO;
        }
        let oldest = queue.waiting.values().map(|entry| entry.since).min();
        oldest.map_or(COMPANY, |since| COMPANY.saturating_sub(since.elapsed()))
    }

    /// The next group, if there is one to be written now: with whoever is wanted go those that have waited long enough.
    fn group(&self) -> Option<Vec<Entry>> {
        let mut queue = self.queue();
        let is_flushing = std::mem::take(&mut queue.is_flushing);
        let now = Instant::now();
        let is_ripe = |entry: &Entry| is_flushing || entry.is_ripe(now);
        let ripe = queue.waiting.values().filter(|entry| is_ripe(entry));
        let Some(epoch) = ripe.map(|entry| entry.epoch).min() else {
            // Nobody waits: what was wanted is written.
            queue.is_wanted = false;
            return None;
        };
        let ripe: Vec<SessionKey> = queue
            .waiting
            .iter()
            .filter(|(_, entry)| entry.epoch == epoch && is_ripe(entry))
            .map(|(key, _)| *key)
            .take(GROUP_MAX)
            .collect();
        let group: Vec<Entry> = ripe.iter().filter_map(|key| queue.waiting.remove(key)).collect();
        queue.is_wanted = queue.waiting.values().any(|entry| !entry.waiters.is_empty());
        queue.writing = group.len();
        (!group.is_empty()).then_some(group)
    }

    /// Writes one group and answers who waited; says whether SQL took it.
    async fn write(&self, group: Vec<Entry>) -> bool {
        let began = Instant::now();
        let now = self.clock.now();
        let epoch = group.first().map_or(0, |entry| entry.epoch);
        let documents: Vec<Stored> = group.iter().map(|entry| entry.stored.clone()).collect();
        crate::failpoint!("mirror_due");
        let outcome = self.sql.mirror(&documents, epoch, now).await;
        crate::failpoint!("mirrored");
        metrics::histogram!("depot_mirror_seconds").record(began.elapsed());
        let failing = outcome.as_ref().err().map(|error| match error {
            StoreError::Refused { .. } => Ended::Refused,
            _ => Ended::Owed,
        });
        match outcome {
            Ok(outcomes) => {
                let is_written = |(_, outcome): &(_, &Mirrored)| **outcome == Mirrored::Written;
                let written = documents.into_iter().zip(&outcomes).filter(is_written);
                let written: Vec<Stored> = written.map(|(stored, _)| stored).collect();
                for (entry, outcome) in group.into_iter().zip(outcomes) {
                    answer(entry, if outcome == Mirrored::Written { Ended::Kept } else { Ended::Lost });
                }
                // Nobody waits for this: a note that stays costs another write. What lost keeps its note: if Redis has it
                // all the same, since it came between the two halves of a change, it is mirrored under the next epoch.
                if let Err(error) = self.redis.paid(&written).await {
                    tracing::debug!(%error, "what was mirrored is still noted as owed");
                }
            }
            Err(_) => self.put_back(group, failing.unwrap_or(Ended::Owed)),
        }
        {
            let mut queue = self.queue();
            (queue.writing, queue.failing) = (0, failing);
        }
        self.turned.notify_waiters();
        failing.is_none()
    }

    /// What could not be written waits on, without anybody who waits for it.
    fn put_back(&self, group: Vec<Entry>, ended: Ended) {
        for mut entry in group {
            tell(entry.waiters.drain(..), ended);
            self.owe(entry.stored, entry.epoch);
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
