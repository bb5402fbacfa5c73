//! The offset cursor of long polling: the updates that may be acknowledged to Telegram.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::telegram::client::Batch;
use crate::telegram::incoming::Unreadable;
use crate::telegram::ingress::pipeline::Update;

/// How often the same unreadable answer is asked for again before its first update becomes a dead letter.
const BROKEN_MAX: u32 = 3;
/// How many dead letters without an id are remembered.
const NAMELESS_MAX: usize = 100;
/// How long the updates of a chat are held, and the offset with them, before they become dead letters.
const HELD_FOR: Duration = Duration::from_secs(60);
/// How many updates may come meanwhile: Telegram shows 100 behind the offset and no more, so the bot would be deaf.
const HELD_AMONG: usize = 50;
/// How many chats are remembered as held.
const HELD_MAX: usize = 1_000;

/// The position of the loop in Telegram's queue.
#[derive(Default)]
pub(super) struct OffsetCursor {
    /// The first update that is not known to be committed.
    pub(super) offset: i64,
    /// The offset that was last sent to Telegram.
    pub(super) confirmed: i64,
    /// Committed updates beyond the offset, behind one that is not: not to be handled again.
    beyond: HashSet<i64>,
    /// Dead letters without a readable id, by a hash of their text: no offset confirms them by name.
    nameless: HashSet<u64>,
    /// Updates that are not committed yet. Telegram brings them again, having no higher offset; a server that hands
    /// out each update once would have lost them.
    uncommitted: Vec<Arc<Update>>,
    /// Chats whose conversation only a newer release can read, and since when their updates are held.
    held: HashMap<i64, Instant>,
    /// How often in a row the answer began with something that is no JSON.
    pub(super) broken: u32,
}

/// The updates of one chat, in order, each with its index in the batch.
pub(super) struct Chain {
    pub(super) chat: Option<i64>,
    pub(super) updates: Vec<(usize, Arc<Update>)>,
    /// Whether its updates were held so long that they become dead letters now.
    pub(super) was_held_long_enough: bool,
}

/// The updates submitted of one chat, and their outcome.
pub(super) struct Submitted {
    chat: Option<i64>,
    /// The indices of those that were committed.
    pub(super) committed: Vec<usize>,
    /// Whether the rest is not committed because the stores cannot take it now, or no time was left.
    pub(super) is_stalled: bool,
    /// Whether only a newer release can read the conversation.
    pub(super) is_newer: bool,
}

impl Submitted {
    pub(super) fn nothing_of(chat: Option<i64>) -> Self {
        Self { chat, committed: Vec::new(), is_stalled: false, is_newer: false }
    }
}

impl OffsetCursor {
    /// Takes in an answer: the updates in Telegram's order, and those of them that are still to be handled, by chat.
    pub(super) fn receive(&mut self, batch: Batch) -> (Vec<Arc<Update>>, Vec<Chain>) {
        self.confirmed = self.offset;
        let came = batch.updates.len();
        let mut updates = self.with_uncommitted(batch.updates);
        if let Some(raw) = self.first_of_broken(came, batch.broken) {
            updates.push(Arc::new(raw));
        }
        let chains = self.chains(&updates);
        (updates, chains)
    }

    /// Counts an answer that begins with something that is no JSON; gives it as an update once it came too often.
    fn first_of_broken(&mut self, came: usize, rest: Option<String>) -> Option<Update> {
        self.broken = if rest.is_some() && came == 0 { self.broken + 1 } else { 0 };
        rest.filter(|_| self.broken >= BROKEN_MAX).map(broken)
    }

    /// The updates that came, and before them the uncommitted ones, should those not have come again. The order is
    /// Telegram's, which the offset follows.
    fn with_uncommitted(&mut self, came: Vec<String>) -> Vec<Arc<Update>> {
        let came: Vec<_> = came.into_iter().map(|raw| Arc::new(Update::new(raw))).collect();
        let mut updates = std::mem::take(&mut self.uncommitted);
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

    /// Groups by chat the updates that no earlier batch committed; one without a chat stands alone.
    fn chains(&self, updates: &[Arc<Update>]) -> Vec<Chain> {
        let mut chains: Vec<Chain> = Vec::new();
        let mut chain_of: HashMap<i64, usize> = HashMap::new();
        for (index, update) in updates.iter().enumerate().filter(|(_, update)| !self.was_committed(update)) {
            let (chat, next) = (update.chat(), chains.len());
            let chain = chat.map_or(next, |chat| *chain_of.entry(chat).or_insert(next));
            match chains.get_mut(chain) {
                Some(chain) => chain.updates.push((index, Arc::clone(update))),
                None => chains.push(Chain {
                    chat,
                    updates: vec![(index, Arc::clone(update))],
                    was_held_long_enough: chat
                        .is_some_and(|chat| self.was_held_long_enough(chat, updates.len())),
                }),
            }
        }
        chains
    }

    /// Moves the offset over the committed updates at the head; whether those are all.
    pub(super) fn advance(&mut self, updates: &[Arc<Update>], submitted: &[Submitted]) -> bool {
        let mut is_committed: Vec<bool> = updates.iter().map(|update| self.was_committed(update)).collect();
        for chain in submitted {
            if let Some(chat) = chain.chat {
                self.hold(chat, chain.is_newer);
            }
            for index in &chain.committed {
                if let (Some(done), Some(update)) = (is_committed.get_mut(*index), updates.get(*index)) {
                    *done = true;
                    self.remember_nameless(update);
                }
            }
        }
        let prefix = is_committed.iter().take_while(|done| **done).count();
        if let Some(last) = updates.iter().take(prefix).rev().find_map(|update| update.id()) {
            self.offset = last.saturating_add(1);
        }
        if prefix == updates.len() {
            self.beyond.clear();
            return true;
        }
        for (update, done) in updates.iter().zip(is_committed).skip(prefix) {
            match (done, update.id()) {
                (true, id) => self.beyond.extend(id),
                // One without an id becomes a dead letter when it comes again.
                (false, Some(_)) => self.uncommitted.push(Arc::clone(update)),
                (false, None) => {}
            }
        }
        self.beyond.retain(|id| *id >= self.offset);
        false
    }

    /// Whether the updates of this chat have been held long enough, being so many by now.
    fn was_held_long_enough(&self, chat: i64, updates: usize) -> bool {
        updates > HELD_AMONG || self.held.get(&chat).is_some_and(|since| since.elapsed() >= HELD_FOR)
    }

    /// Notes whether the updates of a chat are held, which counts from the first time on.
    fn hold(&mut self, chat: i64, is_held: bool) {
        if !is_held {
            self.held.remove(&chat);
        } else if self.held.len() < HELD_MAX {
            self.held.entry(chat).or_insert_with(Instant::now);
        }
    }

    /// Whether an update was committed in an earlier batch.
    fn was_committed(&self, update: &Update) -> bool {
        match update.id() {
            Some(id) => self.beyond.contains(&id),
            None => self.nameless.contains(&hash(&update.raw)),
        }
    }

    fn remember_nameless(&mut self, update: &Update) {
        if update.id().is_none() {
            // They are remembered only to keep each of them once.
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

/// The rest of an answer that is no JSON, with the id of its first update if a number stands where it should.
fn broken(raw: String) -> Update {
    let after_name = raw.split_once("\"update_id\"").map(|(_, rest)| rest.trim_start_matches([' ', ':']));
    let digits = after_name.and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
    let update_id = digits.and_then(|digits| digits.parse().ok());
    Update { read: Err(Unreadable { update_id }), raw }
}
