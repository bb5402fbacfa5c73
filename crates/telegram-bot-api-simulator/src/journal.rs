//! The history of the simulation, in order, for oracles and benchmarks.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::method::Method;
use crate::clock::Timestamp;

/// Entries kept; older ones are counted and forgotten.
const MOST_ENTRIES: usize = 200_000;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Counts up from 1 without gaps.
    pub number: u64,
    /// When, on the simulator's clock.
    pub at: Timestamp,
    /// The event.
    pub what: Happened,
}

/// The kinds of things that happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    /// The bot called a method.
    Call {
        /// As in the Bot API.
        method: &'static str,
        /// The chat it named, if it named one.
        chat: Option<i64>,
        /// The message that was sent or edited.
        message_id: Option<i64>,
        /// HTTP status of the answer; 0 if the connection was dropped.
        code: u16,
        /// False if a fault kept the call from having an effect.
        applied: bool,
    },
    /// An update entered the queue.
    Enqueued {
        /// Its id.
        update_id: i64,
        /// `message`, `callback_query`, …
        kind: &'static str,
        /// Where it happened, or whose tap it is; `None` for one that a test made up.
        chat: Option<i64>,
    },
    /// The update that has just entered the queue is a tap.
    Tapped {
        /// Its id.
        update_id: i64,
        /// The callback query in it, of which an answer speaks.
        callback_id: String,
    },
    /// An update was handed to the bot; not confirmed yet.
    Delivered {
        /// Its id; 0 for one that a fault repeats after its confirmation.
        update_id: i64,
    },
    /// A getUpdates offset confirmed everything below.
    ConfirmedBelow {
        /// The offset.
        offset: i64,
    },
    /// A webhook answered 2xx for one update.
    Accepted {
        /// Its id.
        update_id: i64,
    },
    /// A message of the bot appeared, changed or went.
    Shown {
        /// Where.
        chat: i64,
        /// Which.
        message_id: i64,
        /// Its text now; empty once deleted.
        text: Arc<str>,
        /// True if it has an inline keyboard now.
        keyboard: bool,
    },
    /// A tap was answered.
    Answered {
        /// The callback query.
        callback_id: String,
        /// Where the tap was made.
        chat: i64,
    },
}

/// The bounded journal and the counters, which are kept even when the journal is off.
#[derive(Debug)]
pub(super) struct Journal {
    on: bool,
    entries: VecDeque<Entry>,
    written: u64,
    counts: HashMap<(Method, u16), u64>,
}

impl Journal {
    pub(super) fn new(on: bool) -> Self {
        Self { on, entries: VecDeque::new(), written: 0, counts: HashMap::new() }
    }

    /// Writes an entry; `what` is not even computed when the journal is off.
    pub(super) fn write(&mut self, at: Timestamp, what: impl FnOnce() -> Happened) {
        if !self.on {
            return;
        }
        if self.entries.len() >= MOST_ENTRIES {
            self.entries.pop_front();
        }
        self.written += 1;
        self.entries.push_back(Entry { number: self.written, at, what: what() });
    }

    pub(super) fn count(&mut self, method: Method, code: u16) {
        *self.counts.entry((method, code)).or_default() += 1;
    }

    /// How often `method` was called, or only with this outcome.
    pub(super) fn calls(&self, method: Method, code: Option<u16>) -> u64 {
        let matching = self
            .counts
            .iter()
            .filter(|((counted, outcome), _)| *counted == method && code.is_none_or(|code| code == *outcome));
        matching.map(|(_, count)| count).sum()
    }

    /// Entries after number `after`, oldest first.
    pub(super) fn since(&self, after: u64) -> Vec<Entry> {
        self.entries.iter().filter(|entry| entry.number > after).cloned().collect()
    }
}
