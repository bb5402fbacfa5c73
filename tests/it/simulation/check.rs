//! The conditions at the end: P1–P3, P5–P8 and P12 of `docs/PROMISES.md`, read from the model.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::memory::MemoryStore;
use deposit::Status;
use depot_bot::effects::retry::COMPUTE_ATTEMPTS_MAX;
use depot_bot::store::SessionStore as _;
use depot_bot::store::replication::{DurableStore as _, Primary, VolatileStore as _};
use futures_util::FutureExt as _;
use session::{Session, SessionKey, Waiting};

use super::chat::short;
use super::world::{Seen, Stamp, World, key};

/// An update that waits for less may be overtaken by the end of its session.
const IN_TIME: Duration = Duration::from_secs(3);

fn now<T>(answer: impl Future<Output = T>) -> T {
    answer.now_or_never().expect("memory waits for nobody")
}

impl World {
    /// The primary, if it is open.
    fn primary(&self) -> Option<&MemoryStore> {
        let leadership = now(self.sql.memory.read_cluster(0, self.clock.now())).unwrap().leadership?;
        let Primary::Redis { run_id } = &leadership.primary else { return Some(&self.sql.memory) };
        let probe = now(self.redis.memory.probe()).unwrap();
        (probe.run_id == *run_id && probe.epoch == Some(leadership.epoch)).then_some(&self.redis.memory)
    }

    fn document(&self, person: i64) -> Option<Session> {
        now(self.primary()?.load(key(person))).unwrap()
    }

    /// The parts that are not at rest yet; none when the simulation may end.
    pub(super) fn unrest(&self, people: i64) -> Option<String> {
        let waiting = self.seen().waiting;
        if waiting > 0 {
            return Some(format!("{waiting} updates wait at Telegram"));
        }
        let Some(store) = self.primary() else { return Some("no store is the primary".to_owned()) };
        for person in 1..=people {
            let Some(session) = now(store.load(key(person))).unwrap() else { continue };
            if !session.is_at_rest() {
                let (state, card) = (session.state.name(), &session.card);
                return Some(format!(
                    "{person} is {state} at {}.{}, {card:?}, {:?}",
                    session.epoch, session.version, session.pending
                ));
            }
            if self.sql.memory.stamp(key(person)) != store.stamp(key(person)) {
                return Some(format!("SQL lags behind in the conversation of {person}"));
            }
        }
        None
    }

    /// Everything that does not hold.
    pub(super) fn violations(&self, people: i64) -> Vec<String> {
        let mut found = Vec::new();
        let documents: BTreeMap<SessionKey, Session> =
            (1..=people).filter_map(|person| Some((key(person), self.document(person)?))).collect();
        let seen = self.seen();
        let lost = self.sql.memory.conflicts();
        for (key, session) in &documents {
            let line = line(&seen, *key, session, &mut found);
            acknowledged(&seen, *key, session, &line, &mut found);
            ended(&seen, *key, session, &mut found);
            notes(&seen, *key, session, lost.iter().any(|branch| branch.key == *key), &mut found);
            expired(&seen, *key, &mut found);
        }
        for done in seen.acknowledged.iter().filter(|done| done.stamp.is_some()) {
            if !documents.contains_key(&done.key) {
                found.push(format!("{} was acknowledged, and its conversation is gone", done.update));
            }
        }
        found
    }
}

/// The commits that led to a document, the last first: (epoch, version) grows with each.
fn line(seen: &Seen, key: SessionKey, session: &Session, found: &mut Vec<String>) -> BTreeSet<Stamp> {
    let mut line = BTreeSet::new();
    let mut next = Some((session.epoch, session.version, session.commit));
    while let Some(stamp) = next {
        line.insert(stamp);
        next = match seen.commits.get(&(key, stamp)) {
            Some(before) => *before,
            None => {
                found.push(format!("{} has {stamp:?}, which nobody has committed", key.chat));
                None
            }
        };
        if let Some(before) = next {
            let grows = before.0 <= stamp.0 && before.1 + 1 == stamp.1;
            if !grows {
                found.push(format!("{} went from {before:?} to {stamp:?}", key.chat));
                return line;
            }
        }
    }
    line
}

/// Every update that was acknowledged is in the document, by a commit that led to it.
fn acknowledged(
    seen: &Seen,
    key: SessionKey,
    session: &Session,
    line: &BTreeSet<Stamp>,
    found: &mut Vec<String>,
) {
    let mut of_key = seen.acknowledged.iter().filter(|done| done.key == key).collect::<Vec<_>>();
    of_key.sort_by_key(|done| done.update);
    for done in of_key {
        let Some(stamp) = done.stamp else { continue };
        if !session.seen.updates.contains(&done.update) {
            found.push(format!("{} was acknowledged, and is not in the document", done.update));
        }
        if !line.contains(&stamp) {
            found.push(format!("{} was acknowledged with {stamp:?}, which has lost", done.update));
        }
    }
    let updates: BTreeSet<_> = session.seen.updates.iter().collect();
    if updates.len() != session.seen.updates.len() {
        found.push(format!("{} has applied an update twice: {:?}", key.chat, session.seen.updates));
    }
}

/// Each deposit ends once, and its last card agrees with the ledger.
fn ended(seen: &Seen, key: SessionKey, session: &Session, found: &mut Vec<String>) {
    let rows: Vec<_> = seen.ledger.iter().filter(|(of, ..)| *of == key).map(|(_, row, _)| row).collect();
    let mut known = BTreeSet::new();
    for row in &rows {
        if !known.insert((row.id, row.revision)) {
            found.push(format!("{} is in the ledger twice", short(row.id)));
        }
    }
    let room = seen.rooms.get(&key.chat.0);
    for (message, end) in room.iter().flat_map(|room| &room.ends) {
        if !rows.contains(&end) {
            found.push(format!("message {message} says {end:?}, the ledger has {rows:?}"));
        }
    }
    for (message, was, is) in room.iter().flat_map(|room| &room.replaced) {
        found.push(format!("message {message} showed {} and now shows {}", short(*was), short(*is)));
    }
    for row in rows {
        let of_row = room.iter().flat_map(|room| &room.ends).filter(|(_, end)| end == row);
        let messages: BTreeSet<i64> = of_row.map(|(message, _)| *message).collect();
        let is_last = matches!(&session.state, session::State::Closed { recorded } if recorded == row);
        if messages.is_empty() && (is_last || row.status == Status::Completed) && seen.repeats == 0 {
            found.push(format!("nobody was told that {} is {:?}", short(row.id), row.status));
        }
        // Its owner may ask for it again.
        let asked = seen.acknowledged.iter().filter(|it| it.key == key && it.is_message).count();
        if messages.len() > 1 + asked && row.status == Status::Expired && seen.repeats == 0 {
            found.push(format!("{} has expired in messages {messages:?}", short(row.id)));
        }
    }
}

/// Each acknowledged note is in one deposit, unless its user cancelled that one.
fn notes(seen: &Seen, key: SessionKey, session: &Session, has_lost: bool, found: &mut Vec<String>) {
    for done in seen.acknowledged.iter().filter(|done| done.key == key) {
        let Some(note) = &done.note else { continue };
        let rows = || seen.ledger.iter().filter(|(of, ..)| *of == key).map(|(_, row, _)| row);
        let of_note = rows().filter(|row| row.lines.iter().any(|line| line.object == *note));
        let waits = session.waiting.iter().any(|it| matches!(it, Waiting::Note(it) if it.text == *note));
        let count = of_note.clone().count() + usize::from(waits);
        let is_given_up = rows().any(|row| row.status == Status::Cancelled);
        let is_unclear = rows().any(|row| row.lines.is_empty());
        // Its owner was told that it is not understood.
        let is_beyond_us = seen.misunderstood.get(note).is_some_and(|times| *times >= COMPUTE_ATTEMPTS_MAX);
        if count == 0 && !is_given_up && !is_unclear && !is_beyond_us {
            found.push(format!("{note:?} was acknowledged, and is in no deposit"));
        }
        // A message that only Redis knew of may be lost with it and sent again: then it may be there twice (P12).
        if count > 1 && !has_lost && seen.repeats == 0 {
            let ids: Vec<_> = of_note.map(|row| (short(row.id), row.status)).collect();
            found.push(format!("{note:?} is in several deposits: {ids:?}"));
        }
    }
}

/// No session has expired whose answer waited at Telegram, unless by a message that was written after its end: Telegram
/// brings messages and taps side by side.
fn expired(seen: &Seen, key: SessionKey, found: &mut Vec<String>) {
    for (_, row, at) in seen.ledger.iter().filter(|(of, ..)| *of == key) {
        if row.status != Status::Expired {
            continue;
        }
        let decided = Duration::from_millis(u64::try_from(row.decided_at.0 - crate::stores::NOW.0).unwrap());
        let has_said_so = seen.acknowledged.iter().any(|it| {
            it.key == key && it.is_message && it.began <= decided && decided <= it.at && it.sent > IN_TIME
        });
        if has_said_so {
            continue;
        }
        let waited = seen.acknowledged.iter().find(|it| {
            // An update that changed nothing was read before the end, and waited for the mirror of an earlier commit.
            let was_looked_at = it.stamp.is_none() && it.began <= decided;
            it.key == key && it.sent + IN_TIME < decided && it.at > *at && !was_looked_at
        });
        if let Some(waited) = waited {
            let (sent, acknowledged) = (waited.sent.as_millis(), waited.at.as_millis());
            found.push(format!(
                "{} has expired at {} while {}, sent at {sent}, waited until {acknowledged}",
                short(row.id),
                decided.as_millis(),
                waited.update,
            ));
        }
    }
}
