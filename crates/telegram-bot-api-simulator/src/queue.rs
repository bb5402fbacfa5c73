//! Updates that wait for the bot: their numbers, how long they live, and how they are confirmed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;

use crate::clock::Timestamp;

/// How long Telegram keeps a message (Bot API: "not longer than 24 hours").
const MESSAGE_LIVES: Duration = Duration::from_hours(24);
/// How long Telegram keeps a tap (telegram-bot-api `add_update_impl`: 150 s).
const TAP_LIVES: Duration = Duration::from_secs(150);
/// An offset further past the tail than this counts as invalid and starts at the head (`TQueue::get` of
/// tdlib).
const OFFSET_SLACK: i64 = 10;
/// Updates kept for a bot that does not fetch them; the oldest go first.
const MOST_PENDING: usize = 100_000;
/// The kinds that Telegram sends only to a bot that asks for them by name.
const ONLY_IF_ASKED: [&str; 3] = ["chat_member", "message_reaction", "message_reaction_count"];

/// The webhook queue of an update: in order within one, in parallel across them
/// (telegram-bot-api: messages by chat, taps by user).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Lane {
    Messages(i64),
    Taps(i64),
    Membership(i64),
    Injected,
}

impl Lane {
    /// The chat that an update of this queue belongs to; that of a tap is the private one of who made it.
    pub(super) fn chat(self) -> Option<i64> {
        match self {
            Self::Messages(chat) | Self::Taps(chat) | Self::Membership(chat) => Some(chat),
            Self::Injected => None,
        }
    }
}

/// An update that is not confirmed yet.
#[derive(Debug)]
pub(super) struct Pending {
    pub lane: Lane,
    pub json: Arc<str>,
    expires: Timestamp,
    /// To be delivered once more although it will have been confirmed.
    repeat: bool,
}

/// The queue of one bot.
#[derive(Debug)]
pub(super) struct UpdateQueue {
    pending: BTreeMap<i64, Pending>,
    next_id: i64,
    /// Empty: everything but [`ONLY_IF_ASKED`].
    allowed: Vec<String>,
    /// Confirmed updates that a fault brings once more.
    again: VecDeque<Arc<str>>,
    next_expiry: Timestamp,
}

impl UpdateQueue {
    pub(super) fn new(rng: &mut StdRng) -> Self {
        Self {
            pending: BTreeMap::new(),
            next_id: rng.random_range(500_000_000..900_000_000),
            allowed: Vec::new(),
            again: VecDeque::new(),
            next_expiry: Timestamp(i64::MAX),
        }
    }

    /// Lets the ids go on at a lower random number, as after a week without updates; what was pending is
    /// gone, as it would be after that week.
    pub(super) fn restart_ids(&mut self, rng: &mut StdRng) {
        self.drop_all();
        self.next_id = rng.random_range(1_000..self.next_id.max(2_000) / 2 + 1_000);
    }

    /// The filter is sticky and works when an update comes in: a refused one is gone for ever.
    pub(super) fn allow(&mut self, kinds: Vec<String>) {
        self.allowed = kinds;
    }

    pub(super) fn allowed(&self) -> &[String] {
        &self.allowed
    }

    pub(super) fn allows(&self, kind: &str) -> bool {
        if self.allowed.is_empty() {
            return !ONLY_IF_ASKED.contains(&kind);
        }
        self.allowed.iter().any(|allowed| allowed == kind)
    }

    /// Adds an update, written by `write` from its id.
    pub(super) fn push(
        &mut self,
        lane: Lane,
        now: Timestamp,
        repeat: bool,
        write: impl FnOnce(i64) -> String,
    ) -> i64 {
        let id = self.next_id;
        self.next_id += 1;
        let lives = if matches!(lane, Lane::Taps(_)) { TAP_LIVES } else { MESSAGE_LIVES };
        let expires = now.after(lives);
        self.next_expiry = self.next_expiry.min(expires);
        if self.pending.len() >= MOST_PENDING {
            self.pending.pop_first();
        }
        self.pending.insert(id, Pending { lane, json: write(id).into(), expires, repeat });
        id
    }

    /// Forgets the updates that have outlived their time.
    pub(super) fn purge(&mut self, now: Timestamp) {
        if now < self.next_expiry {
            return;
        }
        self.pending.retain(|_, update| update.expires > now);
        let soonest = self.pending.values().map(|update| update.expires).min();
        self.next_expiry = soonest.unwrap_or(Timestamp(i64::MAX));
    }

    /// Where a getUpdates with this offset starts, after it has confirmed every update before that. Zero
    /// starts at the head; a negative offset counts from the tail and forgets what is before it.
    pub(super) fn confirm(&mut self, offset: i64) -> i64 {
        let start = match offset {
            0 => return 0,
            offset if offset > self.next_id + OFFSET_SLACK => return 0,
            offset if offset > 0 => offset,
            offset => {
                let back = usize::try_from(offset.unsigned_abs()).unwrap_or(usize::MAX) - 1;
                self.pending.keys().rev().nth(back).copied().unwrap_or(0)
            }
        };
        while let Some(entry) = self.pending.first_entry().filter(|entry| *entry.key() < start) {
            let update = entry.remove();
            if update.repeat {
                self.again.push_back(update.json);
            }
        }
        start
    }

    /// Up to `limit` updates from `start` on, with their ids.
    pub(super) fn batch(&mut self, start: i64, limit: usize) -> Vec<(i64, Arc<str>)> {
        let repeated = self.again.len().min(limit);
        let mut batch: Vec<_> = self.again.drain(..repeated).map(|json| (0, json)).collect();
        let rest = self.pending.range(start..).take(limit - repeated);
        batch.extend(rest.map(|(id, update)| (*id, update.json.clone())));
        batch
    }

    /// The update with this id, if it is still to be delivered.
    pub(super) fn get(&self, id: i64) -> Option<&Pending> {
        self.pending.get(&id)
    }

    /// Confirms one update that a webhook accepted; false if it is to be sent once more.
    pub(super) fn accept(&mut self, id: i64) -> bool {
        if let Some(update) = self.pending.get_mut(&id).filter(|update| update.repeat) {
            update.repeat = false;
            return false;
        }
        self.pending.remove(&id);
        true
    }

    pub(super) fn drop_all(&mut self) {
        self.pending.clear();
        self.again.clear();
    }

    /// Ids and lanes of everything that waits, oldest first.
    pub(super) fn lanes(&self) -> impl Iterator<Item = (i64, Lane)> {
        self.pending.iter().map(|(id, update)| (*id, update.lane))
    }

    pub(super) fn len(&self) -> usize {
        self.pending.len() + self.again.len()
    }
}
