//! What waits for the mirror: by conversation, and apart from that what goes next and what waits for company.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::session::{Session, SessionKey};
use crate::store::authority::Stored;
use crate::store::mirror::Ended;

/// How long a document that nobody waits for may wait for company; much less than the time after which a note in Redis
/// counts as somebody's debt, which is paid by writing the document once more.
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
    /// How many are being written.
    pub(super) writing: usize,
    /// How the last group failed, if it did.
    pub(super) failing: Option<Ended>,
}

pub(super) struct Entry {
    pub(super) stored: Stored,
    /// The epoch under which it was committed.
    pub(super) epoch: u64,
    since: Instant,
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
    /// Takes a document; a later one of a conversation takes the place of one that still waits. Without room for another
    /// conversation it is left to Redis, which has noted it, unless it is needed.
    pub(super) fn put(&mut self, stored: Stored, epoch: u64, haste: Haste, now: Instant) {
        let key = stored.session.key;
        let is_full = self.waiting.len() >= WAITING_MAX;
        if is_full && haste == Haste::Company && !self.waiting.contains_key(&key) {
            return;
        }
        if haste == Haste::Next {
            self.next.insert(key);
        }
        let stamp = |stored: &Stored| (stored.session.epoch, stored.session.version);
        match self.waiting.get_mut(&key) {
            Some(entry) if stamp(&stored) >= stamp(&entry.stored) => {
                (entry.stored, entry.epoch) = (stored, epoch);
            }
            Some(_) => {}
            None => {
                self.arrivals.push_back((now, key));
                self.waiting.insert(key, Entry { stored, epoch, since: now, waiters: Vec::new() });
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
        self.writing = group.len();
        group
    }

    /// Whether everything is written.
    pub(super) fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.writing == 0
    }
}
