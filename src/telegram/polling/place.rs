//! Where the loop of long polling stands: what Telegram may be told is done.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::telegram::incoming::Unreadable;
use crate::telegram::intake::Update;

/// How often the same unreadable answer is asked for again before its first update is parked.
const BROKEN_MAX: u32 = 3;
/// How many parked updates without an id are remembered.
const NAMELESS_MAX: usize = 100;
/// How long the updates of a chat are held, and the offset with them, before they are parked.
const HELD_FOR: Duration = Duration::from_secs(60);
/// How many updates may come meanwhile: Telegram shows 100 behind the offset and no more, which would be deafness.
const HELD_AMONG: usize = 50;
/// How many chats are remembered as held.
const HELD_MAX: usize = 1_000;

/// Where the loop stands.
#[derive(Default)]
pub(super) struct Place {
    /// The first update that is not known to be committed.
    pub(super) offset: i64,
    /// The offset that Telegram was last told.
    pub(super) confirmed: i64,
    /// Committed updates beyond the offset, behind one that is not: not to be handled again.
    beyond: HashSet<i64>,
    /// Parked updates without a readable id, by a hash of their text: no offset confirms them by name.
    nameless: HashSet<u64>,
    /// Updates that are not committed yet. Telegram brings them again, being told no higher offset; a server that hands
    /// out each update once would have lost them.
    unsettled: Vec<Arc<Update>>,
    /// Chats whose conversation only a newer release can read, and since when their updates are held.
    held: HashMap<i64, Instant>,
    /// How often in a row the answer began with something that is no JSON.
    pub(super) broken: u32,
}

impl Place {
    /// Counts an answer that begins with something that is no JSON; gives it as an update once it came too often.
    pub(super) fn look_at_broken(&mut self, came: usize, rest: Option<String>) -> Option<Update> {
        self.broken = if rest.is_some() && came == 0 { self.broken + 1 } else { 0 };
        rest.filter(|_| self.broken >= BROKEN_MAX).map(broken)
    }

    /// What came, and before it what the last turn could not commit, should that not have come again. The order is
    /// Telegram's, which the offset follows.
    pub(super) fn with_unsettled(&mut self, came: Vec<String>) -> Vec<Arc<Update>> {
        let came: Vec<_> = came.into_iter().map(|raw| Arc::new(Update::new(raw))).collect();
        let mut updates = std::mem::take(&mut self.unsettled);
        let is_among = |update: &Update, others: &[Arc<Update>]| {
            update.id().is_some_and(|id| others.iter().any(|other| other.id() == Some(id)))
        };
        if updates.iter().all(|update| is_among(update, &came)) {
            return came;
        }
        let new: Vec<_> = came.into_iter().filter(|update| !is_among(update, &updates)).collect();
        updates.extend(new);
        updates
    }

    /// Moves the offset over the committed updates at the head; whether those are all.
    pub(super) fn advance(&mut self, updates: &[Arc<Update>], settled: &[bool]) -> bool {
        let prefix = settled.iter().take_while(|settled| **settled).count();
        if let Some(last) = updates.iter().take(prefix).rev().find_map(|update| update.id()) {
            self.offset = last.saturating_add(1);
        }
        if prefix == updates.len() {
            self.beyond.clear();
            return true;
        }
        for (update, settled) in updates.iter().zip(settled).skip(prefix) {
            match (settled, update.id()) {
                (true, id) => self.beyond.extend(id),
                // One without an id is parked when it comes again.
                (false, Some(_)) => self.unsettled.push(Arc::clone(update)),
                (false, None) => {}
            }
        }
        self.beyond.retain(|id| *id >= self.offset);
        false
    }

    /// Whether the updates of this chat have been held long enough, being so many by now.
    pub(super) fn has_been_held(&self, chat: i64, updates: usize) -> bool {
        updates > HELD_AMONG || self.held.get(&chat).is_some_and(|since| since.elapsed() >= HELD_FOR)
    }

    /// Notes whether the updates of a chat are held, which counts from the first time on.
    pub(super) fn hold(&mut self, chat: i64, is_held: bool) {
        if !is_held {
            self.held.remove(&chat);
        } else if self.held.len() < HELD_MAX {
            self.held.entry(chat).or_insert_with(Instant::now);
        }
    }

    /// Whether an update was committed in an earlier turn.
    pub(super) fn knows(&self, update: &Update) -> bool {
        match update.id() {
            Some(id) => self.beyond.contains(&id),
            None => self.nameless.contains(&hash(&update.raw)),
        }
    }

    pub(super) fn remember_nameless(&mut self, update: &Update) {
        if update.id().is_none() {
            // They are remembered only to park each of them once.
            if self.nameless.len() >= NAMELESS_MAX {
                self.nameless.clear();
            }
            self.nameless.insert(hash(&update.raw));
        }
    }
}

fn hash(raw: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    raw.hash(&mut hasher);
    hasher.finish()
}

/// What is left of an answer that is no JSON, with the id of its first update if a number stands where it should.
fn broken(raw: String) -> Update {
    let after_name = raw.split_once("\"update_id\"").map(|(_, rest)| rest.trim_start_matches([' ', ':']));
    let digits = after_name.and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
    let update_id = digits.and_then(|digits| digits.parse().ok());
    Update { read: Err(Unreadable { update_id }), raw }
}
