//! The replication queue: one entry per session. Urgent entries go with the next group, the others linger first.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::store::StoredSession;
use crate::store::replication::mirror::ReplicationOutcome;
use session::{Session, SessionKey};

/// How long an entry without a waiter lingers, so that the next commit of its session replaces it. Shorter than the
/// time after which a dirty marker makes any instance replicate the document once more.
pub(super) const LINGER: Duration = Duration::from_secs(2);
/// The most documents in one group.
const GROUP_MAX: usize = 256;
/// The most sessions in the queue while SQL is away; those beyond them are dirty in Redis and nothing else.
const WAITING_MAX: usize = 10_000;

#[derive(Default)]
pub(super) struct ReplicationQueue {
    waiting: BTreeMap<SessionKey, QueueEntry>,
    /// The sessions that go with the next group.
    next: BTreeSet<SessionKey>,
    /// All sessions by arrival; those that have been written meanwhile are still here.
    arrivals: VecDeque<(Instant, SessionKey)>,
    /// How many documents are being written, and since when the oldest of them waits.
    pub(super) writing: Option<(usize, Instant)>,
    /// Why the last group failed, if it did.
    pub(super) failing: Option<ReplicationOutcome>,
}

pub(super) struct QueueEntry {
    pub(super) stored: StoredSession,
    /// The epoch under which it was committed.
    pub(super) epoch: u64,
    /// Since when the session waits: its arrival, as long as no group fails.
    pub(super) since: Instant,
    pub(super) waiters: Vec<oneshot::Sender<ReplicationOutcome>>,
}

/// How soon a document is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Urgency {
    /// With the next group.
    Now,
    /// After the linger.
    Linger,
}

impl ReplicationQueue {
    /// Queues a document that waits since `since`; it takes the place of an earlier one of its session. Without room
    /// for another session a document that may linger is left to Redis, where it is dirty.
    pub(super) fn push(&mut self, stored: StoredSession, epoch: u64, urgency: Urgency, since: Instant) {
        let key = stored.session.key;
        let is_full = self.waiting.len() >= WAITING_MAX;
        if is_full && urgency == Urgency::Linger && !self.waiting.contains_key(&key) {
            return;
        }
        if urgency == Urgency::Now {
            self.next.insert(key);
        }
        let stamp = |stored: &StoredSession| (stored.session.epoch, stored.session.version);
        match self.waiting.get_mut(&key) {
            Some(entry) => {
                entry.since = entry.since.min(since);
                if stamp(&stored) >= stamp(&entry.stored) {
                    (entry.stored, entry.epoch) = (stored, epoch);
                }
            }
            None => {
                self.arrivals.push_back((since, key));
                self.waiting.insert(key, QueueEntry { stored, epoch, since, waiters: Vec::new() });
            }
        }
    }

    /// Whether this document or a later one of its session is queued.
    pub(super) fn has(&self, session: &Session) -> bool {
        self.waiting.get(&session.key).is_some_and(|entry| {
            let waiting = &entry.stored.session;
            (waiting.epoch, waiting.version) >= (session.epoch, session.version)
        })
    }

    /// Adds a waiter to a session, which thereby goes with the next group.
    pub(super) fn add_waiter(&mut self, key: SessionKey, waiter: oneshot::Sender<ReplicationOutcome>) {
        if let Some(entry) = self.waiting.get_mut(&key) {
            entry.waiters.push(waiter);
            self.next.insert(key);
        }
    }

    /// Ends the linger of every entry.
    pub(super) fn flush_now(&mut self) {
        self.next.extend(self.waiting.keys());
    }

    /// How long nothing is to be written.
    pub(super) fn pause(&self, now: Instant) -> Duration {
        if !self.next.is_empty() {
            return Duration::ZERO;
        }
        let oldest = self.arrivals.front();
        oldest.map_or(LINGER, |(since, _)| LINGER.saturating_sub(now.saturating_duration_since(*since)))
    }

    /// The next group, all of one epoch, the lowest: the urgent entries, and those whose linger is over.
    pub(super) fn next_group(&mut self, now: Instant) -> Vec<QueueEntry> {
        while let Some((since, key)) =
            self.arrivals.pop_front_if(|(since, _)| now.saturating_duration_since(*since) >= LINGER)
        {
            if self.waiting.get(&key).is_some_and(|entry| entry.since == since) {
                self.next.insert(key);
            }
        }
        let epoch_of = |key: &&SessionKey| self.waiting.get(key).map(|entry| entry.epoch);
        let Some(epoch) = self.next.iter().filter_map(|key| epoch_of(&key)).min() else {
            self.next.clear();
            return Vec::new();
        };
        let is_of_it = |key: &&SessionKey| epoch_of(key) == Some(epoch);
        let keys: Vec<SessionKey> = self.next.iter().filter(is_of_it).take(GROUP_MAX).copied().collect();
        let mut group = Vec::with_capacity(keys.len());
        for key in keys {
            self.next.remove(&key);
            group.extend(self.waiting.remove(&key));
        }
        self.writing = group.iter().map(|entry| entry.since).min().map(|since| (group.len(), since));
        group
    }

    /// How many documents are not in SQL yet, and the replication lag of the oldest.
    pub(super) fn backlog(&self, now: Instant) -> (usize, Duration) {
        let (writing, since) = self.writing.unzip();
        let oldest = self.waiting.values().map(|entry| entry.since).chain(since).min();
        let age = oldest.map_or(Duration::ZERO, |oldest| now.saturating_duration_since(oldest));
        (self.waiting.len() + writing.unwrap_or_default(), age)
    }

    /// Whether nothing is queued or being written.
    pub(super) fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.writing.is_none()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::Timestamp;
    use deposit::{BotId, ChatId, UserId};

    fn stored(user: i64, epoch: u64, version: u64) -> StoredSession {
        let key = SessionKey { bot: BotId(1), chat: ChatId(user), user: UserId(user) };
        let mut session = Session::new(key, Timestamp(0));
        (session.epoch, session.version) = (epoch, version);
        StoredSession::new(Arc::new(session), Duration::from_secs(300))
    }

    fn put(
        queue: &mut ReplicationQueue,
        (user, epoch, version): (i64, u64, u64),
        urgency: Urgency,
        now: Instant,
    ) {
        queue.push(stored(user, epoch, version), epoch, urgency, now);
    }

    /// The users and versions of a group.
    fn group(queue: &mut ReplicationQueue, now: Instant) -> Vec<(i64, u64)> {
        let group = queue.next_group(now);
        queue.writing = None;
        group.iter().map(|it| (it.stored.session.key.user.0, it.stored.session.version)).collect()
    }

    #[test]
    fn the_latest_document_of_a_session_goes_once_after_the_linger() {
        let (mut queue, began) = (ReplicationQueue::default(), Instant::now());
        for version in [1, 3, 2] {
            put(&mut queue, (7, 1, version), Urgency::Linger, began + LINGER / 2 * (version as u32 - 1));
        }
        assert_eq!(group(&mut queue, began + LINGER / 2), []);
        assert_eq!(queue.pause(began + LINGER / 2), LINGER / 2);
        assert_eq!(group(&mut queue, began + LINGER), [(7, 3)]);
        assert!(queue.is_done());
        // A later arrival lingers anew.
        put(&mut queue, (7, 1, 4), Urgency::Linger, began + LINGER);
        assert_eq!(group(&mut queue, began + LINGER * 2 - Duration::from_millis(1)), []);
        assert_eq!(group(&mut queue, began + LINGER * 2), [(7, 4)]);
    }

    #[test]
    fn a_document_with_a_waiter_goes_next_and_alone() {
        let (mut queue, now) = (ReplicationQueue::default(), Instant::now());
        put(&mut queue, (7, 1, 2), Urgency::Linger, now);
        put(&mut queue, (8, 1, 2), Urgency::Linger, now);
        let session = |version| Session::clone(&stored(8, 1, version).session);
        assert!(queue.has(&session(1)) && queue.has(&session(2)) && !queue.has(&session(3)));
        let (waiter, _ended) = oneshot::channel();
        queue.add_waiter(session(2).key, waiter);
        assert_eq!(queue.pause(now), Duration::ZERO);
        let next = queue.next_group(now);
        assert_eq!(next.len(), 1);
        assert_eq!((next[0].stored.session.key.user, next[0].waiters.len()), (UserId(8), 1));
        assert!(!queue.is_done(), "one is being written, and one waits");
        put(&mut queue, (9, 1, 1), Urgency::Now, now);
        assert_eq!(group(&mut queue, now), [(9, 1)]);
        queue.flush_now();
        assert_eq!(group(&mut queue, now), [(7, 2)]);
    }

    #[test]
    fn an_epoch_goes_before_the_next() {
        let (mut queue, now) = (ReplicationQueue::default(), Instant::now());
        for document in [(7, 3, 9), (8, 2, 5), (9, 2, 6)] {
            put(&mut queue, document, Urgency::Now, now);
        }
        assert_eq!(group(&mut queue, now), [(8, 5), (9, 6)]);
        assert_eq!(group(&mut queue, now), [(7, 9)]);
        assert_eq!(group(&mut queue, now), []);
    }

    #[test]
    fn the_lag_of_a_failed_document_counts_from_its_arrival() {
        let (mut queue, began) = (ReplicationQueue::default(), Instant::now());
        put(&mut queue, (7, 1, 2), Urgency::Now, began);
        let failed = queue.next_group(began).pop().unwrap();
        put(&mut queue, (7, 1, 3), Urgency::Linger, began + LINGER / 2);
        put(&mut queue, (8, 1, 1), Urgency::Linger, began + LINGER / 2);
        assert_eq!(queue.backlog(began + LINGER), (3, LINGER), "what is being written counts");
        queue.writing = None;
        queue.push(failed.stored, failed.epoch, Urgency::Now, failed.since);
        assert_eq!(queue.backlog(began + LINGER), (2, LINGER));
        assert_eq!(group(&mut queue, began + LINGER), [(7, 3)], "it goes at once, with what came meanwhile");
        assert_eq!(queue.backlog(began + LINGER), (1, LINGER / 2));
        assert_eq!(group(&mut queue, began + 2 * LINGER), [(8, 1)]);
        assert_eq!(queue.backlog(began + 2 * LINGER), (0, Duration::ZERO));
    }

    #[test]
    fn without_room_only_urgent_documents_are_taken() {
        let (mut queue, now) = (ReplicationQueue::default(), Instant::now());
        for user in 0..i64::try_from(WAITING_MAX).unwrap() {
            put(&mut queue, (user, 1, 1), Urgency::Linger, now);
        }
        put(&mut queue, (-1, 1, 1), Urgency::Linger, now);
        put(&mut queue, (-2, 1, 1), Urgency::Now, now);
        put(&mut queue, (0, 1, 2), Urgency::Now, now);
        assert_eq!(group(&mut queue, now), [(-2, 1), (0, 2)]);
        assert_eq!(group(&mut queue, now + LINGER).len(), GROUP_MAX);
    }
}
