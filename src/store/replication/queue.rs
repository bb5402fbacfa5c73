//! What waits for the mirror: by conversation, and apart from that what goes next and what waits for company.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::session::{Session, SessionKey};
use crate::store::replication::StoredSession;
use crate::store::replication::mirror::Ended;

/// How long a document that nobody waits for may wait for company; much less than the time after which a note in Redis
/// counts as somebody's backlog, which is paid by writing the document once more.
pub(super) const COMPANY: Duration = Duration::from_secs(2);
/// How many documents one group takes.
const GROUP_MAX: usize = 256;
/// How many documents wait here at most while SQL is away; Redis remembers what is owed beyond them.
const WAITING_MAX: usize = 10_000;

#[derive(Default)]
pub(super) struct Queue {
    waiting: BTreeMap<SessionKey, Entry>,
    /// Those that go with the next group.
    next: BTreeSet<SessionKey>,
    /// All, by when they came; those that have gone meanwhile still lie here.
    arrivals: VecDeque<(Instant, SessionKey)>,
    /// How many are being written, and since when the first of them waits.
    pub(super) writing: Option<(usize, Instant)>,
    /// How the last group failed, if it did.
    pub(super) failing: Option<Ended>,
}

pub(super) struct Entry {
    pub(super) stored: StoredSession,
    /// The epoch under which it was committed.
    pub(super) epoch: u64,
    /// Since when the conversation waits; as long as nothing fails, when it came.
    pub(super) since: Instant,
    pub(super) waiters: Vec<oneshot::Sender<Ended>>,
}

/// How soon a document is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Haste {
    /// With the next group.
    Next,
    /// Once it has waited for company.
    Company,
}

impl Queue {
    /// Takes a document that waits since then; a later one of a conversation takes the place of one that still waits. Without
    /// room for another conversation it is left to Redis, which has noted it, unless it is needed.
    pub(super) fn put(&mut self, stored: StoredSession, epoch: u64, haste: Haste, since: Instant) {
        let key = stored.session.key;
        let is_full = self.waiting.len() >= WAITING_MAX;
        if is_full && haste == Haste::Company && !self.waiting.contains_key(&key) {
            return;
        }
        if haste == Haste::Next {
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
                self.waiting.insert(key, Entry { stored, epoch, since, waiters: Vec::new() });
            }
        }
    }

    /// Whether this document or a later one of its conversation waits here.
    pub(super) fn has(&self, session: &Session) -> bool {
        self.waiting.get(&session.key).is_some_and(|entry| {
            let waiting = &entry.stored.session;
            (waiting.epoch, waiting.version) >= (session.epoch, session.version)
        })
    }

    /// Waits with a conversation, which goes next then.
    pub(super) fn wait_with(&mut self, key: SessionKey, waiter: oneshot::Sender<Ended>) {
        if let Some(entry) = self.waiting.get_mut(&key) {
            entry.waiters.push(waiter);
            self.next.insert(key);
        }
    }

    /// Nothing waits for company any more.
    pub(super) fn hurry(&mut self) {
        self.next.extend(self.waiting.keys());
    }

    /// How long nothing has to be written.
    pub(super) fn pause(&self, now: Instant) -> Duration {
        if !self.next.is_empty() {
            return Duration::ZERO;
        }
        let oldest = self.arrivals.front();
        oldest.map_or(COMPANY, |(since, _)| COMPANY.saturating_sub(now.saturating_duration_since(*since)))
    }

    /// The next group, all of one epoch, the lowest: what goes next, and what has waited long enough.
    pub(super) fn group(&mut self, now: Instant) -> Vec<Entry> {
        while let Some((since, key)) =
            self.arrivals.pop_front_if(|(since, _)| now.saturating_duration_since(*since) >= COMPANY)
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

    /// How many documents are not in SQL yet, and for how long the first of them has not been.
    pub(super) fn owed(&self, now: Instant) -> (usize, Duration) {
        let (writing, since) = self.writing.unzip();
        let oldest = self.waiting.values().map(|entry| entry.since).chain(since).min();
        let age = oldest.map_or(Duration::ZERO, |oldest| now.saturating_duration_since(oldest));
        (self.waiting.len() + writing.unwrap_or_default(), age)
    }

    /// Whether everything is written.
    pub(super) fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.writing.is_none()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::Timestamp;
    use crate::deposit::{BotId, ChatId, UserId};

    fn stored(user: i64, epoch: u64, version: u64) -> StoredSession {
        let key = SessionKey { bot: BotId(1), chat: ChatId(user), user: UserId(user) };
        let mut session = Session::new(key, Timestamp(0));
        (session.epoch, session.version) = (epoch, version);
        StoredSession::new(Arc::new(session), Duration::from_secs(300))
    }

    fn put(queue: &mut Queue, (user, epoch, version): (i64, u64, u64), haste: Haste, now: Instant) {
        queue.put(stored(user, epoch, version), epoch, haste, now);
    }

    /// Whose documents a group brings, and which versions.
    fn group(queue: &mut Queue, now: Instant) -> Vec<(i64, u64)> {
        let group = queue.group(now);
        queue.writing = None;
        group.iter().map(|it| (it.stored.session.key.user.0, it.stored.session.version)).collect()
    }

    #[test]
    fn the_latest_document_of_a_conversation_goes_once_after_its_time() {
        let (mut queue, began) = (Queue::default(), Instant::now());
        for version in [1, 3, 2] {
            put(&mut queue, (7, 1, version), Haste::Company, began + COMPANY / 2 * (version as u32 - 1));
        }
        assert_eq!(group(&mut queue, began + COMPANY / 2), []);
        assert_eq!(queue.pause(began + COMPANY / 2), COMPANY / 2);
        assert_eq!(group(&mut queue, began + COMPANY), [(7, 3)]);
        assert!(queue.is_done());
        // What comes now has a time of its own, whatever went before.
        put(&mut queue, (7, 1, 4), Haste::Company, began + COMPANY);
        assert_eq!(group(&mut queue, began + COMPANY * 2 - Duration::from_millis(1)), []);
        assert_eq!(group(&mut queue, began + COMPANY * 2), [(7, 4)]);
    }

    #[test]
    fn what_somebody_waits_for_goes_next_and_alone() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        put(&mut queue, (7, 1, 2), Haste::Company, now);
        put(&mut queue, (8, 1, 2), Haste::Company, now);
        let session = |version| Session::clone(&stored(8, 1, version).session);
        assert!(queue.has(&session(1)) && queue.has(&session(2)) && !queue.has(&session(3)));
        let (waiter, _ended) = oneshot::channel();
        queue.wait_with(session(2).key, waiter);
        assert_eq!(queue.pause(now), Duration::ZERO);
        let next = queue.group(now);
        assert_eq!(next.len(), 1);
        assert_eq!((next[0].stored.session.key.user, next[0].waiters.len()), (UserId(8), 1));
        assert!(!queue.is_done(), "one is being written, and one waits");
        put(&mut queue, (9, 1, 1), Haste::Next, now);
        assert_eq!(group(&mut queue, now), [(9, 1)]);
        queue.hurry();
        assert_eq!(group(&mut queue, now), [(7, 2)]);
    }

    #[test]
    fn an_epoch_goes_before_the_next() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        for document in [(7, 3, 9), (8, 2, 5), (9, 2, 6)] {
            put(&mut queue, document, Haste::Next, now);
        }
        assert_eq!(group(&mut queue, now), [(8, 5), (9, 6)]);
        assert_eq!(group(&mut queue, now), [(7, 9)]);
        assert_eq!(group(&mut queue, now), []);
    }

    #[test]
    fn what_could_not_be_written_is_owed_since_it_first_came() {
        let (mut queue, began) = (Queue::default(), Instant::now());
        put(&mut queue, (7, 1, 2), Haste::Next, began);
        let failed = queue.group(began).pop().unwrap();
        put(&mut queue, (7, 1, 3), Haste::Company, began + COMPANY / 2);
        put(&mut queue, (8, 1, 1), Haste::Company, began + COMPANY / 2);
        assert_eq!(queue.owed(began + COMPANY), (3, COMPANY), "what is being written counts");
        queue.writing = None;
        queue.put(failed.stored, failed.epoch, Haste::Next, failed.since);
        assert_eq!(queue.owed(began + COMPANY), (2, COMPANY));
        assert_eq!(group(&mut queue, began + COMPANY), [(7, 3)], "it goes at once, with what came meanwhile");
        assert_eq!(queue.owed(began + COMPANY), (1, COMPANY / 2));
        assert_eq!(group(&mut queue, began + 2 * COMPANY), [(8, 1)]);
        assert_eq!(queue.owed(began + 2 * COMPANY), (0, Duration::ZERO));
    }

    #[test]
    fn without_room_only_what_is_needed_is_taken() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        for user in 0..i64::try_from(WAITING_MAX).unwrap() {
            put(&mut queue, (user, 1, 1), Haste::Company, now);
        }
        put(&mut queue, (-1, 1, 1), Haste::Company, now);
        put(&mut queue, (-2, 1, 1), Haste::Next, now);
        put(&mut queue, (0, 1, 2), Haste::Next, now);
        assert_eq!(group(&mut queue, now), [(-2, 1), (0, 2)]);
        assert_eq!(group(&mut queue, now + COMPANY).len(), GROUP_MAX);
    }
}
